/* SPDX-License-Identifier: MIT */
/*
 * Rings under several threads: each kind, with random batches and pauses, every item checked.
 * ring [--count N] [--seed N] [--only PART-OF-A-NAME]; a failure prints the command that repeats it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <flux/ring.h>

#include "tests/stress/item.h"
#include "tests/stress/ring.h"

#define PATIENCE FLUX_S(60)

struct party {
	const struct stress_kind *kind;
	struct stress_run *run;
	struct flux_ring_writer w;
	struct flux_ring_reader r;
	pthread_t thread;
	uint64_t seed;
	uint32_t number;
	uint64_t got, sum;
	char why[120];
};

struct stress_run {
	struct flux_ring *ring;
	uint64_t count;   /* items of each writer */
	uint8_t *seen;    /* shared reading: how often each item was read */
	uint32_t writing; /* writers that are not done */
};

#define FAIL(party, ...)                                                           \
	do {                                                                       \
		if (!(party)->why[0])                                              \
			snprintf((party)->why, sizeof((party)->why), __VA_ARGS__); \
	} while (0)

static flux_ts patience(void)
{
	return flux_wait_linux.now(NULL) + PATIENCE;
}

/* Sometimes give the processor away, sometimes do a little of nothing. */
static void dawdle(struct party *party)
{
	uint64_t dice = rnd(&party->seed) % 256;

	if (dice == 0)
		sched_yield();
	for (volatile uint64_t i = dice < 16 ? dice * 16 : 0; i; i--)
		;
}

/* Wait for room of at least one, then claim up to `n`. */
static int claim(struct party *party, uint32_t n, struct flux_ring_span *span)
{
	int rc = flux_ring_claim_some(&party->w, n, span);

	if (rc != FLUX_EAGAIN)
		return rc;
	rc = flux_ring_claim_wait(&party->w, 1, span, patience());
	return rc ? rc : 1;
}

/* Now and then another size; of records, never one too small for the largest. */
static void resize(struct party *party)
{
	const struct stress_kind *kind = party->kind;
	uint32_t capacity = kind->flags & FLUX_RING_RECORDS ? kind->capacity : 2;
	int rc;

	if (!kind->most || rnd(&party->seed) % 8)
		return;
	while (capacity < kind->most && rnd(&party->seed) % 4)
		capacity *= 2;
	rc = flux_ring_resize(&party->w, capacity);
	if (rc < 0 && rc != FLUX_EAGAIN)
		FAIL(party, "resize: %s", flux_errname(rc));
}

static void *write_items(void *arg)
{
	struct party *party = arg;
	const struct stress_kind *kind = party->kind;
	uint32_t most = kind->flags & FLUX_RING_LOSSY ? kind->capacity / 4 : kind->capacity;
	uint64_t done = 0;

	while (done < party->run->count && !party->why[0]) {
		struct flux_ring_span span;
		uint32_t want = 1 + (uint32_t)(rnd(&party->seed) % (rnd(&party->seed) % 4 ? 4 : most));
		uint32_t keep;
		int n;

		resize(party);
		n = claim(party, want, &span);
		if (n < 0) {
			FAIL(party, "claim: %s", flux_errname(n));
			break;
		}
		keep = (uint32_t)n;
		if (kind->aborts && rnd(&party->seed) % 8 == 0)
			keep = (uint32_t)(rnd(&party->seed) % (keep + 1));
		if (keep > party->run->count - done)
			keep = (uint32_t)(party->run->count - done);
		for (uint32_t i = 0; i < keep; i++) {
			uint32_t part = i >= span.n[0];
			uint8_t *at = (uint8_t *)span.at[part] +
				      (size_t)(part ? i - span.n[0] : i) * kind->slot;

			item_write(at, kind->slot, span.seq + i, item_id(party->number, done + i));
		}
		dawdle(party);
		flux_ring_publish(&party->w, keep);
		done += keep;
	}
	flux_ring_writer_close(&party->w);
	if (__atomic_sub_fetch(&party->run->writing, 1, __ATOMIC_ACQ_REL) == 0)
		flux_ring_close(party->run->ring);
	return NULL;
}

/* Records of 16 bytes and more; the length is part of what is checked, because all of it is. */
static void *write_records(void *arg)
{
	struct party *party = arg;
	uint64_t done = 0;

	while (done < party->run->count && !party->why[0]) {
		uint32_t len = 16 + 8 * (uint32_t)(rnd(&party->seed) % (rnd(&party->seed) % 8 ? 8 : 24));
		struct flux_ring_record record;
		int rc;

		resize(party);
		rc = flux_ring_record_claim_wait(&party->w, len, &record, patience());
		if (rc < 0) {
			FAIL(party, "claim: %s", flux_errname(rc));
			break;
		}
		if (party->kind->aborts && rnd(&party->seed) % 8 == 0) {
			flux_ring_record_abort(&party->w);
			continue;
		}
		if (party->kind->aborts && rnd(&party->seed) % 8 == 0)
			len = 16;
		item_write(record.data, len, record.seq, item_id(party->number, done++));
		dawdle(party);
		flux_ring_record_publish(&party->w, len);
	}
	flux_ring_writer_close(&party->w);
	if (__atomic_sub_fetch(&party->run->writing, 1, __ATOMIC_ACQ_REL) == 0)
		flux_ring_close(party->run->ring);
	return NULL;
}

/* What every reader knows of the writers' items: they come in each writer's order, without a hole. */
struct expected {
	uint64_t next[16];
	bool started[16];
};

static void check(struct party *party, struct expected *expected, const void *item, uint32_t bytes,
		  uint64_t seq)
{
	const struct stress_kind *kind = party->kind;
	uint64_t id, number;
	uint32_t writer;

	if (!item_read(item, bytes, seq, &id)) {
		FAIL(party, "item %llu is torn or misplaced", (unsigned long long)seq);
		return;
	}
	writer = (uint32_t)(id >> 48);
	number = id & ((UINT64_C(1) << 48) - 1);
	if (writer >= kind->writers || number >= party->run->count) {
		FAIL(party, "item %llu has no such writer", (unsigned long long)seq);
		return;
	}
	party->got++;
	party->sum += id;
	if (kind->flags & FLUX_RING_SHARE) {
		/* Increasing for each reader; each once over all. */
		if (expected->started[writer] && number < expected->next[writer])
			FAIL(party, "item %llu came late", (unsigned long long)seq);
		__atomic_fetch_add(&party->run->seen[writer * party->run->count + number], 1, __ATOMIC_RELAXED);
	} else if (expected->started[writer] && number != expected->next[writer]) {
		FAIL(party, "writer %u: %llu instead of %llu", writer, (unsigned long long)number,
		     (unsigned long long)expected->next[writer]);
	}
	expected->started[writer] = true;
	expected->next[writer] = number + 1;
}

/* Read a batch and release it in parts: how many, or an error. */
static int read_batch(struct party *party, struct expected *expected)
{
	const struct stress_kind *kind = party->kind;
	struct flux_ring_span span;
	uint32_t want = 1 + (uint32_t)(rnd(&party->seed) % (rnd(&party->seed) % 4 ? 4 : kind->capacity));
	int n = flux_ring_peek_wait(&party->r, want, &span, patience());
	uint32_t held = 0;

	for (uint32_t i = 0; (int)i < n; i++) {
		uint32_t part = i >= span.n[0];
		const uint8_t *at = (const uint8_t *)span.at[part] +
				    (size_t)(part ? i - span.n[0] : i) * kind->slot;

		check(party, expected, at, kind->slot, span.seq + i);
		held++;
		if (rnd(&party->seed) % 16 == 0) {
			flux_ring_release(&party->r, held);
			held = 0;
		}
	}
	dawdle(party);
	flux_ring_release(&party->r, held);
	return n;
}

/* Read a few records, release them together: the last result. */
static int read_records(struct party *party, struct expected *expected)
{
	bool share = party->kind->flags & FLUX_RING_SHARE;
	uint64_t few = share ? 1 : 1 + rnd(&party->seed) % 6;
	struct flux_ring_record record;
	int rc = flux_ring_record_read_wait(&party->r, &record, patience());

	while (rc == 1) {
		check(party, expected, record.data, record.len, record.seq);
		if (!--few)
			break;
		rc = flux_ring_record_read(&party->r, &record);
	}
	dawdle(party);
	flux_ring_record_release(&party->r);
	return rc;
}

static int read_some(struct party *party, struct expected *expected)
{
	return party->kind->flags & FLUX_RING_RECORDS ? read_records(party, expected) :
							read_batch(party, expected);
}

static void *read_items(void *arg)
{
	struct party *party = arg;
	struct expected expected = { .next = { 0 } };
	int n = 0;

	if (!(party->kind->flags & FLUX_RING_SHARE))
		for (int i = 0; i < 16; i++)
			expected.started[i] = true;
	while (n >= 0 && !party->why[0])
		n = read_some(party, &expected);
	if (n < 0 && n != FLUX_ECLOSED)
		FAIL(party, "peek: %s", flux_errname(n));
	flux_ring_reader_leave(&party->r);
	return NULL;
}

/* Lossy: what was missed and what was read add up, and nothing is torn. */
static void *copy_items(void *arg)
{
	struct party *party = arg;
	struct expected expected = { .next = { 0 } };
	const uint32_t slot = party->kind->slot;
	uint8_t *items = malloc((size_t)64 * slot);
	uint64_t seq = party->r.start;
	uint32_t idle = 0;

	for (;;) {
		uint64_t missed;
		int n = flux_ring_copy(&party->r, 64, items, &missed);

		if (n < 0) {
			if (n != FLUX_ECLOSED)
				FAIL(party, "copy: %s", flux_errname(n));
			break;
		}
		seq += missed;
		/* A writer alone numbers items as the ring does. */
		expected.next[0] = seq;
		for (int i = 0; i < n; i++)
			check(party, &expected, items + (size_t)i * slot, slot, seq++);
		if (!n && flux_ring_reader_pause_(&party->r, &idle, FLUX_NEVER) < 0)
			FAIL(party, "no pause");
	}
	if (seq != party->run->count)
		FAIL(party, "ends at %llu", (unsigned long long)seq);
	free(items);
	flux_ring_reader_leave(&party->r);
	return NULL;
}

/* R17: join at random moments; from the reported start on there is no hole, and each item is whole. */
static void *come_and_go(void *arg)
{
	struct party *party = arg;
	int n = 0;

	while (n >= 0 && !party->why[0]) {
		struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
		struct expected expected = { .next = { 0 } };
		uint64_t stay = rnd(&party->seed) % 64;

		cfg.start = rnd(&party->seed) % 2 ? FLUX_RING_NOW : FLUX_RING_OLDEST;
		cfg.wait = party->kind->reader_waits;
		n = flux_ring_reader_join(&party->r, party->run->ring, &cfg);
		if (n < 0) {
			FAIL(party, "join: %s", flux_errname(n));
			break;
		}
		/* A writer alone numbers items as the ring does: no hole between the start and the first. */
		if (party->kind->writers == 1 && !(party->kind->flags & FLUX_RING_RECORDS)) {
			expected.started[0] = true;
			expected.next[0] = party->r.start;
		}
		for (uint64_t i = 0; i < stay && n >= 0; i++)
			n = read_some(party, &expected);
		if (n < 0 && n != FLUX_ECLOSED)
			FAIL(party, "peek: %s", flux_errname(n));
		flux_ring_reader_leave(&party->r);
		sched_yield();
	}
	return NULL;
}

/* ---- One run ---- */

static void open_readers(const struct stress_kind *kind, struct stress_run *run, struct party *readers)
{
	uint32_t ids[16];

	for (uint32_t i = 0; i < kind->readers; i++) {
		struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

		cfg.wait = kind->reader_waits;
		cfg.start = FLUX_RING_OLDEST;
		if (kind->graph == STRESS_PIPELINE && i) {
			cfg.after = &ids[i - 1];
			cfg.n_after = 1;
		} else if (kind->graph == STRESS_DIAMOND && i) {
			cfg.after = ids;
			cfg.n_after = i + 1 == kind->readers ? i : 1;
		}
		if (flux_ring_reader_join(&readers[i].r, run->ring, &cfg) < 0)
			abort();
		ids[i] = flux_ring_reader_id(&readers[i].r);
	}
}

static void start(struct party *party, void *(*body)(void *))
{
	if (pthread_create(&party->thread, NULL, body, party))
		abort();
}

static const char *judge(const struct stress_kind *kind, struct stress_run *run, const struct party *parties,
			 char *why)
{
	uint32_t all = kind->writers + kind->readers + kind->churn;
	uint64_t total = run->count * kind->writers;
	uint64_t got = 0;

	for (uint32_t i = 0; i < all; i++)
		if (parties[i].why[0])
			return parties[i].why;
	for (uint32_t i = kind->writers; i < kind->writers + kind->readers; i++) {
		got += parties[i].got;
		if (!(kind->flags & (FLUX_RING_SHARE | FLUX_RING_LOSSY)) && parties[i].got != total) {
			snprintf(why, 120, "a reader saw %llu of %llu", (unsigned long long)parties[i].got,
				 (unsigned long long)total);
			return why;
		}
	}
	for (uint64_t i = 0; kind->flags & FLUX_RING_SHARE && i < total; i++)
		if (run->seen[i] != 1) {
			snprintf(why, 120, "item %llu was read %u times", (unsigned long long)i, run->seen[i]);
			return why;
		}
	/* Shared, each item was seen above, perhaps all of them by those who come and go. */
	return got || kind->flags & FLUX_RING_SHARE ? NULL : "nothing was read";
}

const char *stress_ring(const struct stress_kind *kind, uint64_t count, uint64_t seed, char *why)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct stress_run run = { .count = count, .writing = kind->writers };
	uint32_t all = kind->writers + kind->readers + kind->churn;
	struct party *parties = calloc(all, sizeof(*parties));
	const char *verdict;

	cfg.flags = kind->flags;
	cfg.capacity = kind->capacity;
	cfg.most = kind->most;
	cfg.slot = kind->slot;
	cfg.readers = kind->readers + kind->churn;
	cfg.writers = kind->writers;
	run.seen = calloc(kind->writers, count);
	if (flux_ring_create(&run.ring, &cfg, &flux_mem_libc) < 0)
		abort();
	for (uint32_t i = 0; i < all; i++) {
		parties[i].kind = kind;
		parties[i].run = &run;
		parties[i].number = i;
		parties[i].seed = seed * 1000 + i;
	}
	open_readers(kind, &run, parties + kind->writers);
	for (uint32_t i = 0; i < kind->writers; i++) {
		struct flux_ring_writer_cfg wcfg = FLUX_RING_WRITER_CFG_INIT;

		wcfg.wait = kind->writer_waits;
		if (flux_ring_writer_open(&parties[i].w, run.ring, &wcfg) < 0)
			abort();
	}
	for (uint32_t i = 0; i < all; i++) {
		if (i >= kind->writers + kind->readers)
			start(&parties[i], come_and_go);
		else if (i >= kind->writers)
			start(&parties[i], kind->flags & FLUX_RING_LOSSY ? copy_items : read_items);
		else
			start(&parties[i], kind->flags & FLUX_RING_RECORDS ? write_records : write_items);
	}
	for (uint32_t i = 0; i < all; i++)
		pthread_join(parties[i].thread, NULL);
	verdict = judge(kind, &run, parties, why);
	if (verdict && verdict != why)
		verdict = strcpy(why, verdict);
	flux_ring_destroy(run.ring);
	free(run.seen);
	free(parties);
	return verdict;
}
