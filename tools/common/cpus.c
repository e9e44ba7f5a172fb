/* SPDX-License-Identifier: MIT */
/* The CPUs that a measurement runs on, and pinning threads to them in turn. */
#include "common/cpus.h"

#include <flux/place.h>

int cpus_allowed(struct cpus *cpus)
{
	struct flux_cpus allowed;
	int rc = flux_cpus_allowed(pthread_self(), &allowed);

	if (rc < 0)
		return rc;
	cpus->count = 0;
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX && cpus->count < CPUS_MOST; cpu++)
		if (flux_cpus_has(&allowed, cpu))
			cpus->list[cpus->count++] = cpu;
	return 0;
}

uint32_t cpus_nth(const struct cpus *cpus, uint32_t nth)
{
	return cpus->list[nth % cpus->count];
}

int cpus_pin(const struct cpus *cpus, uint32_t nth, char *why)
{
	return flux_thread_pin_cpu(pthread_self(), cpus_nth(cpus, nth), why);
}
