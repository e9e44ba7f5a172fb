/* SPDX-License-Identifier: MIT */
/*
 * The checker: rings of every kind are consistent whatever was done to them by the rules, what the dead
 * left is told from damage, and each kind of damage is found.
 */
#include <stdlib.h>

#include "core/ring/ring.h"
#include "tests/unit/ring/common.h"

#define VIEWS 3

static struct flux_ring_peers peers[VIEWS];
static struct flux_ring views[VIEWS];
static struct flux_ring *const ring = &views[0];
static bool dead[VIEWS + 1];
static void *block;
static struct flux_ring_head *head;

static struct flux_ring_writer w[VIEWS];
static struct flux_ring_reader r[VIEWS];
static struct flux_ring_span span;
static struct flux_ring_finding first;
static uint32_t found;

static int alive(void *ctx, uint32_t member)
{
	UNUSED(ctx);
	return member <= VIEWS && dead[member] ? 0 : 1;
}

static void make(uint32_t flags, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	uint64_t bytes;

	cfg.flags = flags | FLUX_RING_PROCESSES;
	cfg.capacity = 8;
	cfg.slot = 8;
	cfg.readers = 4;
	cfg.writers = writers;
	cfg.wait = NULL;
	bytes = flux_ring_bytes(&cfg);
	free(block);
	block = aligned_alloc(FLUX_RING_LINE, bytes);
	memset(block, 0, bytes);
	assert_int_equal(flux_ring_init(&views[0], block, bytes, &cfg), 0);
	for (uint32_t i = 0; i < VIEWS; i++) {
		dead[i + 1] = false;
		peers[i] = (struct flux_ring_peers){ i + 1, alive, NULL };
		assert_int_equal(flux_ring_attach(&views[i], block, bytes, NULL), 0);
		flux_ring_set_peers(&views[i], &peers[i]);
	}
	head = block;
}

static int unmake(void **state)
{
	UNUSED(state);
	free(block);
	block = NULL;
	return 0;
}

static void take_down(void *ctx, const struct flux_ring_finding *finding)
{
	UNUSED(ctx);
	if (!found++)
		first = *finding;
}

/* The severity; `first` is the first finding. */
static int check(uint32_t flags)
{
	found = 0;
	memset(&first, 0, sizeof(first));
	return flux_ring_check(ring, flags, take_down, NULL);
}

static void is_good(void)
{
	if (check(FLUX_RING_CHECK_STILL) != FLUX_RING_CONSISTENT || check(0) != FLUX_RING_CONSISTENT)
		fail_msg("%s: place %u, %llu", flux_ring_fault_name(first.what), first.place,
			 (unsigned long long)first.seq);
}

/* This is found, at least when nobody is active. */
static void finds(uint32_t what, bool also_live)
{
	int worst = check(FLUX_RING_CHECK_STILL);

	if (first.what != what)
		fail_msg("found %s, not %s", flux_ring_fault_name(first.what), flux_ring_fault_name(what));
	assert_int_equal(worst, FLUX_RING_DAMAGED);
	worst = check(0);
	assert_int_equal(worst, also_live ? FLUX_RING_DAMAGED : FLUX_RING_CONSISTENT);
	assert_int_equal(first.what, also_live ? what : 0);
}

static int put_record(struct flux_ring_writer *writer, uint32_t len)
{
	struct flux_ring_record record;
	int rc = flux_ring_record_claim(writer, len, &record);

	if (rc < 0)
		return rc;
	memset(record.data, (int)len, len);
	return flux_ring_record_publish(writer, len);
}

static void get_record(struct flux_ring_reader *reader)
{
	struct flux_ring_record record;
	int rc = flux_ring_record_read(reader, &record);

	assert_true(rc >= 0);
	if (rc > 0)
		flux_ring_record_release(reader);
}

/* A reader in view 2, writers in views 0 and 1. */
static void open_all(uint32_t writers)
{
	assert_int_equal(join(&r[0], &views[2], FLUX_RING_NOW), 0);
	for (uint32_t i = 0; i < writers; i++)
		assert_int_equal(flux_ring_writer_open(&w[i], &views[i], NULL), 0);
}

/* What may be done to a ring, in any order. */
static void step(uint32_t flags, uint32_t writers, uint32_t draw)
{
	struct flux_ring_writer *writer = &w[draw % writers];
	struct flux_ring_record record;
	uint32_t n = draw / 16 % 3 + 1;

	switch (draw / 4 % 4) {
	case 0:
		if (flags & FLUX_RING_RECORDS)
			(void)!put_record(writer, n * 5);
		else if (flux_ring_claim(writer, n, &span) == 0) {
			memset(span.at[0], (int)draw, span.n[0] * 8);
			assert_int_equal(flux_ring_publish(writer, n > 2 ? 2 : n), 0);
		}
		break;
	case 1:
		if (flags & FLUX_RING_RECORDS) {
			if (flux_ring_record_claim(writer, n * 5, &record) == 0)
				flux_ring_record_abort(writer);
		} else if (writers > 1 && flux_ring_claim(writer, n, &span) == 0) {
			flux_ring_abort(writer);
		}
		break;
	default:
		if (flags & FLUX_RING_LOSSY)
			break;
		if (flags & FLUX_RING_RECORDS)
			get_record(&r[0]);
		else
			(void)get(&r[0]);
	}
}

static void whatever_is_allowed(void **state)
{
	static const uint32_t kinds[] = {
		0,
		FLUX_RING_SUMS,
		FLUX_RING_LOSSY,
		FLUX_RING_LOSSY | FLUX_RING_SUMS,
		FLUX_RING_RECORDS,
		FLUX_RING_RECORDS | FLUX_RING_SUMS,
		FLUX_RING_SHARE,
		FLUX_RING_SHARE | FLUX_RING_SUMS,
		FLUX_RING_SHARE | FLUX_RING_RECORDS,
		FLUX_RING_SHARE | FLUX_RING_RECORDS | FLUX_RING_SUMS,
	};
	uint32_t draw = 1;

	UNUSED(state);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		for (uint32_t writers = 1; writers < 3; writers++) {
			if (writers > 1 && kinds[i] & FLUX_RING_LOSSY)
				continue;
			make(kinds[i], writers);
			is_good();
			open_all(writers);
			for (uint32_t n = 0; n < 2000; n++) {
				draw = draw * 1103515245 + 12345;
				step(kinds[i], writers, draw >> 8);
				is_good();
			}
			flux_ring_reader_leave(&r[0]);
			is_good();
			for (uint32_t k = 0; k < writers; k++)
				flux_ring_writer_close(&w[k]);
			is_good();
		}
}

/* An open claim of one who lives is no fault; of one who died it is, until somebody tends. */
static void left_by_the_dead(void **state)
{
	UNUSED(state);
	for (uint32_t share = 0; share < 2; share++) {
		make(share ? FLUX_RING_SHARE : 0, 2);
		open_all(2);
		assert_int_equal(flux_ring_claim(&w[1], 3, &span), 0);
		assert_int_equal(put(&w[0], 1), 0);
		is_good();
		dead[2] = true;
		assert_int_equal(check(FLUX_RING_CHECK_STILL), FLUX_RING_LEFT);
		assert_int_equal(first.what, FLUX_RING_FAULT_DEAD);
		assert_true(first.is_writer);
		assert_int_equal(first.place, 1);
		assert_int_equal(found, 2);
		assert_int_equal(check(0), FLUX_RING_LEFT);
		assert_int_equal(flux_ring_tend(ring), 1);
		is_good();
		dead[3] = true;
		assert_int_equal(check(0), FLUX_RING_LEFT);
		assert_false(first.is_writer);
		assert_int_equal(flux_ring_tend(ring), 1);
		is_good();
	}
}

/* Died behind the skip of what it did not need, and before the word of what it did. */
static void left_half_published(void **state)
{
	UNUSED(state);
	make(0, 2);
	open_all(2);
	assert_int_equal(flux_ring_claim(&w[1], 4, &span), 0);
	head->skips = 1;
	views[0].words[2] = flux_ring_word(ring, 2, 2, true);
	dead[2] = true;
	assert_int_equal(check(FLUX_RING_CHECK_STILL), FLUX_RING_LEFT);
	assert_int_equal(flux_ring_tend(ring), 1);
	is_good();
	assert_int_equal(put(&w[0], 9), 0);
	assert_int_equal(get(&r[0]), 9);
}

static void positions(void **state)
{
	UNUSED(state);
	make(0, 1);
	open_all(1);
	assert_int_equal(put(&w[0], 1), 0);
	head->floor = 2;
	finds(FLUX_RING_FAULT_FLOOR, true);
	head->floor = 0;
	head->left = 2;
	finds(FLUX_RING_FAULT_LEAVING, true);
	head->left = 0;
	head->highest = 9;
	finds(FLUX_RING_FAULT_HIGHEST, true);
	head->highest = 0;
	is_good();
	head->cursor = 20;
	finds(FLUX_RING_FAULT_OVERRUN, true);
	assert_int_equal(first.place, 0);
	flux_ring_reader_leave(&r[0]);
	head->left = 0;
	finds(FLUX_RING_FAULT_OVERRUN, true);
	assert_int_equal(first.place, UINT32_MAX);

	make(FLUX_RING_SHARE, 2);
	open_all(2);
	head->taken = 1;
	finds(FLUX_RING_FAULT_TAKEN, true);
	head->taken = 0;
	head->cursor = 1;
	finds(FLUX_RING_FAULT_CURSOR, true);

	make(FLUX_RING_LOSSY, 1);
	open_all(1);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(put(&w[0], i), 0);
	is_good();
	head->floor = 3;
	finds(FLUX_RING_FAULT_OVERRUN, true);
}

static void the_head(void **state)
{
	UNUSED(state);
	make(0, 1);
	head->capacity = 16;
	finds(FLUX_RING_FAULT_HEAD, true);
	head->capacity = 8;
	head->magic++;
	finds(FLUX_RING_FAULT_HEAD, true);
}

static void places(void **state)
{
	struct flux_ring_seat *seat;
	uint64_t holder;

	UNUSED(state);
	make(0, 1);
	open_all(1);
	seat = &ring->readers[0];
	holder = seat->holder;
	seat->gate = 1;
	finds(FLUX_RING_FAULT_GATE, true);
	assert_int_equal(first.place, 0);
	seat->gate = FLUX_RING_OPEN;
	finds(FLUX_RING_FAULT_GATE, false);
	seat->gate = 0;
	head->in = 1 << 5;
	finds(FLUX_RING_FAULT_IN, true);
	head->in = 1 | 1 << 1;
	finds(FLUX_RING_FAULT_IN, true);
	assert_int_equal(first.place, 1);
	head->in = 0;
	finds(FLUX_RING_FAULT_IN, false);
	head->in = 1;
	seat->holder = flux_ring_holder(1, 3, 77);
	finds(FLUX_RING_FAULT_STATE, true);
	seat->holder = flux_ring_holder(1, 0, SEAT_USED);
	finds(FLUX_RING_FAULT_NOBODY, true);
	seat->holder = flux_ring_holder(1, 3, SEAT_EVICTED);
	finds(FLUX_RING_FAULT_EVICTABLE, true);
	seat->holder = holder;
	seat->patience = 5;
	finds(FLUX_RING_FAULT_EVICTABLE, true);
	seat->patience = 0;
	seat->after = 1;
	finds(FLUX_RING_FAULT_AFTER, true);
	seat->after = 1 << 4;
	finds(FLUX_RING_FAULT_AFTER, true);
	seat->after = 0;
	is_good();
	ring->writers[0].holder = flux_ring_holder(1, 1, SEAT_EVICTED);
	finds(FLUX_RING_FAULT_STATE, true);
	assert_true(first.is_writer);
}

static void bells_and_notes(void **state)
{
	UNUSED(state);
	make(0, 1);
	head->data.word = 1;
	finds(FLUX_RING_FAULT_BELL, true);
	head->data.word = 2;
	head->room.fds[1] = 2;
	finds(FLUX_RING_FAULT_BELL, true);
	head->room.fds[1] = 0;
	is_good();
	head->noted = 3;
	is_good(); /* half written */
	head->notes[1].number = 3;
	head->notes[1].what = FLUX_RING_READER_DIED;
	finds(FLUX_RING_FAULT_NOTE, true);
	head->notes[1].number = 18;
	finds(FLUX_RING_FAULT_NOTE, true);
	head->notes[1].number = 2;
	is_good();
	head->notes[1].what = 9;
	finds(FLUX_RING_FAULT_NOTE, false);
}

static void claims(void **state)
{
	UNUSED(state);
	make(0, 2);
	open_all(2);
	assert_int_equal(put(&w[0], 1), 0);
	assert_int_equal(put(&w[1], 2), 0);
	assert_int_equal(put(&w[0], 3), 0);
	ring->words[1] = 0;
	finds(FLUX_RING_FAULT_CLAIM_LOST, true);
	assert_int_equal(first.seq, 1);
	ring->words[1] = flux_ring_word(ring, 1, 3, false);
	finds(FLUX_RING_FAULT_CLAIM_LENGTH, true);
	ring->words[1] = flux_ring_word(ring, 1, 1, true);
	finds(FLUX_RING_FAULT_SKIPS, true);
	ring->words[1] = flux_ring_word(ring, 9, 1, false);
	finds(FLUX_RING_FAULT_CLAIM_LAP, false);
	ring->words[1] = flux_ring_word(ring, 1, 1, false);
	is_good();
	/* The only note says another length than what lies there has. */
	ring->words[1] = 0;
	dead[2] = true;
	ring->writers[1].gate = 1;
	ring->writers[1].count = 2;
	assert_int_equal(check(FLUX_RING_CHECK_STILL), FLUX_RING_DAMAGED);
	ring->writers[1].count = 1;
	assert_int_equal(check(FLUX_RING_CHECK_STILL), FLUX_RING_LEFT);
	dead[2] = false;
	is_good();
	ring->writers[1].count = 9;
	finds(FLUX_RING_FAULT_CLAIM_NOTE, true);
	ring->writers[1].count = 1;
	ring->writers[1].gate = 4;
	finds(FLUX_RING_FAULT_CLAIM_NOTE, true);
	ring->writers[1].count = 0;
	ring->words[1] = flux_ring_word(ring, 1, 1, false);
	flux_ring_writer_close(&w[1]);
	ring->writers[1].count = 1;
	ring->writers[1].gate = 1;
	finds(FLUX_RING_FAULT_CLAIM_NOTE, false);
}

static void records(void **state)
{
	UNUSED(state);
	for (uint32_t writers = 1; writers < 3; writers++) {
		struct flux_ring_record_head_ *second;

		make(FLUX_RING_RECORDS | FLUX_RING_SUMS, writers);
		open_all(writers);
		assert_int_equal(put_record(&w[0], 8), 0);
		assert_int_equal(put_record(&w[0], 4), 0);
		is_good();
		second = (void *)(ring->data + 16);
		second->len++;
		finds(FLUX_RING_FAULT_SUM, true);
		assert_int_equal(first.seq, 2);
		second->len = 99;
		finds(FLUX_RING_FAULT_RECORD, true);
		second->len = 4;
		second->slots = 3;
		finds(FLUX_RING_FAULT_RECORD, true);
		second->slots = FLUX_RECORD_SKIP_;
		finds(FLUX_RING_FAULT_RECORD, true);
		second->slots = 2;
		is_good();
		get_record(&r[0]);
		((struct flux_ring_record_head_ *)(void *)ring->data)->slots = 0;
		is_good(); /* it was released */
	}
}

static void sums(void **state)
{
	UNUSED(state);
	for (uint32_t writers = 1; writers < 3; writers++) {
		make(FLUX_RING_SUMS, writers);
		open_all(writers);
		assert_int_equal(put(&w[0], 1), 0);
		assert_int_equal(put(&w[0], 2), 0);
		ring->data[8] ^= 1;
		finds(FLUX_RING_FAULT_SUM, true);
		assert_int_equal(first.seq, 1);
		assert_int_equal(found, 1);
	}
}

static void looking(void **state)
{
	struct flux_ring_party party;

	UNUSED(state);
	make(0, 2);
	open_all(2);
	assert_int_equal(flux_ring_claim(&w[1], 3, &span), 0);
	dead[2] = true;
	assert_int_equal(flux_ring_get_party(ring, 1, 2, &party), FLUX_EINVAL);
	assert_int_equal(flux_ring_get_party(ring, 1, 1, &party), 0);
	assert_int_equal(party.state, FLUX_RING_PARTY_IN);
	assert_int_equal(party.dead, 1);
	assert_int_equal(party.count, 3);
	assert_int_equal(flux_ring_get_party(ring, 0, 0, &party), 0);
	assert_int_equal(party.dead, 0);
	assert_int_equal(party.member, 3);
	assert_int_equal(party.count, 3);
	assert_int_equal(party.id, flux_ring_reader_id(&r[0]));
	assert_int_equal(flux_ring_get_party(ring, 0, 1, &party), 0);
	assert_int_equal(party.state, FLUX_RING_PARTY_NONE);
	assert_int_equal(flux_ring_check(ring, 2, NULL, NULL), FLUX_EINVAL);
	for (uint32_t i = 0; i <= FLUX_RING_FAULT_NOTE + 1; i++) {
		assert_true(strlen(flux_ring_fault_text(i)) > 3);
		assert_true(strlen(flux_ring_fault_name(i)) > 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_allowed),
		cmocka_unit_test(left_by_the_dead),
		cmocka_unit_test(left_half_published),
		cmocka_unit_test(positions),
		cmocka_unit_test(the_head),
		cmocka_unit_test(places),
		cmocka_unit_test(bells_and_notes),
		cmocka_unit_test(claims),
		cmocka_unit_test(records),
		cmocka_unit_test(sums),
		cmocka_unit_test(looking),
	};

	return cmocka_run_group_tests(tests, NULL, unmake);
}
