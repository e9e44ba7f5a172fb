/* SPDX-License-Identifier: MIT */
/* Decoding of virtual datagrams and their one-line text. */
#include "tests/sim/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/wire/cursor.h"
#include "core/wire/record.h"

uint64_t sim_view_high(const struct flux_feedback *feedback)
{
	return feedback->ack + (uint32_t)(feedback->high - (uint32_t)feedback->ack);
}

static bool decode_data(struct sim_view *view, const uint8_t *body, uint32_t len)
{
	enum flux_record_result result;
	struct flux_record record;
	uint32_t off = 0;

	view->data.messages = 0;
	view->data.eos = false;
	view->data.first = NULL;
	while ((result = flux_record_next(body, len, &off, &record)) == FLUX_RECORD_OK) {
		if (record.kind == FLUX_REC_META && record.meta == FLUX_META_EOS)
			view->data.eos = true;
		if (record.kind != FLUX_REC_WHOLE && record.kind != FLUX_REC_FIRST)
			continue;
		if (!view->data.messages++) {
			view->data.first = record.data;
			view->data.first_len = record.len;
		}
	}
	return result == FLUX_RECORD_END;
}

static bool decode_feedback(struct flux_feedback *fb, struct flux_reader *r)
{
	if (!flux_feedback_decode(fb, r))
		return false;
	return flux_ranges_decode(fb->ranges, fb->n, r, fb->ack, sim_view_high(fb), UINT32_MAX);
}

/* WELCOME's fixed part, for which the codec wants the client's nonce first. */
static bool decode_welcome(struct flux_welcome *w, struct flux_reader *r)
{
	struct flux_reader params;
	uint16_t hs_len, par_len;
	const uint8_t *bytes;

	memset(w, 0, sizeof(*w));
	w->version = flux_read_u8(r);
	w->suite = flux_read_u8(r);
	hs_len = flux_read_u16(r);
	w->server_cid = flux_read_u32(r);
	w->nonce = flux_read_u64(r);
	w->boot = flux_read_u64(r);
	w->echo_ts = flux_read_u32(r);
	w->echo_dly = flux_read_u32(r);
	par_len = flux_read_u16(r);
	flux_read_bytes(r, 14u + hs_len);
	bytes = flux_read_bytes(r, par_len);
	if (!bytes)
		return false;
	flux_reader_init(&params, bytes, par_len);
	return flux_params_decode(&w->params, &params);
}

static bool decode_body(struct sim_view *view, const uint8_t *data, uint32_t len)
{
	uint32_t body_len = len - FLUX_HEADER_LEN - FLUX_TRAILER_LEN;
	struct flux_reader r;

	flux_reader_init(&r, data + FLUX_HEADER_LEN, body_len);
	switch (view->header.type) {
	case FLUX_PKT_DATA:
		return decode_data(view, data + FLUX_HEADER_LEN, body_len);
	case FLUX_PKT_FEEDBACK:
		return decode_feedback(&view->feedback, &r);
	case FLUX_PKT_SYNC:
		return flux_sync_decode(&view->sync, &r);
	case FLUX_PKT_PING:
		return flux_ping_decode(&view->ping, &r);
	case FLUX_PKT_PONG:
		return flux_pong_decode(&view->pong, &r);
	case FLUX_PKT_CLOSE:
		return flux_close_decode(&view->close, &r);
	case FLUX_PKT_HELLO:
		return flux_hello_decode(&view->hello, data, len) == FLUX_HELLO_OK;
	case FLUX_PKT_WELCOME:
		return decode_welcome(&view->welcome, &r);
	default:
		return true;
	}
}

void sim_view_decode(struct sim_view *view, const void *data, uint32_t len)
{
	view->ok = false;
	memset(&view->header, 0, sizeof(view->header));
	if (!flux_header_decode(&view->header, data, len))
		return;
	view->ok = len >= FLUX_HEADER_LEN + FLUX_TRAILER_LEN && decode_body(view, data, len);
}

static const char *const type_names[] = { "NONE", "DATA", "REPAIR", "FEEDBACK", "SYNC", "OPEN",
					  "PING", "PONG", "CLOSE", "RESET", "HELLO", "COOKIE",
					  "WELCOME", "VERSIONS", "PIECE", "EXT" };

static void format_feedback(const struct flux_feedback *fb, char *text, size_t room)
{
	int at = snprintf(text, room, " ack=%" PRIu64 " window=%u high=%" PRIu64 " flags=%u", fb->ack,
			  fb->window, sim_view_high(fb), fb->flags);

	for (uint32_t i = 0; i < fb->n && at > 0 && (size_t)at < room; i++)
		at += snprintf(text + at, room - (size_t)at, "%s%" PRIu64 "+%" PRIu64, i ? "," : " nak=",
			       fb->ranges[i].first, fb->ranges[i].count);
}

static void format_body(const struct sim_view *view, char *text, size_t room)
{
	text[0] = '\0';
	switch (view->header.type) {
	case FLUX_PKT_DATA:
		snprintf(text, room, " messages=%u%s", view->data.messages, view->data.eos ? " EOS" : "");
		break;
	case FLUX_PKT_FEEDBACK:
		format_feedback(&view->feedback, text, room);
		break;
	case FLUX_PKT_SYNC:
		snprintf(text, room, " next=%" PRIu64 " floor=%" PRIu64 " hb=%u flags=%u", view->sync.next,
			 view->sync.floor, view->sync.hb, view->sync.flags);
		break;
	case FLUX_PKT_CLOSE:
		snprintf(text, room, " kind=%u code=%u", view->close.kind, view->close.code);
		break;
	case FLUX_PKT_HELLO:
		snprintf(text, room, " attempt=%u cookie=%d", view->hello.attempt, view->hello.has_cookie);
		break;
	case FLUX_PKT_WELCOME:
		snprintf(text, room, " server_cid=%08x", view->welcome.server_cid);
		break;
	default:
		break;
	}
}

const char *sim_view_format(const struct sim_view *view, uint32_t len, char *text, size_t room)
{
	char body[512];

	body[0] = '\0';
	if (view->ok)
		format_body(view, body, sizeof(body));
	snprintf(text, room, "%s %u cid=%08x num=%u%s%s%s", type_names[view->header.type & 15], len,
		 view->header.cid, view->header.num, view->header.rtx ? " RTX" : "",
		 view->ok ? "" : " malformed", body);
	return text;
}
