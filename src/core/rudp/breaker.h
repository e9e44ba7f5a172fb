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
	uint64_t round_end;  /* sent bytes whose arrival ends the open round */
	uint64_t rate_bps;   /* the limit in force; 0: not tripped */
	uint64_t base_bps;   /* what went before the trip */
	flux_ts t_silence;   /* when silence becomes a trip; FLUX_NEVER: nothing is outstanding */
	uint64_t trips;
};

void flux_breaker_init(struct flux_breaker *b);

/* A datagram left. `base_bps` is the rate it goes at now; `patience` is five rto. */
void flux_breaker_sent(struct flux_breaker *b, flux_ts now, flux_ts patience);

/* `n` datagrams were found lost. */
void flux_breaker_lost(struct flux_breaker *b, uint32_t n);

/*
 * FEEDBACK came: bytes up to `arrived` of the `sent` ones have arrived or were overtaken. `outstanding` says
 * whether anything is still in flight. Returns true if the limit changed.
 */
bool flux_breaker_heard(struct flux_breaker *b, flux_ts now, uint64_t arrived, uint64_t sent,
			bool outstanding, flux_ts patience, uint64_t base_bps);

/* Time passed. Returns true if the limit changed. `floor_bps` is a datagram each rto. */
bool flux_breaker_expire(struct flux_breaker *b, flux_ts now, flux_ts rto, uint64_t base_bps,
			 uint64_t floor_bps);

#endif
