/* SPDX-License-Identifier: MIT */
/* The command line of fluxrelay. */
#ifndef FLUX_TOOLS_RELAY_OPTIONS_H
#define FLUX_TOOLS_RELAY_OPTIONS_H

#include "common/cli.h"
#include "relay/impair.h"

#include <stdbool.h>
#include <stdint.h>

struct relay_report;

/*
 * For a program that runs a relay of its own: it is told what else is printed, and told to end the relay first
 * lets everything through that was sent to it.
 */
struct relay_owner {
	void (*on_listening)(void *ctx, const struct cli_addr *local);
	void (*on_end)(void *ctx, const struct relay_report *report);
	void *ctx;
};

struct relay_options {
	struct cli_addr listen;
	struct cli_addr target;
	struct relay_impairments set;
	uint64_t seed;
	uint64_t run_ns;                 /* 0: until a signal */
	const struct relay_owner *owner; /* NULL: a user at a terminal */
	bool is_answered;                /* --help or --version was all; end with the code returned */
};

/* Returns CLI_OK, CLI_USAGE or CLI_FAILED; for the last two the message has been printed. */
int relay_options_parse(int argc, char **argv, struct relay_options *options);

#endif
