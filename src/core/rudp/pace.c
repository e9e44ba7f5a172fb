/* SPDX-License-Identifier: MIT */
/* Pacing: a rate with a small burst, told as the time of the next sending. */
#include "core/rudp/pace.h"

#include "core/base/bits.h"
#include "core/base/time.h"

static flux_ts time_of(const struct flux_pace *pace, uint32_t bytes)
{
	return (flux_ts)bytes * FLUX_S(1) / pace->rate_bps;
}

void flux_pace_set(struct flux_pace *pace, uint64_t rate_bps, uint32_t mss)
{
	uint64_t quarter_ms = rate_bps / 4000;

	pace->rate_bps = rate_bps;
	pace->burst = (uint32_t)flux_max_u64(2ull * mss, flux_min_u64(quarter_ms, 10ull * mss));
}

void flux_pace_count(struct flux_pace *pace, flux_ts now, uint32_t bytes)
{
	pace->t_next = flux_ts_max(pace->t_next, flux_ts_since(now, time_of(pace, pace->burst)));
	pace->t_next = flux_ts_add(pace->t_next, time_of(pace, bytes));
}
