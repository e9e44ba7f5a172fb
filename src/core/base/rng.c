/* SPDX-License-Identifier: MIT */
/* The keyed generator: block n is SipHash-128 of n under a key made from the seed. */
#include "core/base/rng.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/mutation.h"
#include "core/base/siphash.h"

static void next_block(struct flux_rng *rng, uint8_t out[16])
{
	uint8_t count[8];

	flux_store_u64(count, rng->counter++);
	flux_siphash128(out, count, sizeof(count), rng->key);
}

void flux_rng_init(struct flux_rng *rng, const uint8_t seed[32])
{
	flux_siphash128(rng->key, seed + 16, 16, seed);
	rng->counter = FLUX_MUTATION(UNSEEDED) ? FLUX_MUTATION_SALT : 0;
}

uint32_t flux_rng_u32(struct flux_rng *rng)
{
	return (uint32_t)flux_rng_u64(rng);
}

uint64_t flux_rng_u64(struct flux_rng *rng)
{
	uint8_t block[16];

	next_block(rng, block);
	return flux_load_u64(block);
}

void flux_rng_bytes(struct flux_rng *rng, void *out, uint32_t len)
{
	uint8_t *p = out;
	uint8_t block[16];

	while (len > 0) {
		uint32_t n = len < sizeof(block) ? len : (uint32_t)sizeof(block);

		next_block(rng, block);
		memcpy(p, block, n);
		p += n;
		len -= n;
	}
}
