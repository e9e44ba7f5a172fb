/* SPDX-License-Identifier: MIT */
/* The clocks of fluxperf. */
#ifndef FLUX_TOOLS_PERF_CLOCK_H
#define FLUX_TOOLS_PERF_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* What the calling thread has taken of a processor. */
static inline uint64_t clock_cpu(void)
{
	return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

#endif
