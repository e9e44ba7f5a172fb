/* SPDX-License-Identifier: MIT */
/* The CPUs that a measurement runs on, and pinning threads to them in turn. */
#ifndef FLUX_TOOLS_COMMON_CPUS_H
#define FLUX_TOOLS_COMMON_CPUS_H

#include <stdint.h>

/* As many as a ring has parties. */
#define CPUS_MOST 128

struct cpus {
	uint32_t count;
	uint32_t list[CPUS_MOST];
};

/*
 * Fill `cpus` with those that the calling thread may run on, so call it before it is pinned. Returns 0
 * or a negative error.
 */
int cpus_allowed(struct cpus *cpus);

/* The CPU of party `nth`, modulo how many there are. */
uint32_t cpus_nth(const struct cpus *cpus, uint32_t nth);

/*
 * Pin the calling thread to that CPU. `why` is NULL or takes FLUX_WHY_TEXT bytes on failure. Returns 0
 * or a negative error.
 */
int cpus_pin(const struct cpus *cpus, uint32_t nth, char *why);

#endif
