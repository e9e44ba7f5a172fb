/* SPDX-License-Identifier: MIT */
/*
 * The transmit window: datagrams back to back in a ring of bytes, from the first record written into one
 * until it is acknowledged and no longer read by anybody. It knows no records and no time.
 *
 *	tail <= una <= next <= end        (sequences)
 *	[tail, una)  acknowledged, but still lent to the kernel somewhere
 *	[una, next)  sent, not acknowledged
 *	[next, end)  closed, not sent yet
 *	end          the open datagram, still being filled, if open_len is not 0
 */
#ifndef FLUX_CORE_RUDP_TXWIN_H
#define FLUX_CORE_RUDP_TXWIN_H

#include <stdbool.h>

#include <flux/base.h>

#include "core/wire/packet.h"

struct flux_tx_slot {
	flux_ts t_last;    /* last transmission */
	uint64_t cum;      /* bytes sent on the path, up to and with its first transmission */
	uint32_t off;      /* in the ring of bytes */
	uint16_t len;      /* header, body and trailer */
	uint16_t messages; /* that end in it */
	uint8_t tx_count;
	uint8_t pins;   /* images lent and not retired */
	uint8_t sealed; /* stamped and checksummed: immutable */
};

struct flux_txwin {
	uint8_t *bytes;
	struct flux_tx_slot *slots;
	const struct flux_mem *mem;
	uint64_t tail, una, next, end;
	uint32_t cap;  /* bytes in the ring */
	uint32_t mask; /* slots - 1 */
	uint32_t head; /* offset where the next datagram will lie */
	uint32_t max_datagram;
	uint32_t open_len; /* header and body so far; 0: none is open */
	uint16_t open_messages;
	uint16_t run_len; /* length of the full datagram before the open one; 0: it was not full */
	uint64_t used;    /* bytes of [tail, end) and of the gaps at the wrap */
};

/* Reserve all memory. `bytes` is rounded up to what datagrams need; 0 or FLUX_ENOMEM. */
int flux_txwin_init(struct flux_txwin *w, const struct flux_mem *mem, uint64_t first_seq,
		    uint32_t max_datagram, uint32_t bytes);
void flux_txwin_fini(struct flux_txwin *w);

/* Body bytes that a fresh datagram holds. */
static inline uint32_t flux_txwin_room_max(const struct flux_txwin *w)
{
	return w->max_datagram - FLUX_HEADER_LEN - FLUX_TRAILER_LEN;
}

/* Body bytes left in the open datagram; 0 if none is open. */
static inline uint32_t flux_txwin_room(const struct flux_txwin *w)
{
	return w->open_len ? w->max_datagram - FLUX_TRAILER_LEN - w->open_len : 0;
}

/* Whether `n` more full datagrams would fit besides the open one. */
bool flux_txwin_fits(const struct flux_txwin *w, uint32_t n);

/*
 * Where to write `len` more body bytes (1 to room_max): in the open datagram, or in a new one after closing
 * it. NULL: the window is full, nothing changed. Nothing is taken until flux_txwin_extend().
 */
uint8_t *flux_txwin_reserve(struct flux_txwin *w, uint32_t len);

/* The next `len` body bytes of the open datagram are written; `messages` end in them. */
void flux_txwin_extend(struct flux_txwin *w, uint32_t len, uint16_t messages);

/* Close the open datagram, if it holds anything: it is [end - 1] from now on and can be sent. */
void flux_txwin_close_open(struct flux_txwin *w);

static inline struct flux_tx_slot *flux_txwin_slot(const struct flux_txwin *w, uint64_t seq)
{
	return &w->slots[seq & w->mask];
}

static inline uint8_t *flux_txwin_image(const struct flux_txwin *w, const struct flux_tx_slot *slot)
{
	return w->bytes + slot->off;
}

/* Everything below `ack` (una <= ack <= next) has arrived. Returns the messages that ended in it. */
uint64_t flux_txwin_ack(struct flux_txwin *w, uint64_t ack);

/* A lent image of `seq` is no longer read. */
void flux_txwin_unpin(struct flux_txwin *w, uint64_t seq);

/* Whether half of the window or more is free. */
bool flux_txwin_half_free(const struct flux_txwin *w);

/* NULL, or what is inconsistent. */
const char *flux_txwin_check(const struct flux_txwin *w);

#endif
