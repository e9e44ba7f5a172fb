/* SPDX-License-Identifier: MIT */
/* What the reports of fluxperf have in common: times, percentiles, medians of columns. */
#include "perf/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	double share;
} shares[PERF_SHARES] = {
	{ "p50_ns", 0.5 },
	{ "p99_ns", 0.99 },
	{ "p999_ns", 0.999 },
	{ "max_ns", 1 },
};

void perf_shares(const struct hist *hist, double values[PERF_SHARES])
{
	for (int i = 0; i < PERF_SHARES; i++)
		values[i] = (double)hist_percentile(hist, shares[i].share);
}

static void print_time(double ns)
{
	if (ns < 1e4)
		printf(" %6.0f ns", ns);
	else if (ns < 1e7)
		printf(" %6.1f us", ns / 1e3);
	else if (ns < 1e10)
		printf(" %6.1f ms", ns / 1e6);
	else
		printf(" %6.1f s ", ns / 1e9);
}

void perf_print_times(const double *ns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		print_time(ns[i]);
}

void perf_print_shares(const struct hist *hist)
{
	for (int i = 0; i < PERF_SHARES; i++)
		printf("\"%s\":%" PRIu64 ",", shares[i].name, hist_percentile(hist, shares[i].share));
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void perf_medians(const double *rows, uint32_t rounds, uint32_t columns, double *medians)
{
	double column[PERF_MOST_ROUNDS];

	for (uint32_t i = 0; i < columns; i++) {
		for (uint32_t k = 0; k < rounds; k++)
			column[k] = rows[k * columns + i];
		qsort(column, rounds, sizeof(*column), by_size);
		medians[i] = (column[(rounds - 1) / 2] + column[rounds / 2]) / 2;
	}
}
