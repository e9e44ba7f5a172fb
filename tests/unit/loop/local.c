/* SPDX-License-Identifier: MIT */
/* Sockets of every address: where each datagram was sent to, answers from there, congestion marks (E13, S06, S07). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "loop/batch.h"
#include "tests/lib/inject.h"

static struct {
	struct flux_socket a, b;                              /* a has one address, b each of this host's */
	struct flux_rx_batch *rx;                             /* reads `b` */
	struct flux_rx got[FLUX_RX_BATCH * FLUX_RX_SEGMENTS]; /* of the last receive */
	uint8_t bytes[30][1000];
} t;

static void open_at(struct flux_socket *sock, const struct flux_addr *local, bool offload)
{
	char why[256];
	struct flux_socket_want want = {
		.local = *local,
		.rcvbuf = 1u << 20,
		.sndbuf = 1u << 20,
		.no_offload = !offload,
		.tell_local = true,
		.ecn = local->port == 0 && local->ip[0] == 0,
		.why = why,
		.why_cap = sizeof(why),
	};

	assert_int_equal(flux_socket_open(sock, &want), 0);
}

static void open_any(struct flux_socket *sock, uint8_t family, bool offload)
{
	open_at(sock, &(struct flux_addr){ .family = family }, offload);
	assert_int_equal(sock->stats.features & FLUX_SOCKET_LOCAL, FLUX_SOCKET_LOCAL);
	assert_int_equal(sock->stats.features & FLUX_SOCKET_ECN, FLUX_SOCKET_ECN);
}

static struct flux_addr loopback(uint8_t last, uint16_t port)
{
	return (struct flux_addr){ .ip = { 127, 0, 0, last }, .port = port, .family = 4 };
}

static void begin(uint8_t family, bool offload)
{
	struct flux_addr one = loopback(1, 0);

	inject_clear();
	open_at(&t.a, &one, offload);
	open_any(&t.b, family, offload);
	t.rx = flux_rx_batch_create(&flux_mem_libc, 2048, t.b.joined);
	assert_non_null(t.rx);
	for (uint32_t i = 0; i < 30; i++)
		memset(t.bytes[i], (int)i + 1, sizeof(t.bytes[i]));
}

static void end(void)
{
	flux_rx_batch_destroy(t.rx, &flux_mem_libc);
	flux_socket_close(&t.a);
	flux_socket_close(&t.b);
}

static void need_offload(void)
{
	if (t.b.joins && t.a.joined)
		return;
	end();
	print_message("# this kernel has no UDP_SEGMENT or no UDP_GRO\n");
	skip();
}

static struct flux_tx datagram(uint32_t i, uint32_t len, const struct flux_addr *to)
{
	return (struct flux_tx){ .body = t.bytes[i], .body_len = len, .token = i, .to = *to };
}

static uint32_t receive(void)
{
	uint32_t messages = flux_rx_batch_receive(t.rx, &t.b, true), n = 0;

	for (uint32_t i = 0; i < messages; i++) {
		uint32_t k = flux_rx_batch_split(t.rx, i, &t.b.stats);

		memcpy(t.got + n, t.rx->rx, k * sizeof(*t.got));
		n += k;
	}
	return n;
}

static bool is_local(const struct flux_local *local, const struct flux_addr *addr)
{
	return local && local->family == addr->family && memcmp(local->ip, addr->ip, sizeof(local->ip)) == 0;
}

/* E13, S07: who sent it, where to and how marked; an answer from there is one that a connected peer hears. */
static void told_and_answered(uint8_t family)
{
	for (uint8_t last = 1; last <= 3; last++) {
		struct flux_addr to = loopback(last, t.b.local.port);
		union flux_sockaddr sa;
		socklen_t len = flux_sockaddr_from(&sa, &to, 4);
		struct flux_tx tx = datagram(0, 10, &to);
		uint32_t done;
		char buf[16];

		/* This one hears nobody else. */
		assert_int_equal(connect(t.a.fd, &sa.any, len), 0);
		assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done, NULL), FLUX_TX_ALL);
		assert_int_equal(receive(), 1);
		assert_true(is_local(t.got[0].local, &to));
		assert_true(t.got[0].local->ifindex > 0);
		assert_int_equal(t.got[0].ecn, 0);
		tx = datagram(1, 11, &t.got[0].from);
		tx.local = t.got[0].local;
		assert_int_equal(flux_tx_batch_send(&t.b, &tx, 1, &done, NULL), FLUX_TX_ALL);
		assert_int_equal(recv(t.a.fd, buf, sizeof(buf), MSG_DONTWAIT), 11);
	}
	assert_int_equal(t.b.stats.tx_errors, 0);
	assert_int_equal(t.b.family, family);
}

static void s07_every_address_of_four(void **state)
{
	(void)state;
	begin(4, false);
	told_and_answered(4);
	end();
}

static void s07_every_address_of_both(void **state)
{
	(void)state;
	begin(6, false);
	told_and_answered(6);
	end();
}

/* An address that this host does not have costs its own datagrams, nobody else's, and no offload. */
static void s07_not_ours(void **state)
{
	const struct flux_local foreign = { .ip = { 192, 0, 2, 1 }, .family = 4 };
	struct flux_tx tx[12];
	uint32_t done;

	(void)state;
	begin(6, true);
	need_offload();
	for (uint32_t i = 0; i < 12; i++) {
		tx[i] = datagram(i, 100, &t.a.local);
		if (i < 6)
			tx[i].local = &foreign;
	}
	assert_int_equal(flux_tx_batch_send(&t.b, tx, 12, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(done, 12);
	assert_int_equal(t.b.stats.tx_errors, 6);
	assert_int_equal(t.b.tx_datagrams, 6);
	assert_true(t.b.joins);
	end();
}

/* A run has one source: where it changes, another one begins. */
static void s07_runs_end(void **state)
{
	const struct flux_local one = { .ip = { 127, 0, 0, 1 }, .family = 4 },
				two = { .ip = { 127, 0, 0, 2 }, .family = 4 };
	struct flux_tx tx[30];
	struct flux_rx_batch *rx;
	uint32_t done, n, k, seen = 0;

	(void)state;
	begin(6, true);
	need_offload();
	rx = flux_rx_batch_create(&flux_mem_libc, 2048, true);
	assert_non_null(rx);
	for (uint32_t i = 0; i < 30; i++) {
		tx[i] = datagram(i, 1000, &t.a.local);
		tx[i].local = i / 10 == 1 ? &two : &one;
	}
	assert_int_equal(flux_tx_batch_send(&t.b, tx, 30, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(t.b.stats.tx_syscalls, 1);
	while ((n = flux_rx_batch_receive(rx, &t.a, true)) > 0)
		for (uint32_t i = 0; i < n; i++) {
			k = flux_rx_batch_split(rx, i, &t.a.stats);
			for (uint32_t j = 0; j < k; j++, seen++) {
				assert_int_equal(rx->rx[j].from.ip[3], seen / 10 == 1 ? 2 : 1);
				assert_memory_equal(rx->rx[j].data, t.bytes[seen], 1000);
				assert_null(rx->rx[j].local); /* bound to one address */
			}
		}
	assert_int_equal(seen, 30);
	flux_rx_batch_destroy(rx, &flux_mem_libc);
	end();
}

/* S06: a socket of IPv6 marks what goes to an IPv4 address, in a run and alone; and what goes to IPv6. */
static void s06_marks(void **state)
{
	struct flux_socket any;
	struct flux_tx tx[10];
	struct flux_addr to[2];
	uint32_t done;

	(void)state;
	begin(6, true);
	open_any(&any, 6, true);
	to[0] = loopback(1, t.b.local.port);
	to[1] = (struct flux_addr){ .ip = { [15] = 1 }, .port = t.b.local.port, .family = 6 };
	for (int i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < 10; k++)
			tx[k] = datagram(k, k < 9 ? 500 : 0, &to[i]);
		assert_int_equal(flux_tx_batch_send(&any, tx, 10, &done, NULL), FLUX_TX_ALL);
		for (uint32_t seen = 0, n; seen < 10; seen += n) {
			n = receive();
			assert_true(n > 0);
			for (uint32_t k = 0; k < n; k++) {
				assert_int_equal(t.got[k].ecn, 2);
				assert_true(is_local(t.got[k].local, &to[i]));
			}
		}
	}
	flux_socket_close(&any);
	end();
}

/* S06: the kernel refuses to mark: off as a whole, and everything else works. */
static void s06_refused(void **state)
{
	static const int levels[] = { IPPROTO_IP, IPPROTO_IPV6 }, names[] = { IP_TOS, IPV6_TCLASS };
	struct flux_addr to = loopback(1, 0);
	struct flux_tx tx = datagram(0, 10, &to);
	uint32_t done;

	(void)state;
	begin(6, false);
	for (int i = 0; i < 2; i++) {
		struct flux_socket sock;
		char why[256];
		struct flux_socket_want want = { .local = { .family = 6 }, .ecn = true, .why = why, .why_cap = sizeof(why) };

		inject_option(levels[i], names[i], EINVAL);
		assert_int_equal(flux_socket_open(&sock, &want), 0);
		inject_clear();
		assert_int_equal(sock.stats.features & FLUX_SOCKET_ECN, 0);
		tx.to.port = t.b.local.port;
		assert_int_equal(flux_tx_batch_send(&sock, &tx, 1, &done, NULL), FLUX_TX_ALL);
		assert_int_equal(receive(), 1);
		assert_int_equal(t.got[0].ecn, 0);
		flux_socket_close(&sock);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(s07_every_address_of_four),
		cmocka_unit_test(s07_every_address_of_both),
		cmocka_unit_test(s07_not_ours),
		cmocka_unit_test(s07_runs_end),
		cmocka_unit_test(s06_marks),
		cmocka_unit_test(s06_refused),
	};

	return cmocka_run_group_tests_name("loop/local", tests, NULL, NULL);
}
