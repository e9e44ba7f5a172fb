/* SPDX-License-Identifier: MIT */
/* The common header and the trailer: which first bytes are ours, all fields, the RTX bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/crc32c.h"
#include "core/base/rng.h"
#include "core/wire/packet.h"

static void first_byte(void **state)
{
	uint8_t bytes[FLUX_HEADER_LEN] = { 0 };
	struct flux_header h;

	(void)state;
	for (unsigned int b = 0; b < 256; b++) {
		bool ours = b >= 0x09 && b <= 0x0f;

		bytes[0] = (uint8_t)b;
		assert_int_equal(flux_header_decode(&h, bytes, sizeof(bytes)), ours);
		if (ours)
			assert_int_equal(h.version, b - 0x08);
	}
}

static void too_short(void **state)
{
	uint8_t bytes[FLUX_HEADER_LEN] = { FLUX_WIRE_MAGIC | FLUX_WIRE_VERSION };
	struct flux_header h;

	(void)state;
	for (size_t len = 0; len < FLUX_HEADER_LEN; len++)
		assert_false(flux_header_decode(&h, bytes, len));
	assert_true(flux_header_decode(&h, bytes, FLUX_HEADER_LEN));
}

/* Every second byte, by its bits, and the other fields at their ends. */
static void fields(void **state)
{
	(void)state;
	for (unsigned int b = 0; b < 256; b++) {
		const uint8_t bytes[FLUX_HEADER_LEN] = {
			0x09, (uint8_t)b, 0x34, 0x12, 0x04, 0x03, 0x02, 0x81,
			0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00, 0x80
		};
		uint8_t out[FLUX_HEADER_LEN];
		struct flux_header h;

		assert_true(flux_header_decode(&h, bytes, sizeof(bytes)));
		assert_int_equal(h.type, b & 0x0f);
		assert_int_equal(h.flags, b >> 4 & 7);
		assert_int_equal(h.rtx, b >> 7);
		assert_int_equal(h.stream, 0x1234);
		assert_int_equal(h.cid, 0x81020304u);
		assert_int_equal(h.num, UINT32_MAX);
		assert_int_equal(h.ts, 0x80000001u);
		flux_header_encode(&h, out);
		assert_memory_equal(out, bytes, sizeof(out));
	}
}

static void trailer(void **state)
{
	const uint8_t seed[32] = { 5 };
	uint8_t bytes[200], copy[200];
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (size_t len = FLUX_HEADER_LEN; len < 190; len++) {
		uint32_t start = flux_rng_u32(&rng);
		size_t all = len + FLUX_TRAILER_LEN;
		uint32_t crc;

		flux_rng_bytes(&rng, bytes, sizeof(bytes));
		bytes[1] &= (uint8_t)~FLUX_RTX_BIT;
		memcpy(copy, bytes, sizeof(copy));
		flux_trailer_seal(bytes, len, start);
		crc = flux_crc32c(start, copy, len);
		for (size_t i = 0; i < FLUX_TRAILER_LEN; i++)
			copy[len + i] = (uint8_t)(crc >> 8 * i);
		assert_memory_equal(bytes, copy, sizeof(bytes)); /* all of it */
		assert_true(flux_trailer_check(bytes, all, start));
		assert_false(flux_trailer_check(bytes, all, start + 1));
		assert_false(flux_trailer_check(bytes, all - 1, start));
		assert_false(flux_trailer_check(bytes, all + 1, start));

		/* A retransmission has the same checksum, and the bit stays where it is. */
		bytes[1] |= FLUX_RTX_BIT;
		assert_true(flux_trailer_check(bytes, all, start));
		memset(bytes + len, 0, FLUX_TRAILER_LEN);
		flux_trailer_seal(bytes, len, start);
		copy[1] |= FLUX_RTX_BIT;
		assert_memory_equal(bytes, copy, sizeof(bytes));
	}
}

static void trailer_too_short(void **state)
{
	uint8_t bytes[FLUX_HEADER_LEN + FLUX_TRAILER_LEN] = { 0 };

	(void)state;
	for (size_t len = 0; len < sizeof(bytes); len++)
		assert_false(flux_trailer_check(bytes, len, 0));
	/* Where nothing but a checksum is, it still has to be right. */
	memset(bytes, 0, sizeof(bytes));
	flux_trailer_seal(bytes, FLUX_HEADER_LEN, 7);
	assert_true(flux_trailer_check(bytes, sizeof(bytes), 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_byte),
		cmocka_unit_test(too_short),
		cmocka_unit_test(fields),
		cmocka_unit_test(trailer),
		cmocka_unit_test(trailer_too_short),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
