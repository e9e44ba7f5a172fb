/* SPDX-License-Identifier: MIT */
/* The relay's seeded random generator (PCG32), with independent streams of one seed. */
#ifndef FLUX_TOOLS_RELAY_RNG_H
#define FLUX_TOOLS_RELAY_RNG_H

#include <stdint.h>

struct relay_rng {
	uint64_t state;
	uint64_t increment; /* odd */
};

/* Mix 64 bits so that neighbouring inputs give unrelated outputs (splitmix64's finisher). */
static inline uint64_t relay_rng_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Start stream `stream` of `seed`. Both decide state and increment; no two run alike. */
static inline void relay_rng_init(struct relay_rng *rng, uint64_t seed, uint64_t stream)
{
	rng->state = relay_rng_mix(seed ^ relay_rng_mix(stream));
	rng->increment = relay_rng_mix(rng->state) | 1;
}

/* The next 32 random bits. */
static inline uint32_t relay_rng_next(struct relay_rng *rng)
{
	uint64_t old = rng->state;
	uint32_t xorshifted = (uint32_t)(((old >> 18) ^ old) >> 27);
	uint32_t rot = (uint32_t)(old >> 59);

	rng->state = old * 6364136223846793005u + rng->increment;
	return (xorshifted >> rot) | (xorshifted << (-rot & 31));
}

/* True with probability `p`; always draws, so that p does not move the stream. */
static inline int relay_rng_chance(struct relay_rng *rng, double p)
{
	return (double)relay_rng_next(rng) * 0x1p-32 < p;
}

/* A number from 0 to `limit - 1`, or 0 for a limit of 0; always draws. */
static inline uint64_t relay_rng_below(struct relay_rng *rng, uint64_t limit)
{
	return (uint64_t)((double)relay_rng_next(rng) * 0x1p-32 * (double)limit);
}

#endif
