/* SPDX-License-Identifier: MIT */
/* Lossy reading: the writer never waits, and a reader learns exactly what it missed. */
#include "tests/unit/ring/common.h"

static struct flux_ring_writer w;
static struct flux_ring_reader a, b;

static void every_loss_is_counted(void **state)
{
	UNUSED(state);
	for (uint32_t capacity = 2; capacity <= 64; capacity *= 2)
		for (uint32_t step = 1; step < 200; step += 7) {
			struct flux_ring *ring = ring_of(FLUX_RING_LOSSY, capacity, 1);
			uint64_t items[64], missed, expect = 0, value = 0, lost = 0;

			assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
			assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
			for (int round = 0; round < 50; round++) {
				for (uint32_t i = 0; i < step; i++)
					assert_int_equal(put(&w, value++), 0);
				for (;;) {
					int n = flux_ring_copy(&a, 64, items, &missed);

					assert_true(n >= 0);
					expect += missed;
					lost += missed;
					for (int i = 0; i < n; i++)
						assert_int_equal(items[i], expect++);
					if (!n)
						break;
				}
				assert_int_equal(expect, value);
			}
			assert_int_equal(a.missed, lost);
			if (step < capacity / 2)
				assert_int_equal(lost, 0);
			if (step > capacity)
				assert_true(lost > 0);
			flux_ring_destroy(ring);
		}
}

static void in_place_is_refused(void **state)
{
	struct flux_ring *ring = ring_of(FLUX_RING_LOSSY, 16, 1);
	struct flux_ring_span span;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	assert_int_equal(put(&w, 1), 0);
	assert_int_equal(flux_ring_peek(&a, 1, &span), FLUX_ENOTSUP);
	assert_int_equal(flux_ring_claim(&w, 9, &span), FLUX_EINVAL);
	assert_int_equal(flux_ring_claim(&w, 8, &span), 0);
	flux_ring_destroy(ring);
}

static void ends(void **state)
{
	struct flux_ring *ring = ring_of(FLUX_RING_LOSSY, 16, 1);
	uint64_t items[16], missed;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_OLDEST), 0);
	assert_int_equal(put(&w, 1), 0);
	assert_int_equal(flux_ring_copy(&a, 9, items, &missed), 1);
	assert_int_equal(put(&w, 2), 0);
	flux_ring_close(ring);
	assert_int_equal(flux_ring_copy(&a, 9, items, &missed), 1);
	assert_int_equal(flux_ring_copy(&a, 9, items, &missed), FLUX_ECLOSED);
	flux_ring_destroy(ring);
}

/* An observer on a ring of careful readers: it holds nobody, and sees what is still kept. */
static void observer(void **state)
{
	struct flux_ring *ring = ring_of(0, 16, 1);
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	uint64_t items[16], missed;
	uint64_t expect = 0;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	cfg.flags = FLUX_READER_LOSSY;
	assert_int_equal(flux_ring_reader_join(&b, ring, &cfg), 0);
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(put(&w, i), 0);
		assert_int_equal(get(&a), i);
		if (i % 30 < 25)
			continue;
		for (int n = 1; n > 0;) {
			n = flux_ring_copy(&b, 16, items, &missed);
			assert_true(n >= 0);
			expect += missed;
			for (int k = 0; k < n; k++)
				assert_int_equal(items[k], expect++);
		}
		assert_int_equal(expect, i + 1);
	}
	assert_true(b.missed > 0);
	flux_ring_destroy(ring);
}

static void copy_for_careful_readers(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);
	uint64_t items[8], missed = 5;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 100; i += 5) {
		for (uint64_t k = 0; k < 5; k++)
			assert_int_equal(put(&w, i + k), 0);
		assert_int_equal(flux_ring_copy(&a, 8, items, &missed), 5);
		assert_int_equal(missed, 0);
		for (uint64_t k = 0; k < 5; k++)
			assert_int_equal(items[k], i + k);
	}
	flux_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_loss_is_counted),
		cmocka_unit_test(in_place_is_refused),
		cmocka_unit_test(ends),
		cmocka_unit_test(observer),
		cmocka_unit_test(copy_for_careful_readers),
	};

	return cmocka_run_group_tests_name("ring lossy", tests, NULL, NULL);
}
