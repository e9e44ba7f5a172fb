/* SPDX-License-Identifier: MIT */
/* How far apart the two CPUs are now: a cache line that goes forth and back, ns for one round. */
#include "common/probe.h"
#include "lib/bench.h"

#include <stdio.h>

int main(void)
{
	printf("%.0f\n", probe_line(bench_cpus()));
	return 0;
}
