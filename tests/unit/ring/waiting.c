/* SPDX-License-Identifier: MIT */
/* Waiting: each way wakes, ends at its deadline, and learns that the ring was closed. */
#include "tests/unit/ring/common.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/ring/ring.h"

#define BOTH   (FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP)
#define THREAD 8

static const uint32_t ways[] = {
	FLUX_WAIT_ADAPTIVE,
	FLUX_WAIT_SPIN,
	FLUX_WAIT_YIELD,
	FLUX_WAIT_SLEEP,
	FLUX_WAIT_BLOCK,
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static flux_ts after(flux_ts ns)
{
	return flux_wait_linux.now(NULL) + ns;
}

static struct flux_ring_writer writer_of(struct flux_ring *ring, uint32_t wait)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_writer writer;

	cfg.wait = wait;
	assert_int_equal(flux_ring_writer_open(&writer, ring, &cfg), 0);
	return writer;
}

static struct flux_ring_reader reader_of(struct flux_ring *ring, uint32_t wait)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_reader reader;

	cfg.wait = wait;
	assert_int_equal(flux_ring_reader_join(&reader, ring, &cfg), 0);
	return reader;
}

static void deadlines(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < N_WAYS; i++) {
		struct flux_ring *ring = ring_of(BOTH, 4, 1);
		struct flux_ring_writer w = writer_of(ring, ways[i]);
		struct flux_ring_reader r = reader_of(ring, ways[i]);
		struct flux_ring_span span;
		flux_ts end = after(FLUX_MS(2));

		assert_int_equal(flux_ring_peek_wait(&r, 1, &span, 0), FLUX_ETIMEDOUT);
		assert_int_equal(flux_ring_peek_wait(&r, 1, &span, end), FLUX_ETIMEDOUT);
		assert_true(flux_wait_linux.now(NULL) >= end);
		assert_int_equal(flux_ring_claim_wait(&w, 4, &span, end), 0);
		assert_int_equal(flux_ring_publish(&w, 4), 0);
		end = after(FLUX_MS(2));
		assert_int_equal(flux_ring_claim_wait(&w, 1, &span, end), FLUX_ETIMEDOUT);
		assert_true(flux_wait_linux.now(NULL) >= end);
		assert_int_equal(flux_ring_peek_wait(&r, 9, &span, FLUX_NEVER), 4);
		flux_ring_destroy(ring);
	}
}

/* Read a run of `n` items and wait for more: the pauses that the reader would begin with. */
static uint32_t pauses_after(struct flux_ring_writer *w, struct flux_ring_reader *r, uint32_t n)
{
	struct flux_ring_span span;

	assert_int_equal(flux_ring_claim(w, n, &span), 0);
	assert_int_equal(flux_ring_publish(w, n), 0);
	for (uint32_t i = 0; i < n; i++) {
		assert_non_null(flux_ring_peek_one(r));
		assert_int_equal(flux_ring_release(r, 1), 0);
	}
	assert_int_equal(flux_ring_peek_wait(r, 1, &span, 0), FLUX_ETIMEDOUT);
	return r->pace.pauses;
}

static void back_off_follows_the_runs(void **state)
{
	struct flux_ring *ring = ring_of(0, 4096, 1);
	struct flux_ring_writer w = writer_of(ring, FLUX_WAIT_ADAPTIVE);
	struct flux_ring_reader r = reader_of(ring, FLUX_WAIT_ADAPTIVE);

	UNUSED(state);
	assert_int_equal(pauses_after(&w, &r, 15), 64);
	assert_int_equal(pauses_after(&w, &r, 16), 128);
	/* As long as there is an item for each four pauses; one for each eight keeps them. */
	assert_int_equal(pauses_after(&w, &r, 16), 128);
	assert_int_equal(pauses_after(&w, &r, 1000), 256);
	assert_int_equal(pauses_after(&w, &r, 1000), 512);
	assert_int_equal(pauses_after(&w, &r, 1000), 1024);
	assert_int_equal(pauses_after(&w, &r, 1000), 1024);
	/* A ring that is full before the pause is over has the writer wait. */
	assert_int_equal(pauses_after(&w, &r, 2000), 1024);
	assert_int_equal(pauses_after(&w, &r, 2049), 512);
	assert_int_equal(pauses_after(&w, &r, 1), 256);
	assert_int_equal(pauses_after(&w, &r, 1), 128);
	assert_int_equal(pauses_after(&w, &r, 1), 64);
	assert_int_equal(pauses_after(&w, &r, 1), 64);
	flux_ring_destroy(ring);
}

static int fails_at_ten(void *ctx, void *item, uint64_t seq, int last)
{
	(void)item;
	(void)last;
	return seq == *(uint64_t *)ctx ? FLUX_RING_AGAIN : FLUX_RING_ON;
}

/* R12: a handler fails for good, its reader is gone: the writer gets a status, it does not hang. */
static void r12_handler_fails(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < N_WAYS; i++) {
		struct flux_ring *ring = ring_of(BOTH, 8, 1);
		struct flux_ring_writer w = writer_of(ring, ways[i]);
		struct flux_ring_reader r = reader_of(ring, ways[i]);
		struct flux_ring_span span;
		uint64_t ten = 10;
		int rc = 0;
		int written = 0;

		while (!rc) {
			rc = flux_ring_claim_wait(&w, 1, &span, after(FLUX_MS(10)));
			if (!rc)
				rc = flux_ring_publish(&w, 1);
			written += !rc;
			if (flux_ring_poll(&r, 8, fails_at_ten, &ten) == 0 && written > 20)
				break;
		}
		assert_int_equal(rc, FLUX_ETIMEDOUT);
		assert_int_equal(written, 18);
		flux_ring_destroy(ring);
	}
}

struct waiter {
	struct flux_ring_writer w;
	struct flux_ring_reader r;
	int reads, rc;
};

static void *waits(void *arg)
{
	struct waiter *waiter = arg;
	struct flux_ring_span span;

	if (waiter->reads)
		waiter->rc = flux_ring_peek_wait(&waiter->r, 1, &span, FLUX_NEVER);
	else
		waiter->rc = flux_ring_claim_wait(&waiter->w, 1, &span, FLUX_NEVER);
	return NULL;
}

/* R23: eight threads wait at an empty ring and at a full one; the close wakes them all. */
static void r23_close_wakes_all(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < N_WAYS; i++)
		for (int reads = 0; reads < 2; reads++) {
			struct flux_ring *ring = ring_of(BOTH, 2, THREAD + 1);
			struct flux_ring_writer filler = writer_of(ring, ways[i]);
			struct waiter waiters[THREAD];
			pthread_t threads[THREAD];

			for (int k = 0; k < THREAD; k++) {
				waiters[k].reads = reads;
				waiters[k].rc = 0;
				if (reads)
					waiters[k].r = reader_of(ring, ways[i]);
				else
					waiters[k].w = writer_of(ring, ways[i]);
			}
			for (int k = 0; !reads && k < 2; k++)
				assert_int_equal(put(&filler, 0), 0);
			for (int k = 0; k < THREAD; k++)
				assert_int_equal(pthread_create(&threads[k], NULL, waits, &waiters[k]), 0);
			flux_wait_linux.nap(NULL, 2000000);
			flux_ring_close(ring);
			for (int k = 0; k < THREAD; k++) {
				pthread_join(threads[k], NULL);
				assert_int_equal(waiters[k].rc, FLUX_ECLOSED);
			}
			flux_ring_destroy(ring);
		}
}

static int readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void by_descriptor(void **state)
{
	struct flux_ring *ring = ring_of(BOTH, 4, 1);
	struct flux_ring_writer w = writer_of(ring, FLUX_WAIT_FD);
	struct flux_ring_reader r = reader_of(ring, FLUX_WAIT_FD);
	struct flux_ring_span span;
	int fd = flux_ring_reader_fd(&r);

	UNUSED(state);
	assert_true(fd >= 0 && flux_ring_writer_fd(&w) >= 0);
	assert_int_equal(flux_ring_peek_wait(&r, 1, &span, FLUX_NEVER), FLUX_ENOTSUP);
	/* Not armed: not rung. */
	assert_int_equal(put(&w, 1), 0);
	assert_false(readable(fd));
	assert_int_equal(flux_ring_reader_arm(&r), 1);
	assert_int_equal(get(&r), 1);
	assert_int_equal(flux_ring_reader_arm(&r), 0);
	assert_int_equal(put(&w, 2), 0);
	assert_true(readable(fd));
	flux_ring_reader_clear(&r);
	assert_false(readable(fd));
	assert_int_equal(get(&r), 2);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(flux_ring_writer_arm(&w, 2), 0);
	assert_false(readable(flux_ring_writer_fd(&w)));
	assert_int_equal(get(&r), 0);
	assert_true(readable(flux_ring_writer_fd(&w)));
	flux_ring_writer_clear(&w);
	assert_int_equal(flux_ring_writer_arm(&w, 2), 0);
	assert_int_equal(get(&r), 1);
	assert_int_equal(flux_ring_writer_arm(&w, 2), 1);
	while (get(&r) != UINT64_MAX)
		;
	assert_int_equal(flux_ring_reader_arm(&r), 0);
	flux_ring_close(ring);
	assert_true(readable(fd));
	assert_int_equal(flux_ring_reader_arm(&r), FLUX_ECLOSED);
	assert_int_equal(flux_ring_writer_arm(&w, 2), FLUX_ECLOSED);
	/* The next holder of the place uses the same descriptor. */
	flux_ring_reader_leave(&r);
	r = reader_of(ring, FLUX_WAIT_FD);
	assert_int_equal(flux_ring_reader_fd(&r), fd);
	flux_ring_destroy(ring);
}

/* R17: who joins holds the oldest for a moment: a writer that met that, and sleeps, is told that it is over. */
static void r17_joining_wakes_the_writer(void **state)
{
	struct flux_ring *ring = ring_of(BOTH, 4, 1);
	struct flux_ring_writer w = writer_of(ring, FLUX_WAIT_FD);
	struct flux_ring_reader r = reader_of(ring, FLUX_WAIT_FD), late;

	UNUSED(state);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(flux_ring_writer_arm(&w, 1), 0);
	late = reader_of(ring, FLUX_WAIT_FD);
	assert_true(readable(flux_ring_writer_fd(&w)));
	flux_ring_reader_leave(&late);
	flux_ring_reader_leave(&r);
	flux_ring_writer_close(&w);
	flux_ring_destroy(ring);
}

static void put_record(struct flux_ring_writer *writer, uint64_t value)
{
	struct flux_ring_record record;

	assert_int_equal(flux_ring_record_claim(writer, sizeof(value), &record), 0);
	memcpy(record.data, &value, sizeof(value));
	assert_int_equal(flux_ring_record_publish(writer, sizeof(value)), 0);
}

static uint64_t get_record(struct flux_ring_reader *reader)
{
	struct flux_ring_record record;
	uint64_t value;

	if (flux_ring_record_read(reader, &record) <= 0)
		return UINT64_MAX;
	memcpy(&value, record.data, sizeof(value));
	assert_int_equal(flux_ring_record_release(reader), 0);
	return value;
}

/* To arm takes a look, and what that finds on a shared ring is the reader's: this, and no other's. */
static void armed_among_others(void **state)
{
	struct flux_ring *ring = ring_of(BOTH | FLUX_RING_SHARE | FLUX_RING_RECORDS, 16, 1);
	struct flux_ring_writer w = writer_of(ring, FLUX_WAIT_FD);
	struct flux_ring_reader one = reader_of(ring, FLUX_WAIT_FD);
	struct flux_ring_reader two = reader_of(ring, FLUX_WAIT_FD);

	UNUSED(state);
	put_record(&w, 1);
	put_record(&w, 2);
	put_record(&w, 3);
	assert_int_equal(get_record(&one), 1);
	assert_int_equal(get_record(&two), 2);
	assert_int_equal(flux_ring_reader_arm(&one), 1);
	assert_int_equal(flux_ring_reader_arm(&two), 0);
	assert_int_equal(get_record(&two), UINT64_MAX);
	assert_int_equal(get_record(&one), 3);
	assert_int_equal(get_record(&one), UINT64_MAX);
	assert_int_equal(flux_ring_reader_arm(&one), 0);
	flux_ring_destroy(ring);
}

/* What arming finds is verified too. */
static void armed_with_sums(void **state)
{
	struct flux_ring *ring = ring_of(BOTH | FLUX_RING_SUMS, 4, 1);
	struct flux_ring_writer w = writer_of(ring, FLUX_WAIT_FD);
	struct flux_ring_reader r = reader_of(ring, FLUX_WAIT_FD);
	struct flux_ring_span span;

	UNUSED(state);
	assert_int_equal(put(&w, 1), 0);
	assert_int_equal(put(&w, 2), 0);
	ring->data[0] ^= 1;
	assert_int_equal(flux_ring_reader_arm(&r), 1);
	assert_int_equal(flux_ring_peek(&r, 1, &span), FLUX_EBADMSG);
	assert_int_equal(flux_ring_skip(&r), 0);
	assert_int_equal(flux_ring_reader_arm(&r), 1);
	assert_int_equal(get(&r), 2);
	assert_int_equal(flux_ring_reader_arm(&r), 0);
	flux_ring_destroy(ring);
}

/* A ring rings only if it was told at creation that somebody may sleep. */
static void what_was_not_prepared(void **state)
{
	struct flux_ring *ring = ring_of(FLUX_RING_READERS_SLEEP, 4, 1);
	struct flux_ring_writer_cfg wcfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_reader_cfg rcfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_cfg bare = FLUX_RING_CFG_INIT;
	struct flux_ring_writer w;
	struct flux_ring_reader r, s;
	struct flux_ring_span span;
	uint32_t id;

	UNUSED(state);
	wcfg.wait = FLUX_WAIT_BLOCK;
	assert_int_equal(flux_ring_writer_open(&w, ring, &wcfg), FLUX_ENOTSUP);
	wcfg.wait = 77;
	assert_int_equal(flux_ring_writer_open(&w, ring, &wcfg), FLUX_EINVAL);
	rcfg.wait = FLUX_WAIT_BLOCK;
	assert_int_equal(flux_ring_reader_join(&r, ring, &rcfg), 0);
	assert_int_equal(flux_ring_reader_fd(&r), FLUX_ENOTSUP);
	assert_int_equal(flux_ring_reader_arm(&r), FLUX_ENOTSUP);
	/* A reader after others waits for their release. */
	id = flux_ring_reader_id(&r);
	rcfg.after = &id;
	rcfg.n_after = 1;
	assert_int_equal(flux_ring_reader_join(&s, ring, &rcfg), FLUX_ENOTSUP);
	rcfg.wait = FLUX_WAIT_YIELD;
	assert_int_equal(flux_ring_reader_join(&s, ring, &rcfg), 0);
	flux_ring_destroy(ring);

	bare.wait = NULL;
	assert_int_equal(flux_ring_create(&ring, &bare, &flux_mem_libc), 0);
	rcfg = (struct flux_ring_reader_cfg)FLUX_RING_READER_CFG_INIT;
	rcfg.wait = FLUX_WAIT_YIELD;
	assert_int_equal(flux_ring_reader_join(&r, ring, &rcfg), FLUX_ENOTSUP);
	assert_int_equal(flux_ring_reader_join(&r, ring, NULL), 0);
	assert_int_equal(flux_ring_peek_wait(&r, 1, &span, 5), FLUX_ENOTSUP);
	assert_int_equal(flux_ring_peek_wait(&r, 1, &span, 0), FLUX_ETIMEDOUT);
	flux_ring_destroy(ring);

	bare = (struct flux_ring_cfg)FLUX_RING_CFG_INIT;
	bare.flags = BOTH | FLUX_RING_PROCESSES;
	assert_int_equal(flux_ring_create(&ring, &bare, &flux_mem_libc), 0);
	rcfg.wait = FLUX_WAIT_FD;
	assert_int_equal(flux_ring_reader_join(&r, ring, &rcfg), FLUX_ENOTSUP);
	flux_ring_destroy(ring);
}

/* A sleeper that was late for its bell does not take the next sleeper's mark for its own. */
static void marks_differ(void **state)
{
	struct flux_ring *ring = ring_of(BOTH, 4, 1);
	struct flux_ring_bell *bell = &ring->head->data;
	uint32_t first = flux_ring_arm(bell);
	uint32_t second;

	UNUSED(state);
	assert_int_equal(first & 1, 1);
	assert_int_equal(flux_ring_arm(bell), first);
	flux_ring_wake_(ring, bell);
	assert_int_equal(bell->word & 1, 0);
	flux_ring_wake_(ring, bell);
	second = flux_ring_arm(bell);
	assert_int_not_equal(first, second);
	flux_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines),
		cmocka_unit_test(back_off_follows_the_runs),
		cmocka_unit_test(r12_handler_fails),
		cmocka_unit_test(r23_close_wakes_all),
		cmocka_unit_test(r17_joining_wakes_the_writer),
		cmocka_unit_test(by_descriptor),
		cmocka_unit_test(armed_among_others),
		cmocka_unit_test(armed_with_sums),
		cmocka_unit_test(what_was_not_prepared),
		cmocka_unit_test(marks_differ),
	};

	return cmocka_run_group_tests_name("ring waiting", tests, NULL, NULL);
}
