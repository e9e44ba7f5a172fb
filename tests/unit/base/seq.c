/* SPDX-License-Identifier: MIT */
/*
 * Whole numbers from their low halves: exact in all of [ref - 2^31, ref + 2^31), above zero and over the wrap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/seq.h"

#define HALF (1ull << 31)

static void same(uint64_t ref, uint64_t x)
{
	assert_int_equal(flux_seq_rebuild(ref, (uint32_t)x), x);
}

/* The borders of the span and the places around them and around each multiple of 2^32 in it. */
static void around(uint64_t ref)
{
	uint64_t low = ref > HALF ? ref - HALF : 0, high = ref + HALF - 1;

	for (uint64_t d = 0; d < 70; d++) {
		same(ref, low + d);
		same(ref, high - d);
		same(ref, ref + d);
		if (ref >= d)
			same(ref, ref - d);
		for (uint64_t wrap = low & ~0xFFFFFFFFull; wrap <= high; wrap += 1ull << 32) {
			if (wrap + d >= low && wrap + d <= high)
				same(ref, wrap + d);
			if (wrap > d && wrap - d >= low && wrap - d <= high)
				same(ref, wrap - d);
		}
	}
}

static void borders(void **state)
{
	static const uint64_t refs[] = {
		0, 1, 50, HALF - 50, HALF - 1, HALF, HALF + 1, HALF + 50, 2 * HALF - 50, 2 * HALF - 1, 2 * HALF,
		2 * HALF + 1, 3 * HALF - 1, 3 * HALF, 3 * HALF + 1, 0xFFFFFFFFFFFF, 1ull << 48, (1ull << 62) - 1,
		1ull << 62
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(refs) / sizeof(*refs); i++)
		around(refs[i]);
}

/* Far below 2^31 there is no number 2^32 lower: what looks like one lies ahead. */
static void near_zero(void **state)
{
	(void)state;
	assert_int_equal(flux_seq_rebuild(5, 0xFFFFFFFF), 0xFFFFFFFF);
	assert_int_equal(flux_seq_rebuild(0, 0x80000000), 0x80000000);
	assert_int_equal(flux_seq_rebuild(1ull << 32, 0xFFFFFFFF), 0xFFFFFFFF);
	assert_int_equal(flux_seq_rebuild(1ull << 32, 0x80000000), 0x80000000);
	assert_int_equal(flux_seq_rebuild((1ull << 32) - 1, 0), 1ull << 32);
}

static void random_pairs(void **state)
{
	static const uint8_t seed[32] = { 4 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 100000; i++) {
		uint64_t ref = flux_rng_u64(&rng) >> (2 + flux_rng_u32(&rng) % 50);
		uint64_t low = ref > HALF ? ref - HALF : 0;

		same(ref, low + flux_rng_u64(&rng) % (ref + HALF - low));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(borders),
		cmocka_unit_test(near_zero),
		cmocka_unit_test(random_pairs),
	};

	return cmocka_run_group_tests_name("base/seq", tests, NULL, NULL);
}
