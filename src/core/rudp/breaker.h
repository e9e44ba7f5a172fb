/* SPDX-License-Identifier: MIT */
/*
 * The circuit breaker (RFC 8084) under every rate: when more than half is lost over ten rounds, or
 * nothing is heard back for five rto, the rate is halved again and again; it recovers by doubling.
 */
#ifndef FLUX_CORE_RUDP_BREAKER_H
#define FLUX_CORE_RUDP_BREAKER_H

#include <stdbool.h>

#include <flux/base.h>

#define FLUX_BREAKER_ROUNDS 10u

struct flux_breaker {
	struct {
		uint32_t sent, lost; /* datagrams */
	} rounds[FLUX_BREAKER_ROUNDS];
	uint32_t n_rounds;   /* closed, up to FLUX_BREAKER_ROUNDS */
	uint32_t sent, lost; /* in the open round */
	flux_ts t_round;     /* when the open round may end: a round trip after it began */
	flux_ts t_tripped;   /* last trip: what was sent before it is judged already */
	flux_ts t_silence;   /* when silence becomes a trip; FLUX_NEVER: nothing is outstanding */
	uint64_t rate_bps;   /* the limit in force; 0: not tripped */
	uint64_t base_bps;   /* what went before the trip */
	uint64_t trips;
};

/* What the breaker must know of the path and its use. */
struct flux_breaker_path {
	flux_ts srtt, rto;
	uint64_t base_bps;  /* the rate that it would halve first */
	uint64_t floor_bps; /* one datagram each rto */
	bool outstanding;   /* something waits for an answer */
};

void flux_breaker_init(struct flux_breaker *b);

/* A datagram left. */
void flux_breaker_sent(struct flux_breaker *b, flux_ts now, flux_ts rto);

/* A datagram that was last sent at `t_sent` was found lost. */
void flux_breaker_lost(struct flux_breaker *b, flux_ts t_sent);

/* FEEDBACK came. Returns true if the limit changed. */
bool flux_breaker_heard(struct flux_breaker *b, flux_ts now, const struct flux_breaker_path *path);

/* Time passed. Returns true if the limit changed. */
bool flux_breaker_expire(struct flux_breaker *b, flux_ts now, const struct flux_breaker_path *path);

#endif
