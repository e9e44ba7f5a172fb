/* SPDX-License-Identifier: MIT */
/* The command line of fluxperf udp, rudp, and rtt over them. */
#ifndef FLUX_TOOLS_PERF_NET_OPTIONS_H
#define FLUX_TOOLS_PERF_NET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cpus.h"
#include "common/loop.h"
#include "common/tuning.h"

struct net_options {
	bool rtt;        /* forth and back; else one way */
	bool reliable;   /* Flux; else plain UDP */
	uint32_t size;   /* bytes of a message */
	uint64_t run_ns; /* send for so long */
	uint64_t rate;   /* messages a second; 0: as fast as it goes */
	double loss;     /* probability, each way */
	double delay_ms; /* each way */
	uint32_t rounds;
	bool json;
	struct flux_endpoint_cfg endpoint; /* of rudp */
	struct loop_options loop;
	struct cpus cpus;
};

/* Whether a relay has to stand between the two. */
static inline bool net_impaired(const struct net_options *options)
{
	return options->loss > 0 || options->delay_ms > 0;
}

/* The word of the command line for what goes over it. */
static inline const char *net_over(const struct net_options *options)
{
	return options->reliable ? "rudp" : "udp";
}

/* Whether a command line is one of these, and not of rings. */
bool net_options_meant(int argc, char *const *argv);

/*
 * Read it. Returns CLI_OK; with *done set everything is done (--help, --version) and the exit code is what
 * was returned; or CLI_USAGE after a message.
 */
int net_options_parse(struct net_options *options, int argc, char **argv, bool *done);

#endif
