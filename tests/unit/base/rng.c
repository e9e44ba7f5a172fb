/* SPDX-License-Identifier: MIT */
/*
 * The keyed generator: equal seeds give equal numbers, on every machine and for every release.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/rng.h"

static void seed_of(uint8_t seed[32])
{
	for (uint8_t i = 0; i < 32; i++)
		seed[i] = i;
}

/* Blocks for the seed 00 .. 1f, worked out by another implementation. */
static void known_numbers(void **state)
{
	static const char blocks[] =
		"\x01\xac\xf8\xd2\x0f\x57\x2d\xa6\x07\xd1\xdb\x99\x47\x24\xc3\x5c"
		"\x03\x31\x07\x24\x0e\x11\x0a\x3c\xe6\x71\x37\xda\x25\x14\x57\x39"
		"\x5d\x2a\x99\xc4\xb0\xe1\x7e\x07\x22\x81\xeb\xde\x7a\xd8\x23\x5c";
	struct flux_rng rng;
	uint8_t seed[32], out[48];

	(void)state;
	seed_of(seed);
	flux_rng_init(&rng, seed);
	flux_rng_bytes(&rng, out, sizeof(out));
	assert_memory_equal(out, blocks, sizeof(out));
	flux_rng_init(&rng, seed);
	assert_int_equal(flux_rng_u64(&rng), 0xa62d570fd2f8ac01u);
	assert_int_equal(flux_rng_u32(&rng), 0x24073103u);
}

static void seeds_matter(void **state)
{
	struct flux_rng a, b;
	uint8_t seed[32];

	(void)state;
	seed_of(seed);
	for (int i = 0; i < 32; i++) {
		uint64_t first;

		flux_rng_init(&a, seed);
		first = flux_rng_u64(&a);
		seed[i] ^= 0x80;
		flux_rng_init(&b, seed);
		assert_int_not_equal(first, flux_rng_u64(&b));
		seed[i] ^= 0x80;
	}
}

/* Any length, and not a byte more. */
static void lengths(void **state)
{
	struct flux_rng a, b;
	uint8_t seed[32], all[64], part[65];

	(void)state;
	seed_of(seed);
	flux_rng_init(&a, seed);
	flux_rng_bytes(&a, all, sizeof(all));
	for (uint32_t n = 0; n <= 64; n++) {
		memset(part, 0x5a, sizeof(part));
		flux_rng_init(&b, seed);
		flux_rng_bytes(&b, part, n);
		assert_memory_equal(part, all, n);
		assert_int_equal(part[n], 0x5a);
	}
}

/* Every bit is one about half of the time. */
static void balanced(void **state)
{
	const uint8_t seed[32] = { 7 };
	struct flux_rng rng;
	int ones[64] = { 0 };

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = flux_rng_u64(&rng);

		for (int bit = 0; bit < 64; bit++)
			ones[bit] += (int)(v >> bit & 1);
	}
	for (int bit = 0; bit < 64; bit++)
		assert_in_range(ones[bit], 4700, 5300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_numbers),
		cmocka_unit_test(seeds_matter),
		cmocka_unit_test(lengths),
		cmocka_unit_test(balanced),
	};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
