/* SPDX-License-Identifier: MIT */
/* Bodies of the control packets, field by field as their tables stand in doc/protocol.md. */
#include "core/wire/control.h"

#include <string.h>

#include "core/wire/packet.h"

bool flux_feedback_decode(struct flux_feedback *fb, struct flux_reader *r)
{
	fb->ack = flux_read_u64(r);
	fb->window = flux_read_u32(r);
	fb->high = flux_read_u32(r);
	fb->rx_bytes = flux_read_u32(r);
	fb->lost = flux_read_u32(r);
	fb->echo_ts = flux_read_u32(r);
	fb->echo_dly = flux_read_u32(r);
	fb->fixed = flux_read_u16(r);
	fb->flags = flux_read_u8(r);
	fb->n = flux_read_u8(r);
	return !r->bad && fb->n <= FLUX_RANGES_MAX;
}

bool flux_sync_decode(struct flux_sync *s, struct flux_reader *r)
{
	bool repairing;
	bool skipped;

	s->next = flux_read_u64(r);
	s->floor = flux_read_u64(r);
	s->srtt = flux_read_u32(r);
	s->rttvar = flux_read_u32(r);
	s->gsize = flux_read_u32(r);
	s->hb = flux_read_u32(r);
	s->cc_rate = flux_read_u16(r);
	s->flags = flux_read_u8(r);
	s->n = flux_read_u8(r);
	repairing = s->flags & FLUX_SYNC_REPAIRING;
	skipped = s->flags & FLUX_SYNC_SKIPPED;
	return !r->bad && s->n <= FLUX_RANGES_MAX && (s->n == 0 || repairing != skipped);
}

bool flux_ranges_decode(struct flux_range *out, uint8_t n, struct flux_reader *r, uint64_t base,
			uint64_t high, uint64_t limit)
{
	uint64_t pos = base;

	if (base > high)
		return false;
	for (uint8_t i = 0; i < n; i++) {
		uint64_t skip = flux_read_varint(r);
		uint64_t run = flux_read_varint(r); /* the length - 1 */

		/* pos <= high holds throughout, so none of these can wrap. */
		if (r->bad || skip >= high - pos)
			return false;
		pos += skip;
		if (run >= high - pos || run >= limit)
			return false;
		out[i].first = pos;
		out[i].count = run + 1;
		pos += run + 1;
		limit -= run + 1;
	}
	return true;
}

static void ranges_encode(const struct flux_range *ranges, uint8_t n, uint64_t base,
			  struct flux_writer *w)
{
	uint64_t pos = base;

	for (uint8_t i = 0; i < n; i++) {
		flux_write_varint(w, ranges[i].first - pos);
		flux_write_varint(w, ranges[i].count - 1);
		pos = ranges[i].first + ranges[i].count;
	}
}

void flux_feedback_encode(const struct flux_feedback *fb, struct flux_writer *w)
{
	flux_write_u64(w, fb->ack);
	flux_write_u32(w, fb->window);
	flux_write_u32(w, fb->high);
	flux_write_u32(w, fb->rx_bytes);
	flux_write_u32(w, fb->lost);
	flux_write_u32(w, fb->echo_ts);
	flux_write_u32(w, fb->echo_dly);
	flux_write_u16(w, fb->fixed);
	flux_write_u8(w, fb->flags);
	flux_write_u8(w, fb->n);
	ranges_encode(fb->ranges, fb->n, fb->ack, w);
}

void flux_sync_encode(const struct flux_sync *s, struct flux_writer *w)
{
	flux_write_u64(w, s->next);
	flux_write_u64(w, s->floor);
	flux_write_u32(w, s->srtt);
	flux_write_u32(w, s->rttvar);
	flux_write_u32(w, s->gsize);
	flux_write_u32(w, s->hb);
	flux_write_u16(w, s->cc_rate);
	flux_write_u8(w, s->flags);
	flux_write_u8(w, s->n);
	ranges_encode(s->ranges, s->n, s->floor, w);
}

bool flux_open_decode(struct flux_open *o, struct flux_reader *r)
{
	o->op = flux_read_u8(r);
	flux_read_u8(r);
	o->reason = flux_read_u16(r);
	o->first_seq = flux_read_u64(r);
	if (r->bad || o->op < FLUX_OPEN_OPEN || o->op > FLUX_OPEN_STOP)
		return false;
	return flux_params_decode(&o->params, r);
}

void flux_open_encode(const struct flux_open *o, struct flux_writer *w)
{
	flux_write_u8(w, o->op);
	flux_write_u8(w, 0);
	flux_write_u16(w, o->reason);
	flux_write_u64(w, o->first_seq);
	flux_params_encode(&o->params, w);
}

bool flux_ping_decode(struct flux_ping *p, struct flux_reader *r)
{
	p->data = flux_read_u64(r);
	p->size = flux_read_u16(r);
	p->flags = flux_read_u8(r);
	p->path = flux_read_u8(r);
	flux_read_u32(r);
	return !r->bad;
}

void flux_ping_encode(const struct flux_ping *p, struct flux_writer *w)
{
	const uint32_t bare = FLUX_HEADER_LEN + FLUX_PING_LEN + FLUX_TRAILER_LEN;

	if (p->size < bare) {
		w->bad = true;
		return;
	}
	flux_write_u64(w, p->data);
	flux_write_u16(w, p->size);
	flux_write_u8(w, p->flags);
	flux_write_u8(w, p->path);
	flux_write_u32(w, 0);
	flux_write_zeros(w, p->size - bare);
}

bool flux_pong_decode(struct flux_pong *p, struct flux_reader *r)
{
	p->data = flux_read_u64(r);
	p->size = flux_read_u16(r);
	p->flags = flux_read_u8(r);
	p->path = flux_read_u8(r);
	p->echo_ts = flux_read_u32(r);
	p->echo_dly = flux_read_u32(r);
	flux_read_u32(r);
	return !r->bad;
}

void flux_pong_encode(const struct flux_pong *p, struct flux_writer *w)
{
	flux_write_u64(w, p->data);
	flux_write_u16(w, p->size);
	flux_write_u8(w, p->flags);
	flux_write_u8(w, p->path);
	flux_write_u32(w, p->echo_ts);
	flux_write_u32(w, p->echo_dly);
	flux_write_u32(w, 0);
}

bool flux_close_decode(struct flux_close *c, struct flux_reader *r)
{
	size_t text_len;

	c->kind = flux_read_u8(r);
	flux_read_u8(r);
	c->code = flux_read_u16(r);
	flux_read_u32(r);
	text_len = flux_reader_left(r);
	if (r->bad || c->kind < FLUX_CLOSE_GRACEFUL || c->kind > FLUX_CLOSE_ACK ||
	    text_len > FLUX_CLOSE_TEXT_MAX)
		return false;
	c->text_len = (uint8_t)text_len;
	memset(c->text, 0, sizeof(c->text));
	memcpy(c->text, flux_read_bytes(r, text_len), text_len);
	return true;
}

void flux_close_encode(const struct flux_close *c, struct flux_writer *w)
{
	if (c->text_len > FLUX_CLOSE_TEXT_MAX) {
		w->bad = true;
		return;
	}
	flux_write_u8(w, c->kind);
	flux_write_u8(w, 0);
	flux_write_u16(w, c->code);
	flux_write_u32(w, 0);
	flux_write_bytes(w, c->text, c->text_len);
}
