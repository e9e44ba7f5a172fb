/* SPDX-License-Identifier: MIT */
/* The relay at work: its sockets, its timer and its turn. */
#ifndef FLUX_TOOLS_RELAY_RELAY_H
#define FLUX_TOOLS_RELAY_RELAY_H

#include "relay/options.h"

/*
 * Relay until SIGINT, SIGTERM or the end of the time asked for, then print the counters.
 * Returns the exit code; a failure has been explained.
 */
int relay_run(const struct relay_options *options);

#endif
