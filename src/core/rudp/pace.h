/* SPDX-License-Identifier: MIT */
/* Pacing: a rate with a small burst, told as the time of the next sending. */
#ifndef FLUX_CORE_RUDP_PACE_H
#define FLUX_CORE_RUDP_PACE_H

#include <stdbool.h>

#include <flux/base.h>

struct flux_pace {
	uint64_t rate_bps; /* bytes a second; 0: no limit */
	uint32_t burst;    /* bytes that a pause may save up */
	flux_ts t_next;
};

/* Set the rate; the burst is two datagrams of `mss`, or 250 us of the rate up to ten of them. */
void flux_pace_set(struct flux_pace *pace, uint64_t rate_bps, uint32_t mss);

static inline bool flux_pace_ready(const struct flux_pace *pace, flux_ts now)
{
	return !pace->rate_bps || now >= pace->t_next;
}

/* `bytes` left at `now`, and there is a rate. */
void flux_pace_count(struct flux_pace *pace, flux_ts now, uint32_t bytes);

/* `bytes` left at `now`. */
static inline void flux_pace_sent(struct flux_pace *pace, flux_ts now, uint32_t bytes)
{
	if (pace->rate_bps)
		flux_pace_count(pace, now, bytes);
}

#endif
