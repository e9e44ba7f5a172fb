/* SPDX-License-Identifier: MIT */
/* The receive window: which datagrams are there, and where they lie. */
#include "core/rudp/rxwin.h"

#include <string.h>

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/base/mutation.h"

int flux_rxwin_init(struct flux_rxwin *w, const struct flux_mem *mem, struct flux_pool *pool,
		    uint64_t first_seq, uint32_t size, uint32_t window)
{
	*w = (struct flux_rxwin){
		.mem = mem,
		.pool = pool,
		.consumed = first_seq,
		.ack = first_seq,
		.high = first_seq,
		.lent_from = first_seq,
		.lent_to = first_seq,
		.mask = size - 1,
		.window = window,
	};
	w->slots = flux_mem_take_zeroed(mem, size, sizeof(*w->slots));
	return w->slots ? 0 : FLUX_ENOMEM;
}

static void give_buffer(struct flux_rxwin *w, uint32_t buf)
{
	flux_pool_give(w->pool, buf);
	if (w->promise_used) {
		w->promise_used = false;
		w->pool->owed++;
	}
}

void flux_rxwin_fini(struct flux_rxwin *w)
{
	if (!w->slots)
		return;
	for (uint64_t s = w->consumed; s < w->high; s++)
		if (flux_rxwin_slot(w, s)->state == FLUX_RX_PRESENT)
			give_buffer(w, flux_rxwin_slot(w, s)->buf);
	flux_mem_give(w->mem, w->slots, (size_t)w->mask + 1, sizeof(*w->slots));
	w->slots = NULL;
}

uint32_t flux_rxwin_take(struct flux_rxwin *w, uint64_t seq)
{
	uint32_t buf = flux_pool_take(w->pool);

	if (buf == FLUX_POOL_NONE && seq == w->ack && !w->promise_used) {
		w->promise_used = true;
		buf = flux_pool_take_promised(w->pool);
	}
	return buf;
}

void flux_rxwin_put(struct flux_rxwin *w, uint64_t seq, uint32_t buf, const uint8_t *data, uint16_t len,
		    bool rtx)
{
	*flux_rxwin_slot(w, seq) = (struct flux_rx_slot){
		.data = data,
		.buf = buf,
		.len = len,
		.state = FLUX_RX_PRESENT,
		.by_rtx = rtx,
		.lent = 1,
	};
	w->present++;
	if (w->lent_from == w->lent_to) {
		w->lent_from = seq;
		w->lent_to = seq + 1;
	} else {
		w->lent_from = flux_min_u64(w->lent_from, seq);
		w->lent_to = flux_max_u64(w->lent_to, seq + 1);
	}
	if (seq >= w->high)
		w->high = seq + 1;
}

void flux_rxwin_advance(struct flux_rxwin *w)
{
	while (w->ack < w->high && flux_rxwin_slot(w, w->ack)->state >= FLUX_RX_PRESENT)
		w->ack++;
}

void flux_rxwin_release(struct flux_rxwin *w, uint64_t seq)
{
	for (; w->consumed < seq; w->consumed++) {
		struct flux_rx_slot *slot = flux_rxwin_slot(w, w->consumed);

		if (slot->state == FLUX_RX_PRESENT) {
			if (!FLUX_MUTATION(LEAK_BUFFER))
				give_buffer(w, slot->buf);
			w->present--;
		}
		slot->state = FLUX_RX_EMPTY;
	}
}

void flux_rxwin_settle(struct flux_rxwin *w)
{
	for (uint64_t s = flux_max_u64(w->lent_from, w->consumed); s < w->lent_to; s++) {
		struct flux_rx_slot *slot = flux_rxwin_slot(w, s);

		if (slot->state != FLUX_RX_PRESENT || !slot->lent)
			continue;
		slot->data = memcpy(flux_pool_at(w->pool, slot->buf), slot->data, slot->len);
		slot->lent = 0;
	}
	w->lent_from = w->lent_to = w->consumed;
}

const char *flux_rxwin_check(const struct flux_rxwin *w)
{
	uint32_t present = 0;

	if (w->consumed > w->ack || w->ack > w->high || w->high - w->consumed > w->window)
		return "rxwin: consumed <= ack <= high <= consumed + window broken";
	for (uint64_t s = w->consumed; s < w->high; s++) {
		const struct flux_rx_slot *slot = flux_rxwin_slot(w, s);

		if (slot->state == FLUX_RX_EMPTY)
			return "rxwin: a hole that nobody tracks";
		if (slot->state == FLUX_RX_MISSING && s < w->ack)
			return "rxwin: acknowledged but missing";
		if (s == w->ack && slot->state != FLUX_RX_MISSING)
			return "rxwin: could be acknowledged but is not";
		present += slot->state == FLUX_RX_PRESENT;
	}
	return present != w->present ? "rxwin: present miscounted" : NULL;
}
