/* SPDX-License-Identifier: MIT */
/* fluxperf: measure rings and loops on this machine, between threads or processes, everything checked. */
#include <flux/worker.h>

#include "perf/net_report.h"
#include "perf/report.h"
#include "perf/ring.h"

#define MOST_ROUNDS 99

/* So many parties wait busily that they wait for each other's time slices, not for the ring. */
static void warn_of_slices(uint32_t parties, uint32_t cpus, const char *option)
{
	if (parties > cpus)
		cli_warn("%u parties spin on %u CPUs: what you see is the scheduler; choose another %s", parties,
			 cpus, option);
}

static int ring_main(int argc, char **argv)
{
	static struct perf_result results[MOST_ROUNDS];
	struct perf_options options;
	uint32_t rounds = 0;
	bool done, ok = true;
	int rc = perf_options_parse(&options, argc, argv, &done);

	if (rc != CLI_OK || done)
		return rc;
	if (options.wait == FLUX_WAIT_SPIN)
		warn_of_slices(options.writers + options.readers, options.cpus.count, "--wait");
	if (!options.json)
		perf_report_head(&options);
	while (rounds < options.rounds && ok) {
		struct perf_result *result = &results[rounds];

		rc = perf_run(&options, result);
		if (rc != CLI_OK)
			return rc;
		if (options.json)
			perf_report_json(&options, result);
		else
			perf_report_row(result);
		rounds++;
		ok = result->ok && !result->stopped;
	}
	if (!options.json)
		perf_report_median(results, rounds);
	if (rounds && !results[rounds - 1].ok)
		cli_warn("not all that was written arrived, or it was not right");
	else if (!ok)
		cli_warn("stopped by a signal");
	rc = cli_close_stdout();
	return ok ? rc : CLI_FAILED;
}

static int net_main(int argc, char **argv)
{
	static struct net_result results[MOST_ROUNDS];
	struct net_options options;
	uint32_t rounds = 0;
	bool done, ok = true;
	int rc = net_options_parse(&options, argc, argv, &done);

	if (rc != CLI_OK || done)
		return rc;
	if (options.loop.idle == FLUX_IDLE_SPIN)
		warn_of_slices(net_impaired(&options) ? 3 : 2, options.cpus.count, "--idle");
	while (rounds < options.rounds && ok) {
		struct net_result *result = &results[rounds];

		rc = net_run(&options, result);
		if (rc != CLI_OK)
			return rc;
		if (!options.json && rounds == 0)
			net_report_head(&options, result);
		if (options.json)
			net_report_json(&options, result);
		else
			net_report_row(result);
		rounds++;
		ok = result->ok && !result->stopped;
	}
	if (!options.json)
		net_report_median(results, rounds);
	if (results[rounds - 1].stopped)
		cli_warn("stopped by a signal");
	else if (!ok)
		cli_warn("not all that was written arrived, or it was not right");
	rc = cli_close_stdout();
	return ok ? rc : CLI_FAILED;
}

int main(int argc, char **argv)
{
	cli_init("fluxperf");
	return net_options_meant(argc, argv) ? net_main(argc, argv) : ring_main(argc, argv);
}
