/* SPDX-License-Identifier: MIT */
/* CRC32C: known values, chaining, and the three ways equal on any length and alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/crc32c.h"
#include "core/base/rng.h"

/* A bit at a time, as the definition has it. */
static uint32_t by_definition(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (; len > 0; len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return ~crc;
}

struct way {
	const char *name;
	flux_crc32c_fn fn;
};

#define WAYS 4

static void ways(struct way out[WAYS])
{
	out[0] = (struct way){ "chosen", flux_crc32c };
	out[1] = (struct way){ "table", flux_crc32c_table() };
	out[2] = (struct way){ "instruction", flux_crc32c_insn() };
	out[3] = (struct way){ "ISA-L", flux_crc32c_isal() };
}

/* The usual check value, and those of RFC 3720 B.4. */
static void known_values(void **state)
{
	struct way w[WAYS];
	uint8_t zeros[32] = { 0 }, ones[32], up[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (uint8_t i = 0; i < 32; i++)
		up[i] = i;
	ways(w);
	for (int i = 0; i < WAYS; i++) {
		if (!w[i].fn)
			continue;
		assert_int_equal(w[i].fn(0, "123456789", 9), 0xE3069283u);
		assert_int_equal(w[i].fn(w[i].fn(0, "1234", 4), "56789", 5), 0xE3069283u);
		assert_int_equal(w[i].fn(0, zeros, 32), 0x8a9136aau);
		assert_int_equal(w[i].fn(0, ones, 32), 0x62a8ab43u);
		assert_int_equal(w[i].fn(0, up, 32), 0x46dd794eu);
		assert_int_equal(w[i].fn(0, zeros, 0), 0);
		assert_int_equal(w[i].fn(0x12345678u, zeros, 0), 0x12345678u);
	}
}

/* Every entry of the tables: byte b, k zero bytes behind it. */
static void single_bytes(void **state)
{
	struct way w[WAYS];
	uint8_t bytes[16] = { 0 };

	(void)state;
	ways(w);
	for (int b = 0; b < 256; b++) {
		bytes[0] = (uint8_t)b;
		for (size_t len = 1; len <= sizeof(bytes); len++) {
			uint32_t want = by_definition(0, bytes, len);

			for (int i = 0; i < WAYS; i++)
				if (w[i].fn)
					assert_int_equal(w[i].fn(0, bytes, len), want);
		}
	}
}

static void all_equal(void **state)
{
	const uint8_t seed[32] = { 1 };
	static uint8_t bytes[9000];
	struct flux_rng rng;
	struct way w[WAYS];

	(void)state;
	flux_rng_init(&rng, seed);
	flux_rng_bytes(&rng, bytes, sizeof(bytes));
	ways(w);
	for (int round = 0; round < 3000; round++) {
		size_t at = flux_rng_u32(&rng) % 64;
		size_t len = flux_rng_u32(&rng) % (round % 8 == 0 ? sizeof(bytes) - 64 : 300);
		size_t cut = len > 0 ? flux_rng_u32(&rng) % len : 0;
		uint32_t start = flux_rng_u32(&rng);
		uint32_t want = by_definition(start, bytes + at, len);

		for (int i = 0; i < WAYS; i++) {
			uint32_t part;

			if (!w[i].fn)
				continue;
			if (w[i].fn(start, bytes + at, len) != want)
				fail_msg("%s differs: length %zu at %zu", w[i].name, len, at);
			part = w[i].fn(start, bytes + at, cut);
			assert_int_equal(w[i].fn(part, bytes + at + cut, len - cut), want);
		}
	}
}

/* Which ways were there to compare; the table always is. */
static void ways_present(void **state)
{
	(void)state;
	assert_non_null(flux_crc32c_table());
#ifdef HAVE_ISAL
	assert_non_null(flux_crc32c_isal());
#else
	assert_null(flux_crc32c_isal());
#endif
#ifdef __SSE4_2__
	assert_non_null(flux_crc32c_insn());
#endif
	print_message("# instruction: %s, ISA-L: %s\n", flux_crc32c_insn() ? "yes" : "no",
		      flux_crc32c_isal() ? "yes" : "no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(single_bytes),
		cmocka_unit_test(all_equal),
		cmocka_unit_test(ways_present),
	};

	return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
