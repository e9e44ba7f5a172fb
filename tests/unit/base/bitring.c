/* SPDX-License-Identifier: MIT */
/*
 * The ring of bits: against a plain array of bytes, over every size that a window may have and over the
 * wrap of its positions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/bitring.h"
#include "core/base/rng.h"

#define SIZE_MAX_BITS 1024u

static uint64_t words[SIZE_MAX_BITS / 64];
static uint8_t model[SIZE_MAX_BITS];

static uint64_t model_next(uint32_t size, uint64_t from, uint64_t to)
{
	while (from < to && !model[from % size])
		from++;
	return from < to ? from : to;
}

/* Bits live in a window [base, base + size) that moves up. */
static void run(uint32_t size, uint64_t base, struct flux_rng *rng)
{
	struct flux_bitring ring = { .words = words, .mask = size - 1 };
	uint32_t count = 0;

	memset(words, 0, sizeof(words));
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 20000; i++) {
		uint32_t r = flux_rng_u32(rng);
		uint64_t seq = base + r % size, to = seq + flux_rng_u32(rng) % (base + size - seq + 1);

		assert_int_equal(flux_bitring_test(&ring, seq), model[seq % size]);
		if (r >> 30 == 0) {
			flux_bitring_clear(&ring, seq);
			count -= model[seq % size];
			model[seq % size] = 0;
		} else if (r >> 30 == 1 && r >> 28 & 1) {
			flux_bitring_set(&ring, seq);
			count += !model[seq % size];
			model[seq % size] = 1;
		} else if (r >> 30 == 2) {
			flux_bitring_clear(&ring, base);
			count -= model[base % size];
			model[base++ % size] = 0;
			continue;
		}
		assert_int_equal(ring.count, count);
		assert_int_equal(flux_bitring_next(&ring, seq, to), model_next(size, seq, to));
		assert_int_equal(flux_bitring_next(&ring, base, base + size),
				 model_next(size, base, base + size));
	}
}

static void sizes(void **state)
{
	static const uint8_t seed[32] = { 3 };
	static const uint64_t bases[] = { 0, 1, 63, 0xFFFFFFF0, 0x100000000 - 512, (1ull << 62) - 7 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (uint32_t size = 16; size <= SIZE_MAX_BITS; size *= 4)
		for (uint32_t i = 0; i < sizeof(bases) / sizeof(*bases); i++)
			run(size, bases[i], &rng);
}

static void empty_spans(void **state)
{
	struct flux_bitring ring = { .words = words, .mask = 63 };

	(void)state;
	memset(words, 0, sizeof(words));
	assert_int_equal(flux_bitring_next(&ring, 5, 5), 5);
	flux_bitring_set(&ring, 4);
	flux_bitring_set(&ring, 4);
	assert_int_equal(ring.count, 1);
	assert_int_equal(flux_bitring_next(&ring, 5, 5), 5);
	assert_int_equal(flux_bitring_next(&ring, 9, 5), 5);
	assert_int_equal(flux_bitring_next(&ring, 4, 5), 4);
	assert_int_equal(flux_bitring_next(&ring, 5, 68), 68);
	assert_int_equal(flux_bitring_next(&ring, 5, 69), 68); /* the same bit, one ring later */
	flux_bitring_clear(&ring, 4);
	flux_bitring_clear(&ring, 4);
	assert_int_equal(ring.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(empty_spans),
	};

	return cmocka_run_group_tests_name("base/bitring", tests, NULL, NULL);
}
