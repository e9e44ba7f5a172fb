/* SPDX-License-Identifier: MIT */
/* recvmmsg and sendmmsg over real sockets: order, sizes, truncation, and every way a send can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "loop/batch.h"
#include "sys/clock.h"
#include "tests/lib/inject.h"

static struct {
	struct flux_socket a, b;
	struct flux_rx_batch *rx; /* reads `b` */
	uint8_t bytes[FLUX_PEEK_MAX][9000];
} t;

static void open_local(struct flux_socket *sock, uint8_t family)
{
	char why[256];
	struct flux_socket_want want = {
		.local = { .ip = { 127, 0, 0, 1 }, .family = 4 },
		.rcvbuf = 1u << 20,
		.sndbuf = 1u << 20,
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

static int setup(void **state)
{
	(void)state;
	inject_clear();
	open_local(&t.a, 4);
	open_local(&t.b, 4);
	t.rx = flux_rx_batch_create(&flux_mem_libc, 2048);
	assert_non_null(t.rx);
	for (uint32_t i = 0; i < FLUX_PEEK_MAX; i++)
		memset(t.bytes[i], (int)i + 1, sizeof(t.bytes[i]));
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
	return flux_rx_batch_receive(t.rx, &t.b);
}

/* S14: sizes 0 and 1200 in turn, in order, each with its sender. */
static void s14_batch(void **state)
{
	struct flux_tx tx[20];
	uint32_t done, seen = 0, n;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		tx[i] = datagram(i, i % 2 ? 1200 : 0, &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 20, &done), FLUX_TX_ALL);
	assert_int_equal(done, 20);
	while ((n = receive()) > 0) {
		for (uint32_t i = 0; i < n; i++, seen++) {
			assert_int_equal(t.rx->rx[i].len, seen % 2 ? 1200 : 0);
			assert_memory_equal(t.rx->rx[i].data, t.bytes[seen], t.rx->rx[i].len);
			assert_true(flux_addr_equal(&t.rx->rx[i].from, &t.a.local));
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
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 20, &done), FLUX_TX_ALL);
	while ((n = receive()) > 0)
		for (uint32_t i = 0; i < n; i++, seen++)
			assert_int_equal(t.rx->rx[i].len, seen % 3 ? 1200 : 0);
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
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 4, &done), FLUX_TX_ALL);
	assert_int_equal(receive(), 2);
	assert_int_equal(t.rx->rx[0].len, 2048);
	assert_int_equal(t.rx->rx[1].len, 1);
	assert_memory_equal(t.rx->rx[1].data, t.bytes[3], 1);
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
		assert_int_equal(flux_tx_batch_send(&t.a, tx, FLUX_PEEK_MAX, &done), FLUX_TX_ALL);
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
	assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done), FLUX_TX_ALL);
	assert_int_equal(receive(), 1);
	assert_int_equal(t.rx->rx[0].len, 26);
	assert_memory_equal(t.rx->rx[0].data, head, 16);
	assert_memory_equal((const uint8_t *)t.rx->rx[0].data + 16, t.bytes[0], 10);
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
	assert_int_equal(flux_tx_batch_send(&any, tx, 1, &done), FLUX_TX_ALL);
	assert_int_equal(receive(), 1);
	assert_int_equal(t.rx->rx[0].from.family, 4);
	assert_int_equal(t.rx->rx[0].from.port, any.local.port);
	flux_socket_close(&any);

	/* What an IPv4 socket cannot reach is an error of that datagram alone. */
	tx[0] = datagram(0, 5, &dead);
	tx[1] = datagram(1, 6, &t.b.local);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 2, &done), FLUX_TX_ALL);
	assert_int_equal(done, 2);
	assert_int_equal(t.a.stats.tx_errors, 1);
	assert_int_equal(receive(), 1);
	assert_int_equal(t.rx->rx[0].len, 6);

	open_local(&six, 6);
	tx[0] = datagram(0, 7, &six.local);
	tx[1] = datagram(1, 8, &six.local);
	assert_int_equal(flux_tx_batch_send(&six, tx, 2, &done), FLUX_TX_ALL);
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
	inject_error(INJECT_SENDMMSG, EAGAIN, 2, 1);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 5, &done), FLUX_TX_BLOCKED);
	assert_int_equal(done, 4);
	assert_int_equal(t.a.stats.tx_refused, 1);
	assert_int_equal(flux_tx_batch_send(&t.a, tx + done, 5 - done, &done), FLUX_TX_ALL);
	assert_int_equal(receive(), 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_memory_equal(t.rx->rx[i].data, t.bytes[i], 10);
}

/* S11: the datagram is lost, the sender pauses; it neither waits for "writable" nor gives up. */
static void s11_no_buffers(void **state)
{
	struct flux_tx tx[3];
	uint32_t done;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		tx[i] = datagram(i, 10, &t.b.local);
	inject_error(INJECT_SENDMMSG, ENOBUFS, 0, 1);
	assert_int_equal(flux_tx_batch_send(&t.a, tx, 3, &done), FLUX_TX_NO_BUFFERS);
	assert_int_equal(done, 1);
	assert_int_equal(t.a.stats.tx_no_buffers, 1);
	assert_int_equal(t.a.stats.tx_errors, 0);
}

static void interrupted(void **state)
{
	struct flux_tx tx = datagram(0, 10, &t.b.local);
	uint32_t done;

	(void)state;
	inject_error(INJECT_SENDMMSG, EINTR, 0, 100);
	inject_error(INJECT_RECVMMSG, EINTR, 0, 100);
	assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done), FLUX_TX_ALL);
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
		inject_error(INJECT_SENDMMSG, errors[e], 0, 1);
		assert_int_equal(flux_tx_batch_send(&t.a, tx, 3, &done), FLUX_TX_ALL);
		assert_int_equal(done, 3);
		assert_int_equal(receive(), 3);
		assert_int_equal(t.a.stats.tx_errors, e);

		inject_error(INJECT_SENDMMSG, errors[e], 0, 2);
		assert_int_equal(flux_tx_batch_send(&t.a, tx, 3, &done), FLUX_TX_ALL);
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
		assert_int_equal(flux_tx_batch_send(&t.a, tx, FLUX_PEEK_MAX, &done), FLUX_TX_ALL);
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
	assert_int_equal(flux_tx_batch_send(&t.b, &nobody, 1, &done), FLUX_TX_ALL);
	assert_int_equal(flux_tx_batch_send(&t.a, &tx, 1, &done), FLUX_TX_ALL);
	assert_int_equal(receive(), 0);
	assert_int_equal(t.b.stats.icmp_errors, 1);
	assert_int_equal(receive(), 1);
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
	};

	return cmocka_run_group_tests_name("loop/batch", tests, NULL, NULL);
}
