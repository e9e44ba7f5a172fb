/* SPDX-License-Identifier: MIT */
/* Round-trip time of one path: RFC 6298 smoothing, the minimum of the last 10 to 20 s, and what follows. */
#ifndef FLUX_CORE_RUDP_RTT_H
#define FLUX_CORE_RUDP_RTT_H

#include <stdbool.h>

#include <flux/base.h>

struct flux_rtt {
	flux_ts srtt, rttvar;
	flux_ts granularity; /* how late timers are */
	flux_ts min[2];      /* of this 10 s period and of the one before */
	flux_ts period_end;
	flux_ts t_sample; /* when the last sample came; 0: none yet */
	uint32_t samples; /* how many there were */
};

/* Before any sample srtt is 100 ms and rttvar 50 ms. */
void flux_rtt_init(struct flux_rtt *rtt, flux_ts granularity);

/*
 * A sample of `us` microseconds from an echoed timestamp. Negative ones (a clock that lies) are ignored,
 * larger ones than 3 s are cut: they tell of a stopped process, not of a path.
 */
void flux_rtt_sample(struct flux_rtt *rtt, flux_ts now, int32_t us);

bool flux_rtt_known(const struct flux_rtt *rtt);

/* The least of the last 10 to 20 s; srtt while nothing is known. */
flux_ts flux_rtt_min(const struct flux_rtt *rtt);

/* srtt + max(4 rttvar, granularity): what an answer may take, without bounds. */
flux_ts flux_rtt_late(const struct flux_rtt *rtt);

/* flux_rtt_late() held between 1 ms and 1 s. */
flux_ts flux_rtt_rto(const struct flux_rtt *rtt);

/* How long after sending a datagram a NAK for it cannot be about that sending. */
flux_ts flux_rtt_hold(const struct flux_rtt *rtt);

#endif
