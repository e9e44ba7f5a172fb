/* SPDX-License-Identifier: MIT */
/* One measurement over the network, from the probe before it to the probe after it. */
#ifndef FLUX_TOOLS_PERF_NET_RUN_H
#define FLUX_TOOLS_PERF_NET_RUN_H

#include "perf/net_stage.h"

struct net_result {
	bool ok;      /* all that came was right; what Flux carries all came, of plain UDP something */
	bool stopped; /* by a signal */
	double probe_before_ns, probe_after_ns;
	double seconds;     /* from the first that was written to the last that came */
	uint64_t written;   /* rtt: asked */
	struct check check; /* rtt: of the answers, and what was wrong with the requests */
	uint64_t lost;
	double msgs_per_s, bytes_per_s;
	double tx_cpu_ns, rx_cpu_ns; /* of each end, for a message */
	struct hist hist;
	uint32_t ran; /* enum loop_kind: the receiver's, as the sender's */
	char loop_why[FLUX_WHY_TEXT];
	uint64_t datagrams, retransmitted, kernel_drops, relay_lost, relay_dropped;
	uint32_t tx_offload, rx_offload;
};

/*
 * Measure once. Returns CLI_OK with *result set, also when something was lost: result->ok tells; or
 * CLI_FAILED after a message.
 */
int net_run(const struct net_options *options, struct net_result *result);

#endif
