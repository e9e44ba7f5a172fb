/* SPDX-License-Identifier: MIT */
/* One measurement over the network, from the probe before it to the probe after it. */
#include "perf/net_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/cli.h"
#include "common/probe.h"
#include "perf/net_team.h"

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

static double mean(const struct net_cpu *cpu)
{
	return cpu->msgs ? (double)cpu->ns / (double)cpu->msgs : 0;
}

static void count(const struct net_stage *stage, struct net_result *result)
{
	const struct net_party *sender = &stage->parties[NET_SENDER];
	const struct net_party *receiver = &stage->parties[NET_RECEIVER];

	result->tx_cpu_ns = mean(&sender->cpu);
	result->rx_cpu_ns = mean(&receiver->cpu);
	result->ran = receiver->ran;
	memcpy(result->loop_why, receiver->loop_why, sizeof(result->loop_why));
	result->datagrams = receiver->datagrams;
	result->retransmitted = sender->retransmitted + receiver->retransmitted;
	result->kernel_drops = sender->kernel_drops + receiver->kernel_drops;
	result->relay_lost = stage->relay_lost;
	result->relay_dropped = stage->relay_dropped;
	result->tx_offload = sender->offload;
	result->rx_offload = receiver->offload;
}

/* The books of the one who counts: of the receiver, in rtt of who asked. */
static void sum_up(const struct net_stage *stage, struct net_result *result)
{
	const struct net_options *options = stage->options;
	const struct net_party *sender = &stage->parties[NET_SENDER];
	const struct net_party *receiver = &stage->parties[NET_RECEIVER];
	const struct net_party *counts = options->rtt ? sender : receiver;
	struct check_total total = { 0, 0 };
	bool all;

	result->written = sender->written;
	result->hist = counts->hist;
	check_merge(&result->check, &counts->check);
	if (options->rtt) {
		result->check.damaged += receiver->check.damaged;
		result->check.disordered += receiver->check.disordered;
	}
	check_expect(&total, 0, sender->written, 1);
	all = check_verdict(&result->check, &total, &result->lost);
	result->ok = options->reliable ? all && result->written > 0 :
					 result->check.received > 0 && !result->check.damaged &&
						 !result->check.disordered;
	if (counts->end_ns > sender->start_ns) {
		result->seconds = (double)(counts->end_ns - sender->start_ns) * 1e-9;
		result->msgs_per_s = (double)result->check.received / result->seconds;
		result->bytes_per_s = (double)result->check.bytes / result->seconds;
	}
	count(stage, result);
}

int net_run(const struct net_options *options, struct net_result *result)
{
	struct net_stage *stage = net_stage_open(options);
	int rc;

	if (!stage)
		return cli_fail("no memory for the parties' results: %s", strerror(errno));
	memset(result, 0, sizeof(*result));
	catch_signals();
	result->probe_before_ns = probe_line(&options->cpus);
	rc = net_team_play(stage, &stopped);
	if (rc == CLI_OK)
		sum_up(stage, result);
	net_stage_close(stage);
	if (rc == CLI_OK)
		result->probe_after_ns = probe_line(&options->cpus);
	result->stopped = stopped != 0;
	if (rc == CLI_OK && !result->stopped && result->check.received == 0)
		return cli_fail(options->rtt ? "none of %llu messages was answered: nothing gets through" : "the receiver heard nothing: %llu messages were sent, and none came",
				(unsigned long long)result->written);
	return rc;
}
