/* SPDX-License-Identifier: MIT */
/* What the relay tells: the final line of JSON, and the status line of a terminal. */
#ifndef FLUX_TOOLS_RELAY_REPORT_H
#define FLUX_TOOLS_RELAY_REPORT_H

#include "relay/link.h"

#include <stdint.h>
#include <stdio.h>

struct relay_report {
	uint64_t seed;
	uint64_t run_ns;
	uint64_t clients; /* ever */
	uint64_t refused; /* datagrams of clients for which there was no room */
	const struct relay_counters *count[2];
};

/* Print the report as one JSON object on a line of its own. */
void relay_report_json(FILE *out, const struct relay_report *report);

/* Overwrite the status line; `last` holds the counters of the previous one and is updated. */
void relay_report_status(FILE *out, const struct relay_report *report,
			 struct relay_counters last[2], uint64_t elapsed_ns);

#endif
