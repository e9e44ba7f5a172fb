/* SPDX-License-Identifier: MIT */
/* What fluxperf tells of a measurement over the network: a table for people, or JSON. */
#include "perf/net_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "perf/figures.h"

/* Probes, rates, processor time of each end, loss. */
#define FIGURES 7
#define COLUMNS (FIGURES + PERF_SHARES)

static const char *command(const struct net_options *options)
{
	return options->rtt ? "rtt" : net_over(options);
}

static const char *boolean(bool is)
{
	return is ? "true" : "false";
}

/* ---- For people ---- */

void net_report_head(const struct net_options *options, const struct net_result *first)
{
	printf("%s%s between two processes, %u B, ", options->rtt ? "rtt over " : "", net_over(options),
	       options->size);
	if (options->rate)
		printf("%" PRIu64 "/s", options->rate);
	else
		printf("as fast as it goes");
	if (options->loss > 0)
		printf(", loss %g %%", options->loss * 100);
	if (options->delay_ms > 0)
		printf(", delay %g ms", options->delay_ms);
	printf(", loop %s, idle %s\n", loop_kind_name(first->ran), loop_idle_name(options->loop.idle));
	if (first->loop_why[0])
		printf("--loop auto took %s: %s\n", loop_kind_name(first->ran), first->loop_why);
	printf("  probe, ns        M/s      GB/s  tx cpu  rx cpu   lost %%    p50       p99       p99.9     max     %s\n",
	       options->rtt ? "(round trip)" : "(on the way)");
}

static void print_row(const double values[COLUMNS])
{
	printf(" %5.0f > %-5.0f %9.4f %9.4f %7.0f %7.0f %8.3f", values[0], values[1], values[2] * 1e-6,
	       values[3] * 1e-9, values[4], values[5], values[6]);
	perf_print_times(values + FIGURES, PERF_SHARES);
}

static void values_of(const struct net_result *result, double values[COLUMNS])
{
	values[0] = result->probe_before_ns;
	values[1] = result->probe_after_ns;
	values[2] = result->msgs_per_s;
	values[3] = result->bytes_per_s;
	values[4] = result->tx_cpu_ns;
	values[5] = result->rx_cpu_ns;
	values[6] = result->written ? 100 * (double)result->lost / (double)result->written : 0;
	perf_shares(&result->hist, values + FIGURES);
}

void net_report_row(const struct net_result *result)
{
	double values[COLUMNS];

	values_of(result, values);
	print_row(values);
	if (result->check.damaged || result->check.disordered)
		printf("  damaged %" PRIu64 ", out of order %" PRIu64, result->check.damaged,
		       result->check.disordered);
	putchar('\n');
	fflush(stdout);
}

void net_report_median(const struct net_result *results, uint32_t rounds)
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

static void print_loop(const struct net_options *options, const struct net_result *result)
{
	printf("\"loop\":\"%s\",\"loop_asked\":\"%s\",\"idle\":\"%s\",\"loop_why\":\"", loop_kind_name(result->ran),
	       loop_kind_name(options->loop.kind), loop_idle_name(options->loop.idle));
	for (const char *c = result->loop_why; *c; c++)
		printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c < ' ' || *c > '~' ? '?' : *c);
	printf("\",");
}

static void print_counters(const struct net_result *result)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "written", result->written },
		{ "received", result->check.received },
		{ "lost", result->lost },
		{ "damaged", result->check.damaged },
		{ "disordered", result->check.disordered },
		{ "datagrams", result->datagrams },
		{ "retransmitted", result->retransmitted },
		{ "kernel_drops", result->kernel_drops },
		{ "relay_lost", result->relay_lost },
		{ "relay_dropped", result->relay_dropped },
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		printf("\"%s\":%" PRIu64 ",", counters[i].name, counters[i].value);
}

void net_report_json(const struct net_options *options, const struct net_result *result)
{
	printf("{\"ok\":%s,\"command\":\"%s\",\"over\":\"%s\",\"size\":%u,\"rate\":%" PRIu64
	       ",\"loss\":%g,\"delay_ms\":%g,",
	       boolean(result->ok), command(options), net_over(options), options->size, options->rate,
	       options->loss, options->delay_ms);
	print_loop(options, result);
	print_counters(result);
	printf("\"tx_offload\":%s,\"rx_offload\":%s,", boolean(result->tx_offload), boolean(result->rx_offload));
	printf("\"seconds\":%.9f,\"msgs_per_s\":%.3f,\"bytes_per_s\":%.3f,\"cpu_ns_per_msg\":%.2f,"
	       "\"tx_cpu_ns_per_msg\":%.2f,\"rx_cpu_ns_per_msg\":%.2f,",
	       result->seconds, result->msgs_per_s, result->bytes_per_s, result->tx_cpu_ns + result->rx_cpu_ns,
	       result->tx_cpu_ns, result->rx_cpu_ns);
	printf("\"samples\":%" PRIu64 ",", result->hist.count);
	perf_print_shares(&result->hist);
	printf("\"probe_before_ns\":%.0f,\"probe_after_ns\":%.0f}\n", result->probe_before_ns,
	       result->probe_after_ns);
	fflush(stdout);
}
