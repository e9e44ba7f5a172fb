/* SPDX-License-Identifier: MIT */
/* PCG32, XSH-RR of 64 bits of state. */
#include "tests/sim/pcg.h"

#define PCG_MULTIPLIER 6364136223846793005u

void sim_pcg_init(struct sim_pcg *pcg, uint64_t seed, uint64_t stream)
{
	pcg->state = 0;
	pcg->inc = sim_mix(stream, 1) << 1 | 1u;
	sim_pcg_u32(pcg);
	pcg->state += sim_mix(seed, 2);
	sim_pcg_u32(pcg);
}

uint32_t sim_pcg_u32(struct sim_pcg *pcg)
{
	uint64_t old = pcg->state;
	uint32_t shifted = (uint32_t)((old >> 18 ^ old) >> 27);
	uint32_t turn = (uint32_t)(old >> 59);

	pcg->state = old * PCG_MULTIPLIER + pcg->inc;
	return shifted >> turn | shifted << (-turn & 31);
}

uint64_t sim_pcg_u64(struct sim_pcg *pcg)
{
	uint64_t high = sim_pcg_u32(pcg);

	return high << 32 | sim_pcg_u32(pcg);
}

uint64_t sim_pcg_below(struct sim_pcg *pcg, uint64_t n)
{
	/* The bias of % is below 2^-20 for every n used here. */
	return n ? sim_pcg_u64(pcg) % n : 0;
}

uint64_t sim_pcg_range(struct sim_pcg *pcg, uint64_t low, uint64_t high)
{
	return low + sim_pcg_below(pcg, high - low + 1);
}

bool sim_pcg_chance(struct sim_pcg *pcg, double p)
{
	return (double)sim_pcg_u32(pcg) < p * 4294967296.0;
}

uint64_t sim_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9E3779B97F4A7C15u + b;

	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}
