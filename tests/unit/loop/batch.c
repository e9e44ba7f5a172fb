/* SPDX-License-Identifier: MIT */
/* recvmmsg and sendmmsg over real sockets: order, sizes, truncation, and every way a send can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/list.h"
#include "loop/batch.h"
#include "sys/clock.h"
#include "tests/lib/inject.h"

static struct {
	struct flux_socket a, b;
	struct flux_rx_batch *rx;                             /* reads `b` */
	struct flux_rx got[FLUX_RX_BATCH * FLUX_RX_SEGMENTS]; /* of the last receive */
	uint8_t bytes[FLUX_PEEK_MAX][9000];
} t;

static void open_local_with(struct flux_socket *sock, uint8_t family, bool offload)
{
	char why[256];
	struct flux_socket_want want = {
		.local = { .ip = { 127, 0, 0, 1 }, .family = 4 },
		.rcvbuf = 1u << 20,
		.sndbuf = 1u << 20,
		.no_offload = !offload,
		.why = why,
		.why_cap = sizeof(why),
	};

	if (family == 6) {
		memset(&want.local, 0, sizeof(want.local));
		want.local.family = 6;
		want.local.ip[15] = 1;
	}
	assert_int_equal(flux_socket_open(sock, &want), 0);
}

static void open_local(struct flux_socket *sock, uint8_t family)
{
	open_local_with(sock, family, false);
}

static void open_pair(bool offload)
{
	inject_clear();
	open_local_with(&t.a, 4, offload);
	open_local_with(&t.b, 4, offload);
	t.rx = flux_rx_batch_create(&flux_mem_libc, 2048, t.b.joined);
	assert_non_null(t.rx);
	for (uint32_t i = 0; i < FLUX_PEEK_MAX; i++)
		memset(t.bytes[i], (int)i + 1, sizeof(t.bytes[i]));
}

static int setup(void **state)
{
	(void)state;
	open_pair(false);
	return 0;
}

static int setup_offload(void **state)
{
	(void)state;
	open_pair(true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	flux_rx_batch_destroy(t.rx, &flux_mem_libc);
	flux_socket_close(&t.a);
	flux_socket_close(&t.b);
	return 0;
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

/* S14: sizes 0 and 1200 in turn, in order, each with its sender. */
static void s14_batch(void **state)
{
	struct flux_tx tx[20];
	uint32_t done, seen = 0, n;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		tx[i] = datagram(i, i % 2 ? 1200 : 0, &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 20, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(done, 20);
	while ((n = receive()) > 0) {
		for (uint32_t i = 0; i < n; i++, seen++) {
			assert_int_equal(t.got[i].len, seen % 2 ? 1200 : 0);
			assert_memory_equal(t.got[i].data, t.bytes[seen], t.got[i].len);
			assert_true(flux_addr_equal(&t.got[i].from, &t.a.local));
		}
	}
	assert_int_equal(seen, 20);
	assert_int_equal(t.b.stats.rx_syscalls, 3);
}

/* S14, the receiver connected: the kernel names the sender all the same, and order holds. */
static void s14_connected(void **state)
{
	struct flux_tx tx[20];
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, &t.a.local, 4);
	uint32_t done, seen = 0, n;

	(void)state;
	assert_int_equal(connect(t.b.fd, &sa.any, len), 0);
	for (uint32_t i = 0; i < 20; i++)
		tx[i] = datagram(i, i % 3 ? 1200 : 0, &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 20, &done, NULL), FLUX_TX_ALL);
	while ((n = receive()) > 0)
		for (uint32_t i = 0; i < n; i++, seen++)
			assert_int_equal(t.got[i].len, seen % 3 ? 1200 : 0);
	assert_int_equal(seen, 20);
}

/* S04: longer than any datagram we take. The two around it are received. */
static void s04_truncated(void **state)
{
	const uint32_t lens[] = { 2048, 9000, 2049, 1 };
	struct flux_tx tx[4];
	uint32_t done;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		tx[i] = datagram(i, lens[i], &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 4, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(receive(), 2);
	assert_int_equal(t.got[0].len, 2048);
	assert_int_equal(t.got[1].len, 1);
	assert_memory_equal(t.got[1].data, t.bytes[3], 1);
	assert_int_equal(t.b.stats.rx_truncated, 2);
}

/* E13: raw readiness and our own recvmmsg give the source, the stamp and the kernel's drop count. */
static void e13_control_data(void **state)
{
	struct flux_tx tx[FLUX_PEEK_MAX];
	uint32_t done, n, all = 0;
	int tiny = 4096;

	(void)state;
	assert_int_equal(setsockopt(t.b.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	for (uint32_t i = 0; i < FLUX_PEEK_MAX; i++)
		tx[i] = datagram(i, 1200, &t.b.local);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(flux_tx_batch_send(&t.a, tx, FLUX_PEEK_MAX, &done, NULL), FLUX_TX_ALL);
		while ((n = receive()) > 0) {
			for (uint32_t i = 0; i < n; i++)
				assert_true(t.rx->arrival[i] > 0 && t.rx->arrival[i] <= flux_clock_wall());
			all += n;
		}
	}
	/* A drop is told with the next datagram that was queued after it. */
	assert_true(t.b.stats.rx_kernel_drops > 0);
	assert_int_equal(t.b.stats.rx_kernel_drops, FLUX_PEEK_MAX - all / 2);
}

static void two_pieces(void **state)
{
	struct flux_tx tx = datagram(0, 10, &t.b.local);
	uint8_t head[16];
	uint32_t done;

	(void)state;
	memset(head, 0xee, sizeof(head));
	tx.head = head;
	tx.head_len = sizeof(head);
	assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(receive(), 1);
	assert_int_equal(t.got[0].len, 26);
	assert_memory_equal(t.got[0].data, head, 16);
	assert_memory_equal((const uint8_t *)t.got[0].data + 16, t.bytes[0], 10);
}

static void six_and_four(void **state)
{
	struct flux_socket any, six;
	char why[256];
	struct flux_socket_want want = { .rcvbuf = 65536, .sndbuf = 65536, .why = why, .why_cap = sizeof(why) };
	struct flux_tx tx[3];
	struct flux_addr dead = { .ip = { 0x20, 1, 0xd, 0xb8 }, .port = 9, .family = 6 };
	uint32_t done;

	(void)state;
	assert_int_equal(flux_socket_open(&any, &want), 0);
	tx[0] = datagram(0, 5, &t.b.local);
	assert_int_equal(flux_tx_batch_send(&any, tx, 1, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(receive(), 1);
	assert_int_equal(t.got[0].from.family, 4);
	assert_int_equal(t.got[0].from.port, any.local.port);
	flux_socket_close(&any);

	/* What an IPv4 socket cannot reach is an error of that datagram alone. */
	tx[0] = datagram(0, 5, &dead);
	tx[1] = datagram(1, 6, &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 2, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(done, 2);
	assert_int_equal(t.a.stats.tx_errors, 1);
	assert_int_equal(receive(), 1);
	assert_int_equal(t.got[0].len, 6);

	open_local(&six, 6);
	tx[0] = datagram(0, 7, &six.local);
	tx[1] = datagram(1, 8, &six.local);
	assert_int_equal(flux_tx_batch_send(&six, tx, 2, &done, NULL), FLUX_TX_ALL);
	flux_socket_close(&six);
}

static void partial_and_blocked(void **state)
{
	struct flux_tx tx[5];
	uint32_t done;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		tx[i] = datagram(i, 10, &t.b.local);
	inject_send_limit(2);
	inject_error(INJECT_SEND, EAGAIN, 2, 1);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 5, &done, NULL), FLUX_TX_BLOCKED);
	assert_int_equal(done, 4);
	assert_int_equal(t.a.stats.tx_refused, 1);
	assert_int_equal(flux_tx_batch_send(&t.a, tx + done, 5 - done, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(receive(), 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_memory_equal(t.got[i].data, t.bytes[i], 10);
}

/* S11: the datagram is lost, the sender pauses; it neither waits for "writable" nor gives up. */
static void s11_no_buffers(void **state)
{
	struct flux_tx tx[3];
	uint32_t done;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		tx[i] = datagram(i, 10, &t.b.local);
	inject_error(INJECT_SEND, ENOBUFS, 0, 1);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 3, &done, NULL), FLUX_TX_NO_BUFFERS);
	assert_int_equal(done, 1);
	assert_int_equal(t.a.stats.tx_no_buffers, 1);
	assert_int_equal(t.a.stats.tx_errors, 0);
}

static void interrupted(void **state)
{
	struct flux_tx tx = datagram(0, 10, &t.b.local);
	uint32_t done;

	(void)state;
	inject_error(INJECT_SEND, EINTR, 0, 100);
	inject_error(INJECT_RECEIVE, EINTR, 0, 100);
	assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(done, 1);
	assert_int_equal(receive(), 1);
}

/* An error that an earlier datagram left behind costs nothing; one that stays costs its datagram. */
static void errors_are_not_fatal(void **state)
{
	static const int errors[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EPERM, EACCES, EINVAL, EIO };
	struct flux_tx tx[3];
	uint32_t done;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		tx[i] = datagram(i, 10, &t.b.local);
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		inject_error(INJECT_SEND, errors[e], 0, 1);
		assert_int_equal(flux_tx_batch_send(&t.a, tx, 3, &done, NULL), FLUX_TX_ALL);
		assert_int_equal(done, 3);
		assert_int_equal(receive(), 3);
		assert_int_equal(t.a.stats.tx_errors, e);

		inject_error(INJECT_SEND, errors[e], 0, 2);
		assert_int_equal(flux_tx_batch_send(&t.a, tx, 3, &done, NULL), FLUX_TX_ALL);
		assert_int_equal(done, 3);
		assert_int_equal(receive(), 2);
		assert_int_equal(t.a.stats.tx_errors, e + 1);
	}
}

/* A port where nobody listens, between two datagrams to one where somebody does. */
static void dead_peer_blocks_nobody(void **state)
{
	struct flux_tx tx[FLUX_PEEK_MAX];
	struct flux_socket closed;
	uint32_t done, seen = 0, n;

	(void)state;
	open_local(&closed, 4);
	flux_socket_close(&closed);
	for (uint32_t i = 0; i < FLUX_PEEK_MAX; i++)
		tx[i] = datagram(i, 10, i % 2 ? &t.b.local : &closed.local);
	for (int round = 0; round < 10; round++) {
		assert_int_equal(flux_tx_batch_send(&t.a, tx, FLUX_PEEK_MAX, &done, NULL), FLUX_TX_ALL);
		assert_int_equal(done, FLUX_PEEK_MAX);
		while ((n = receive()) > 0)
			seen += n;
	}
	assert_true(seen + t.a.stats.tx_errors >= 10 * FLUX_PEEK_MAX / 2);
	assert_true(t.a.stats.icmp_errors > 0);
}

/* The receiver's side: the error of an earlier send is read, then what waits behind it is received. */
static void pending_error_on_receive(void **state)
{
	struct flux_tx tx = datagram(0, 10, &t.b.local), nobody;
	struct flux_socket closed;
	uint32_t done;

	(void)state;
	open_local(&closed, 4);
	flux_socket_close(&closed);
	nobody = datagram(1, 10, &closed.local);
	assert_int_equal(flux_tx_batch_send(&t.b, &nobody, 1, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(receive(), 0);
	assert_int_equal(t.b.stats.icmp_errors, 1);
	assert_int_equal(receive(), 1);
}

static void need_offload(void)
{
	if (!t.a.joins || !t.b.joined) {
		print_message("# this kernel has no UDP_SEGMENT or no UDP_GRO\n");
		skip();
	}
}

/* Send `n` datagrams of `lens`, and check that they come whole and in order. */
static void through(const uint32_t *lens, uint32_t n)
{
	struct flux_tx tx[FLUX_PEEK_MAX];
	uint32_t done, seen = 0, k;

	for (uint32_t i = 0; i < n; i++)
		tx[i] = datagram(i, lens[i], &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, n, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(done, n);
	while ((k = receive()) > 0) {
		for (uint32_t i = 0; i < k; i++, seen++) {
			assert_int_equal(t.got[i].len, lens[seen]);
			assert_memory_equal(t.got[i].data, t.bytes[seen], lens[seen]);
			assert_true(flux_addr_equal(&t.got[i].from, &t.a.local));
		}
	}
	assert_int_equal(seen, n);
	assert_int_equal(t.b.stats.rx_truncated, 0);
}

/* S03: a run of equal datagrams is one message for the kernel, both ways, and comes apart again. */
static void s03_runs(void **state)
{
	uint32_t lens[40];

	(void)state;
	need_offload();
	for (uint32_t i = 0; i < 40; i++)
		lens[i] = i < 39 ? 1200 : 700;
	through(lens, 40);
	assert_int_equal(t.a.stats.tx_syscalls, 1);
	assert_true(t.b.stats.rx_syscalls <= 3);
}

/* Runs end where lengths grow, at an empty datagram, and at what one message holds. */
static void runs_of_all_kinds(void **state)
{
	uint32_t lens[FLUX_PEEK_MAX];

	(void)state;
	need_offload();
	for (uint32_t i = 0; i < 60; i++)
		lens[i] = i % 7 == 0 ? 0 : i % 5 == 0 ? 1300 :
				   i % 3 == 0         ? 100 :
							1200;
	through(lens, 60);
	for (uint32_t i = 0; i < 60; i++)
		lens[i] = 2000; /* 120,000 bytes */
	through(lens, 60);
}

/* Repairs are of two pieces; they join all the same. */
static void runs_of_two_pieces(void **state)
{
	struct flux_tx tx[10];
	uint8_t heads[10][16];
	uint32_t done;

	(void)state;
	need_offload();
	for (uint32_t i = 0; i < 10; i++) {
		memset(heads[i], 0xe0 + (int)i, 16);
		tx[i] = datagram(i, 500, &t.b.local);
		tx[i].head = heads[i];
		tx[i].head_len = 16;
	}
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 10, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(t.a.stats.tx_syscalls, 1);
	assert_int_equal(receive(), 10);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(t.got[i].len, 516);
		assert_memory_equal(t.got[i].data, heads[i], 16);
		assert_memory_equal((const uint8_t *)t.got[i].data + 16, t.bytes[i], 500);
	}
}

/* S01: GSO was accepted, then a device refuses, at once or later: nothing is lost, it is off, said once. */
static void s01_refused(int error, uint32_t skip)
{
	uint32_t lens[30];

	for (uint32_t i = 0; i < 30; i++)
		lens[i] = 1000;
	for (uint32_t i = 0; i < skip; i++)
		through(lens, 30);
	inject_error(INJECT_SEND, error, 0, 1);
	through(lens, 30);
	assert_false(t.a.joins);
	assert_int_equal(t.a.stats.tx_offload_off, 1);
	assert_int_equal(t.a.stats.tx_errors, 0);
	through(lens, 30);
}

static void s01_eio_at_once(void **state)
{
	(void)state;
	need_offload();
	s01_refused(EIO, 0);
}

static void s01_einval_later(void **state)
{
	(void)state;
	need_offload();
	s01_refused(EINVAL, 50);
}

/* Cutting was suspected first, and nothing left either way: it was not that, so runs go on later. */
static void s13_not_offload(void **state)
{
	uint32_t lens[30];
	struct flux_tx tx[30];
	uint32_t done;

	(void)state;
	need_offload();
	for (uint32_t i = 0; i < 30; i++) {
		lens[i] = 1000;
		tx[i] = datagram(i, 1000, &t.b.local);
	}
	inject_error(INJECT_SEND, EINVAL, 0, INJECT_FOREVER);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 30, &done, NULL), FLUX_TX_ALL);
	assert_int_equal(done, 30);
	assert_int_equal(t.a.stats.tx_errors, 30);
	assert_true(inject_count(INJECT_SEND) <= 2 * 30 + 1);
	assert_true(t.a.joins);
	assert_int_equal(t.a.stats.tx_offload_off, 0);
	inject_error(INJECT_SEND, 0, 0, 0);
	through(lens, 30);
	assert_int_equal(t.a.stats.tx_offload_off, 0);
}

/* ---- Lending ---- */

/* Sends each second message it is given, and notes what it sent. */
struct lender {
	struct flux_tx_lender lender;
	const struct flux_tx *tx; /* of the call */
	uint32_t asked, lent, datagrams;
};

static bool lend(struct flux_tx_lender *lender, const struct msghdr *msg, uint32_t first, uint32_t n)
{
	struct lender *l = FLUX_CONTAINER(lender, struct lender, lender);
	size_t len = msg->msg_iov->iov_len;

	assert_int_equal(msg->msg_iovlen, 1);
	assert_true(len >= 16384);
	assert_ptr_equal(msg->msg_iov->iov_base, l->tx[first].body);
	assert_int_equal(n, 10);
	if (l->asked++ % 2)
		return false;
	assert_int_equal(sendmsg(t.a.fd, msg, MSG_DONTWAIT), len);
	l->lent++;
	l->datagrams += n;
	return true;
}

/* Long messages in one piece are offered to the lender, which may decline; all keep their order. */
static void lent_and_copied(void **state)
{
	struct lender l = { .lender.lend = lend };
	struct flux_tx tx[FLUX_PEEK_MAX];
	uint32_t done = 0, seen = 0, all = 0, k;

	(void)state;
	need_offload();
	for (uint32_t i = 0; i < 40; i++) {
		/* Runs of ten that lie back to back are 20,000 bytes; the empty ones are copied. */
		bool run = i / 10 % 2 == 0;

		tx[i] = datagram(i, run ? 2000 : 0, &t.b.local);
		if (run)
			tx[i].body = t.bytes[i / 10 * 10] + i % 10 * 2000;
	}
	for (int round = 0; round < 4; round++) {
		inject_send_limit(round % 2 ? 2 : 0);
		inject_error(INJECT_SEND, EAGAIN, 3, 1); /* in the middle of what is copied */
		for (all = 0; all < 40; all += done) {
			l.tx = tx + all;
			(void)flux_tx_batch_send(&t.a, l.tx, 40 - all, &done, &l.lender);
		}
		inject_clear();
		for (seen = 0; (k = receive()) > 0;)
			for (uint32_t i = 0; i < k; i++, seen++) {
				assert_int_equal(t.got[i].len, tx[seen].body_len);
				assert_memory_equal(t.got[i].data, tx[seen].body, t.got[i].len);
			}
		assert_int_equal(seen, 40);
	}
	assert_int_equal(l.asked, 8);
	assert_int_equal(l.lent, 4);
	assert_int_equal(l.datagrams, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s14_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(s14_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(s04_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(e13_control_data, setup, teardown),
		cmocka_unit_test_setup_teardown(two_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(six_and_four, setup, teardown),
		cmocka_unit_test_setup_teardown(partial_and_blocked, setup, teardown),
		cmocka_unit_test_setup_teardown(s11_no_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_are_not_fatal, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_peer_blocks_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(pending_error_on_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(s03_runs, setup_offload, teardown),
		cmocka_unit_test_setup_teardown(runs_of_all_kinds, setup_offload, teardown),
		cmocka_unit_test_setup_teardown(runs_of_two_pieces, setup_offload, teardown),
		cmocka_unit_test_setup_teardown(lent_and_copied, setup_offload, teardown),
		cmocka_unit_test_setup_teardown(s01_eio_at_once, setup_offload, teardown),
		cmocka_unit_test_setup_teardown(s01_einval_later, setup_offload, teardown),
		cmocka_unit_test_setup_teardown(s13_not_offload, setup_offload, teardown),
	};

	return cmocka_run_group_tests_name("loop/batch", tests, NULL, NULL);
}
