/* SPDX-License-Identifier: MIT */
/* What fluxperf tells: a table for people, or JSON. */
#ifndef FLUX_TOOLS_PERF_REPORT_H
#define FLUX_TOOLS_PERF_REPORT_H

#include "perf/run.h"

/* What is measured, and the heads of the columns. */
void perf_report_head(const struct perf_options *options);

/* One round; a line of the table. */
void perf_report_row(const struct perf_result *result);

/* Medians over the rounds; nothing for fewer than two. */
void perf_report_median(const struct perf_result *results, uint32_t rounds);

/* The same as one JSON object on one line, for one round. */
void perf_report_json(const struct perf_options *options, const struct perf_result *result);

#endif
