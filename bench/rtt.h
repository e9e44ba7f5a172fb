/* SPDX-License-Identifier: MIT */
/* Round trips, one at a time: what bench/udp_rtt takes in turns. */
#ifndef FLUX_BENCH_RTT_H
#define FLUX_BENCH_RTT_H

#include "lib/bench.h"

#include "common/hist.h"

#define RTT_MOST 1024u /* bytes of a datagram or message */

/* Ask and be answered so many times, and note how long each took. */
struct rtt {
	const struct bench_options *options;
	uint32_t trips;
	struct hist *hist;
};

/* Over a session between two workers that idle so (enum flux_idle), each on a CPU. */
void rtt_run_session(const struct rtt *rtt, uint32_t idle);

#endif
