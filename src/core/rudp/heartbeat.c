/* SPDX-License-Identifier: MIT */
/* When the writer sends SYNC. */
#include "core/rudp/heartbeat.h"

#include "core/base/mutation.h"
#include "core/base/time.h"

#define FIRST_MIN    FLUX_MS(1)
#define FIRST_MAX    FLUX_MS(25)
#define INTERVAL_MAX FLUX_S(1)

void flux_heartbeat_init(struct flux_heartbeat *hb)
{
	*hb = (struct flux_heartbeat){ .t_next = FLUX_NEVER };
}

void flux_heartbeat_start(struct flux_heartbeat *hb, flux_ts now, flux_ts srtt)
{
	hb->interval = flux_ts_clamp(srtt / 4, FIRST_MIN, FIRST_MAX);
	if (FLUX_MUTATION(NO_HEARTBEAT))
		hb->interval = FLUX_S(1000);
	hb->t_next = flux_ts_add(now, hb->interval);
}

void flux_heartbeat_beat(struct flux_heartbeat *hb, flux_ts now)
{
	hb->interval = flux_ts_min(hb->interval * (FLUX_MUTATION(SYNC_NO_BACKOFF) ? 1 : 2), INTERVAL_MAX);
	hb->t_next = flux_ts_add(now, hb->interval);
}

void flux_heartbeat_stop(struct flux_heartbeat *hb)
{
	hb->t_next = FLUX_NEVER;
}
