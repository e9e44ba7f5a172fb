/* SPDX-License-Identifier: MIT */
/* What fluxperf tells: a table for people, or JSON. */
#include "perf/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/ring.h"

/* Four shares of a histogram, by their names in JSON. */
static const struct {
	const char *name;
	double share;
} shares[] = {
	{ "p50_ns", 0.5 },
	{ "p99_ns", 0.99 },
	{ "p999_ns", 0.999 },
	{ "max_ns", 1 },
};

#define SHARES      (sizeof(shares) / sizeof(shares[0]))
#define MOST_ROUNDS 99

/* ---- For people ---- */

/* A time in the unit that suits it, nine characters wide. */
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

static void print_parties(const struct perf_options *options)
{
	const char *party = options->processes ? "process" : "thread";
	const char *many = options->processes ? "processes" : "threads";

	if (options->rtt)
		printf("%s between two %s", perf_kind_name(options->kind), many);
	else
		printf("%s, %u writing and %u reading %s", perf_kind_name(options->kind), options->writers,
		       options->readers, options->readers == 1 ? party : many);
}

void perf_report_head(const struct perf_options *options)
{
	print_parties(options);
	printf(", %s%u B, batch %u, capacity %u (%.1f MiB), %s%s\n", options->records ? "8 to " : "",
	       options->slot, options->batch, options->capacity,
	       (double)perf_ring_bytes(options) / (1u << 20), perf_wait_name(options->wait),
	       options->sums ? ", checksums" : "");
	printf("  probe, ns        M/s      GB/s  cpu ns%s\n",
	       options->rtt ? "    p50       p99       p99.9     max     (round trip)" : "    p50       p99       p99.9     max     (on the way)");
}

static void print_row(const double values[5 + SHARES])
{
	printf(" %5.0f > %-5.0f %9.3f %9.3f %7.2f", values[0], values[1], values[2] * 1e-6, values[3] * 1e-9,
	       values[4]);
	for (size_t i = 0; i < SHARES; i++)
		print_time(values[5 + i]);
}

static void values_of(const struct perf_result *result, double values[5 + SHARES])
{
	values[0] = result->probe_before_ns;
	values[1] = result->probe_after_ns;
	values[2] = result->msgs_per_s;
	values[3] = result->bytes_per_s;
	values[4] = result->cpu_ns_per_msg;
	for (size_t i = 0; i < SHARES; i++)
		values[5 + i] = (double)hist_percentile(&result->hist, shares[i].share);
}

void perf_report_row(const struct perf_result *result)
{
	double values[5 + SHARES];

	values_of(result, values);
	print_row(values);
	if (!result->ok)
		printf("  lost %" PRIu64 ", damaged %" PRIu64 ", out of order %" PRIu64, result->lost,
		       result->check.damaged, result->check.disordered);
	putchar('\n');
	fflush(stdout);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void perf_report_median(const struct perf_result *results, uint32_t rounds)
{
	double rows[MOST_ROUNDS][5 + SHARES], column[MOST_ROUNDS], medians[5 + SHARES];

	if (rounds < 2)
		return;
	for (uint32_t k = 0; k < rounds; k++)
		values_of(&results[k], rows[k]);
	for (size_t i = 0; i < 5 + SHARES; i++) {
		for (uint32_t k = 0; k < rounds; k++)
			column[k] = rows[k][i];
		qsort(column, rounds, sizeof(*column), by_size);
		medians[i] = (column[(rounds - 1) / 2] + column[rounds / 2]) / 2;
	}
	print_row(medians);
	puts("  median");
}

/* ---- For programs ---- */

void perf_report_json(const struct perf_options *options, const struct perf_result *result)
{
	printf("{\"ok\":%s,\"command\":\"%s\",\"over\":\"%s\",\"kind\":\"%s\",\"wait\":\"%s\",",
	       result->ok ? "true" : "false",
	       options->rtt ? "rtt" : options->processes ? "ipc" :
							   "ring",
	       options->processes ? "ipc" : "ring", perf_kind_name(options->kind),
	       perf_wait_name(options->wait));
	printf("\"slot\":%u,\"batch\":%u,\"capacity\":%u,\"writers\":%u,\"readers\":%u,", options->slot,
	       options->batch, options->capacity, options->writers, options->readers);
	printf("\"records\":%s,\"sums\":%s,", options->records ? "true" : "false",
	       options->sums ? "true" : "false");
	printf("\"written\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"damaged\":%" PRIu64
	       ",\"disordered\":%" PRIu64 ",",
	       result->written, result->check.received, result->lost, result->check.damaged,
	       result->check.disordered);
	printf("\"seconds\":%.9f,\"msgs_per_s\":%.0f,\"bytes_per_s\":%.0f,\"cpu_ns_per_msg\":%.2f,",
	       result->seconds, result->msgs_per_s, result->bytes_per_s, result->cpu_ns_per_msg);
	printf("\"samples\":%" PRIu64 ",", result->hist.count);
	for (size_t i = 0; i < SHARES; i++)
		printf("\"%s\":%" PRIu64 ",", shares[i].name,
		       hist_percentile(&result->hist, shares[i].share));
	printf("\"probe_before_ns\":%.0f,\"probe_after_ns\":%.0f}\n", result->probe_before_ns,
	       result->probe_after_ns);
	fflush(stdout);
}
