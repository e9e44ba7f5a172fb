/* SPDX-License-Identifier: MIT */
/*
 * Two endpoints in one process and the wire between them, for tests that look inside: each datagram on the
 * wire can be looked at, lost, kept for later, or written by the test itself.
 */
#ifndef FLUX_TESTS_UNIT_ENDPOINT_PAIR_H
#define FLUX_TESTS_UNIT_ENDPOINT_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/base/time.h"
#include "core/endpoint/check.h"
#include "core/endpoint/endpoint.h"

#define CLIENT 0
#define SERVER 1

#define PAIR_WIRE     1024
#define PAIR_DATAGRAM 2048
#define PAIR_EVENTS   64
#define PAIR_DELAY    FLUX_MS(1) /* one way */

struct pair_datagram {
	int to;
	uint32_t len;
	flux_ts t_arrive;
	uint8_t data[PAIR_DATAGRAM];
};

struct pair {
	struct flux_endpoint_cfg cfg[2]; /* change before pair_open() */
	struct flux_endpoint *ep[2];
	struct flux_addr addr[2];
	flux_sid sid[2];
	flux_ts now;
	struct pair_datagram wire[PAIR_WIRE]; /* in order of arrival */
	uint32_t n_wire;
	bool lose[2];   /* what goes to this side is lost */
	bool unread[2]; /* this side does not read its messages */
	/* What its driver tells a side of the address that datagrams were sent to; NULL: nothing. */
	const struct flux_local *local[2];
	uint32_t n_sent[2], n_from[2]; /* datagrams of that side, and those of them that say to leave from there */
	struct flux_event events[2][PAIR_EVENTS];
	uint32_t n_events[2];
	uint32_t n_messages[2]; /* read and released */
	uint64_t n_bytes[2];
	uint8_t last[64]; /* first bytes of the last message that was read */
	uint32_t last_len;
};

/* Defaults: two endpoints with fixed seeds, the second accepts. */
void pair_init(struct pair *p);
void pair_open(struct pair *p);
void pair_close(struct pair *p);

/* pair_init(), pair_open(), and one session that is up at both ends, with its UP events pulled. */
void pair_up(struct pair *p);

/* Put all that `side` has to send on the wire. Returns how many datagrams. */
uint32_t pair_flush(struct pair *p, int side);
/* Hand over what has arrived at `side` by now; then pull events and read messages. */
void pair_deliver(struct pair *p, int side);
/* Pull events and read messages of `side`. */
void pair_drain(struct pair *p, int side);
/* Let `time` pass: datagrams arrive, deadlines fire. */
void pair_run(struct pair *p, flux_ts time);

/* The session of a side, or NULL. */
struct flux_session *pair_session(struct pair *p, int side);
/* One datagram into `side` as if the other side's socket had sent it. */
void pair_inject(struct pair *p, int side, const void *data, uint32_t len);
/* A datagram of the session from the other side into `side`, with the right checksum. */
void pair_forge(struct pair *p, int side, uint8_t type, uint16_t stream, uint64_t num, const void *body,
		uint32_t len);
/* The number that the next control packet into `side` must have to be new. */
uint64_t pair_fresh(struct pair *p, int side);

/* Whether an event of that type was pulled at `side` since the last pair_forget(); the latest one. */
const struct flux_event *pair_event(const struct pair *p, int side, enum flux_event_type type);
void pair_forget(struct pair *p);

/* Both endpoints walk through all they hold. */
void pair_check(const struct pair *p);

/* The counters of a side. */
struct flux_endpoint_stats pair_stats(const struct pair *p, int side);

#endif
