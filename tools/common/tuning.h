/* SPDX-License-Identifier: MIT */
/* The option --options of the tools: an endpoint's configuration as text (flux/options.h). */
#ifndef FLUX_TOOLS_COMMON_TUNING_H
#define FLUX_TOOLS_COMMON_TUNING_H

#include <stdbool.h>

#include <flux/options.h>

/* For a tool's --help; the same in every tool. */
#define TUNING_HELP                                                                                      \
	"      --options K=V,...  limits and habits of the endpoint, over what other options say; the\n" \
	"                      list: --options help\n"

/* Whether the list of all options is wanted; then tuning_print_help() gives the exit code. */
bool tuning_wants_help(const char *text);
int tuning_print_help(void);

/* Put the text over what the tool has set. NULL is no text. Returns CLI_OK, or CLI_USAGE after a message. */
int tuning_apply(struct flux_endpoint_cfg *cfg, const char *text);

#endif
