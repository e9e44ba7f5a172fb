/* SPDX-License-Identifier: MIT */
/* Readers after readers, and readers that join and leave while the ring runs. */
#include "tests/unit/ring/common.h"

static struct flux_ring_writer w;
static struct flux_ring_reader a, b, c, d;
static struct flux_ring_span span;

static void pipeline(void **state)
{
	const uint32_t writers[] = { 1, 2 };

	UNUSED(state);
	for (int k = 0; k < 2; k++) {
		struct flux_ring *ring = ring_of(0, 8, writers[k]);
		uint32_t id;

		assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
		assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
		id = flux_ring_reader_id(&a);
		assert_int_equal(join_after(&b, ring, 1, &id), 0);
		id = flux_ring_reader_id(&b);
		assert_int_equal(join_after(&c, ring, 1, &id), 0);
		assert_int_equal(flux_ring_claim(&w, 3, &span), 0);
		for (uint64_t i = 0; i < 3; i++)
			((uint64_t *)span.at[0])[i] = i;
		assert_int_equal(flux_ring_publish(&w, 3), 0);
		assert_int_equal(get(&b), UINT64_MAX);
		assert_int_equal(flux_ring_reader_lag(&b), 3);
		assert_int_equal(get(&a), 0);
		assert_int_equal(get(&c), UINT64_MAX);
		assert_int_equal(get(&b), 0);
		assert_int_equal(get(&b), UINT64_MAX);
		assert_int_equal(get(&c), 0);
		/* The last one holds the writer. */
		for (uint64_t i = 3; i < 9; i++)
			assert_int_equal(put(&w, i), 0);
		assert_int_equal(put(&w, 9), FLUX_EAGAIN);
		/* When the one ahead is gone, nobody holds the next. */
		flux_ring_reader_leave(&a);
		for (uint64_t i = 1; i < 9; i++)
			assert_int_equal(get(&b), i);
		for (uint64_t i = 1; i < 9; i++)
			assert_int_equal(get(&c), i);
		flux_ring_destroy(ring);
	}
}

static void diamond(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);
	uint32_t ids[2];

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	ids[0] = flux_ring_reader_id(&a);
	assert_int_equal(join_after(&b, ring, 1, ids), 0);
	assert_int_equal(join_after(&c, ring, 1, ids), 0);
	ids[0] = flux_ring_reader_id(&b);
	ids[1] = flux_ring_reader_id(&c);
	assert_int_equal(join_after(&d, ring, 2, ids), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(get(&a), i);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(get(&b), i);
	assert_int_equal(get(&d), UINT64_MAX);
	assert_int_equal(get(&c), 0);
	assert_int_equal(get(&c), 1);
	assert_int_equal(flux_ring_peek(&d, 9, &span), 2);
	/* Closed: the last one still gets what is on its way, then learns it. */
	flux_ring_close(ring);
	assert_int_equal(get(&d), 0);
	assert_int_equal(get(&d), 1);
	assert_int_equal(flux_ring_peek(&d, 9, &span), 0);
	assert_int_equal(get(&c), 2);
	assert_int_equal(get(&c), 3);
	assert_int_equal(flux_ring_peek(&d, 9, &span), 2);
	assert_int_equal(flux_ring_release(&d, 2), 0);
	assert_int_equal(flux_ring_peek(&d, 9, &span), FLUX_ECLOSED);
	flux_ring_destroy(ring);
}

/* Without a reader that holds the writer there is no graph, and nothing is overwritten unseen. */
static void nothing_without_a_gate(void **state)
{
	struct flux_ring *ring = ring_of(0, 4, 1);
	struct flux_ring *lossy = ring_of(FLUX_RING_LOSSY, 4, 1);
	struct flux_ring *shared = ring_of(FLUX_RING_SHARE, 4, 1);
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	uint32_t id;

	UNUSED(state);
	cfg.flags = FLUX_READER_LOSSY;
	assert_int_equal(flux_ring_reader_join(&a, ring, &cfg), 0);
	id = flux_ring_reader_id(&a);
	assert_int_equal(join_after(&b, ring, 1, &id), FLUX_ENOTSUP);
	assert_int_equal(join(&b, lossy, FLUX_RING_NOW), 0);
	id = flux_ring_reader_id(&b);
	assert_int_equal(join_after(&c, lossy, 1, &id), FLUX_ENOTSUP);
	assert_int_equal(join(&b, shared, FLUX_RING_NOW), 0);
	assert_int_equal(join_after(&c, shared, 1, &id), FLUX_ENOTSUP);
	id = 7;
	assert_int_equal(join_after(&c, ring, 1, &id), FLUX_ECLOSED);
	id = 99;
	assert_int_equal(join_after(&c, ring, 1, &id), FLUX_EINVAL);
	assert_int_equal(join_after(&c, ring, 1, NULL), FLUX_EINVAL);
	/* A lossy reader does not hold the writer: it stops at the capacity all the same. */
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(put(&w, 4), FLUX_EAGAIN);
	flux_ring_destroy(ring);
	flux_ring_destroy(lossy);
	flux_ring_destroy(shared);
}

/* A place that somebody waits for is not given to a stranger. */
static void places_are_not_mixed_up(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);
	uint32_t id;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	id = flux_ring_reader_id(&a);
	assert_int_equal(join_after(&b, ring, 1, &id), 0);
	flux_ring_reader_leave(&a);
	assert_int_equal(join(&c, ring, FLUX_RING_NOW), 0);
	assert_int_not_equal(c.seat, a.seat);
	assert_int_equal(put(&w, 1), 0);
	assert_int_equal(get(&b), 1);
	flux_ring_reader_leave(&b);
	assert_int_equal(join(&d, ring, FLUX_RING_NOW), 0);
	assert_int_equal(d.seat, a.seat);
	assert_int_not_equal(flux_ring_reader_id(&d), id);
	assert_int_equal(join_after(&a, ring, 1, &id), FLUX_ECLOSED);
	for (int i = 0; i < 6; i++)
		assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), FLUX_EBUSY);
	flux_ring_destroy(ring);
}

static void where_one_starts(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	/* Nobody reads: what is written is kept, up to the capacity. */
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(put(&w, 8), FLUX_EAGAIN);
	assert_int_equal(join(&a, ring, FLUX_RING_OLDEST), 0);
	assert_int_equal(a.start, 0);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(get(&a), i);
	assert_int_equal(put(&w, 8), 0);
	flux_ring_reader_leave(&a);
	/* The next one goes on where the last one was. */
	assert_int_equal(join(&b, ring, FLUX_RING_OLDEST), 0);
	assert_int_equal(b.start, 5);
	assert_int_equal(join(&c, ring, FLUX_RING_NOW), 0);
	assert_int_equal(c.start, 9);
	assert_int_equal(put(&w, 9), 0);
	for (uint64_t i = 5; i < 10; i++)
		assert_int_equal(get(&b), i);
	assert_int_equal(get(&c), 9);
	flux_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipeline),
		cmocka_unit_test(diamond),
		cmocka_unit_test(nothing_without_a_gate),
		cmocka_unit_test(places_are_not_mixed_up),
		cmocka_unit_test(where_one_starts),
	};

	return cmocka_run_group_tests_name("ring graph", tests, NULL, NULL);
}
