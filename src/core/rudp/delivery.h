/* SPDX-License-Identifier: MIT */
/*
 * The reader's upper half: records of the datagrams in order become whole messages, read in place where one
 * datagram holds them and put together where it does not (protocol 2.5).
 */
#ifndef FLUX_CORE_RUDP_DELIVERY_H
#define FLUX_CORE_RUDP_DELIVERY_H

#include <stdbool.h>

#include <flux/session.h>

#include "core/rudp/rxwin.h"
#include "core/wire/record.h"

/* A place between two records. */
struct flux_delivery_pos {
	uint64_t seq;
	uint32_t off; /* in the body */
};

struct flux_delivery {
	struct flux_delivery_pos at;    /* everything before is released */
	struct flux_delivery_pos ahead; /* where the last read ended */
	uint32_t n_read;                /* messages of the last read, not yet released */
	uint8_t *whole;                 /* where fragments are put together; max_message bytes */
	const struct flux_mem *mem;
	uint32_t max_message;
	uint32_t total, have; /* of the message in `whole` */
	uint64_t fragment;    /* where its latest fragment lay */
	bool assembling;      /* its first fragment was taken */
	bool complete;        /* it waits to be read and released */
	bool resync;          /* after a gap: continuations have lost their start */
	bool eos;             /* the end of the stream was reached */
	bool broken;          /* the records break their rules */
	bool gap;             /* gap_first..gap_last waits to be told */
	uint64_t gap_first, gap_last;
	uint64_t messages, skipped; /* released messages; sequences given up */
};

int flux_delivery_init(struct flux_delivery *d, const struct flux_mem *mem, uint64_t first_seq,
		       uint32_t max_message);
void flux_delivery_fini(struct flux_delivery *d);

/* flux_session_read(): up to `max` messages in order. Meta records before them are passed for good. */
uint32_t flux_delivery_read(struct flux_delivery *d, struct flux_rxwin *w, struct flux_msg *msgs,
			    uint32_t max);

/* flux_session_release(): the first `n` of the last read. */
void flux_delivery_release(struct flux_delivery *d, struct flux_rxwin *w, uint32_t n);

/* Whether a read could give or pass anything. */
bool flux_delivery_ready(const struct flux_delivery *d, const struct flux_rxwin *w);

/* The pending gap, once. */
bool flux_delivery_take_gap(struct flux_delivery *d, uint64_t *first, uint64_t *last);

#endif
