/* SPDX-License-Identifier: MIT */
/* The reader's upper half: records become whole messages. */
#include "core/rudp/delivery.h"

#include <string.h>

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/base/mutation.h"
#include "core/wire/packet.h"

int flux_delivery_init(struct flux_delivery *d, const struct flux_mem *mem, uint64_t first_seq,
		       uint32_t max_message)
{
	*d = (struct flux_delivery){
		.at = { .seq = first_seq },
		.ahead = { .seq = first_seq },
		.mem = mem,
		.max_message = max_message,
	};
	d->whole = flux_mem_take(mem, max_message, 1);
	return d->whole ? 0 : FLUX_ENOMEM;
}

void flux_delivery_fini(struct flux_delivery *d)
{
	flux_mem_give(d->mem, d->whole, d->max_message, 1);
	d->whole = NULL;
}

static void break_off(struct flux_delivery *d)
{
	d->broken = true;
	d->assembling = false;
}

static void begin_message(struct flux_delivery *d, const struct flux_record *rec)
{
	if (rec->total > d->max_message || rec->len > rec->total) {
		break_off(d);
		return;
	}
	memcpy(d->whole, rec->data, rec->len);
	d->have = rec->len;
	d->total = rec->total;
	d->assembling = true;
}

static void continue_message(struct flux_delivery *d, const struct flux_record *rec)
{
	if (d->resync)
		return;
	if (!d->assembling || rec->len > d->total - d->have) {
		break_off(d);
		return;
	}
	if (!FLUX_MUTATION(SKIP_FRAGMENT))
		memcpy(d->whole + d->have, rec->data, rec->len);
	d->have += rec->len;
	if (rec->kind == FLUX_REC_MIDDLE)
		return;
	d->assembling = false;
	d->complete = d->have == d->total;
	d->broken = !d->complete;
}

/* Rules F1 and F2: a continuation leads its datagram, the one behind that of the fragment before. */
static bool in_step(const struct flux_delivery *d, uint64_t seq)
{
	bool leads = d->at.seq != seq || d->at.off == 0;

	return leads && (!d->assembling || seq == d->fragment + 1);
}

/* A record in `seq` with nothing read before it: take it for good. Returns 1 if `msg` was set. */
static uint32_t take_first(struct flux_delivery *d, uint64_t seq, const struct flux_record *rec,
			   struct flux_msg *msg)
{
	bool continues = rec->kind == FLUX_REC_MIDDLE || rec->kind == FLUX_REC_LAST;

	if (d->eos || (continues && !in_step(d, seq)) ||
	    (d->assembling && !continues && rec->kind != FLUX_REC_META)) {
		break_off(d);
		return 0;
	}
	if (rec->kind == FLUX_REC_META) {
		d->eos = rec->meta == FLUX_META_EOS;
		if (d->eos && d->assembling)
			break_off(d);
		return 0;
	}
	d->fragment = seq;
	if (continues) {
		continue_message(d, rec);
	} else {
		d->resync = false;
		if (rec->kind == FLUX_REC_WHOLE && rec->len <= d->max_message) {
			*msg = (struct flux_msg){ .data = rec->data, .len = rec->len };
			return 1;
		}
		if (rec->kind == FLUX_REC_FIRST)
			begin_message(d, rec);
		else
			break_off(d);
	}
	if (!d->complete)
		return 0;
	*msg = (struct flux_msg){ .data = d->whole, .len = d->total };
	return 1;
}

/* The cursor stands at sequences that will never come: pass them and remember the gap. */
static void pass_gap(struct flux_delivery *d, struct flux_rxwin *w)
{
	d->gap = true;
	d->gap_first = d->at.seq;
	while (d->at.seq < w->ack && flux_rxwin_slot(w, d->at.seq)->state == FLUX_RX_SKIPPED)
		d->at.seq++;
	d->gap_last = d->at.seq - 1;
	d->skipped += d->at.seq - d->gap_first;
	d->assembling = false;
	d->resync = true;
	flux_rxwin_release(w, d->at.seq);
}

/* What is read from here on, up to `pos`, needs no release. */
static void pass_to(struct flux_delivery *d, struct flux_rxwin *w, struct flux_delivery_pos pos)
{
	d->at = pos;
	flux_rxwin_release(w, pos.seq);
}

static const uint8_t *body_of(const struct flux_rx_slot *slot)
{
	return slot->data + FLUX_HEADER_LEN;
}

static uint32_t body_len(const struct flux_rx_slot *slot)
{
	return slot->len - FLUX_HEADER_LEN - FLUX_TRAILER_LEN;
}

/* The next record at *pos, stepping over the ends of datagrams; false: there is none yet. */
static bool next_record(struct flux_delivery *d, const struct flux_rxwin *w, struct flux_delivery_pos *pos,
			struct flux_record *rec)
{
	while (pos->seq < w->ack) {
		const struct flux_rx_slot *slot = flux_rxwin_slot(w, pos->seq);
		enum flux_record_result result;

		if (slot->state != FLUX_RX_PRESENT)
			return false;
		result = flux_record_next(body_of(slot), body_len(slot), &pos->off, rec);
		if (result == FLUX_RECORD_OK)
			return true;
		if (result == FLUX_RECORD_BAD) {
			break_off(d);
			return false;
		}
		*pos = (struct flux_delivery_pos){ .seq = pos->seq + 1 };
	}
	return false;
}

/* Where *pos stands at the end of a datagram, step to the next one: its room is free, then. */
static void pass_ends(const struct flux_rxwin *w, struct flux_delivery_pos *pos)
{
	for (; pos->seq < w->ack; *pos = (struct flux_delivery_pos){ .seq = pos->seq + 1 }) {
		const struct flux_rx_slot *slot = flux_rxwin_slot(w, pos->seq);
		struct flux_record rec;
		uint32_t off = pos->off;

		if (slot->state != FLUX_RX_PRESENT ||
		    flux_record_next(body_of(slot), body_len(slot), &off, &rec) != FLUX_RECORD_END)
			return;
	}
}

/* Pass what is no message, up to the first message. Returns 1 if msgs[0] was set. */
static uint32_t read_first(struct flux_delivery *d, struct flux_rxwin *w, struct flux_msg *msgs)
{
	struct flux_delivery_pos pos = d->at;
	struct flux_record rec;

	while (!d->broken && next_record(d, w, &pos, &rec)) {
		if (take_first(d, pos.seq, &rec, msgs)) {
			d->ahead = pos;
			if (d->complete) { /* it lies in our own memory: its datagrams may go */
				pass_ends(w, &pos);
				pass_to(d, w, pos);
			}
			return 1;
		}
		pass_to(d, w, pos);
	}
	pass_to(d, w, pos);
	if (!d->broken && !d->gap && pos.seq < w->ack)
		pass_gap(d, w);
	return 0;
}

/* Whole messages, one behind the other in the datagram at *pos: how nearly all of them lie. */
static uint32_t read_whole(const struct flux_delivery *d, const struct flux_rxwin *w,
			   struct flux_delivery_pos *pos, struct flux_msg *msgs, uint32_t max)
{
	const struct flux_rx_slot *slot = flux_rxwin_slot(w, pos->seq);
	uint32_t off = pos->off, len, size, n = 0;
	const uint8_t *body, *data;

	if (pos->seq >= w->ack || slot->state != FLUX_RX_PRESENT)
		return 0;
	body = body_of(slot);
	len = body_len(slot);
	while (n < max && flux_record_whole(body, len, &off, &data, &size) && size <= d->max_message) {
		msgs[n++] = (struct flux_msg){ .data = data, .len = size };
		pos->off = off;
	}
	return n;
}

uint32_t flux_delivery_read(struct flux_delivery *d, struct flux_rxwin *w, struct flux_msg *msgs,
			    uint32_t max)
{
	struct flux_delivery_pos pos;
	struct flux_record rec;
	uint32_t n;

	if (d->broken || d->gap || !max)
		return d->n_read = 0;
	if (d->complete) {
		msgs[0] = (struct flux_msg){ .data = d->whole, .len = d->total };
		return d->n_read = 1;
	}
	n = read_first(d, w, msgs);
	if (!n || d->complete)
		return d->n_read = n;

	for (;;) {
		n += read_whole(d, w, &d->ahead, msgs + n, max - n);
		pos = d->ahead;
		if (n == max || !next_record(d, w, &pos, &rec) || rec.kind != FLUX_REC_WHOLE ||
		    rec.len > d->max_message)
			return d->n_read = n;
		msgs[n++] = (struct flux_msg){ .data = rec.data, .len = rec.len };
		d->ahead = pos;
	}
}

void flux_delivery_release(struct flux_delivery *d, struct flux_rxwin *w, uint32_t n)
{
	struct flux_delivery_pos pos = d->at;
	struct flux_record rec;

	n = flux_min_u32(n, d->n_read);
	if (!n)
		return;
	d->messages += n;
	if (FLUX_MUTATION(DELIVER_TWICE) && d->messages % 64 > 60)
		return;
	d->n_read -= n;
	if (d->complete) {
		d->complete = false;
		return;
	}
	if (!d->n_read)
		pos = d->ahead;
	else
		for (; n > 0 && next_record(d, w, &pos, &rec); n--)
			;
	pass_ends(w, &pos);
	pass_to(d, w, pos);
}

bool flux_delivery_ready(const struct flux_delivery *d, const struct flux_rxwin *w)
{
	return !d->broken && !d->gap && (d->complete || d->at.seq < w->ack);
}

bool flux_delivery_take_gap(struct flux_delivery *d, uint64_t *first, uint64_t *last)
{
	if (!d->gap)
		return false;
	d->gap = false;
	*first = d->gap_first;
	*last = d->gap_last;
	return true;
}
