/* SPDX-License-Identifier: MIT */
/* Checksums: a damaged item is reported by every way of reading, and passed only by word. */
#include "tests/unit/ring/common.h"

static struct flux_ring_writer w;
static struct flux_ring_reader a;
static struct flux_ring_span span;

static void damaged_slots(void **state)
{
	const struct {
		uint32_t flags, writers;
	} kinds[] = { { 0, 1 }, { 0, 2 }, { FLUX_RING_SHARE, 1 }, { FLUX_RING_SHARE, 2 } };

	UNUSED(state);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct flux_ring *ring = ring_of(kinds[k].flags | FLUX_RING_SUMS, 16, kinds[k].writers);

		assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
		assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
		for (uint64_t i = 0; i < 10; i++)
			assert_int_equal(put(&w, i), 0);
		ring->data[4 * sizeof(uint64_t) + 3] ^= 0x10;
		assert_int_equal(flux_ring_skip(&a), FLUX_EINVAL);
		assert_int_equal(flux_ring_peek(&a, 10, &span), 4);
		assert_int_equal(flux_ring_release(&a, 4), 0);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(flux_ring_peek(&a, 10, &span), FLUX_EBADMSG);
			assert_int_equal(span.seq, 4);
			assert_int_equal(span.n[0], 1);
			assert_null(flux_ring_peek_one(&a));
			assert_int_equal(flux_ring_release(&a, 1), FLUX_EINVAL);
		}
		assert_int_equal(flux_ring_skip(&a), 0);
		assert_int_equal(flux_ring_skip(&a), FLUX_EINVAL);
		assert_int_equal(a.damaged, 1);
		for (uint64_t i = 5; i < 10; i++)
			assert_int_equal(get(&a), i);
		assert_int_equal(flux_ring_peek(&a, 10, &span), 0);
		assert_int_equal(flux_ring_claim(&w, 16, &span), 0);
		flux_ring_destroy(ring);
	}
}

static void damaged_copies(void **state)
{
	struct flux_ring *ring = ring_of(FLUX_RING_LOSSY | FLUX_RING_SUMS, 64, 1);
	uint64_t items[64], missed;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(put(&w, i), 0);
	ring->sums[2] ^= 1;
	assert_int_equal(flux_ring_copy(&a, 8, items, &missed), 2);
	assert_int_equal(flux_ring_copy(&a, 8, items, &missed), FLUX_EBADMSG);
	assert_int_equal(flux_ring_skip(&a), 0);
	assert_int_equal(flux_ring_copy(&a, 8, items, &missed), 2);
	assert_int_equal(items[0], 3);
	assert_int_equal(a.damaged, 1);
	flux_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_slots),
		cmocka_unit_test(damaged_copies),
	};

	return cmocka_run_group_tests_name("ring sums", tests, NULL, NULL);
}
