/* SPDX-License-Identifier: MIT */
/* fluxperf: measure rings on this machine, between threads or processes, every item checked. */
#include "perf/report.h"
#include "perf/ring.h"

/* So many parties wait busily that they wait for each other's time slices, not for the ring. */
static void warn_of_slices(const struct perf_options *options)
{
	uint32_t parties = options->writers + options->readers;

	if (options->wait == FLUX_WAIT_SPIN && parties > options->cpus.count)
		cli_warn("%u parties spin on %u CPUs: what you see is the scheduler; choose another --wait", parties,
			 options->cpus.count);
}

int main(int argc, char **argv)
{
	static struct perf_result results[99];
	struct perf_options options;
	uint32_t rounds = 0;
	bool done, ok = true;
	int rc;

	cli_init("fluxperf");
	rc = perf_options_parse(&options, argc, argv, &done);
	if (rc != CLI_OK || done)
		return rc;
	warn_of_slices(&options);
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
