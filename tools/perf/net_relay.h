/* SPDX-License-Identifier: MIT */
/* A relay of fluxrelay's between the two ends of a measurement: it loses and delays. */
#ifndef FLUX_TOOLS_PERF_NET_RELAY_H
#define FLUX_TOOLS_PERF_NET_RELAY_H

#include "perf/net_stage.h"

/*
 * Relay to the receiver, who has told where he is, until SIGTERM: tell where, and in the end what was lost.
 * Returns the exit code of the process, after a message if it failed.
 */
int net_relay_run(struct net_stage *stage);

#endif
