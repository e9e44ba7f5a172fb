/* SPDX-License-Identifier: MIT */
/* Round-trip time of one path. */
#include "core/rudp/rtt.h"

#include "core/base/time.h"

#define RTT_CAP    FLUX_S(3)
#define MIN_PERIOD FLUX_S(10)

void flux_rtt_init(struct flux_rtt *rtt, flux_ts granularity)
{
	*rtt = (struct flux_rtt){
		.srtt = FLUX_MS(100),
		.rttvar = FLUX_MS(50),
		.granularity = granularity,
		.min = { FLUX_NEVER, FLUX_NEVER },
	};
}

static void note_min(struct flux_rtt *rtt, flux_ts now, flux_ts r)
{
	if (now >= rtt->period_end) {
		bool stale = now >= flux_ts_add(rtt->period_end, MIN_PERIOD);

		rtt->min[1] = stale ? FLUX_NEVER : rtt->min[0];
		rtt->min[0] = FLUX_NEVER;
		rtt->period_end = flux_ts_add(now, MIN_PERIOD);
	}
	rtt->min[0] = flux_ts_min(rtt->min[0], r);
}

void flux_rtt_sample(struct flux_rtt *rtt, flux_ts now, int32_t us)
{
	flux_ts r, err;

	if (us < 0)
		return;
	r = flux_ts_clamp(FLUX_US((uint32_t)us), FLUX_US(1), RTT_CAP);
	if (!rtt->t_sample) {
		rtt->srtt = r;
		rtt->rttvar = r / 2;
	} else {
		err = r > rtt->srtt ? r - rtt->srtt : rtt->srtt - r;
		rtt->rttvar += err / 4 - rtt->rttvar / 4;
		rtt->srtt += r / 8 - rtt->srtt / 8;
	}
	rtt->t_sample = flux_ts_max(now, 1);
	rtt->samples++;
	note_min(rtt, now, r);
}

bool flux_rtt_known(const struct flux_rtt *rtt)
{
	return rtt->t_sample != 0;
}

flux_ts flux_rtt_min(const struct flux_rtt *rtt)
{
	flux_ts m = flux_ts_min(rtt->min[0], rtt->min[1]);

	return m == FLUX_NEVER ? rtt->srtt : m;
}

flux_ts flux_rtt_late(const struct flux_rtt *rtt)
{
	return rtt->srtt + flux_ts_max(4 * rtt->rttvar, rtt->granularity);
}

flux_ts flux_rtt_rto(const struct flux_rtt *rtt)
{
	return flux_ts_clamp(flux_rtt_late(rtt), FLUX_MS(1), FLUX_S(1));
}

flux_ts flux_rtt_hold(const struct flux_rtt *rtt)
{
	flux_ts low = flux_ts_since(rtt->srtt, 4 * rtt->rttvar);

	return flux_ts_max(rtt->srtt / 2, low);
}
