/* SPDX-License-Identifier: MIT */
/*
 * The kernel as it is on a bad day: refusals, lost errors, dead peers, foreign datagrams, clocks that
 * jump, a host that is busy elsewhere. Nothing is lost, nobody else suffers, and nothing spins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sys/sockaddr.h"
#include "tests/lib/inject.h"
#include "tests/loop/world.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* ---- What is watched and bent on the way ---- */

static uint64_t turns;
static int64_t wall_jump_s;

int __real_flux_loop_on_turn(struct flux_loop *loop);
int __wrap_flux_loop_on_turn(struct flux_loop *loop);
int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

int __wrap_flux_loop_on_turn(struct flux_loop *loop)
{
	turns++;
	return __real_flux_loop_on_turn(loop);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);

	if (id == CLOCK_REALTIME)
		t->tv_sec += wall_jump_s;
	return rc;
}

static struct world *begin(void **state)
{
	inject_clear();
	wall_jump_s = 0;
	return *state;
}

static struct flux_binding_stats socket_stats(const struct end *end)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };

	flux_binding_get_stats(end->binding, &stats);
	return stats;
}

/* Each datagram by itself, so that the system calls can be counted. */
static void connect_singly(struct world *w)
{
	w->a.cfg.no_offload = w->b.cfg.no_offload = 1;
	world_connect(w);
}

static struct flux_session_stats session_stats(const struct end *end)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };

	assert_int_equal(flux_binding_get_session_stats(end->binding, end->sid, &stats), 0);
	return stats;
}

static void send_all(struct end *end, uint64_t n, uint32_t len)
{
	for (; n > 0; n--)
		while (end_send(end, len) == FLUX_EAGAIN)
			world_round(end->world);
}

/* A port of the loopback where nobody listens. */
static void dead_address(struct world *w, char address[FLUX_ADDR_TEXT])
{
	struct end gone = { .world = w };

	end_open(&gone, "127.0.0.1:0");
	memcpy(address, gone.local, FLUX_ADDR_TEXT);
	flux_binding_close(gone.binding);
	world_until(w, gone.ended);
}

/* ---- Sending ---- */

/* The kernel says no although the socket is writable; the rest goes when it is asked again. */
static void refused(void **state)
{
	struct world *w = begin(state);

	connect_singly(w);
	for (int i = 0; i < 50; i++) {
		inject_send_limit(1 + (uint32_t)i % 5);
		inject_error(INJECT_SEND, EAGAIN, (uint32_t)i % 7, 1 + (uint32_t)i % 3);
		send_all(&w->b, 40, 1000);
		world_until(w, w->a.received == w->b.sent);
	}
	assert_true(socket_stats(&w->b).tx_refused + socket_stats(&w->a).tx_refused > 50);
	assert_int_equal(session_stats(&w->b).retransmitted, 0); /* a refusal is no loss */
}

/* S11: ENOBUFS for a while. Few attempts, growing apart; then the stream recovers by itself. */
static void s11_no_buffers(void **state)
{
	struct world *w = begin(state);
	uint64_t before;

	world_connect(w);
	send_all(&w->b, 100, 1000);
	world_round(w);
	before = inject_count(INJECT_SEND);
	turns = 0;
	inject_error(INJECT_SEND, ENOBUFS, 0, INJECT_FOREVER);
	send_all(&w->b, 500, 1000);
	for (int i = 0; i < 10; i++)
		world_idle(w);
	assert_true(inject_count(INJECT_SEND) - before < 60);
	assert_true(turns < 600);
	assert_true(socket_stats(&w->b).tx_no_buffers > 2);
	inject_error(INJECT_SEND, 0, 0, 0);
	world_until(w, w->a.received == w->b.sent);
	assert_int_equal(w->b.closes, 0);
}

static void interrupted(void **state)
{
	struct world *w = begin(state);

	world_connect(w);
	for (int i = 0; i < 20; i++) {
		inject_error(INJECT_SEND, EINTR, 0, 50);
		inject_error(INJECT_RECEIVE, EINTR, 0, 50);
		send_all(&w->b, 20, 1000);
		world_until(w, w->a.received == w->b.sent);
	}
	assert_int_equal(session_stats(&w->b).retransmitted, 0);
}

/* Errors that belong to nobody in particular cost a datagram at most, and only if they stay. */
static void other_errors(void **state)
{
	static const int errors[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPERM, EMSGSIZE, EINVAL, EIO };
	struct world *w = begin(state);

	connect_singly(w);
	for (size_t i = 0; i < COUNT(errors); i++) {
		uint64_t lost = socket_stats(&w->b).tx_errors + socket_stats(&w->a).tx_errors;

		inject_error(INJECT_SEND, errors[i], 0, 2);
		inject_error(INJECT_RECEIVE, errors[i], 1, 3);
		send_all(&w->b, 50, 1000);
		world_until(w, w->a.received == w->b.sent);
		assert_int_equal(socket_stats(&w->b).tx_errors + socket_stats(&w->a).tx_errors, lost + 1);
	}
}

/* One binding speaks to peers that are dead and to one that lives. */
static void dead_peers(void **state)
{
	struct world *w = begin(state);
	char nobody[FLUX_ADDR_TEXT];
	flux_sid sid;

	world_connect(w);
	dead_address(w, nobody);
	for (int i = 0; i < 20; i++)
		assert_int_equal(flux_binding_connect(w->b.binding, nobody, &sid), 0);
	for (int i = 0; i < 100; i++) {
		send_all(&w->b, 10, 1000);
		world_until(w, w->a.received == w->b.sent);
	}
	turns = 0;
	for (int i = 0; i < 10; i++)
		world_idle(w);
	assert_true(socket_stats(&w->b).icmp_errors > 0);
	assert_true(turns < 500); /* an error that waits must not keep the loop awake */
	assert_int_equal(w->b.closes, 0);
}

/* ---- Receiving ---- */

static void send_raw(const struct end *to, const void *data, size_t len)
{
	struct flux_addr addr;
	union flux_sockaddr sa;
	socklen_t sa_len;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(flux_addr_parse(to->local, &addr), 0);
	sa_len = flux_sockaddr_from(&sa, &addr, 4);
	assert_int_equal(sendto(fd, data, len, 0, &sa.any, sa_len), (int)len);
	close(fd);
}

/* S04: counted, never parsed. */
static void s04_too_long(void **state)
{
	static uint8_t bytes[9000];
	struct flux_endpoint_stats stats = { .size = sizeof(stats) };
	struct world *w = begin(state);
	uint64_t seen;

	world_connect(w);
	flux_binding_get_endpoint_stats(w->a.binding, &stats);
	seen = stats.rx_datagrams;
	send_raw(&w->a, bytes, sizeof(bytes));
	world_until(w, socket_stats(&w->a).rx_truncated == 1);
	flux_binding_get_endpoint_stats(w->a.binding, &stats);
	assert_true(stats.rx_datagrams <= seen + 2); /* b's own, maybe */
	assert_int_equal(stats.rx_malformed, 0);
	send_all(&w->b, 10, 1000);
	world_until(w, w->a.received == 10);
}

static void garbage(void **state)
{
	static uint8_t bytes[1200];
	struct world *w = begin(state);

	world_connect(w);
	for (uint32_t i = 0; i < 500; i++) {
		memset(bytes, (int)i, sizeof(bytes));
		bytes[0] = (uint8_t)(i % 3 ? 0x09 : i);
		bytes[1] = (uint8_t)i;
		send_raw(&w->a, bytes, i * 7 % sizeof(bytes));
		send_all(&w->b, 1, 100);
		if (i % 50 == 0)
			world_until(w, w->a.received == w->b.sent);
	}
	world_until(w, w->a.received == w->b.sent);
	assert_int_equal(w->a.closes + w->b.closes, 0);
}

/* More than the budget waits in the socket before the loop turns once: all of it is read. */
static void e01_socket_level(void **state)
{
	static const uint8_t byte;
	struct flux_endpoint_stats stats = { .size = sizeof(stats) };
	struct world *w = begin(state);

	end_open(&w->a, "127.0.0.1:0");
	for (int i = 0; i < 200; i++)
		send_raw(&w->a, &byte, (size_t)i % 2);
	world_until(w, (flux_binding_get_endpoint_stats(w->a.binding, &stats), stats.rx_datagrams == 200));
	assert_true(socket_stats(&w->a).rx_syscalls >= 200 / 16);
}

/* ---- Time ---- */

/* A host that is busy between any two turns: 20 ms, though a round trip takes far less. */
static void e06_busy_host(void **state)
{
	struct world *w = begin(state);
	flux_ts quiet;

	world_connect(w);
	w->a.echo = true;
	for (int i = 0; i < 100; i++) {
		send_all(&w->b, 1, 100);
		world_until(w, w->b.received == w->b.sent);
	}
	quiet = session_stats(&w->b).srtt;
	assert_true(quiet > 0);
	for (int i = 0; i < 20; i++) {
		const struct timespec busy = { 0, 20000000 };

		send_all(&w->b, 1, 100);
		for (int k = 0; k < 3; k++) {
			nanosleep(&busy, NULL);
			world_round(w);
		}
	}
	world_until(w, w->b.received == w->b.sent);
	/* If the pauses counted, it would be some 20 ms by now; a slow machine may add a little. */
	assert_true(session_stats(&w->b).srtt < quiet + FLUX_MS(8));
}

/* The wall's clock jumps by an hour, both ways: no timer moves, no round trip looks like an hour. */
static void e06_wall_clock(void **state)
{
	static const int64_t jumps[] = { 3600, 0, -3600, 7200, -86400, 0 };
	struct world *w = begin(state);

	world_connect(w);
	w->a.echo = true;
	for (size_t i = 0; i < COUNT(jumps); i++) {
		wall_jump_s = jumps[i];
		for (int k = 0; k < 20; k++) {
			send_all(&w->b, 5, 100);
			world_until(w, w->b.received == w->b.sent);
		}
		assert_true(session_stats(&w->b).srtt < FLUX_S(1));
	}
	assert_int_equal(w->a.closes + w->b.closes, 0);
}

/* E07: open, and nothing to do. The first turns settle it; then the loop is not woken at all. */
static void e07_idle(void **state)
{
	struct world *w = begin(state);

	end_open(&w->a, "127.0.0.1:0");
	end_open(&w->b, NULL);
	world_idle(w);
	turns = 0;
	for (int i = 0; i < 10; i++)
		world_idle(w);
	assert_int_equal(turns, 0);
	assert_int_equal(socket_stats(&w->a).rx_syscalls, 0);
}

/* E08: sessions that only keep themselves alive. Each turn had a datagram to read or to send. */
static void e08_each_turn_works(void **state)
{
	struct flux_endpoint_cfg brisk = FLUX_ENDPOINT_CFG_INIT;
	struct world *w = begin(state);
	uint64_t worked;
	flux_sid sid;

	brisk.idle_timeout = FLUX_MS(500); /* a PING after 100 ms of silence */
	w->a.cfg.endpoint = w->b.cfg.endpoint = &brisk;
	world_connect(w);
	for (int i = 0; i < 20; i++)
		assert_int_equal(flux_binding_connect(w->b.binding, w->a.local, &sid), 0);
	world_until(w, w->a.ups == 21);
	for (int i = 0; i < 6; i++)
		world_idle(w);
	turns = 0;
	worked = socket_stats(&w->a).rx_syscalls + socket_stats(&w->b).rx_syscalls + inject_count(INJECT_SEND);
	for (int i = 0; i < 14; i++)
		world_idle(w);
	worked = socket_stats(&w->a).rx_syscalls + socket_stats(&w->b).rx_syscalls +
		 inject_count(INJECT_SEND) - worked;
	assert_int_equal(w->a.closes + w->b.closes, 0);
	assert_true(worked > 20);
	assert_true(turns <= worked + worked / 20 + 2);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "refused", refused },
		{ "s11_no_buffers", s11_no_buffers },
		{ "interrupted", interrupted },
		{ "other_errors", other_errors },
		{ "dead_peers", dead_peers },
		{ "s04_too_long", s04_too_long },
		{ "garbage", garbage },
		{ "e01_socket_level", e01_socket_level },
		{ "e06_busy_host", e06_busy_host },
		{ "e06_wall_clock", e06_wall_clock },
		{ "e07_idle", e07_idle },
		{ "e08_each_turn_works", e08_each_turn_works },
	};

	return world_run("loop/kernel", tests, COUNT(tests));
}
