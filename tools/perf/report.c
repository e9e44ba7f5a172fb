/* SPDX-License-Identifier: MIT */
/* What fluxperf tells: a table for people, or JSON. */
#include "perf/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "perf/figures.h"
#include "perf/ring.h"

/* Probes, rates, processor time. */
#define FIGURES 5
#define COLUMNS (FIGURES + PERF_SHARES)

/* ---- For people ---- */

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

static void print_row(const double values[COLUMNS])
{
	printf(" %5.0f > %-5.0f %9.3f %9.3f %7.2f", values[0], values[1], values[2] * 1e-6, values[3] * 1e-9,
	       values[4]);
	perf_print_times(values + FIGURES, PERF_SHARES);
}

static void values_of(const struct perf_result *result, double values[COLUMNS])
{
	values[0] = result->probe_before_ns;
	values[1] = result->probe_after_ns;
	values[2] = result->msgs_per_s;
	values[3] = result->bytes_per_s;
	values[4] = result->cpu_ns_per_msg;
	perf_shares(&result->hist, values + FIGURES);
}

void perf_report_row(const struct perf_result *result)
{
	double values[COLUMNS];

	values_of(result, values);
	print_row(values);
	if (!result->ok)
		printf("  lost %" PRIu64 ", damaged %" PRIu64 ", out of order %" PRIu64, result->lost,
		       result->check.damaged, result->check.disordered);
	putchar('\n');
	fflush(stdout);
}

void perf_report_median(const struct perf_result *results, uint32_t rounds)
{
	double rows[PERF_MOST_ROUNDS][COLUMNS], medians[COLUMNS];

	if (rounds < 2)
		return;
	for (uint32_t k = 0; k < rounds; k++)
		values_of(&results[k], rows[k]);
	perf_medians(rows[0], rounds, COLUMNS, medians);
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
	perf_print_shares(&result->hist);
	printf("\"probe_before_ns\":%.0f,\"probe_after_ns\":%.0f}\n", result->probe_before_ns,
	       result->probe_after_ns);
	fflush(stdout);
}
