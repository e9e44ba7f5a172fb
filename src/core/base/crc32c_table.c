/* SPDX-License-Identifier: MIT */
/* CRC32C for any machine: eight bytes a step through eight constant tables. */
#include "core/base/crc32c.h"

#include "core/base/bytes.h"

/*
 * table[k][b] is the register after byte b and k zero bytes. That is linear in the bits of b,
 * so the entries for its single bits 7, 6 .. 0 say all, and the compiler works out the others.
 * The 64 numbers are one chain: the polynomial, then each the one before shifted by one bit.
 */
#define BITS_0                                          \
	0x82f63b78, 0x417b1dbc, 0x20bd8ede, 0x105ec76f, \
		0x8ad958cf, 0xc79a971f, 0xe13b70f7, 0xf26b8303
#define BITS_1                                          \
	0xfbc3faf9, 0xff17c604, 0x7f8be302, 0x3fc5f181, \
		0x9d14c3b8, 0x4e8a61dc, 0x274530ee, 0x13a29877
#define BITS_2                                          \
	0x8b277743, 0xc76580d9, 0xe144fb14, 0x70a27d8a, \
		0x38513ec5, 0x9edea41a, 0x4f6f520d, 0xa541927e
#define BITS_3                                          \
	0x52a0c93f, 0xaba65fe7, 0xd725148b, 0xe964b13d, \
		0xf64463e6, 0x7b2231f3, 0xbf672381, 0xdd45aab8
#define BITS_4                                          \
	0x6ea2d55c, 0x37516aae, 0x1ba8b557, 0x8f2261d3, \
		0xc5670b91, 0xe045beb0, 0x7022df58, 0x38116fac
#define BITS_5                                          \
	0x1c08b7d6, 0x0e045beb, 0x85f4168d, 0xc00c303e, \
		0x6006181f, 0xb2f53777, 0xdb8ca0c3, 0xef306b19
#define BITS_6                                          \
	0xf56e0ef4, 0x7ab7077a, 0x3d5b83bd, 0x9c5bfaa6, \
		0x4e2dfd53, 0xa5e0c5d1, 0xd0065990, 0x68032cc8
#define BITS_7                                          \
	0x34019664, 0x1a00cb32, 0x0d006599, 0x847609b4, \
		0x423b04da, 0x211d826d, 0x9278fa4e, 0x493c7d27

#define ENTRY_(b, b7, b6, b5, b4, b3, b2, b1, b0)                        \
	(((b)&128 ? b7 : 0u) ^ ((b)&64 ? b6 : 0u) ^ ((b)&32 ? b5 : 0u) ^ \
	 ((b)&16 ? b4 : 0u) ^ ((b)&8 ? b3 : 0u) ^ ((b)&4 ? b2 : 0u) ^    \
	 ((b)&2 ? b1 : 0u) ^ ((b)&1 ? b0 : 0u))
#define ENTRY(b, ...) ENTRY_(b, __VA_ARGS__)
#define ENTRIES_4(b, ...)                                   \
	ENTRY(b, __VA_ARGS__), ENTRY((b) + 1, __VA_ARGS__), \
		ENTRY((b) + 2, __VA_ARGS__), ENTRY((b) + 3, __VA_ARGS__)
#define ENTRIES_16(b, ...)                                          \
	ENTRIES_4(b, __VA_ARGS__), ENTRIES_4((b) + 4, __VA_ARGS__), \
		ENTRIES_4((b) + 8, __VA_ARGS__), ENTRIES_4((b) + 12, __VA_ARGS__)
#define ENTRIES_64(b, ...)                                             \
	ENTRIES_16(b, __VA_ARGS__), ENTRIES_16((b) + 16, __VA_ARGS__), \
		ENTRIES_16((b) + 32, __VA_ARGS__), ENTRIES_16((b) + 48, __VA_ARGS__)
#define TABLE(...)                                                                 \
	{                                                                          \
		ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__),           \
			ENTRIES_64(128, __VA_ARGS__), ENTRIES_64(192, __VA_ARGS__) \
	}

static const uint32_t table[8][256] = {
	TABLE(BITS_0),
	TABLE(BITS_1),
	TABLE(BITS_2),
	TABLE(BITS_3),
	TABLE(BITS_4),
	TABLE(BITS_5),
	TABLE(BITS_6),
	TABLE(BITS_7),
};

static uint32_t crc_table(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		uint32_t lo = crc ^ flux_load_u32(p);

		crc = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^
		      table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
		      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	for (; len > 0; len--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

flux_crc32c_fn flux_crc32c_table(void)
{
	return crc_table;
}
