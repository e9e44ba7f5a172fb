/* SPDX-License-Identifier: MIT */
/* SipHash-2-4 with a 128-bit result, as its authors define it, on any byte order. */
#include "core/base/siphash.h"

#include "core/base/bytes.h"

static inline uint64_t rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64u - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t squeeze(uint64_t v[4])
{
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void flux_siphash128(uint8_t out[16], const void *data, size_t len, const uint8_t key[16])
{
	const uint8_t *p = data;
	uint64_t k0 = flux_load_u64(key);
	uint64_t k1 = flux_load_u64(key + 8);
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575u,
		k1 ^ 0x646f72616e646f6du ^ 0xee, /* 0xee: the 128-bit form */
		k0 ^ 0x6c7967656e657261u,
		k1 ^ 0x7465646279746573u,
	};
	uint64_t last = (uint64_t)len << 56; /* the length modulo 256 closes the message */
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		absorb(v, flux_load_u64(p));
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	absorb(v, last);

	v[2] ^= 0xee;
	flux_store_u64(out, squeeze(v));
	v[1] ^= 0xdd;
	flux_store_u64(out + 8, squeeze(v));
}
