/* SPDX-License-Identifier: MIT */
/*
 * How far apart two CPUs are now: the time in which a cache line goes forth and back between them.
 * What crosses CPUs moves with it, so it stands beside every such figure.
 */
#ifndef FLUX_TOOLS_COMMON_PROBE_H
#define FLUX_TOOLS_COMMON_PROBE_H

#include "common/cpus.h"

/*
 * Nanoseconds of a round trip between the first two of `cpus`; 0 if there is but one CPU, or no thread
 * for it. Takes some milliseconds, 0.1 s where others use the CPUs too.
 */
double probe_line(const struct cpus *cpus);

#endif
