/* SPDX-License-Identifier: MIT */
/* The processes of a measurement over the network: started one after the other, looked after, and ended. */
#ifndef FLUX_TOOLS_PERF_NET_TEAM_H
#define FLUX_TOOLS_PERF_NET_TEAM_H

#include "perf/net_stage.h"

/*
 * Have it played on the stage: receiver, relay if one is needed, and sender, for as long as the options say
 * or until *stopped. Returns CLI_OK, or CLI_FAILED after a message. None of them is left.
 */
int net_team_play(struct net_stage *stage, const volatile int *stopped);

#endif
