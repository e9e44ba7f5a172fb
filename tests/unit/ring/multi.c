/* SPDX-License-Identifier: MIT */
/* Several producers: claims out of order, skips, a full ring, and both kinds of readers on top. */
#include "tests/unit/ring/common.h"

static struct flux_ring_writer w[3];
static struct flux_ring_reader a, b;
static struct flux_ring_span span;

static struct flux_ring *open_all(uint32_t flags, uint32_t capacity)
{
	struct flux_ring *ring = ring_of(flags, capacity, 3);
	struct flux_ring_writer fourth;

	for (int i = 0; i < 3; i++)
		assert_int_equal(flux_ring_writer_open(&w[i], ring, NULL), 0);
	assert_int_equal(flux_ring_writer_open(&fourth, ring, NULL), FLUX_EBUSY);
	return ring;
}

static void fill(const struct flux_ring_span *claimed, uint64_t first)
{
	for (int part = 0; part < 2; part++)
		for (uint32_t i = 0; i < claimed->n[part]; i++)
			((uint64_t *)claimed->at[part])[i] = first++;
}

static void published_out_of_order(void **state)
{
	struct flux_ring *ring = open_all(0, 16);
	struct flux_ring_info info;

	UNUSED(state);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t lap = 0; lap < 100; lap++) {
		uint64_t first = lap * 6;

		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(flux_ring_claim(&w[i], i + 1, &span), 0);
			fill(&span, span.seq);
		}
		flux_ring_get_info(ring, &info);
		assert_int_equal(info.stuck, 0);
		assert_int_equal(flux_ring_claim(&w[1], 1, &span), FLUX_EBUSY);
		assert_int_equal(flux_ring_publish(&w[2], 3), 0);
		assert_int_equal(flux_ring_publish(&w[1], 2), 0);
		assert_int_equal(flux_ring_peek(&a, 9, &span), 0);
		assert_int_equal(flux_ring_publish(&w[0], 1), 0);
		for (uint64_t i = 0; i < 6; i++)
			assert_int_equal(get(&a), first + i);
		assert_int_equal(get(&a), UINT64_MAX);
	}
	flux_ring_get_info(ring, &info);
	assert_int_equal(info.stuck, UINT32_MAX);
	flux_ring_destroy(ring);
}

static void full_refuses(void **state)
{
	struct flux_ring *ring = open_all(0, 4);

	UNUSED(state);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	assert_int_equal(put(&w[0], 1), 0);
	assert_int_equal(put(&w[1], 2), 0);
	assert_int_equal(flux_ring_claim(&w[2], 3, &span), FLUX_EAGAIN);
	assert_int_equal(flux_ring_claim_some(&w[2], 3, &span), 2);
	fill(&span, 3);
	assert_int_equal(put(&w[0], 9), FLUX_EAGAIN);
	assert_int_equal(flux_ring_publish(&w[2], 2), 0);
	assert_int_equal(put(&w[1], 9), FLUX_EAGAIN);
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(get(&a), i);
	assert_int_equal(flux_ring_claim(&w[1], 5, &span), FLUX_EINVAL);
	assert_int_equal(flux_ring_claim(&w[1], 4, &span), 0);
	flux_ring_destroy(ring);
}

/* A claim that is given up, wholly or in part, is passed by every reader and counted. */
static void skips(void **state)
{
	const uint32_t kinds[] = { 0, FLUX_RING_SHARE };

	UNUSED(state);
	for (int k = 0; k < 2; k++) {
		struct flux_ring *ring = open_all(kinds[k], 16);
		struct flux_ring_info info;
		uint64_t value = 0, expect = 0;

		assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
		for (uint32_t lap = 0; lap < 50; lap++) {
			assert_int_equal(put(&w[0], value++), 0);
			assert_int_equal(flux_ring_claim(&w[1], 3, &span), 0);
			assert_int_equal(flux_ring_claim(&w[2], 4, &span), 0);
			fill(&span, value);
			value += 2;
			flux_ring_abort(&w[1]);
			assert_int_equal(flux_ring_publish(&w[2], 2), 0);
			assert_int_equal(put(&w[1], value++), 0);
			while (expect < value)
				assert_int_equal(get(&a), expect++);
			assert_int_equal(get(&a), UINT64_MAX);
		}
		flux_ring_get_info(ring, &info);
		assert_int_equal(info.aborted, 100);
		/* Nothing is held by a reader that has passed only skips. */
		assert_int_equal(flux_ring_claim(&w[0], 16, &span), 0);
		flux_ring_writer_close(&w[0]);
		assert_int_equal(get(&a), UINT64_MAX);
		assert_int_equal(flux_ring_claim(&w[1], 16, &span), 0);
		flux_ring_destroy(ring);
	}
}

/* A peek may end inside a claim; the rest of it comes next. */
static void parts_of_claims(void **state)
{
	struct flux_ring *ring = open_all(0, 16);
	uint64_t expect = 0;

	UNUSED(state);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t lap = 0; lap < 40; lap++) {
		assert_int_equal(flux_ring_claim(&w[lap % 3], 7, &span), 0);
		fill(&span, lap * 7);
		assert_int_equal(flux_ring_publish(&w[lap % 3], 7), 0);
		while (flux_ring_peek(&a, 2, &span) > 0)
			assert_int_equal(get(&a), expect++);
		assert_int_equal(expect, lap * 7 + 7);
	}
	flux_ring_destroy(ring);
}

static void shared(void **state)
{
	struct flux_ring *ring = open_all(FLUX_RING_SHARE, 8);

	UNUSED(state);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	assert_int_equal(join(&b, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(put(&w[i % 3], i), 0);
	assert_int_equal(put(&w[0], 8), FLUX_EAGAIN);
	/* Each takes its own; a third of a claim too. */
	assert_int_equal(flux_ring_peek(&a, 3, &span), 3);
	assert_int_equal(get(&b), 3);
	assert_int_equal(get(&b), 4);
	/* a holds 0 to 2: no room, however much b has released. */
	assert_int_equal(put(&w[0], 8), FLUX_EAGAIN);
	assert_int_equal(flux_ring_release(&a, 1), 0);
	assert_int_equal(put(&w[0], 8), 0);
	assert_int_equal(put(&w[0], 9), FLUX_EAGAIN);
	flux_ring_reader_leave(&a);
	for (uint64_t i = 9; i < 13; i++)
		assert_int_equal(put(&w[0], i), 0);
	assert_int_equal(put(&w[0], 13), FLUX_EAGAIN);
	for (uint64_t i = 5; i < 13; i++)
		assert_int_equal(get(&b), i);
	assert_int_equal(get(&b), UINT64_MAX);
	flux_ring_destroy(ring);
}

/* One who joins at the oldest starts at the start of a claim. */
static void join_at_the_oldest(void **state)
{
	struct flux_ring *ring = open_all(0, 16);
	uint64_t at;

	UNUSED(state);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 16; i += 4) {
		assert_int_equal(flux_ring_claim(&w[0], 4, &span), 0);
		fill(&span, i);
		assert_int_equal(flux_ring_publish(&w[0], 4), 0);
	}
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(get(&a), i);
	assert_int_equal(flux_ring_claim(&w[1], 6, &span), 0);
	fill(&span, 16);
	assert_int_equal(join(&b, ring, FLUX_RING_OLDEST), 0);
	assert_int_equal(b.start, 8);
	assert_int_equal(flux_ring_publish(&w[1], 6), 0);
	for (at = b.start; at < 22; at++)
		assert_int_equal(get(&b), at);
	flux_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_out_of_order),
		cmocka_unit_test(full_refuses),
		cmocka_unit_test(skips),
		cmocka_unit_test(parts_of_claims),
		cmocka_unit_test(shared),
		cmocka_unit_test(join_at_the_oldest),
	};

	return cmocka_run_group_tests_name("ring multi", tests, NULL, NULL);
}
