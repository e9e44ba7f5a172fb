/* SPDX-License-Identifier: MIT */
/* One measurement, from the probe before it to the probe after it. */
#ifndef FLUX_TOOLS_PERF_RUN_H
#define FLUX_TOOLS_PERF_RUN_H

#include "common/hist.h"
#include "perf/check.h"
#include "perf/options.h"

struct perf_result {
	bool ok; /* all that was written arrived, and was right */
	double probe_before_ns, probe_after_ns;
	double seconds;
	uint64_t written; /* by all writers */
	struct check check;
	uint64_t lost;
	double msgs_per_s; /* through the ring, however many read it; rtt: that came back */
	double bytes_per_s;
	double cpu_ns_per_msg; /* of all parties */
	struct hist hist;
	bool stopped; /* by a signal */
};

/*
 * Measure once. Returns CLI_OK with *result set, also when something was lost: result->ok tells; or
 * CLI_FAILED after a message.
 */
int perf_run(const struct perf_options *options, struct perf_result *result);

#endif
