/* SPDX-License-Identifier: MIT */
/* The life of a session from proof of both ends to its last word (protocol 3.1). */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/crc32c.h"
#include "core/base/mutation.h"
#include "core/base/text.h"
#include "core/endpoint/endpoint.h"

#define TOMB_MIN FLUX_MS(100)

static void put_u64(uint8_t *out, uint64_t v)
{
	struct flux_writer w;

	flux_writer_init(&w, out, 8);
	flux_write_u64(&w, v);
}

void flux_session_set_tags(struct flux_session *s)
{
	uint8_t nonces[16];
	uint32_t to_server, to_client;

	put_u64(nonces, s->nonce_c);
	put_u64(nonces + 8, s->nonce_s);
	to_server = flux_crc32c(1, nonces, sizeof(nonces));
	to_client = flux_crc32c(2, nonces, sizeof(nonces));
	s->tag_tx = s->incoming ? to_client : to_server;
	s->tag_rx = s->incoming ? to_server : to_client;
}

/* The longest message to send: what the peer takes, and what our queue holds as a whole. */
static uint32_t max_message(const struct flux_endpoint *ep, const struct flux_session *s)
{
	uint32_t body = s->max_datagram - FLUX_HEADER_LEN - FLUX_TRAILER_LEN - 8;
	uint64_t fits = (uint64_t)(ep->cfg.tx_queue / s->max_datagram - 5) * body;

	return (uint32_t)flux_min_u64(s->peer_max_message, fits);
}

static int open_streams(struct flux_endpoint *ep, struct flux_session *s)
{
	const struct flux_rxstream_cfg rx = {
		.mem = ep->mem,
		.pool = &ep->rx_pool,
		.first_seq = s->first_rx,
		.size = ep->cfg.window,
		.window = s->window,
		.max_message = ep->cfg.max_message,
	};
	const struct flux_txstream_cfg tx = {
		.mem = ep->mem,
		.first_seq = s->first_tx,
		.limit = s->first_tx + s->peer_window,
		.max_datagram = s->max_datagram,
		.max_message = max_message(ep, s),
		.queue_bytes = ep->cfg.tx_queue,
		.cwnd = ep->cfg.cwnd,
		.rate_bps = ep->cfg.rate_bps,
	};
	int rc = flux_rxstream_init(&s->rx, &rx);

	if (rc)
		return rc;
	rc = flux_txstream_init(&s->tx, &tx);
	if (rc)
		flux_rxstream_fini(&s->rx);
	return rc;
}

void flux_session_end_earlier(struct flux_endpoint *ep, struct flux_session *now_up)
{
	struct flux_session *s = now_up;

	/* Those behind it are older: a late word of an old life must not end the new one. */
	while ((s = flux_table_peer(ep, &now_up->peer, s)))
		if ((s->state == FLUX_S_UP || s->state == FLUX_S_DRAIN) && s->peer_boot != now_up->peer_boot)
			flux_session_end(ep, s, FLUX_ERESTARTED, 0, FLUX_CODE_RESTART,
					 "the peer started anew");
}

bool flux_session_up(struct flux_endpoint *ep, struct flux_session *s)
{
	int rc = open_streams(ep, s);

	if (flux_node_linked(&s->half)) {
		flux_list_remove(&s->half);
		ep->n_half--;
	}
	s->t_heard = ep->now;
	if (rc) {
		ep->stats.sessions_refused++;
		flux_session_end(ep, s, rc, FLUX_CLOSE_ABORT, FLUX_CODE_BUSY, "no memory for a session");
		return false;
	}
	s->open = true;
	s->state = FLUX_S_UP;
	s->want_ping = true;
	s->known = true;
	flux_reorder_update(&s->rx.reorder, &s->rtt);
	flux_session_raise(ep, s, FLUX_PENDING_UP | (FLUX_MUTATION(EOS_TOO_SOON) ? FLUX_PENDING_EOS : 0));
	flux_session_touch(ep, s);
	flux_session_set_timer(ep, s, false);
	return true;
}

static void set_text(struct flux_session *s, const char *text)
{
	struct flux_text t;

	flux_text_init(&t, s->end.text, sizeof(s->end.text));
	flux_text_str(&t, text ? text : "");
}

static void bury(struct flux_endpoint *ep, struct flux_session *s)
{
	flux_ts rest = flux_ts_max(3 * flux_rtt_rto(&s->rtt), TOMB_MIN);

	s->state = FLUX_S_TOMB;
	s->end.t_next = flux_ts_add(ep->now, rest);
	s->end.t_drop = flux_ts_add(ep->now, s->idle_timeout);
	flux_session_refresh(ep, s);
	flux_session_set_timer(ep, s, false);
}

void flux_session_tell_closed(struct flux_endpoint *ep, struct flux_session *s)
{
	if (s->end.told || (s->end.kind == FLUX_CLOSE_GRACEFUL && s->state == FLUX_S_CLOSING))
		return;
	s->end.told = true;
	if (s->known)
		flux_session_raise(ep, s, FLUX_PENDING_CLOSED);
}

void flux_session_closed(struct flux_endpoint *ep, struct flux_session *s)
{
	bury(ep, s);
	flux_session_tell_closed(ep, s);
}

void flux_session_end(struct flux_endpoint *ep, struct flux_session *s, int reason, uint8_t kind,
		      uint16_t code, const char *text)
{
	s->end.reason = reason;
	s->end.code = code;
	s->end.kind = kind;
	s->end.undelivered = s->open ? flux_txstream_undelivered(&s->tx) : 0;
	set_text(s, text);
	if (!kind) {
		flux_session_closed(ep, s);
		return;
	}
	s->state = FLUX_S_CLOSING;
	s->end.t_next = ep->now;
	flux_session_refresh(ep, s);
	flux_session_touch(ep, s);
	flux_session_set_timer(ep, s, false);
}

/* The peer's words end up on terminals and in logs: nothing but printable characters may pass. */
static void take_text(struct flux_session *s, const struct flux_close *c)
{
	for (uint32_t i = 0; i < c->text_len; i++) {
		char ch = c->text[i];

		s->end.text[i] = (unsigned char)ch < ' ' || ch == 0x7F ? '?' : ch;
	}
	s->end.text[c->text_len] = '\0';
}

void flux_session_ended_by_peer(struct flux_endpoint *ep, struct flux_session *s, const struct flux_close *c)
{
	bool graceful = c->kind == FLUX_CLOSE_GRACEFUL;
	uint64_t undelivered = s->open ? flux_txstream_undelivered(&s->tx) : 0;
	int reason = graceful ? undelivered ? FLUX_EUNDELIVERED : 0 : FLUX_EABORTED;

	if (c->code == FLUX_CODE_IDLE)
		reason = FLUX_ETIMEDOUT;
	else if (c->code == FLUX_CODE_BUSY || c->code == FLUX_CODE_REFUSED)
		reason = FLUX_EREFUSED;
	else if (c->code == FLUX_CODE_PROTOCOL)
		reason = FLUX_EPROTO;
	s->end.drop_unread = !graceful;
	flux_session_end(ep, s, reason, 0, c->code, "");
	take_text(s, c);
	flux_control_close(ep, s, FLUX_CLOSE_ACK);
}

/* In DRAIN: everything sent, EOS last, and consumed by the peer's application? Then part as friends. */
void flux_session_check_drained(struct flux_endpoint *ep, struct flux_session *s)
{
	if (s->state != FLUX_S_DRAIN)
		return;
	if (flux_txstream_finish(&s->tx) && (s->tx.confirmed || FLUX_MUTATION(CLOSE_EARLY)))
		flux_session_end(ep, s, 0, FLUX_CLOSE_GRACEFUL, FLUX_CODE_OK, "");
	else
		flux_session_touch(ep, s);
}

int flux_session_close(struct flux_endpoint *ep, flux_ts now, flux_sid sid, flux_ts linger)
{
	struct flux_session *s = flux_table_find_known(ep, sid);

	now = flux_endpoint_clock(ep, now);
	if (!s || s->state >= FLUX_S_CLOSING)
		return flux_endpoint_fail_closed(ep, sid);
	if (s->state < FLUX_S_UP) {
		flux_session_end(ep, s, 0, 0, FLUX_CODE_OK, "");
		return 0;
	}
	s->state = FLUX_S_DRAIN;
	s->end.t_linger = flux_ts_min(s->end.t_linger, flux_ts_add(now, linger));
	flux_session_check_drained(ep, s);
	flux_session_set_timer(ep, s, false);
	return 0;
}

int flux_session_abort(struct flux_endpoint *ep, flux_ts now, flux_sid sid, uint32_t code, const char *text)
{
	struct flux_session *s = flux_table_find_known(ep, sid);

	flux_endpoint_clock(ep, now);
	if (!s || s->state >= FLUX_S_CLOSING)
		return flux_endpoint_fail_closed(ep, sid);
	s->end.drop_unread = true;
	flux_session_end(ep, s, FLUX_EABORTED, s->state < FLUX_S_UP ? 0 : FLUX_CLOSE_ABORT,
			 (uint16_t)flux_min_u32(code, UINT16_MAX), text);
	return 0;
}

void flux_endpoint_abandon(struct flux_endpoint *ep, flux_ts now, int reason, const char *text)
{
	flux_endpoint_clock(ep, now);
	for (uint32_t i = 0; i < ep->cfg.max_sessions; i++) {
		struct flux_session *s = &ep->sessions[i];

		if (s->state == FLUX_S_FREE || s->state == FLUX_S_TOMB)
			continue;
		if (s->state == FLUX_S_CLOSING)
			flux_session_closed(ep, s); /* why, was said already */
		else
			flux_session_end(ep, s, reason, 0, FLUX_CODE_OK, text);
	}
}
