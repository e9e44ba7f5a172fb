/* SPDX-License-Identifier: MIT */
/* Worlds that a seed furnishes: each kind has a theme, and chance decides the rest. */
#ifndef FLUX_TESTS_SWEEP_WORLDS_H
#define FLUX_TESTS_SWEEP_WORLDS_H

#include "tests/sim/host.h"
#include "tests/sim/sim.h"

struct world {
	const char *name;
	/* Add hosts, links, sessions and faults to a fresh simulation. */
	void (*furnish)(struct sim *sim, struct sim_pcg *chance);
	flux_ts limit; /* everything is delivered and closed by then */
};

extern const struct world worlds[];
extern const size_t world_count;

/* Run one world to its end; sim->violated tells. The caller calls sim_fini(). */
void world_run(struct sim *sim, const struct world *world);

#endif
