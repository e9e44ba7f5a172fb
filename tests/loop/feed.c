/* SPDX-License-Identifier: MIT */
/* Rings read by every loop: nothing lost or late, the budget, back-pressure, ends inside callbacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include <flux/feed.h>

#include "tests/loop/world.h"

struct hearer {
	struct world *w;
	struct flux_ring *ring;
	struct flux_ring_writer writer;
	struct flux_ring_reader reader;
	struct flux_feed *feed;
	uint64_t next[4]; /* of each writer */
	uint64_t got, wrong, ends, since_end, largest;
	uint64_t keep_at; /* keep this one, once; UINT64_MAX: none */
	int error;
	bool close_feed, close_loop, records;
	bool batches; /* by on_batch */
};

#define WRITER(value) ((value) >> 32)
#define NUMBER(value) ((value)&UINT32_MAX)

static int on_item(void *ctx, struct flux_feed *feed, void *item, uint32_t len)
{
	struct hearer *h = ctx;
	uint64_t value;

	memcpy(&value, item, sizeof(value));
	if (h->got == h->keep_at) {
		h->keep_at = UINT64_MAX;
		return FLUX_FEED_KEEP;
	}
	h->wrong += feed != h->feed || NUMBER(value) != h->next[WRITER(value)]++;
	h->wrong += len != (h->records ? 8 + NUMBER(value) % 50 : 8);
	h->got++;
	h->since_end++;
	if (h->close_feed)
		flux_feed_close(feed);
	if (h->close_loop) {
		flux_loop_close(h->w->loop);
		h->w->loop = NULL;
	}
	return FLUX_FEED_ON;
}

static uint32_t on_batch(void *ctx, struct flux_feed *feed, const struct flux_feed_item *items, uint32_t n)
{
	struct hearer *h = ctx;
	uint32_t done = 0;

	h->wrong += n == 0 || n > FLUX_FEED_BATCH;
	while (done < n && on_item(ctx, feed, items[done].data, items[done].len) == FLUX_FEED_ON)
		done++;
	return done;
}

static void on_end(void *ctx, struct flux_feed *feed)
{
	struct hearer *h = ctx;

	(void)feed;
	h->ends++;
	if (h->since_end > h->largest)
		h->largest = h->since_end;
	h->since_end = 0;
}

static void on_error(void *ctx, struct flux_feed *feed, int code)
{
	struct hearer *h = ctx;

	(void)feed;
	h->error = code;
}

static void feed_up(struct hearer *h)
{
	struct flux_feed_cfg cfg = FLUX_FEED_CFG_INIT;

	if (h->batches)
		cfg.on_batch = on_batch;
	else
		cfg.on_item = on_item;
	cfg.on_end = on_end;
	cfg.on_error = on_error;
	cfg.ctx = h;
	cfg.budget = 40;
	assert_int_equal(flux_feed_open(&h->feed, h->w->loop, &h->reader, &cfg), 0);
}

#define BATCHES (1u << 31)

static void hear(struct hearer *h, struct world *w, uint32_t flags, uint32_t capacity, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring_reader_cfg reader = FLUX_RING_READER_CFG_INIT;

	memset(h, 0, sizeof(*h));
	h->w = w;
	h->keep_at = UINT64_MAX;
	h->batches = flags & BATCHES;
	flags &= ~BATCHES;
	h->records = flags & FLUX_RING_RECORDS;
	cfg.flags = flags | FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	cfg.capacity = capacity;
	cfg.slot = 8;
	cfg.writers = writers;
	assert_int_equal(flux_ring_create(&h->ring, &cfg, &flux_mem_libc), 0);
	if (writers == 1)
		assert_int_equal(flux_ring_writer_open(&h->writer, h->ring, NULL), 0);
	reader.wait = FLUX_WAIT_FD;
	assert_int_equal(flux_ring_reader_join(&h->reader, h->ring, &reader), 0);
	feed_up(h);
}

static void stop_hearing(struct hearer *h)
{
	assert_int_equal(h->wrong, 0);
	flux_ring_reader_leave(&h->reader);
	flux_ring_destroy(h->ring);
}

static int say(struct flux_ring_writer *writer, bool records, uint64_t value, flux_ts deadline)
{
	struct flux_ring_record record = { 0 };
	struct flux_ring_span span = { 0 };
	uint32_t len = (uint32_t)(8 + NUMBER(value) % 50);
	int rc = records ? flux_ring_record_claim_wait(writer, len, &record, deadline) :
			   flux_ring_claim_wait(writer, 1, &span, deadline);

	if (rc < 0)
		return rc;
	memcpy(records ? record.data : span.at[0], &value, sizeof(value));
	return records ? flux_ring_record_publish(writer, len) : flux_ring_publish(writer, 1);
}

static void each_item_once_in_order(void **state)
{
	struct world *w = *state;
	struct hearer h;

	for (int kind = 0; kind < 4; kind++) {
		bool records = kind % 2;
		uint64_t sent = 0;

		hear(&h, w, (records ? FLUX_RING_RECORDS : 0) | (kind / 2 ? BATCHES : 0), 256, 1);
		world_idle(w);
		assert_int_equal(h.got, 0);
		for (uint32_t round = 0; round < 300; round++) {
			for (uint32_t i = 0; i < round % 70 && say(&h.writer, records, sent, 0) == 0; i++)
				sent++;
			world_round(w);
		}
		world_until(w, h.got == sent);
		assert_true(h.largest <= 40);
		assert_true(h.ends > 0);
		flux_feed_close(h.feed);
		world_idle(w);
		stop_hearing(&h);
	}
}

/* ---- Writers in threads of their own ---- */

struct speaker {
	struct hearer *h;
	pthread_t thread;
	uint64_t number;
	uint32_t count;
	int rc;
};

static void *speak(void *arg)
{
	struct speaker *s = arg;
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_writer writer;

	cfg.wait = FLUX_WAIT_BLOCK;
	s->rc = flux_ring_writer_open(&writer, s->h->ring, &cfg);
	for (uint32_t i = 0; i < s->count && s->rc == 0; i++)
		s->rc = say(&writer, s->h->records, s->number << 32 | i, FLUX_NEVER);
	if (s->rc == 0 || s->rc == FLUX_ECLOSED)
		flux_ring_writer_close(&writer);
	return NULL;
}

/* E: no item lies there while its loop sleeps, whoever wins which race. */
static void three_threads_through_a_small_ring(void **state)
{
	struct world *w = *state;

	for (int records = 0; records < 2; records++) {
		struct speaker speakers[3];
		struct hearer h;

		hear(&h, w, records ? FLUX_RING_RECORDS : 0, records ? 32 : 4, 3);
		for (uint64_t i = 0; i < 3; i++) {
			speakers[i] = (struct speaker){ .h = &h, .number = i, .count = 3000 };
			assert_int_equal(pthread_create(&speakers[i].thread, NULL, speak, &speakers[i]), 0);
		}
		world_until(w, h.got == 9000);
		for (int i = 0; i < 3; i++) {
			pthread_join(speakers[i].thread, NULL);
			assert_int_equal(speakers[i].rc, 0);
		}
		flux_feed_close(h.feed);
		world_idle(w);
		stop_hearing(&h);
	}
}

static void kept_and_paused(void **state)
{
	struct world *w = *state;

	for (int kind = 0; kind < 6; kind++) {
		static const uint32_t flags[] = { 0, FLUX_RING_RECORDS, FLUX_RING_SHARE };
		bool records = flags[kind % 3] & FLUX_RING_RECORDS;
		struct hearer h;
		uint64_t sent = 0, more;

		hear(&h, w, flags[kind % 3] | (kind / 3 ? BATCHES : 0), 64, 1);
		h.keep_at = 2;
		while (say(&h.writer, records, sent, 0) == 0)
			sent++;
		world_until(w, h.keep_at == UINT64_MAX);
		world_idle(w);
		assert_int_equal(h.got, 2);
		/* The ring is what holds the writer back. */
		more = sent;
		while (more < sent + 2 && say(&h.writer, records, more, 0) == 0)
			more++;
		assert_true(more <= sent + 2);
		sent = more;
		flux_feed_resume(h.feed);
		world_until(w, h.got == sent);
		flux_feed_pause(h.feed);
		assert_int_equal(say(&h.writer, records, sent++, 0), 0);
		world_idle(w);
		assert_int_equal(h.got, sent - 1);
		flux_feed_resume(h.feed);
		world_until(w, h.got == sent);
		flux_feed_close(h.feed);
		world_idle(w);
		stop_hearing(&h);
	}
}

/* A shared ring of records gives one at a time; who leaves one undone and closes finds it again. */
static void undone_is_found_again(void **state)
{
	struct world *w = *state;
	static const uint32_t flags[] = { 0, FLUX_RING_RECORDS, FLUX_RING_RECORDS | FLUX_RING_SHARE };

	for (int kind = 0; kind < 6; kind++) {
		struct hearer h;

		hear(&h, w, flags[kind % 3] | (kind / 3 ? BATCHES : 0), 64, 1);
		h.keep_at = 3;
		for (uint64_t i = 0; i < 5; i++)
			assert_int_equal(say(&h.writer, h.records, i, 0), 0);
		world_until(w, h.keep_at == UINT64_MAX);
		flux_feed_close(h.feed);
		world_idle(w);
		assert_int_equal(h.got, 3);
		feed_up(&h);
		world_until(w, h.got == 5);
		flux_feed_close(h.feed);
		world_idle(w);
		stop_hearing(&h);
	}
}

static void the_ring_is_closed(void **state)
{
	struct world *w = *state;
	struct hearer h;

	hear(&h, w, 0, 64, 1);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(say(&h.writer, false, i, 0), 0);
	flux_ring_close(h.ring);
	world_until(w, h.error != 0);
	assert_int_equal(h.error, FLUX_ECLOSED);
	assert_int_equal(h.got, 10);
	flux_feed_close(h.feed);
	world_idle(w);
	stop_hearing(&h);
}

static void a_damaged_item_is_told_and_passed(void **state)
{
	struct world *w = *state;
	struct hearer h;

	hear(&h, w, FLUX_RING_SUMS, 64, 1);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(say(&h.writer, false, i, 0), 0);
	h.ring->sums[9] ^= 1;
	world_until(w, h.error != 0 && h.got == 9);
	assert_int_equal(h.error, FLUX_EBADMSG);
	h.next[0] = 10;
	assert_int_equal(say(&h.writer, false, 10, 0), 0);
	world_until(w, h.got == 10);
	flux_feed_close(h.feed);
	world_idle(w);
	stop_hearing(&h);
}

static void closed_inside(void **state)
{
	struct world *w = *state;
	struct hearer h;

	hear(&h, w, 0, 64, 1);
	h.close_feed = true;
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(say(&h.writer, false, i, 0), 0);
	world_until(w, h.got == 1);
	world_idle(w);
	assert_int_equal(h.got, 1);
	/* The reader is ours again, and goes on where it was. */
	h.close_feed = false;
	h.close_loop = true;
	feed_up(&h);
	world_until(w, h.got == 2);
	world_idle(w);
	assert_int_equal(h.got, 2);
	stop_hearing(&h);
}

static void refused(void **state)
{
	struct world *w = *state;
	struct flux_feed_cfg cfg = FLUX_FEED_CFG_INIT;
	struct flux_ring_reader other;
	struct flux_feed *feed = NULL;
	struct hearer h;

	hear(&h, w, 0, 64, 1);
	assert_int_equal(flux_feed_open(&feed, w->loop, &h.reader, &cfg), FLUX_EINVAL);
	cfg.on_item = on_item;
	assert_int_equal(flux_ring_reader_join(&other, h.ring, NULL), 0);
	assert_int_equal(flux_feed_open(&feed, w->loop, &other, &cfg), FLUX_ENOTSUP);
	assert_non_null(strstr(flux_loop_detail(w->loop), "FLUX_WAIT_FD"));
	assert_null(feed);
	flux_ring_reader_leave(&other);
	flux_feed_close(NULL);
	flux_feed_close(h.feed);
	world_idle(w);
	stop_hearing(&h);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "each_item_once_in_order", each_item_once_in_order },
		{ "three_threads_through_a_small_ring", three_threads_through_a_small_ring },
		{ "kept_and_paused", kept_and_paused },
		{ "undone_is_found_again", undone_is_found_again },
		{ "the_ring_is_closed", the_ring_is_closed },
		{ "a_damaged_item_is_told_and_passed", a_damaged_item_is_told_and_passed },
		{ "closed_inside", closed_inside },
		{ "refused", refused },
	};

	return world_run("feed", tests, sizeof(tests) / sizeof(tests[0]));
}
