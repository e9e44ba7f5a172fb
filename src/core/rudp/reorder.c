/* SPDX-License-Identifier: MIT */
/* How long a missing datagram is given to come by itself. */
#include "core/rudp/reorder.h"

#include "core/base/time.h"

#define WAIT_MIN       FLUX_US(50)
#define WAIT_FIRST_MAX FLUX_MS(10)
#define GOOD_RUN       16 /* clean repairs before the wait shrinks a step */

static flux_ts initial(const struct flux_rtt *rtt)
{
	return flux_ts_clamp(flux_rtt_min(rtt) / 4, WAIT_MIN, WAIT_FIRST_MAX);
}

static void set(struct flux_reorder *r, const struct flux_rtt *rtt, flux_ts wait)
{
	r->wait = flux_ts_max(flux_ts_min(wait, rtt->srtt), initial(rtt));
}

void flux_reorder_init(struct flux_reorder *r)
{
	*r = (struct flux_reorder){ .wait = WAIT_MIN };
}

void flux_reorder_update(struct flux_reorder *r, const struct flux_rtt *rtt)
{
	set(r, rtt, r->seen ? r->wait : 0);
}

void flux_reorder_late_original(struct flux_reorder *r, const struct flux_rtt *rtt, flux_ts late)
{
	r->late_originals++;
	r->seen = true;
	r->good = 0;
	set(r, rtt, flux_ts_max(r->wait, late + late / 4));
}

void flux_reorder_spurious(struct flux_reorder *r, const struct flux_rtt *rtt)
{
	r->spurious++;
	r->seen = true;
	r->good = 0;
	set(r, rtt, r->wait + flux_rtt_min(rtt) / 4);
}

void flux_reorder_repaired(struct flux_reorder *r, const struct flux_rtt *rtt)
{
	if (++r->good < GOOD_RUN)
		return;
	r->good = 0;
	set(r, rtt, flux_ts_since(r->wait, flux_rtt_min(rtt) / 8));
}
