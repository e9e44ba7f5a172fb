/* SPDX-License-Identifier: MIT */
/* One measurement, from the probe before it to the probe after it. */
#include "perf/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/probe.h"
#include "perf/team.h"

#define LOOK_NS     10000000u
#define PROGRESS_NS 500000000u

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* The first one ends the measurement and shows what there is, a second one the program. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	stopped = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void show_progress(const struct perf_team *team, uint64_t ns, bool last)
{
	struct flux_ring *ring = team->rings[0].ring;
	struct flux_ring_info info;
	double gib;

	flux_ring_get_info(ring, &info);
	gib = (double)info.published * ring->slot / (1u << 30);
	fprintf(stderr, "\r%8.1f s %10.2f GiB %8.2f GiB/s%s", (double)ns * 1e-9, gib, gib / ((double)ns * 1e-9),
		last ? "\r\033[K" : "");
}

/* Look after the team until it has ended. */
static void watch(struct perf_team *team)
{
	const struct perf_options *options = team->stage->options;
	const struct timespec ts = { 0, LOOK_NS };
	uint64_t start = clock_now(), shown = start, now = start;

	while (!perf_team_ended(team)) {
		nanosleep(&ts, NULL);
		now = clock_now();
		if (stopped || (options->run_ns && now - start >= options->run_ns))
			__atomic_store_n(&team->stage->stop, 1, __ATOMIC_RELAXED);
		if (now - shown >= PROGRESS_NS && isatty(STDERR_FILENO)) {
			show_progress(team, now - start, false);
			shown = now;
		}
	}
	if (shown != start)
		show_progress(team, now - start, true);
}

/* Put together what the parties have. */
static void sum_up(const struct perf_stage *stage, struct perf_result *result)
{
	const struct perf_options *options = stage->options;
	uint32_t copies = perf_kind_shares(options->kind) ? 1 : options->readers;
	struct check_total total = { 0, 0 };
	uint64_t start = UINT64_MAX, end = 0, cpu = 0;
	double msgs;

	for (uint32_t i = 0; i < stage->count; i++) {
		const struct perf_party *party = &stage->parties[i];

		start = party->start_ns < start ? party->start_ns : start;
		end = party->end_ns > end ? party->end_ns : end;
		cpu += party->cpu_ns;
		hist_merge(&result->hist, &party->hist);
		if (!party->reads) {
			result->written += party->written;
			check_expect(&total, party->me, party->written, copies);
		}
		/* In rtt what came back counts, and of the way there only what was wrong. */
		if (options->rtt && party->reads) {
			result->check.damaged += party->check.damaged;
			result->check.disordered += party->check.disordered;
		} else {
			check_merge(&result->check, &party->check);
		}
	}
	result->ok = check_verdict(&result->check, &total, &result->lost);
	result->seconds = (double)(end - start) * 1e-9;
	msgs = (double)result->check.received / copies;
	if (result->seconds > 0 && msgs > 0) {
		result->msgs_per_s = msgs / result->seconds;
		result->bytes_per_s = (double)result->check.bytes / copies / result->seconds;
		result->cpu_ns_per_msg = (double)cpu / msgs;
	}
}

static int play(struct perf_stage *stage, struct perf_result *result)
{
	static struct perf_team team;
	int rc, end;

	result->probe_before_ns = probe_line(&stage->options->cpus);
	rc = perf_team_start(&team, stage);
	if (rc == CLI_OK) {
		perf_team_go(&team);
		watch(&team);
	}
	end = perf_team_end(&team);
	if (rc == CLI_OK && end == CLI_OK)
		sum_up(stage, result);
	return rc == CLI_OK ? end : rc;
}

int perf_run(const struct perf_options *options, struct perf_result *result)
{
	struct perf_stage *stage = perf_stage_open(options);
	int rc;

	if (!stage)
		return cli_fail("no memory for the parties' results: %s", strerror(errno));
	memset(result, 0, sizeof(*result));
	catch_signals();
	rc = play(stage, result);
	perf_stage_close(stage);
	if (rc == CLI_OK)
		result->probe_after_ns = probe_line(&options->cpus);
	result->stopped = stopped != 0;
	return rc;
}
