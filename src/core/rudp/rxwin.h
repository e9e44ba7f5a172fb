/* SPDX-License-Identifier: MIT */
/*
 * The receive window: a ring of small descriptors, one for each sequence from the oldest unread one on.
 * A present datagram lies in a slot of the shared pool, or for now still in the driver's buffer; a missing
 * one keeps the state of its repair in its own empty descriptor (core/rudp/nak.h).
 *
 *	consumed <= ack <= high <= consumed + size
 *	[consumed, ack)  present (or skipped), not yet released by the application
 *	[ack, high)      present, missing or skipped; `ack` itself is missing if ack < high
 */
#ifndef FLUX_CORE_RUDP_RXWIN_H
#define FLUX_CORE_RUDP_RXWIN_H

#include <stdbool.h>

#include <flux/base.h>

#include "core/base/pool.h"

enum flux_rx_state {
	FLUX_RX_EMPTY,   /* outside [consumed, high) */
	FLUX_RX_MISSING, /* known to exist, on one of the NAK queues */
	FLUX_RX_PRESENT,
	FLUX_RX_SKIPPED /* the writer has given it up */
};

struct flux_rx_slot {
	union {
		const uint8_t *data; /* PRESENT: the whole datagram */
		struct {
			uint32_t prev, next; /* MISSING: neighbours in the queue, ring positions */
		};
	};
	union {
		uint32_t buf;     /* PRESENT: slot of the pool */
		uint32_t t_asked; /* MISSING: us, when it was missed or last asked for */
	};
	union {
		uint16_t len; /* PRESENT: of the datagram */
		uint16_t n0;  /* MISSING: datagrams received before it was missed */
	};
	uint8_t state : 4;  /* enum flux_rx_state */
	uint8_t by_rtx : 1; /* came by retransmission; stays until the descriptor is used again */
	uint8_t lent : 1;   /* data is the driver's buffer; the pool slot is reserved for it */
	uint8_t level;      /* MISSING: which queue */
};

struct flux_rxwin {
	struct flux_rx_slot *slots;
	struct flux_pool *pool;
	const struct flux_mem *mem;
	uint64_t consumed, ack, high;
	uint64_t lent_from; /* no lent datagram is below it */
	uint64_t lent_to;   /* nor at or above it */
	uint32_t mask;      /* size - 1 */
	uint32_t present;   /* in [consumed, high) */
	uint32_t window;    /* datagrams ever allowed ahead of consumed: the size, or less */
	bool promise_used;  /* the slot promised to us is in use */
};

/* `size` a power of two; window <= size. The pool owes this window one slot. 0 or FLUX_ENOMEM. */
int flux_rxwin_init(struct flux_rxwin *w, const struct flux_mem *mem, struct flux_pool *pool,
		    uint64_t first_seq, uint32_t size, uint32_t window);
void flux_rxwin_fini(struct flux_rxwin *w);

static inline struct flux_rx_slot *flux_rxwin_slot(const struct flux_rxwin *w, uint64_t seq)
{
	return &w->slots[seq & w->mask];
}

enum flux_rx_verdict {
	FLUX_RX_NEW,
	FLUX_RX_DUPLICATE,
	FLUX_RX_FAR
};

/* What a DATA with this number would be. */
static inline enum flux_rx_verdict flux_rxwin_judge(const struct flux_rxwin *w, uint64_t seq)
{
	if (seq >= w->consumed + w->window)
		return FLUX_RX_FAR;
	if (seq >= w->high)
		return FLUX_RX_NEW;
	if (seq < w->ack || flux_rxwin_slot(w, seq)->state != FLUX_RX_MISSING)
		return FLUX_RX_DUPLICATE;
	return FLUX_RX_NEW;
}

/* A buffer for `seq`, or FLUX_POOL_NONE; the promised one is kept for the datagram that all wait for. */
uint32_t flux_rxwin_take(struct flux_rxwin *w, uint64_t seq);

/*
 * Keep a new datagram in `buf`: one below high, which the caller has taken off the NAK queues, or one at or
 * above it, all before which the caller has put on them. Its bytes stay where they are until settled.
 */
void flux_rxwin_put(struct flux_rxwin *w, uint64_t seq, uint32_t buf, const uint8_t *data, uint16_t len,
		    bool rtx);

/* Move ack over what is present or skipped. */
void flux_rxwin_advance(struct flux_rxwin *w);

/* The application is done with everything below `seq` (<= ack): give its buffers back. */
void flux_rxwin_release(struct flux_rxwin *w, uint64_t seq);

/* Copy what still lies in the driver's buffers into the pool. */
void flux_rxwin_settle(struct flux_rxwin *w);

const char *flux_rxwin_check(const struct flux_rxwin *w);

#endif
