/* SPDX-License-Identifier: MIT */
/* What fluxcat counts and tells: progress on a terminal, one JSON object at the end. */
#ifndef FLUX_TOOLS_CAT_REPORT_H
#define FLUX_TOOLS_CAT_REPORT_H

#include "cat/options.h"

#include <flux/binding.h>
#include <stdbool.h>
#include <stdint.h>

struct cat_report {
	bool sender;
	bool shown;     /* a progress line stands on the terminal */
	uint64_t bytes; /* read from the input, or written to the output */
	uint64_t messages;
	uint64_t expected; /* bytes of the whole input; 0: not known */
	flux_ts up_at;     /* the session came up; 0: never */
	flux_ts ended_at;  /* the end was decided */
	flux_ts shown_at;
	uint64_t shown_bytes;
	struct flux_addr peer;
	struct flux_session_stats session;
	struct flux_endpoint_stats endpoint;
	struct flux_binding_stats socket;
};

/* Take a new look at the counters. A session that is gone keeps its last ones. */
void cat_report_sample(struct cat_report *report, const struct flux_binding *binding, flux_sid sid);

/* Write or renew the progress line; `final` ends it, if there is one. */
void cat_report_progress(struct cat_report *report, flux_ts now, bool final);

/* One object on one line of stderr, of a loop that has run. `why` is "" or the reason of a failure. */
void cat_report_json(const struct cat_report *report, const struct loop *loop, const struct cat_options *options,
		     int status, const char *why);

#endif
