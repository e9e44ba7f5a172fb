/* SPDX-License-Identifier: MIT */
/* The command line of fluxperf. */
#ifndef FLUX_TOOLS_PERF_OPTIONS_H
#define FLUX_TOOLS_PERF_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cli.h"
#include "common/cpus.h"

enum perf_kind {
	PERF_SPSC,
	PERF_BROADCAST,
	PERF_MPSC,
	PERF_SPMC,
	PERF_MPMC,
};

struct perf_options {
	bool rtt;       /* forth and back; else one way */
	bool processes; /* each party is one; else a thread */
	uint32_t kind;  /* enum perf_kind */
	uint32_t slot;  /* bytes of an item; with `records` of the longest */
	uint32_t batch;
	uint32_t capacity; /* items */
	uint64_t count;    /* of all writers together */
	uint32_t writers, readers;
	uint32_t wait; /* enum flux_wait */
	bool records;
	bool sums;
	bool json;
	uint32_t huge;   /* enum flux_want */
	uint64_t run_ns; /* 0: until `count` items are through */
	uint32_t rounds;
	struct cpus cpus;
};

/* The words of the command line for `kind` and `wait`. */
const char *perf_kind_name(uint32_t kind);
const char *perf_wait_name(uint32_t wait);

/* Of the kind: several writers may write; each item goes to one reader. */
bool perf_kind_many_writers(uint32_t kind);
bool perf_kind_shares(uint32_t kind);

/*
 * Read the command line. Returns CLI_OK; with *done set everything is done (--help, --version) and the
 * exit code is what was returned; or CLI_USAGE after a message.
 */
int perf_options_parse(struct perf_options *options, int argc, char **argv, bool *done);

#endif
