/* SPDX-License-Identifier: MIT */
/* Rings joined by a session, on every loop: each message once, in order, with back-pressure all the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <flux/bridge.h>

#include "tests/lib/inject.h"
#include "tests/loop/world.h"

#define WRITERS 3u
#define SLOT    16u

struct line {
	struct world *w;
	bool records;
	struct flux_ring *from, *to;
	struct flux_ring_reader reader; /* of `from`: the bridge's */
	struct flux_ring_writer writer; /* of `to`: the bridge's */
	struct flux_ring_writer mine;   /* of `from` */
	struct flux_ring_reader end;    /* of `to` */
	struct flux_bridge *out, *in;
	uint64_t next[WRITERS], got;
	int code;
	uint32_t code_len, codes, ends; /* of those, by the bridge at the far end */
};

static struct flux_ring *ring_of(uint32_t flags, uint32_t capacity, uint32_t slot, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring *ring;

	cfg.flags = flags | FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	cfg.capacity = capacity;
	cfg.slot = slot;
	cfg.writers = writers;
	assert_int_equal(flux_ring_create(&ring, &cfg, &flux_mem_libc), 0);
	return ring;
}

static void on_error(void *ctx, struct flux_bridge *bridge, int code, uint32_t len)
{
	struct line *l = ctx;

	assert_true(bridge == l->out || bridge == l->in);
	l->code = code;
	l->code_len = len;
	l->codes++;
	l->ends += bridge == l->in;
}

/* Ring, session from b to a, ring. */
static void lay(struct line *l, struct world *w, bool records, uint32_t capacity, uint32_t writers)
{
	struct flux_ring_reader_cfg reader = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_writer_cfg writer = FLUX_RING_WRITER_CFG_INIT;
	struct flux_bridge_cfg cfg = FLUX_BRIDGE_CFG_INIT;
	uint32_t flags = records ? FLUX_RING_RECORDS : 0;

	inject_clear();
	memset(l, 0, sizeof(*l));
	l->w = w;
	l->records = records;
	l->from = ring_of(flags, capacity, SLOT, writers);
	l->to = ring_of(flags, capacity, SLOT, 1);
	reader.wait = FLUX_WAIT_FD;
	writer.wait = FLUX_WAIT_FD;
	cfg.on_error = on_error;
	cfg.ctx = l;
	assert_int_equal(flux_ring_reader_join(&l->reader, l->from, &reader), 0);
	assert_int_equal(flux_ring_writer_open(&l->writer, l->to, &writer), 0);
	assert_int_equal(flux_ring_reader_join(&l->end, l->to, NULL), 0);
	if (writers == 1)
		assert_int_equal(flux_ring_writer_open(&l->mine, l->from, NULL), 0);
	w->a.no_sub = true;
	world_connect(w);
	assert_int_equal(flux_bridge_open_out(&l->out, w->b.binding, w->b.sid, &l->reader, &cfg), 0);
	assert_int_equal(flux_bridge_open_in(&l->in, w->a.binding, w->a.sid, &l->writer, &cfg), 0);
}

static void lift(struct line *l)
{
	flux_bridge_close(l->out);
	flux_bridge_close(l->in);
	world_idle(l->w);
	flux_ring_destroy(l->from);
	flux_ring_destroy(l->to);
}

static uint32_t length(const struct line *l, uint64_t value)
{
	return l->records ? 8 + (uint32_t)(value % 100) : SLOT;
}

static int say(struct line *l, struct flux_ring_writer *writer, uint64_t value, flux_ts deadline)
{
	struct flux_ring_record record = { 0 };
	struct flux_ring_span span = { 0 };
	uint32_t len = length(l, value);
	int rc = l->records ? flux_ring_record_claim_wait(writer, len, &record, deadline) :
			      flux_ring_claim_wait(writer, 1, &span, deadline);
	void *at = l->records ? record.data : span.at[0];

	if (rc < 0)
		return rc;
	memset(at, 0x5a, len);
	memcpy(at, &value, sizeof(value));
	return l->records ? flux_ring_record_publish(writer, len) : flux_ring_publish(writer, 1);
}

/* Take what has come out of the far end: each writer's numbers in order. */
static void hear(struct line *l)
{
	struct flux_ring_record record = { 0 };
	struct flux_ring_span span = { 0 };

	while (l->records ? flux_ring_record_read(&l->end, &record) == 1 : flux_ring_peek(&l->end, 1, &span) == 1) {
		const void *at = l->records ? record.data : span.at[0];
		uint32_t len = l->records ? record.len : SLOT;
		uint64_t value;

		memcpy(&value, at, sizeof(value));
		assert_true(value >> 32 < WRITERS);
		assert_int_equal((uint32_t)value, l->next[value >> 32]++);
		assert_int_equal(len, length(l, value));
		assert_true(len == 8 || ((const uint8_t *)at)[len - 1] == 0x5a);
		l->got++;
		assert_int_equal(l->records ? flux_ring_record_release(&l->end) : flux_ring_release(&l->end, 1), 0);
	}
}

static void each_message_once_in_order(void **state)
{
	struct world *w = *state;
	struct flux_bridge_stats stats = { .size = sizeof(stats) };
	uint64_t sent = 0;
	struct line l;

	lay(&l, w, false, 64, 1);
	while (sent < 3000) {
		while (sent < 3000 && say(&l, &l.mine, sent, 0) == 0)
			sent++;
		world_round(w);
		hear(&l);
	}
	world_until(w, (hear(&l), l.got == sent));
	flux_bridge_get_stats(l.out, &stats);
	assert_int_equal(stats.messages, sent);
	assert_int_equal(stats.bytes, sent * SLOT);
	assert_int_equal(l.codes, 0);
	lift(&l);
}

/* The smallest rings, and a network that loses every other thing it is given. */
static void loss_and_rings_of_four(void **state)
{
	struct world *w = *state;
	uint64_t sent = 0, lost = 0;
	struct line l;

	lay(&l, w, false, 4, 1);
	while (sent < 1000) {
		if (inject_count(INJECT_SEND) / 2 > lost) {
			lost = inject_count(INJECT_SEND) / 2;
			inject_error(INJECT_SEND, ENOBUFS, 0, 1);
		}
		while (sent < 1000 && say(&l, &l.mine, sent, 0) == 0)
			sent++;
		world_round(w);
		hear(&l);
	}
	inject_clear();
	world_until(w, (hear(&l), l.got == sent));
	assert_int_equal(l.codes, 0);
	lift(&l);
}

struct speaker {
	struct line *l;
	pthread_t thread;
	uint64_t number;
	int rc;
};

static void *speak(void *arg)
{
	struct speaker *s = arg;
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_writer writer;

	cfg.wait = FLUX_WAIT_BLOCK;
	s->rc = flux_ring_writer_open(&writer, s->l->from, &cfg);
	for (uint64_t i = 0; i < 2000 && s->rc == 0; i++)
		s->rc = say(s->l, &writer, s->number << 32 | i, FLUX_NEVER);
	if (s->rc == 0)
		flux_ring_writer_close(&writer);
	return NULL;
}

static void threads_and_records(void **state)
{
	struct world *w = *state;
	struct speaker speakers[WRITERS];
	struct line l;

	lay(&l, w, true, 64, WRITERS);
	for (uint64_t i = 0; i < WRITERS; i++) {
		speakers[i] = (struct speaker){ .l = &l, .number = i };
		assert_int_equal(pthread_create(&speakers[i].thread, NULL, speak, &speakers[i]), 0);
	}
	world_until(w, (hear(&l), l.got == WRITERS * 2000));
	for (uint32_t i = 0; i < WRITERS; i++) {
		pthread_join(speakers[i].thread, NULL);
		assert_int_equal(speakers[i].rc, 0);
	}
	lift(&l);
}

/* Nobody reads the far end: the near ring is full in the end, and nothing is lost. */
static void back_pressure_all_the_way(void **state)
{
	struct world *w = *state;
	struct flux_bridge_stats stats = { .size = sizeof(stats) };
	uint64_t sent = 0;
	uint32_t quiet = 0;
	struct line l;

	lay(&l, w, true, 64, 1);
	while (quiet < 50) {
		quiet++;
		while (say(&l, &l.mine, sent, 0) == 0) {
			sent++;
			quiet = 0;
		}
		world_round(w);
	}
	flux_bridge_get_stats(l.in, &stats);
	assert_true(stats.waiting && stats.waits > 0);
	assert_true(stats.messages < sent);
	world_until(w, (hear(&l), l.got == sent));
	assert_int_equal(say(&l, &l.mine, sent++, 0), 0);
	world_until(w, (hear(&l), l.got == sent));
	lift(&l);
}

/* All sessions into one ring: one that was kept goes on, although another's message fitted meanwhile. */
static void who_was_kept_is_not_forgotten(void **state)
{
	struct world *w = *state;
	struct flux_bridge_stats stats = { .size = sizeof(stats) };
	static const uint8_t bytes[160];
	struct flux_ring_record record;
	struct flux_pub *other;
	uint32_t got = 0;
	flux_sid sid;
	struct line l;

	lay(&l, w, true, 32, 1);
	flux_bridge_close(l.in);
	assert_int_equal(flux_bridge_open_in(&l.in, w->a.binding, 0, &l.writer, NULL), 0);
	assert_int_equal(flux_binding_connect(w->b.binding, w->a.local, &sid), 0);
	assert_int_equal(flux_pub_open(&other, w->b.binding, sid, NULL), 0);
	world_until(w, flux_pub_max_message(other) > 0);
	/* Two of them fit, a third one does not. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(flux_pub_send(w->b.pub, bytes, sizeof(bytes)), 0);
	world_until(w, (flux_bridge_get_stats(l.in, &stats), stats.waiting));
	assert_int_equal(flux_pub_send(other, bytes, 1), 0);
	world_until(w, (flux_bridge_get_stats(l.in, &stats), stats.messages == 3));
	while (flux_ring_record_read(&l.end, &record) == 1)
		got++;
	assert_int_equal(flux_ring_record_release(&l.end), 0);
	assert_int_equal(got, 3);
	world_until(w, flux_ring_record_read(&l.end, &record) == 1);
	assert_int_equal(record.len, sizeof(bytes));
	lift(&l);
}

static void what_is_too_long_is_told_and_passed(void **state)
{
	struct world *w = *state;
	struct flux_bridge_stats stats = { .size = sizeof(stats) };
	struct line l;

	/* A message that is no slot, from a sender that has no ring. */
	lay(&l, w, false, 64, 1);
	assert_int_equal(flux_pub_send(w->b.pub, "too short", 9), 0);
	assert_int_equal(say(&l, &l.mine, 0, 0), 0);
	world_until(w, (hear(&l), l.got == 1));
	assert_int_equal(l.codes, 1);
	assert_int_equal(l.code, FLUX_EMSGSIZE);
	assert_int_equal(l.code_len, 9);
	flux_bridge_get_stats(l.in, &stats);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.messages, 1);
	lift(&l);
}

static void the_session_ends(void **state)
{
	struct world *w = *state;
	struct line l;

	lay(&l, w, true, 64, 1);
	assert_int_equal(say(&l, &l.mine, 0, 0), 0);
	world_until(w, (hear(&l), l.got == 1));
	assert_int_equal(flux_binding_abort_session(w->a.binding, w->a.sid, 300, "enough"), 0);
	world_until(w, l.codes == 2 && l.ends == 1);
	assert_int_equal(l.code, FLUX_ECLOSED);
	/* What comes now stays in the ring. */
	assert_int_equal(say(&l, &l.mine, 1, 0), 0);
	world_idle(w);
	flux_bridge_close(l.out);
	l.out = NULL;
	world_idle(w);
	assert_int_equal(flux_ring_reader_lag(&l.reader) > 0, 1);
	lift(&l);
}

static void the_ring_is_closed(void **state)
{
	struct world *w = *state;
	struct line l;

	lay(&l, w, true, 64, 1);
	flux_ring_close(l.from);
	world_until(w, l.codes == 1);
	assert_int_equal(l.code, FLUX_ECLOSED);
	flux_ring_close(l.to);
	assert_int_equal(flux_pub_send(w->b.pub, "12345678", 8), 0);
	world_until(w, l.codes >= 1 && (l.code_len == 8 || l.got == 1));
	lift(&l);
}

/* With its binding, with its loop: nothing is left, and no call comes any more. */
static void it_ends_with_its_binding(void **state)
{
	struct world *w = *state;
	struct line l;

	lay(&l, w, true, 64, 1);
	assert_int_equal(say(&l, &l.mine, 0, 0), 0);
	flux_binding_close(w->b.binding);
	w->b.binding = NULL;
	world_idle(w);
	assert_int_equal(say(&l, &l.mine, 1, 0), 0);
	flux_loop_close(w->loop);
	w->loop = NULL;
	w->a.binding = NULL;
	flux_ring_destroy(l.from);
	flux_ring_destroy(l.to);
}

static void refused(void **state)
{
	struct world *w = *state;
	struct flux_bridge *bridge = NULL;
	struct flux_ring_writer plain;
	struct flux_ring_reader other;
	struct line l;

	lay(&l, w, true, 64, 2);
	assert_int_equal(flux_ring_writer_open(&plain, l.from, NULL), 0);
	assert_int_equal(flux_ring_reader_join(&other, l.from, NULL), 0);
	assert_int_equal(flux_bridge_open_in(&bridge, w->b.binding, w->b.sid, &plain, NULL), FLUX_ENOTSUP);
	assert_int_equal(flux_bridge_open_out(&bridge, w->b.binding, w->b.sid, &other, NULL), FLUX_ENOTSUP);
	assert_int_equal(flux_bridge_open_out(&bridge, w->b.binding, 0, &other, NULL), FLUX_ECLOSED);
	assert_int_equal(flux_bridge_open_in(&bridge, w->a.binding, w->a.sid, &l.writer, NULL), FLUX_EBUSY);
	assert_null(bridge);
	flux_bridge_close(NULL);
	flux_ring_reader_leave(&other);
	lift(&l);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "each_message_once_in_order", each_message_once_in_order },
		{ "loss_and_rings_of_four", loss_and_rings_of_four },
		{ "threads_and_records", threads_and_records },
		{ "back_pressure_all_the_way", back_pressure_all_the_way },
		{ "who_was_kept_is_not_forgotten", who_was_kept_is_not_forgotten },
		{ "what_is_too_long_is_told_and_passed", what_is_too_long_is_told_and_passed },
		{ "the_session_ends", the_session_ends },
		{ "the_ring_is_closed", the_ring_is_closed },
		{ "it_ends_with_its_binding", it_ends_with_its_binding },
		{ "refused", refused },
	};

	return world_run("bridge", tests, sizeof(tests) / sizeof(tests[0]));
}
