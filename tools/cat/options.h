/* SPDX-License-Identifier: MIT */
/* The command line of fluxcat. */
#ifndef FLUX_TOOLS_CAT_OPTIONS_H
#define FLUX_TOOLS_CAT_OPTIONS_H

#include "common/cli.h"
#include "common/loop.h"
#include "common/tuning.h"

#include <stdbool.h>
#include <stdint.h>

struct cat_options {
	bool listen;
	bool json;
	bool timeout_given;
	struct cli_addr addr;  /* where to listen, or whom to send to */
	const char *file;      /* NULL: standard input or output */
	uint32_t message_size; /* sender: of each message; receiver: the largest it takes */
	uint64_t timeout_ns;
	struct flux_endpoint_cfg endpoint; /* all of it, as the binding takes it */
	struct loop_options loop;
};

/*
 * Read the command line. Returns CLI_OK, or the exit code after the reason was printed; --help
 * and --version set `*done` and return their exit code.
 */
int cat_options_parse(struct cat_options *options, int argc, char **argv, bool *done);

#endif
