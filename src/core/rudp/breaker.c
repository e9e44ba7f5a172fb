/* SPDX-License-Identifier: MIT */
/* The circuit breaker under every rate. */
#include "core/rudp/breaker.h"

#include "core/base/bits.h"
#include "core/base/time.h"

void flux_breaker_init(struct flux_breaker *b)
{
	*b = (struct flux_breaker){ .t_silence = FLUX_NEVER };
}

void flux_breaker_sent(struct flux_breaker *b, flux_ts now, flux_ts patience)
{
	b->sent++;
	if (b->t_silence == FLUX_NEVER)
		b->t_silence = flux_ts_add(now, patience);
}

void flux_breaker_lost(struct flux_breaker *b, uint32_t n)
{
	b->lost += n;
}

static void trip(struct flux_breaker *b, uint64_t base_bps, uint64_t floor_bps)
{
	if (!b->rate_bps) {
		b->base_bps = base_bps;
		b->rate_bps = base_bps;
	}
	b->rate_bps = flux_max_u64(flux_max_u64(b->rate_bps / 2, floor_bps), 1);
	b->trips++;
}

/* Whether more than half of what was sent in the last ten rounds was lost. */
static bool mostly_lost(const struct flux_breaker *b)
{
	uint64_t sent = 0, lost = 0;

	for (uint32_t i = 0; i < b->n_rounds; i++) {
		sent += b->rounds[i].sent;
		lost += b->rounds[i].lost;
	}
	return b->n_rounds == FLUX_BREAKER_ROUNDS && lost * 2 > sent;
}

static void close_round(struct flux_breaker *b)
{
	if (b->n_rounds == FLUX_BREAKER_ROUNDS) {
		for (uint32_t i = 1; i < FLUX_BREAKER_ROUNDS; i++)
			b->rounds[i - 1] = b->rounds[i];
		b->n_rounds--;
	}
	b->rounds[b->n_rounds].sent = b->sent;
	b->rounds[b->n_rounds++].lost = b->lost;
	b->sent = b->lost = 0;
}

bool flux_breaker_heard(struct flux_breaker *b, flux_ts now, uint64_t arrived, uint64_t sent,
			bool outstanding, flux_ts patience, uint64_t base_bps)
{
	uint64_t before = b->rate_bps;

	b->t_silence = outstanding ? flux_ts_add(now, patience) : FLUX_NEVER;
	if (arrived < b->round_end)
		return false;
	b->round_end = sent;
	close_round(b);
	if (mostly_lost(b)) {
		trip(b, base_bps, 1);
	} else if (b->rate_bps) {
		b->rate_bps *= 2;
		if (b->rate_bps >= b->base_bps)
			b->rate_bps = 0;
	}
	return b->rate_bps != before;
}

bool flux_breaker_expire(struct flux_breaker *b, flux_ts now, flux_ts rto, uint64_t base_bps,
			 uint64_t floor_bps)
{
	uint64_t before = b->rate_bps;

	if (now < b->t_silence)
		return false;
	b->t_silence = flux_ts_add(now, rto);
	trip(b, base_bps, floor_bps);
	return b->rate_bps != before;
}
