/* SPDX-License-Identifier: MIT */
/* What the reports of fluxperf have in common: times, percentiles, medians of columns. */
#ifndef FLUX_TOOLS_PERF_FIGURES_H
#define FLUX_TOOLS_PERF_FIGURES_H

#include <stdint.h>

#include "common/hist.h"

#define PERF_MOST_ROUNDS 99

/* Percentiles that are told: half, 99 %, 99.9 % and the longest. */
#define PERF_SHARES 4

/* Of a histogram. */
void perf_shares(const struct hist *hist, double values[PERF_SHARES]);

/* Print times, each in the unit that suits it and as wide as any other. */
void perf_print_times(const double *ns, uint32_t n);

/* Print percentiles as members of a JSON object, each with a comma behind it. */
void perf_print_shares(const struct hist *hist);

/* The median of each column of `rounds` rows, up to PERF_MOST_ROUNDS. */
void perf_medians(const double *rows, uint32_t rounds, uint32_t columns, double *medians);

#endif
