/* SPDX-License-Identifier: MIT */
/*
 * When the writer sends SYNC: after the last DATA, sooner than any reader could miss its tail, then at
 * doubling intervals until nothing waits for an answer. The same beat probes a shut window.
 */
#ifndef FLUX_CORE_RUDP_HEARTBEAT_H
#define FLUX_CORE_RUDP_HEARTBEAT_H

#include <flux/base.h>

struct flux_heartbeat {
	flux_ts t_next;   /* FLUX_NEVER: silent */
	flux_ts interval; /* until the one after */
};

void flux_heartbeat_init(struct flux_heartbeat *hb);

/* DATA left, or something came to wait for: the first beat is srtt / 4 away, 1 to 25 ms. */
void flux_heartbeat_start(struct flux_heartbeat *hb, flux_ts now, flux_ts srtt);

/* A SYNC left: the next one takes twice as long, up to 1 s. */
void flux_heartbeat_beat(struct flux_heartbeat *hb, flux_ts now);

/* Nothing waits for an answer any more. */
void flux_heartbeat_stop(struct flux_heartbeat *hb);

#endif
