/* SPDX-License-Identifier: MIT */
/*
 * Parties that die: three views of one block, as three processes have them, and a table of who lives.
 * tests/process/ kills real ones, at every instruction.
 */
#include <stdlib.h>

#include "core/ring/ring.h"
#include "tests/unit/ring/common.h"

#define VIEWS 4

static struct flux_ring_peers peers[VIEWS];
static struct flux_ring views[VIEWS];
static bool dead[VIEWS + 1];
static flux_ts now;
static void *block;

static struct flux_ring_writer w[VIEWS];
static struct flux_ring_reader r[VIEWS];
static struct flux_ring_span span;
static struct flux_ring_info info;

static int alive(void *ctx, uint32_t member)
{
	UNUSED(ctx);
	return member <= VIEWS && dead[member] ? 0 : 1;
}

static flux_ts tell_now(void *ctx)
{
	UNUSED(ctx);
	return now;
}

static void wake_nobody(void *ctx, uint32_t *word, int shared)
{
	UNUSED(ctx);
	UNUSED(word);
	UNUSED(shared);
}

static const struct flux_wait_ops clock_only = { .now = tell_now, .wake = wake_nobody };

/* Time enough for the next look at who lives. */
static void later(void)
{
	now += FLUX_MS(20);
}

static void die(uint32_t view)
{
	dead[view + 1] = true;
	later();
}

static void make(uint32_t flags, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring ring;
	uint64_t bytes;

	cfg.flags = flags;
	cfg.capacity = 8;
	cfg.slot = sizeof(uint64_t);
	cfg.readers = 4;
	cfg.writers = writers;
	cfg.wait = &clock_only;
	bytes = flux_ring_bytes(&cfg);
	block = aligned_alloc(FLUX_RING_LINE, bytes);
	memset(block, 0, bytes);
	assert_int_equal(flux_ring_init(&ring, block, bytes, &cfg), 0);
	now = FLUX_S(1);
	for (uint32_t i = 0; i < VIEWS; i++) {
		dead[i + 1] = false;
		peers[i] = (struct flux_ring_peers){ i + 1, alive, NULL };
		assert_int_equal(flux_ring_attach(&views[i], block, bytes, &clock_only), 0);
		flux_ring_set_peers(&views[i], &peers[i]);
	}
}

static int unmake(void **state)
{
	UNUSED(state);
	free(block);
	block = NULL;
	return 0;
}

static uint64_t aborted(void)
{
	flux_ring_get_info(&views[0], &info);
	return info.aborted;
}

/* Writers in views 0, 1, ..., a reader in the last view. */
static void open_all(uint32_t writers)
{
	for (uint32_t i = 0; i < writers; i++)
		assert_int_equal(flux_ring_writer_open(&w[i], &views[i], NULL), 0);
	assert_int_equal(join(&r[0], &views[VIEWS - 1], FLUX_RING_NOW), 0);
}

/* R01: the claim of a dead producer becomes one skip, and the others go on. */
static void r01_dead_claim(void **state)
{
	struct flux_ring_note note;
	uint64_t cursor = 0;

	UNUSED(state);
	make(0, 3);
	open_all(2);
	assert_int_equal(flux_ring_claim(&w[0], 3, &span), 0);
	assert_int_equal(put(&w[1], 7), 0);
	later();
	assert_int_equal(get(&r[0]), UINT64_MAX); /* it lives: one waits */
	assert_int_equal(aborted(), 0);
	die(0);
	assert_int_equal(get(&r[0]), 7);
	assert_int_equal(aborted(), 1);
	assert_int_equal(info.died, 1);
	assert_int_equal(info.writers, 1);
	assert_int_equal(flux_ring_note_next(&views[2], &cursor, &note), 1);
	assert_int_equal(note.what, FLUX_RING_WRITER_DIED);
	assert_int_equal(note.seq, 0);
	assert_int_equal(note.count, 3);
	assert_int_equal(flux_ring_note_next(&views[2], &cursor, &note), 0);
}

/* R01: a producer that died before its claim, or behind its publish, leaves nothing. */
static void r01_no_claim(void **state)
{
	UNUSED(state);
	make(0, 2);
	open_all(2);
	assert_int_equal(put(&w[0], 1), 0);
	w[0].ring->writers[w[0].seat].gate = 0; /* published, but its note still stands */
	w[0].ring->writers[w[0].seat].count = 1;
	die(0);
	assert_int_equal(flux_ring_tend(&views[1]), 1);
	assert_int_equal(get(&r[0]), 1);
	dead[1] = false;
	assert_int_equal(flux_ring_writer_open(&w[0], &views[0], NULL), 0);
	w[0].ring->writers[w[0].seat].gate = 1; /* noted, not claimed */
	w[0].ring->writers[w[0].seat].count = 2;
	die(0);
	assert_int_equal(flux_ring_tend(&views[1]), 1);
	assert_int_equal(put(&w[1], 2), 0);
	assert_int_equal(get(&r[0]), 2);
	assert_int_equal(aborted(), 0);
}

/* Two died with a note of the same place: the one that claimed it is known by where its claim ends. */
static void r01_two_notes(void **state)
{
	UNUSED(state);
	for (uint32_t wrong = 1; wrong <= 5; wrong++) {
		for (uint32_t behind = 0; behind < 2; behind++) {
			make(0, 3);
			open_all(3);
			assert_int_equal(flux_ring_claim(&w[0], 3, &span), 0);
			views[1].writers[w[1].seat].gate = 0;
			views[1].writers[w[1].seat].count = wrong;
			if (behind)
				assert_int_equal(put(&w[2], 9), 0);
			die(1);
			die(0);
			assert_int_equal(flux_ring_tend(&views[2]), 2);
			if (!behind)
				assert_int_equal(put(&w[2], 9), 0);
			assert_int_equal(get(&r[0]), 9);
			assert_int_equal(r[0].next, 4);
			assert_int_equal(aborted(), 1);
			unmake(NULL);
		}
	}
}

/* A living producer's note of the place means that it may be his: nothing is skipped. */
static void r01_note_of_the_living(void **state)
{
	UNUSED(state);
	make(0, 3);
	open_all(3);
	assert_int_equal(flux_ring_claim(&w[0], 2, &span), 0);
	views[1].writers[w[1].seat].gate = 0;
	views[1].writers[w[1].seat].count = 2;
	die(1);
	assert_int_equal(flux_ring_tend(&views[2]), 0);
	((uint64_t *)span.at[0])[0] = 5;
	assert_int_equal(flux_ring_publish(&w[0], 1), 0);
	assert_int_equal(get(&r[0]), 5);
	assert_int_equal(flux_ring_tend(&views[2]), 1);
	assert_int_equal(aborted(), 1); /* the half that was given up */
}

/* R04: who cleans up may die at that; another one finishes. */
static void r04_cleaner_dies(void **state)
{
	struct flux_ring_seat *seat;

	UNUSED(state);
	make(0, 3);
	open_all(2);
	assert_int_equal(flux_ring_claim(&w[0], 2, &span), 0);
	seat = &views[0].writers[w[0].seat];
	seat->holder = flux_ring_holder(flux_ring_holder_turn(seat->holder), 3, SEAT_CLEARING);
	die(0);
	assert_int_equal(flux_ring_tend(&views[1]), 0); /* the third view is at it, and lives */
	die(2);
	assert_int_equal(flux_ring_tend(&views[1]), 1);
	assert_int_equal(put(&w[1], 4), 0);
	assert_int_equal(get(&r[0]), 4);
	assert_int_equal(aborted(), 1);
}

static void dead_reader_stops_gating(void **state)
{
	struct flux_ring_note note;
	uint64_t cursor = 0;

	UNUSED(state);
	make(0, 1);
	open_all(1);
	assert_int_equal(join(&r[1], &views[1], FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(put(&w[0], i), 0);
	assert_int_equal(get(&r[1]), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(get(&r[0]), i);
	die(1);
	for (uint64_t i = 8; i < 16; i++)
		assert_int_equal(put(&w[0], i), 0);
	assert_int_equal(flux_ring_readers(&views[0]), 1);
	/* R26: the last one. What it did not read is kept for the next, and a note says so once. */
	die(3);
	assert_int_equal(flux_ring_tend(&views[0]), 1);
	assert_int_equal(flux_ring_readers(&views[0]), 0);
	later();
	assert_int_equal(put(&w[0], 16), FLUX_EAGAIN);
	for (uint32_t what = FLUX_RING_READER_DIED; cursor < 3; what = note.what) {
		assert_int_equal(flux_ring_note_next(&views[0], &cursor, &note), 1);
		assert_int_equal(note.what, cursor == 3 ? FLUX_RING_NO_READERS : what);
	}
	assert_int_equal(flux_ring_note_next(&views[0], &cursor, &note), 0);
	assert_int_equal(join(&r[2], &views[2], FLUX_RING_OLDEST), 0);
	assert_int_equal(get(&r[2]), 8);
}

/* A reader after a dead one is no longer held, and its writer is not either. */
static void dead_reader_in_a_chain(void **state)
{
	uint32_t id;

	UNUSED(state);
	make(0, 1);
	open_all(1);
	id = flux_ring_reader_id(&r[0]);
	assert_int_equal(join_after(&r[1], &views[1], 1, &id), 0);
	assert_int_equal(put(&w[0], 1), 0);
	later();
	assert_int_equal(get(&r[1]), UINT64_MAX);
	die(3);
	assert_int_equal(get(&r[1]), 1);
}

/* What a shared reader had taken is gone with it, and counted. */
static void dead_shared_reader(void **state)
{
	UNUSED(state);
	make(FLUX_RING_SHARE, 2);
	open_all(2);
	assert_int_equal(join(&r[1], &views[2], FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(put(&w[0], i), 0);
	assert_int_equal(flux_ring_peek(&r[1], 3, &span), 3);
	assert_int_equal(flux_ring_release(&r[1], 1), 0);
	die(2);
	assert_int_equal(flux_ring_tend(&views[0]), 1);
	flux_ring_get_info(&views[0], &info);
	assert_int_equal(info.lost, 2);
	assert_int_equal(get(&r[0]), 3);
	for (uint64_t i = 0; i < 7; i++)
		assert_int_equal(put(&w[0], 10 + i), 0);
	assert_int_equal(get(&r[0]), 4);
	assert_int_equal(get(&r[0]), 10);
}

/* Shared readers meet a dead claim from its middle. */
static void dead_claim_shared(void **state)
{
	UNUSED(state);
	make(FLUX_RING_SHARE, 2);
	open_all(2);
	assert_int_equal(put(&w[1], 1), 0);
	assert_int_equal(flux_ring_claim(&w[0], 4, &span), 0);
	assert_int_equal(put(&w[1], 2), 0);
	die(0);
	assert_int_equal(get(&r[0]), 1);
	assert_int_equal(get(&r[0]), 2);
	assert_int_equal(aborted(), 1);
}

static void write_record(struct flux_ring_writer *writer, uint64_t value)
{
	struct flux_ring_record record;

	assert_int_equal(flux_ring_record_claim(writer, sizeof(value), &record), 0);
	memcpy(record.data, &value, sizeof(value));
	assert_int_equal(flux_ring_record_publish(writer, sizeof(value)), 0);
}

static uint64_t read_record(struct flux_ring_reader *reader)
{
	struct flux_ring_record record;
	uint64_t value = UINT64_MAX;
	int rc = flux_ring_record_read(reader, &record);

	assert_true(rc >= 0);
	if (rc)
		memcpy(&value, record.data, sizeof(value));
	return value;
}

/* Records: the dead claim is passed, also between records that are held. */
static void dead_claim_records(void **state)
{
	UNUSED(state);
	for (uint32_t share = 0; share < 2; share++) {
		struct flux_ring_record record;

		make(FLUX_RING_RECORDS | (share ? FLUX_RING_SHARE : 0), 2);
		open_all(2);
		write_record(&w[1], 1);
		assert_int_equal(flux_ring_record_claim(&w[0], 20, &record), 0);
		write_record(&w[1], 2);
		assert_int_equal(read_record(&r[0]), 1);
		if (share)
			assert_int_equal(flux_ring_record_release(&r[0]), 0);
		assert_int_equal(read_record(&r[0]), UINT64_MAX);
		die(0);
		assert_int_equal(read_record(&r[0]), 2);
		assert_int_equal(flux_ring_record_release(&r[0]), 0);
		assert_int_equal(aborted(), 1);
		for (uint64_t i = 0; i < 20; i++) {
			write_record(&w[1], i);
			assert_int_equal(read_record(&r[0]), i);
			assert_int_equal(flux_ring_record_release(&r[0]), 0);
		}
		/* Behind a dead claim there may be nothing yet. */
		assert_int_equal(flux_ring_writer_open(&w[2], &views[2], NULL), 0);
		assert_int_equal(flux_ring_record_claim(&w[2], 20, &record), 0);
		die(2);
		assert_int_equal(read_record(&r[0]), UINT64_MAX);
		assert_int_equal(aborted(), 2);
		write_record(&w[1], 99);
		assert_int_equal(read_record(&r[0]), 99);
		unmake(NULL);
	}
}

/* One producer of shared records that dies between a record's word and the cursor has published it. */
static void dead_before_the_cursor(void **state)
{
	UNUSED(state);
	make(FLUX_RING_RECORDS | FLUX_RING_SHARE, 1);
	open_all(1);
	write_record(&w[0], 1);
	views[0].head->cursor = 0;
	assert_int_equal(read_record(&r[0]), 1);
	assert_int_equal(flux_ring_record_release(&r[0]), 0);
	die(0);
	assert_int_equal(flux_ring_writer_open(&w[1], &views[1], NULL), 0);
	write_record(&w[1], 2);
	assert_int_equal(read_record(&r[0]), 2);
}

/* R05: whoever comes back has a new identity; the old place is cleaned up first. */
static void r05_comes_back(void **state)
{
	UNUSED(state);
	make(0, 1);
	assert_int_equal(flux_ring_writer_open(&w[0], &views[0], NULL), 0);
	for (uint32_t i = 0; i < 100; i++) {
		peers[1].self = i % 2 ? 2 : 3;
		dead[2] = i % 2 == 0;
		dead[3] = i % 2;
		assert_int_equal(join(&r[1], &views[1], FLUX_RING_NOW), 0);
		assert_int_equal(put(&w[0], i), 0);
		assert_int_equal(get(&r[1]), i);
	}
	flux_ring_get_info(&views[0], &info);
	assert_int_equal(info.readers, 1);
	assert_int_equal(info.died, 99);
}

static void join_evictable(struct flux_ring_reader *reader, struct flux_ring *ring)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

	cfg.evict_after = FLUX_MS(500);
	cfg.name = "sleepy";
	assert_int_equal(flux_ring_reader_join(reader, ring, &cfg), 0);
}

/* R11: a reader that holds the writer for too long is evicted, learns it, and can harm nobody. */
static void r11_eviction(void **state)
{
	struct flux_ring_note note;
	uint64_t cursor = 0;

	UNUSED(state);
	make(0, 1);
	open_all(1);
	join_evictable(&r[1], &views[1]);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(put(&w[0], i), 0);
	assert_int_equal(flux_ring_peek(&r[1], 8, &span), 8);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(get(&r[0]), i);
	assert_int_equal(put(&w[0], 8), FLUX_EAGAIN);
	now += FLUX_MS(499);
	assert_int_equal(put(&w[0], 8), FLUX_EAGAIN);
	now += FLUX_MS(1);
	assert_int_equal(put(&w[0], 8), 0);
	assert_int_equal(get(&r[0]), 8);
	assert_int_equal(flux_ring_note_next(&views[0], &cursor, &note), 1);
	assert_int_equal(note.what, FLUX_RING_READER_EVICTED);
	assert_int_equal(note.who, flux_ring_reader_id(&r[1]));
	assert_string_equal(note.name, "sleepy");
	/* Its own calls say so, and its late gate holds nobody. */
	assert_int_equal(flux_ring_release(&r[1], 8), FLUX_EEVICTED);
	assert_int_equal(flux_ring_peek(&r[1], 8, &span), FLUX_EEVICTED);
	for (uint64_t i = 9; i < 40; i++) {
		assert_int_equal(put(&w[0], i), 0);
		assert_int_equal(get(&r[0]), i);
	}
	flux_ring_reader_leave(&r[1]);
	join_evictable(&r[1], &views[1]);
	assert_int_equal(put(&w[0], 40), 0);
	assert_int_equal(get(&r[1]), 40);
	flux_ring_get_info(&views[0], &info);
	assert_int_equal(info.evicted, 1);
	assert_int_equal(info.readers, 2);
}

/* Of a chain the one is evicted that the others wait for; and one that moves at all is not. */
static void r11_the_right_one(void **state)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	uint32_t id;

	UNUSED(state);
	make(0, 1);
	assert_int_equal(flux_ring_writer_open(&w[0], &views[0], NULL), 0);
	join_evictable(&r[1], &views[1]);
	join_evictable(&r[0], &views[2]);
	flux_ring_reader_leave(&r[1]); /* so that the one that waits has the lower place */
	id = flux_ring_reader_id(&r[0]);
	cfg.after = &id;
	cfg.n_after = 1;
	cfg.evict_after = FLUX_MS(500);
	assert_int_equal(flux_ring_reader_join(&r[1], &views[1], &cfg), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(put(&w[0], i), 0);
	for (uint64_t i = 0; i < 6; i++) {
		assert_int_equal(put(&w[0], 8 + i), FLUX_EAGAIN);
		now += FLUX_MS(400);
		assert_int_equal(get(&r[0]), i);
		assert_int_equal(put(&w[0], 8 + i), FLUX_EAGAIN);
		now += FLUX_MS(400);
		assert_int_equal(get(&r[1]), i);
		assert_int_equal(put(&w[0], 8 + i), 0);
	}
	assert_int_equal(put(&w[0], 14), FLUX_EAGAIN);
	now += FLUX_MS(600);
	/* The one that the other waits for goes; the other one still holds, and has a patience of its own. */
	assert_int_equal(put(&w[0], 14), FLUX_EAGAIN);
	assert_int_equal(flux_ring_peek(&r[0], 1, &span), 1); /* it knew of these before */
	assert_int_equal(flux_ring_release(&r[0], 1), FLUX_EEVICTED);
	assert_int_equal(get(&r[1]), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(r01_dead_claim, unmake),
		cmocka_unit_test_teardown(r01_no_claim, unmake),
		cmocka_unit_test_teardown(r01_two_notes, unmake),
		cmocka_unit_test_teardown(r01_note_of_the_living, unmake),
		cmocka_unit_test_teardown(r04_cleaner_dies, unmake),
		cmocka_unit_test_teardown(dead_reader_stops_gating, unmake),
		cmocka_unit_test_teardown(dead_reader_in_a_chain, unmake),
		cmocka_unit_test_teardown(dead_shared_reader, unmake),
		cmocka_unit_test_teardown(dead_claim_shared, unmake),
		cmocka_unit_test_teardown(dead_claim_records, unmake),
		cmocka_unit_test_teardown(dead_before_the_cursor, unmake),
		cmocka_unit_test_teardown(r05_comes_back, unmake),
		cmocka_unit_test_teardown(r11_eviction, unmake),
		cmocka_unit_test_teardown(r11_the_right_one, unmake),
	};

	return cmocka_run_group_tests_name("ring, the dead", tests, NULL, NULL);
}
