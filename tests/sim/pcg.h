/* SPDX-License-Identifier: MIT */
/* PCG32 (O'Neill): the simulator's chance. One generator for each link and purpose, so that a new draw in
 * one place shifts no other. */
#ifndef FLUX_TESTS_SIM_PCG_H
#define FLUX_TESTS_SIM_PCG_H

#include <stdbool.h>
#include <stdint.h>

struct sim_pcg {
	uint64_t state;
	uint64_t inc; /* odd: which of the 2^63 sequences */
};

/* Equal (seed, stream) give equal numbers; different streams are independent. */
void sim_pcg_init(struct sim_pcg *pcg, uint64_t seed, uint64_t stream);
uint32_t sim_pcg_u32(struct sim_pcg *pcg);
uint64_t sim_pcg_u64(struct sim_pcg *pcg);
/* 0 to n - 1; 0 if n is 0. */
uint64_t sim_pcg_below(struct sim_pcg *pcg, uint64_t n);
/* `low` to `high`, both included. */
uint64_t sim_pcg_range(struct sim_pcg *pcg, uint64_t low, uint64_t high);
/* True with probability p. Draws also if p is 0 or 1: the sequence does not depend on it. */
bool sim_pcg_chance(struct sim_pcg *pcg, double p);

/* A well-mixed function of two numbers: keys and payloads that need no state. */
uint64_t sim_mix(uint64_t a, uint64_t b);

#endif
