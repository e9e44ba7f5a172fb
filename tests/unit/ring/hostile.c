/* SPDX-License-Identifier: MIT */
/*
 * A hostile peer writes anything into the block at any time. It can spoil messages; it can never make a
 * call of ours return memory outside of the slots, run for ever or crash. Random words are spoiled
 * between random calls; what the calls show is checked against the block.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/ring/common.h"

#define CAPACITY 16u
#define STEPS    40000u
#define SEEDS    10u

static uint64_t seed;
static struct flux_ring ours;
static struct flux_ring_writer w[2];
static struct flux_ring_reader r[2];
static bool writes[2], reads[2];
static uint8_t *block;
static uint64_t bytes;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Numbers that are near something, far from everything, or nothing at all. */
static uint64_t nasty(uint64_t old)
{
	switch (rnd() % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return old + rnd() % (4 * CAPACITY) - 2 * CAPACITY;
	case 3:
		return old ^ UINT64_C(1) << rnd() % 64;
	case 4:
		return rnd() % (4 * CAPACITY);
	case 5:
		return UINT64_C(1) << 63;
	case 6:
		return rnd() >> rnd() % 64;
	default:
		return old + (UINT64_C(1) << 32);
	}
}

/* Mostly where the ring keeps its own words, sometimes among the items. */
static void spoil(void)
{
	uint64_t own = (uint64_t)(ours.data - block);
	uint64_t at = (rnd() % 4 ? rnd() % own : own + rnd() % (bytes - own)) & ~UINT64_C(7);
	uint64_t word;

	memcpy(&word, block + at, sizeof(word));
	word = nasty(word);
	memcpy(block + at, &word, sizeof(word));
}

static void in_block(const void *at, uint64_t len)
{
	const uint8_t *from = at;

	assert_true(from >= ours.data && len <= ours.capacity * ours.slot);
	assert_true(from + len <= ours.data + ours.capacity * ours.slot);
}

static void check_span(const struct flux_ring_span *span, int rc)
{
	if (rc < 0 && rc != FLUX_EBADMSG)
		return;
	assert_true((uint64_t)span->n[0] + span->n[1] <= ours.capacity);
	for (int part = 0; part < 2; part++)
		if (span->n[part])
			in_block(span->at[part], (uint64_t)span->n[part] * ours.slot);
}

static void write_something(struct flux_ring_writer *writer)
{
	struct flux_ring_record record;
	struct flux_ring_span span;

	if (ours.flags & FLUX_RING_RECORDS) {
		if (flux_ring_record_claim(writer, (uint32_t)(rnd() % 60), &record) == 0) {
			in_block(record.data, record.len);
			memset(record.data, 1, record.len);
			(void)flux_ring_record_publish(writer, record.len);
		}
		return;
	}
	if (rnd() % 2) {
		int rc = flux_ring_claim_some(writer, 1 + (uint32_t)(rnd() % (2 * CAPACITY)), &span);

		check_span(&span, rc < 0 ? rc : 0);
		if (rc > 0)
			(void)flux_ring_publish(writer, (uint32_t)(rnd() % ((uint64_t)rc + 1)));
	} else if (flux_ring_claim(writer, 1 + (uint32_t)(rnd() % CAPACITY), &span) == 0) {
		check_span(&span, 0);
		(void)flux_ring_publish(writer, (uint32_t)(rnd() % CAPACITY));
	}
	flux_ring_abort(writer);
}

static void read_something(struct flux_ring_reader *reader)
{
	struct flux_ring_record record;
	struct flux_ring_span span;
	uint8_t items[4 * CAPACITY * 8];
	uint64_t missed;
	int n;

	if (ours.flags & FLUX_RING_RECORDS) {
		n = flux_ring_record_read(reader, &record);
		if (n == 1 || n == FLUX_EBADMSG)
			in_block(record.data, record.len);
		if (n == FLUX_EBADMSG)
			(void)flux_ring_skip(reader);
		(void)flux_ring_record_release(reader);
		return;
	}
	if (reader->flags & FLUX_READER_LOSSY) {
		n = flux_ring_copy(reader, 4 * CAPACITY, items, &missed);
		assert_true(n <= (int)CAPACITY);
		if (n == FLUX_EBADMSG)
			(void)flux_ring_skip(reader);
		return;
	}
	n = flux_ring_peek(reader, 1 + (uint32_t)(rnd() % 1000), &span);
	check_span(&span, n);
	if (n == FLUX_EBADMSG)
		(void)flux_ring_skip(reader);
	if (n > 0)
		(void)flux_ring_release(reader, (uint32_t)(rnd() % ((uint64_t)n + 1)));
}

static void look_at_it(void)
{
	struct flux_ring_reader_info reader;
	struct flux_ring_note note;
	struct flux_ring_info info;
	struct flux_ring again;
	uint64_t cursor = rnd() % 4;

	flux_ring_get_info(&ours, &info);
	assert_true(info.used <= CAPACITY && info.free <= CAPACITY);
	assert_true(memchr(info.name, 0, sizeof(info.name)) != NULL);
	(void)!flux_ring_get_reader(&ours, (uint32_t)rnd() % 1024, &reader);
	for (int i = 0; i < 40 && flux_ring_note_next(&ours, &cursor, &note); i++)
		assert_true(memchr(note.name, 0, sizeof(note.name)) != NULL);
	/* Whatever the head says by now: refused, or a ring within the block. */
	if (flux_ring_attach(&again, block, bytes, NULL) == 0)
		assert_true(again.data + again.capacity * again.slot <= block + bytes);
	(void)flux_ring_tend(&ours);
}

static void come_and_go(void)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	uint32_t i = rnd() % 2;

	cfg.start = rnd() % 2 ? FLUX_RING_OLDEST : FLUX_RING_NOW;
	cfg.evict_after = rnd() % 2 ? FLUX_MS(1) : 0;
	if (reads[i])
		flux_ring_reader_leave(&r[i]);
	reads[i] = flux_ring_reader_join(&r[i], &ours, &cfg) == 0;
	if (rnd() % 4)
		return;
	if (writes[i])
		flux_ring_writer_close(&w[i]);
	writes[i] = flux_ring_writer_open(&w[i], &ours, NULL) == 0;
}

static int alive(void *ctx, uint32_t member)
{
	UNUSED(ctx);
	return member % 3 != 0;
}

static void attack(uint32_t flags, uint32_t writers)
{
	static const struct flux_ring_peers peers = { 1, alive, NULL };
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	uint8_t *fresh;

	cfg.flags = flags | FLUX_RING_PROCESSES;
	cfg.capacity = CAPACITY;
	cfg.slot = 8;
	cfg.writers = writers;
	bytes = flux_ring_bytes(&cfg);
	block = aligned_alloc(FLUX_RING_LINE, bytes);
	memset(block, 0, bytes);
	fresh = malloc(bytes);
	assert_int_equal(flux_ring_init(&ours, block, bytes, &cfg), 0);
	flux_ring_set_peers(&ours, &peers);
	memcpy(fresh, block, bytes);
	memset(writes, 0, sizeof(writes));
	memset(reads, 0, sizeof(reads));
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t i = rnd() % 2;

		if (rnd() % 8 == 0)
			spoil();
		if (step % 512 == 0) /* a new start, so that much goes right in between */
			memcpy(block, fresh, bytes);
		if (step % 512 == 0 || rnd() % 64 == 0)
			come_and_go();
		if (rnd() % 32 == 0)
			look_at_it();
		if (writes[i] && rnd() % 2)
			write_something(&w[i]);
		if (reads[i] && rnd() % 2)
			read_something(&r[i]);
	}
	free(fresh);
	free(block);
}

static void hostile_peer(void **state)
{
	static const struct {
		uint32_t flags, writers;
	} kinds[] = {
		{ 0, 1 },
		{ 0, 2 },
		{ FLUX_RING_SHARE, 1 },
		{ FLUX_RING_SHARE, 2 },
		{ FLUX_RING_LOSSY, 1 },
		{ FLUX_RING_SUMS, 1 },
		{ FLUX_RING_SUMS, 2 },
		{ FLUX_RING_RECORDS, 1 },
		{ FLUX_RING_RECORDS | FLUX_RING_SUMS, 2 },
		{ FLUX_RING_RECORDS | FLUX_RING_SHARE, 1 },
		{ FLUX_RING_RECORDS | FLUX_RING_SHARE, 2 },
		{ FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP, 2 },
	};

	UNUSED(state);
	alarm(300); /* a call that does not end is the failure that has no other sign */
	for (uint64_t first = 1; first <= SEEDS; first++)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			seed = first;
			attack(kinds[i].flags, kinds[i].writers);
		}
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(hostile_peer) };

	return cmocka_run_group_tests_name("ring, hostile memory", tests, NULL, NULL);
}
