/* SPDX-License-Identifier: MIT */
/* Plain UDP on every loop: batches, addresses, rings, and what the kernel may refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <netinet/udp.h>

#include <flux/udp.h>

#include "tests/lib/inject.h"
#include "tests/loop/world.h"

struct ear {
	struct world *w;
	struct flux_udp *udp;
	struct flux_addr addr, last;
	uint64_t got, bytes, wrong, writable, largest;
	bool echo, close, close_loop, numbered;
	uint64_t next;
};

static uint8_t bytes[FLUX_UDP_BATCH][1500];

/* Back to who sent it. */
static void answer(struct flux_udp *udp, const struct flux_rx *rx, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flux_tx tx = { .body = rx[i].data, .body_len = rx[i].len, .to = rx[i].from };

		assert_int_equal(flux_udp_send(udp, &tx, 1), 1);
	}
}

static void on_datagrams(void *ctx, struct flux_udp *udp, const struct flux_rx *d, uint32_t n)
{
	struct ear *e = ctx;

	e->wrong += udp != e->udp;
	e->largest = n > e->largest ? n : e->largest;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t value = 0;

		memcpy(&value, d[i].data, d[i].len < 8 ? d[i].len : 8);
		if (e->numbered)
			e->wrong += value != e->next++;
		e->bytes += d[i].len;
		e->last = d[i].from;
	}
	e->got += n;
	if (e->echo)
		answer(udp, d, n);
	if (e->close) {
		flux_udp_close(udp);
		assert_int_equal(flux_udp_send(udp, &(struct flux_tx){ .body = "" }, 1), FLUX_ECLOSED);
	}
	if (e->close_loop) {
		flux_loop_close(e->w->loop);
		e->w->loop = NULL;
	}
}

static void on_writable(void *ctx, struct flux_udp *udp)
{
	(void)udp;
	((struct ear *)ctx)->writable++;
}

static void ear_open(struct ear *e, struct world *w, uint32_t max_datagram)
{
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;

	memset(e, 0, sizeof(*e));
	e->w = w;
	cfg.local = "127.0.0.1:0";
	cfg.max_datagram = max_datagram;
	cfg.on_datagrams = on_datagrams;
	cfg.on_writable = on_writable;
	cfg.ctx = e;
	assert_int_equal(flux_udp_open(&e->udp, w->loop, &cfg), 0);
	flux_udp_local(e->udp, &e->addr);
	assert_true(e->addr.port != 0);
}

/* `n` numbered datagrams from `first` on, to one address; lengths from `len` to len + spread - 1. */
static void make(struct flux_tx *d, uint32_t n, uint64_t first, const struct flux_addr *to, uint32_t len,
		 uint32_t spread)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t value = first + i;

		memcpy(bytes[i], &value, sizeof(value));
		d[i] = (struct flux_tx){ .body = bytes[i], .body_len = len + (uint32_t)(value % spread), .to = *to };
	}
}

static struct flux_udp_stats stats_of(const struct ear *e)
{
	struct flux_udp_stats stats = { .size = sizeof(stats) };

	flux_udp_get_stats(e->udp, &stats);
	return stats;
}

static void there_and_back(void **state)
{
	struct world *w = *state;
	struct flux_tx d[FLUX_UDP_BATCH];
	struct ear a, b;

	inject_clear();
	ear_open(&a, w, 0);
	ear_open(&b, w, 0);
	a.echo = true;
	b.numbered = true;
	for (uint32_t round = 0; round < 40; round++) {
		uint32_t n = 1 + round % FLUX_UDP_BATCH;
		uint64_t before = b.got;

		/* Equal ones make runs; of unequal ones each goes alone, or ends a run. */
		make(d, n, before, &a.addr, 8 + round, round % 2 ? 100 : 1);
		assert_int_equal(flux_udp_send(b.udp, d, n), n);
		world_until(w, b.got == before + n);
	}
	assert_int_equal(a.got, b.got);
	assert_int_equal(a.bytes, b.bytes);
	assert_int_equal(a.wrong + b.wrong, 0);
	assert_true(flux_addr_equal(&a.last, &b.addr));
	assert_true(flux_addr_equal(&b.last, &a.addr));
	assert_int_equal(stats_of(&a).tx_datagrams, b.got);
	assert_int_equal(stats_of(&b).rx_datagrams, b.got);
	assert_int_equal(stats_of(&b).rx_bytes, b.bytes);
	assert_int_equal(stats_of(&b).tx_datagrams, b.got);
	assert_int_equal(stats_of(&b).tx_bytes, b.bytes);
	assert_int_equal(stats_of(&b).tx_errors, 0);
	flux_udp_close(a.udp);
	flux_udp_close(b.udp);
	world_idle(w);
}

static void what_cannot_be_sent(void **state)
{
	struct world *w = *state;
	const struct flux_addr none = { .family = 0 };
	static uint8_t large[FLUX_UDP_MAX + 1];
	struct flux_tx d[4];
	struct ear a, b;

	inject_clear();
	ear_open(&a, w, 100);
	ear_open(&b, w, 0);
	make(d, 4, 0, &a.addr, 50, 1);
	d[1].to = none;
	d[2].body = large;
	d[2].body_len = FLUX_UDP_MAX + 1;
	assert_int_equal(flux_udp_send(b.udp, d, 4), 4);
	assert_int_equal(stats_of(&b).tx_errors, 2);
	assert_int_equal(stats_of(&b).tx_datagrams, 2);
	world_until(w, a.got == 2);
	/* Longer than the receiver takes: counted there. An empty one is a datagram too. */
	make(d, 2, 0, &a.addr, 101, 1);
	d[1].body_len = 0;
	assert_int_equal(flux_udp_send(b.udp, d, 2), 2);
	world_until(w, a.got == 3);
	assert_int_equal(stats_of(&a).rx_truncated, 1);
	assert_int_equal(flux_udp_send(b.udp, d, 0), FLUX_EINVAL);
	assert_int_equal(flux_udp_send(b.udp, d, FLUX_UDP_BATCH + 1), FLUX_EINVAL);
	assert_non_null(strstr(flux_loop_detail(w->loop), "257"));
	flux_udp_close(a.udp);
	flux_udp_close(b.udp);
	world_idle(w);
}

/* S16: many datagrams a system call, even where the kernel does not cut. */
static void s16_few_system_calls(void **state)
{
	struct world *w = *state;
	struct flux_tx d[64];
	struct ear a, b;

	inject_clear();
	inject_option(SOL_UDP, UDP_SEGMENT, ENOPROTOOPT);
	ear_open(&a, w, 0);
	ear_open(&b, w, 0);
	a.numbered = true;
	for (uint64_t sent = 0; sent < 6400; sent += 64) {
		make(d, 64, sent, &a.addr, 100, 1);
		assert_int_equal(flux_udp_send(b.udp, d, 64), 64);
		world_until(w, a.got == sent + 64);
	}
	assert_int_equal(a.wrong, 0);
	assert_int_equal(stats_of(&a).rx_datagrams, 6400);
	assert_true(inject_count(INJECT_SEND) <= 640);
	assert_true(inject_count(INJECT_RECEIVE) <= 640);
	flux_udp_close(a.udp);
	flux_udp_close(b.udp);
	world_idle(w);
}

/* S: EAGAIN until writable, ENOBUFS until a moment has passed: the rest is the caller's, and he is told. */
static void the_kernel_is_full(void **state)
{
	struct world *w = *state;
	static const int errors[] = { EAGAIN, ENOBUFS };
	struct flux_tx d[8];
	struct ear a, b;

	inject_clear();
	ear_open(&a, w, 0);
	ear_open(&b, w, 0);
	for (int i = 0; i < 2; i++) {
		uint64_t before = a.got, told = b.writable;
		int n, lost = errors[i] == ENOBUFS;

		make(d, 8, 0, &a.addr, 100, 2);
		inject_error(INJECT_SEND, errors[i], 0, 1);
		n = flux_udp_send(b.udp, d, 8);
		assert_int_equal(n, lost);
		assert_int_equal(flux_udp_send(b.udp, d + n, 8 - (uint32_t)n), 0);
		world_until(w, b.writable == told + 1);
		assert_int_equal(flux_udp_send(b.udp, d + n, 8 - (uint32_t)n), 8 - n);
		world_until(w, a.got == before + 8 - (uint64_t)n);
	}
	assert_int_equal(stats_of(&b).tx_refused, 1);
	assert_int_equal(stats_of(&b).tx_no_buffers, 1);
	flux_udp_close(a.udp);
	flux_udp_close(b.udp);
	world_idle(w);
}

/* ---- Rings ---- */

static struct flux_ring *records(uint32_t capacity)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring *ring;

	cfg.flags = FLUX_RING_RECORDS | FLUX_RING_READERS_SLEEP;
	cfg.capacity = capacity;
	cfg.slot = 16;
	assert_int_equal(flux_ring_create(&ring, &cfg, &flux_mem_libc), 0);
	return ring;
}

static int put(struct flux_ring_writer *writer, uint64_t value, const struct flux_addr *to, uint32_t len)
{
	struct flux_ring_record record;
	int rc = flux_ring_record_claim(writer, (uint32_t)sizeof(*to) + len, &record);

	if (rc < 0)
		return rc;
	memset(record.data, 0x33, record.len);
	memcpy(record.data, to, sizeof(*to));
	memcpy((uint8_t *)record.data + sizeof(*to), &value, len < 8 ? len : 8);
	return flux_ring_record_publish(writer, record.len);
}

static void from_a_ring_into_a_ring(void **state)
{
	struct world *w = *state;
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring *from = records(256), *into = records(4096);
	struct flux_ring_writer mine, theirs;
	struct flux_ring_reader reader, end;
	struct flux_ring_record record;
	uint64_t sent = 0, got = 0;
	struct ear a, b;

	inject_clear();
	ear_open(&a, w, 0);
	ear_open(&b, w, 0);
	cfg.wait = FLUX_WAIT_FD;
	assert_int_equal(flux_ring_reader_join(&reader, from, &cfg), 0);
	assert_int_equal(flux_ring_reader_join(&end, into, NULL), 0);
	assert_int_equal(flux_ring_writer_open(&mine, from, NULL), 0);
	assert_int_equal(flux_ring_writer_open(&theirs, into, NULL), 0);
	assert_int_equal(flux_udp_send_from(b.udp, &reader), 0);
	assert_int_equal(flux_udp_receive_into(a.udp, &theirs), 0);
	assert_int_equal(flux_udp_send_from(b.udp, &reader), FLUX_EBUSY);
	assert_int_equal(flux_udp_receive_into(a.udp, &theirs), FLUX_EBUSY);
	inject_error(INJECT_SEND, EAGAIN, 0, 1);
	while (got < 1000) {
		while (sent < 1000 && sent < got + 100 && put(&mine, sent, &a.addr, 8 + (uint32_t)(sent % 3)) == 0)
			sent++;
		world_round(w);
		while (flux_ring_record_read(&end, &record) == 1) {
			struct flux_addr who;
			uint64_t value;

			memcpy(&who, record.data, sizeof(who));
			memcpy(&value, (uint8_t *)record.data + sizeof(who), sizeof(value));
			assert_int_equal(value, got);
			assert_int_equal(record.len, sizeof(who) + 8 + got % 3);
			assert_true(flux_addr_equal(&who, &b.addr));
			got++;
			flux_ring_record_release(&end);
		}
	}
	assert_int_equal(a.got, 0);
	/* No address, or not even room for one: counted, and the next one follows. */
	assert_int_equal(flux_ring_record_claim(&mine, 3, &record), 0);
	assert_int_equal(flux_ring_record_publish(&mine, 3), 0);
	assert_int_equal(put(&mine, 0, &(struct flux_addr){ .family = 0 }, 8), 0);
	assert_int_equal(put(&mine, 1000, &a.addr, 8), 0);
	world_until(w, stats_of(&a).rx_datagrams == 1001);
	assert_int_equal(stats_of(&b).tx_errors, 2);
	assert_int_equal(stats_of(&b).tx_refused, 1);
	/* Nobody reads the far ring: what finds no room is dropped, and counted. */
	while (stats_of(&a).rx_ring_full == 0) {
		if (put(&mine, 7, &a.addr, 1000) == 0)
			sent++;
		world_round(w);
	}
	flux_udp_close(a.udp);
	flux_udp_close(b.udp);
	world_idle(w);
	flux_ring_destroy(from);
	flux_ring_destroy(into);
}

/* ---- Ends, and bad input ---- */

static void closed_inside(void **state)
{
	struct world *w = *state;
	struct flux_tx d[8];
	struct ear a, b;

	inject_clear();
	ear_open(&a, w, 0);
	ear_open(&b, w, 0);
	a.close = true;
	make(d, 8, 0, &a.addr, 100, 3);
	assert_int_equal(flux_udp_send(b.udp, d, 8), 8);
	world_until(w, a.got > 0);
	world_idle(w);
	assert_true(a.got <= 8);
	/* The port is free at once. */
	ear_open(&a, w, 0);
	a.close_loop = true;
	make(d, 1, 0, &a.addr, 100, 1);
	assert_int_equal(flux_udp_send(b.udp, d, 1), 1);
	world_until(w, w->loop == NULL);
	assert_int_equal(a.got, 1);
}

static void bad_configurations(void **state)
{
	struct world *w = *state;
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct flux_udp *udp = NULL;

	inject_clear();
	cfg.local = "nonsense";
	assert_int_equal(flux_udp_open(&udp, w->loop, &cfg), FLUX_EINVAL);
	assert_non_null(strstr(flux_loop_detail(w->loop), "nonsense"));
	cfg.local = NULL;
	cfg.peer = ":9";
	assert_int_equal(flux_udp_open(&udp, w->loop, &cfg), FLUX_EINVAL);
	cfg.peer = NULL;
	cfg.max_datagram = FLUX_UDP_MAX + 1;
	assert_int_equal(flux_udp_open(&udp, w->loop, &cfg), FLUX_EINVAL);
	assert_non_null(strstr(flux_loop_detail(w->loop), "65507"));
	cfg.max_datagram = 0;
	cfg.size = 1;
	assert_int_equal(flux_udp_open(&udp, w->loop, &cfg), FLUX_EINVAL);
	assert_null(udp);
	flux_udp_close(NULL);
	world_idle(w);
}

static void to_the_configured_peer(void **state)
{
	struct world *w = *state;
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	char peer[FLUX_ADDR_TEXT];
	struct flux_tx d = { .head = "hel", .head_len = 3, .body = "lo", .body_len = 2 };
	struct ear a, b = { .w = w }, stranger;

	inject_clear();
	ear_open(&a, w, 0);
	ear_open(&stranger, w, 0);
	cfg.local = "127.0.0.1:0";
	cfg.peer = flux_addr_format(&a.addr, peer);
	cfg.on_datagrams = on_datagrams;
	cfg.ctx = &b;
	assert_int_equal(flux_udp_open(&b.udp, w->loop, &cfg), 0);
	flux_udp_local(b.udp, &b.addr);
	/* What the socket cannot reach does not go to the peer instead. */
	d.to = (struct flux_addr){ .family = 6, .port = a.addr.port, .ip = { [15] = 1 } };
	assert_int_equal(flux_udp_send(b.udp, &d, 1), 1);
	assert_int_equal(stats_of(&b).tx_errors, 1);
	assert_int_equal(stats_of(&b).tx_datagrams + stats_of(&b).tx_bytes, 0);
	d.to.family = 0;
	assert_int_equal(flux_udp_send(b.udp, &d, 1), 1);
	world_until(w, a.got == 1 && a.bytes == 5);
	/* And only the peer is heard. */
	d.to = b.addr;
	assert_int_equal(flux_udp_send(stranger.udp, &d, 1), 1);
	assert_int_equal(flux_udp_send(a.udp, &d, 1), 1);
	world_until(w, b.got == 1);
	world_idle(w);
	assert_int_equal(b.got, 1);
	assert_true(flux_addr_equal(&b.last, &a.addr));
	flux_udp_close(stranger.udp);
	flux_udp_close(a.udp);
	flux_udp_close(b.udp);
	world_idle(w);
}

/* ---- Addresses and marks ---- */

struct told {
	struct flux_addr from;
	struct flux_local local;
	uint32_t ecn, got;
};

static void on_told(void *ctx, struct flux_udp *udp, const struct flux_rx *d, uint32_t n)
{
	struct told *told = ctx;

	for (uint32_t i = 0; i < n; i++) {
		const struct flux_tx tx = { .body = d[i].data, .body_len = d[i].len, .to = d[i].from, .local = d[i].local };

		told->from = d[i].from;
		told->ecn = d[i].ecn;
		memset(&told->local, 0, sizeof(told->local));
		if (d[i].local)
			told->local = *d[i].local;
		assert_int_equal(flux_udp_send(udp, &tx, 1), 1);
		told->got++;
	}
}

/* E13: where each datagram came from, where it was sent to, and its mark; answered from there. */
static void e13_addresses_and_marks(void **state)
{
	struct world *w = *state;
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct told told = { 0 };
	struct flux_udp *any;
	struct flux_addr at;
	struct ear b = { .w = w };
	char peer[FLUX_ADDR_TEXT];

	inject_clear();
	cfg.local = ":0";
	cfg.ecn = 1;
	cfg.on_datagrams = on_told;
	cfg.ctx = &told;
	assert_int_equal(flux_udp_open(&any, w->loop, &cfg), 0);
	flux_udp_local(any, &at);
	for (uint32_t last = 1; last <= 2; last++) {
		struct flux_udp_cfg to = FLUX_UDP_CFG_INIT;
		struct flux_tx d = { .body = "hello", .body_len = 5 };

		at = (struct flux_addr){ .ip = { 127, 0, 0, (uint8_t)last }, .port = at.port, .family = 4 };
		to.peer = flux_addr_format(&at, peer); /* connected: hears nobody else */
		to.ecn = last == 2;
		to.on_datagrams = on_datagrams;
		to.ctx = &b;
		assert_int_equal(flux_udp_open(&b.udp, w->loop, &to), 0);
		assert_int_equal(stats_of(&b).features & FLUX_SOCKET_LOCAL, 0);
		assert_int_equal(flux_udp_send(b.udp, &d, 1), 1);
		world_until(w, b.got == last);
		assert_int_equal(told.got, last);
		assert_true(flux_addr_equal(&b.last, &at));
		flux_udp_local(b.udp, &b.addr);
		assert_int_equal(told.from.port, b.addr.port);
		assert_int_equal(told.local.family, 4);
		assert_memory_equal(told.local.ip, at.ip, sizeof(at.ip));
		assert_true(told.local.ifindex > 0);
		assert_int_equal(told.ecn, last == 2 ? 2 : 0);
		flux_udp_close(b.udp);
	}
	flux_udp_close(any);
	world_idle(w);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "there_and_back", there_and_back },
		{ "what_cannot_be_sent", what_cannot_be_sent },
		{ "s16_few_system_calls", s16_few_system_calls },
		{ "the_kernel_is_full", the_kernel_is_full },
		{ "from_a_ring_into_a_ring", from_a_ring_into_a_ring },
		{ "closed_inside", closed_inside },
		{ "bad_configurations", bad_configurations },
		{ "to_the_configured_peer", to_the_configured_peer },
		{ "e13_addresses_and_marks", e13_addresses_and_marks },
	};

	return world_run("udp", tests, sizeof(tests) / sizeof(tests[0]));
}
