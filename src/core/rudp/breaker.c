/* SPDX-License-Identifier: MIT */
/* The circuit breaker under every rate. */
#include "core/rudp/breaker.h"

#include "core/base/bits.h"
#include "core/base/time.h"

/* Five rto of silence; where the rto is tiny, a process that waits for its processor is no congestion. */
#define PATIENCE     5
#define PATIENCE_MIN FLUX_MS(25)

static flux_ts silence_from(flux_ts now, flux_ts rto)
{
	return flux_ts_add(now, flux_ts_max(PATIENCE * rto, PATIENCE_MIN));
}

void flux_breaker_init(struct flux_breaker *b)
{
	*b = (struct flux_breaker){ .t_silence = FLUX_NEVER };
}

void flux_breaker_sent(struct flux_breaker *b, flux_ts now, flux_ts rto)
{
	b->sent++;
	if (b->t_silence == FLUX_NEVER)
		b->t_silence = silence_from(now, rto);
}

void flux_breaker_lost(struct flux_breaker *b, flux_ts t_sent)
{
	b->lost += t_sent >= b->t_tripped;
}

/* Halve the rate, and judge it by what is sent from here on. */
static void trip(struct flux_breaker *b, flux_ts now, const struct flux_breaker_path *path)
{
	if (!b->rate_bps)
		b->rate_bps = b->base_bps = path->base_bps;
	b->rate_bps = flux_max_u64(flux_max_u64(b->rate_bps / 2, path->floor_bps), 1);
	b->n_rounds = b->sent = b->lost = 0;
	b->t_tripped = now;
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

bool flux_breaker_heard(struct flux_breaker *b, flux_ts now, const struct flux_breaker_path *path)
{
	uint64_t before = b->rate_bps;
	bool fair = b->lost * 2 <= b->sent;

	b->t_silence = path->outstanding ? silence_from(now, path->rto) : FLUX_NEVER;
	if (now < b->t_round)
		return false;
	b->t_round = flux_ts_add(now, path->srtt);
	close_round(b);
	if (mostly_lost(b)) {
		trip(b, now, path);
	} else if (b->rate_bps && fair) {
		b->rate_bps *= 2;
		if (b->rate_bps >= b->base_bps)
			b->rate_bps = 0;
	}
	return b->rate_bps != before;
}

bool flux_breaker_expire(struct flux_breaker *b, flux_ts now, const struct flux_breaker_path *path)
{
	uint64_t before = b->rate_bps;

	if (now < b->t_silence)
		return false;
	b->t_silence = flux_ts_add(now, path->rto);
	trip(b, now, path);
	return b->rate_bps != before;
}
