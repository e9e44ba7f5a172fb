/* SPDX-License-Identifier: MIT */
/* The transmit window: datagrams back to back in a ring of bytes. */
#include "core/rudp/txwin.h"

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/wire/packet.h"
#include "core/wire/record.h"

/* Slots for datagrams that are half full on average, so that bytes run out first under small messages. */
static uint32_t slots_for(uint32_t bytes, uint32_t max_datagram)
{
	return flux_max_u32(flux_pow2_ceil(bytes / max_datagram * 2), 64);
}

int flux_txwin_init(struct flux_txwin *w, const struct flux_mem *mem, uint64_t first_seq,
		    uint32_t max_datagram, uint32_t bytes)
{
	uint32_t n = slots_for(bytes, max_datagram);

	*w = (struct flux_txwin){
		.mem = mem,
		.tail = first_seq,
		.una = first_seq,
		.next = first_seq,
		.end = first_seq,
		.cap = flux_max_u32(bytes, 4 * max_datagram),
		.mask = n - 1,
		.max_datagram = max_datagram,
	};
	w->bytes = flux_mem_take(mem, w->cap, 1);
	w->slots = flux_mem_take(mem, n, sizeof(*w->slots));
	if (!w->bytes || !w->slots) {
		flux_txwin_fini(w);
		return FLUX_ENOMEM;
	}
	return 0;
}

void flux_txwin_fini(struct flux_txwin *w)
{
	if (!w->mem)
		return;
	flux_mem_give(w->mem, w->bytes, w->cap, 1);
	flux_mem_give(w->mem, w->slots, (size_t)w->mask + 1, sizeof(*w->slots));
	w->bytes = NULL;
	w->slots = NULL;
}

/* Offset of the oldest byte that is still needed; of the open datagram if there is no other. */
static uint32_t oldest(const struct flux_txwin *w)
{
	return w->tail == w->end ? w->head : flux_txwin_slot(w, w->tail)->off;
}

/*
 * Where a datagram of full size may lie: at `from`, or at the start of the ring. The oldest byte is never
 * reached, so that full and empty cannot be confused. UINT32_MAX: nowhere.
 */
static uint32_t find_place(const struct flux_txwin *w, uint32_t from)
{
	uint32_t old = oldest(w);

	if (old > from) /* the ring has wrapped */
		return from + w->max_datagram < old ? from : UINT32_MAX;
	if (from + w->max_datagram <= w->cap)
		return from;
	return w->max_datagram < old ? 0 : UINT32_MAX;
}

bool flux_txwin_fits(const struct flux_txwin *w, uint32_t n)
{
	/* One more datagram for the open one, one for what is lost at the wrap. */
	uint64_t bytes = ((uint64_t)n + 2) * w->max_datagram;

	return w->end - w->tail + n + 1 <= (uint64_t)w->mask + 1 && w->used + bytes <= w->cap;
}

/*
 * The open datagram takes no more: make it as long as the one before it, where that is longer. Runs of
 * equal datagrams are what the kernel sends best, and records of many sizes soon fill them all alike.
 */
static void close_full(struct flux_txwin *w)
{
	uint32_t len = w->open_len + FLUX_TRAILER_LEN;
	uint32_t pad = w->run_len > len ? w->run_len - len : 0;

	if (pad)
		flux_record_put_padding(w->bytes + w->head + w->open_len, pad);
	w->open_len += pad;
	flux_txwin_close_open(w);
	w->run_len = (uint16_t)(len + pad);
}

/* Open a datagram behind the one that is open now, if there is one; false: there is no place for it. */
static bool open_next(struct flux_txwin *w)
{
	uint32_t from = w->head + (w->open_len ? flux_max_u32(w->open_len + FLUX_TRAILER_LEN, w->run_len) : 0);
	uint32_t at;

	if (w->end - w->tail + (w->open_len != 0) > w->mask)
		return false;
	if (w->tail == w->end && !w->open_len) {
		w->used = 0;
		w->head = from = 0;
	}
	at = find_place(w, from);
	if (at == UINT32_MAX)
		return false;
	if (w->open_len)
		close_full(w);
	if (at != w->head)
		w->used += w->cap - w->head;
	w->head = at;
	w->open_len = FLUX_HEADER_LEN;
	w->open_messages = 0;
	return true;
}

uint8_t *flux_txwin_reserve(struct flux_txwin *w, uint32_t len)
{
	if (len > flux_txwin_room_max(w))
		return NULL;
	if (len > flux_txwin_room(w) && !open_next(w))
		return NULL;
	return w->bytes + w->head + w->open_len;
}

void flux_txwin_extend(struct flux_txwin *w, uint32_t len, uint16_t messages)
{
	w->open_len += len;
	w->open_messages = (uint16_t)(w->open_messages + messages);
}

void flux_txwin_close_open(struct flux_txwin *w)
{
	uint32_t len = w->open_len + FLUX_TRAILER_LEN;

	if (w->open_len <= FLUX_HEADER_LEN)
		return;
	*flux_txwin_slot(w, w->end) = (struct flux_tx_slot){
		.off = w->head,
		.len = (uint16_t)len,
		.messages = w->open_messages,
	};
	w->end++;
	w->head += len;
	w->used += len;
	w->open_len = 0;
	w->run_len = 0;
}

/* Let the memory of acknowledged datagrams go, as far as nobody reads it. */
static void advance_tail(struct flux_txwin *w)
{
	while (w->tail < w->una && !flux_txwin_slot(w, w->tail)->pins) {
		struct flux_tx_slot *slot = flux_txwin_slot(w, w->tail);
		uint32_t stop = slot->off + slot->len;

		w->used -= slot->len;
		w->tail++;
		/* The gap before the wrap goes with the datagram in front of it. */
		if (w->tail != w->end ? flux_txwin_slot(w, w->tail)->off < slot->off : w->open_len && w->head < slot->off)
			w->used -= w->cap - stop;
	}
}

uint64_t flux_txwin_ack(struct flux_txwin *w, uint64_t ack)
{
	uint64_t messages = 0;

	for (; w->una < ack; w->una++)
		messages += flux_txwin_slot(w, w->una)->messages;
	advance_tail(w);
	return messages;
}

void flux_txwin_unpin(struct flux_txwin *w, uint64_t seq)
{
	flux_txwin_slot(w, seq)->pins--;
	if (seq == w->tail)
		advance_tail(w);
}

bool flux_txwin_half_free(const struct flux_txwin *w)
{
	return w->used <= w->cap / 2 && w->end - w->tail <= w->mask / 2 + 1;
}

const char *flux_txwin_check(const struct flux_txwin *w)
{
	uint64_t used = 0, seq;

	if (w->tail > w->una || w->una > w->next || w->next > w->end)
		return "txwin: tail <= una <= next <= end broken";
	if (w->end - w->tail > (uint64_t)w->mask + 1)
		return "txwin: more slots than there are";
	for (seq = w->tail; seq < w->end; seq++) {
		const struct flux_tx_slot *s = flux_txwin_slot(w, seq);

		if (s->len <= FLUX_HEADER_LEN + FLUX_TRAILER_LEN || s->len > w->max_datagram)
			return "txwin: length of a slot out of range";
		if (s->off + s->len > w->cap)
			return "txwin: slot beyond the ring";
		if (seq < w->next && (!s->sealed || !s->tx_count))
			return "txwin: sent but never sealed";
		used += s->len;
	}
	return used > w->used || w->used > w->cap ? "txwin: bytes in use miscounted" : NULL;
}
