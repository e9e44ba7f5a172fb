/* SPDX-License-Identifier: MIT */
/* SipHash-2-4-128 against the reference vectors: key 00 .. 0f, message 00 .. n-1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/crc32c.h"
#include "core/base/siphash.h"

static const struct {
	size_t len;
	const char *hash;
} vectors[] = {
	{ 0, "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93" },
	{ 1, "\xda\x87\xc1\xd8\x6b\x99\xaf\x44\x34\x76\x59\x11\x9b\x22\xfc\x45" },
	{ 2, "\x81\x77\x22\x8d\xa4\xa4\x5d\xc7\xfc\xa3\x8b\xde\xf6\x0a\xff\xe4" },
	{ 7, "\xa1\xf1\xeb\xbe\xd8\xdb\xc1\x53\xc0\xb8\x4a\xa6\x1f\xf0\x82\x39" },
	{ 8, "\x3b\x62\xa9\xba\x62\x58\xf5\x61\x0f\x83\xe2\x64\xf3\x14\x97\xb4" },
	{ 15, "\x54\x93\xe9\x99\x33\xb0\xa8\x11\x7e\x08\xec\x0f\x97\xcf\xc3\xd9" },
	{ 16, "\x6e\xe2\xa4\xca\x67\xb0\x54\xbb\xfd\x33\x15\xbf\x85\x23\x05\x77" },
	{ 63, "\x51\x50\xd1\x77\x2f\x50\x83\x4a\x50\x3e\x06\x9a\x97\x3f\xbd\x7c" },
};

static void reference_vectors(void **state)
{
	uint8_t bytes[64];
	uint8_t out[16];

	(void)state;
	for (uint8_t i = 0; i < 64; i++)
		bytes[i] = i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		flux_siphash128(out, bytes, vectors[i].len, bytes);
		assert_memory_equal(out, vectors[i].hash, sizeof(out));
	}
}

/*
 * All 64 vectors at once: the CRC32C of their 1024 bytes, worked out by another implementation.
 */
static void all_lengths(void **state)
{
	uint8_t bytes[64];
	uint8_t out[16];
	uint32_t crc = 0;

	(void)state;
	for (uint8_t i = 0; i < 64; i++)
		bytes[i] = i;
	for (size_t len = 0; len < 64; len++) {
		flux_siphash128(out, bytes, len, bytes);
		crc = flux_crc32c(crc, out, sizeof(out));
	}
	assert_int_equal(crc, 0xc0b61bc0u);
}

/* The same bytes at an odd address. */
static void unaligned(void **state)
{
	uint8_t key[17], bytes[64];
	uint8_t out[16];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i + 1] = i;
	for (uint8_t i = 0; i < 63; i++)
		bytes[i + 1] = i;
	flux_siphash128(out, bytes + 1, 63, key + 1);
	assert_memory_equal(out, vectors[7].hash, sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_vectors),
		cmocka_unit_test(all_lengths),
		cmocka_unit_test(unaligned),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
