/* SPDX-License-Identifier: MIT */
/* A keyed generator: SipHash-128 of a counter. Unpredictable if its seed is; equal seeds, equal numbers. */
#ifndef FLUX_CORE_BASE_RNG_H
#define FLUX_CORE_BASE_RNG_H

#include <stdint.h>

struct flux_rng {
	uint8_t key[16];
	uint64_t counter;
};

void flux_rng_init(struct flux_rng *rng, const uint8_t seed[32]);
uint32_t flux_rng_u32(struct flux_rng *rng);
uint64_t flux_rng_u64(struct flux_rng *rng);
/* Fill `len` bytes. */
void flux_rng_bytes(struct flux_rng *rng, void *out, uint32_t len);

#endif
