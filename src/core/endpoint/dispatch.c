/* SPDX-License-Identifier: MIT */
/* What the control packets of a session do, and in which of its states (protocol 2.6, 2.8, 3.1). */
#include "core/endpoint/endpoint.h"

static bool is_live(const struct flux_session *s)
{
	return s->state == FLUX_S_UP || s->state == FLUX_S_DRAIN;
}

static bool on_feedback(struct flux_endpoint *ep, struct flux_session *s, struct flux_reader *body)
{
	struct flux_feedback fb;

	if (!flux_feedback_decode(&fb, body))
		return false;
	if (!flux_txstream_on_feedback(&s->tx, ep->now, &fb, body, &s->rtt)) {
		ep->stats.rx_out_of_range++;
		return true;
	}
	if (fb.echo_dly != FLUX_NO_ECHO)
		flux_rtt_sample(&s->rtt, ep->now,
				(int32_t)(flux_ts_us(ep->now) - fb.echo_ts - fb.echo_dly));
	if (flux_txstream_take_writable(&s->tx))
		flux_session_raise(ep, s, FLUX_PENDING_WRITABLE);
	flux_session_touch(ep, s);
	flux_session_check_drained(ep, s);
	return true;
}

static bool on_sync(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
		    struct flux_reader *body)
{
	struct flux_sync sync;

	if (!flux_sync_decode(&sync, body))
		return false;
	if (!flux_rxstream_sync(&s->rx, ep->now, &s->rtt, h->ts, &sync, body))
		ep->stats.rx_out_of_range++;
	flux_session_refresh(ep, s);
	flux_session_touch(ep, s);
	return true;
}

/* Stream 0 was opened by the handshake: say yes again. There are no others yet. */
static bool on_open(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
		    struct flux_reader *body)
{
	struct flux_open open, answer = { .op = FLUX_OPEN_REJECT, .reason = FLUX_CODE_REFUSED };

	if (!flux_open_decode(&open, body))
		return false;
	if (open.op != FLUX_OPEN_OPEN)
		return true;
	if (h->stream == 0) {
		answer.op = FLUX_OPEN_ACCEPT;
		answer.reason = 0;
	}
	answer.first_seq = open.first_seq;
	flux_control_open(ep, s, h->stream, &answer);
	return true;
}

static bool on_ping(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
		    struct flux_reader *body)
{
	struct flux_ping ping;

	/* The answer must not be longer than the question. */
	if (flux_reader_left(body) < FLUX_PONG_LEN || !flux_ping_decode(&ping, body))
		return false;
	flux_control_pong(ep, s, h->ts, &ping);
	return true;
}

static bool on_pong(struct flux_endpoint *ep, struct flux_session *s, struct flux_reader *body)
{
	struct flux_pong pong;

	if (!flux_pong_decode(&pong, body))
		return false;
	if (!s->ping_data || pong.data != s->ping_data) {
		ep->stats.rx_out_of_range++;
		return true;
	}
	s->ping_data = 0;
	flux_rtt_sample(&s->rtt, ep->now, (int32_t)(flux_ts_us(ep->now) - pong.echo_ts - pong.echo_dly));
	flux_session_touch(ep, s);
	return true;
}

static bool on_close(struct flux_endpoint *ep, struct flux_session *s, struct flux_reader *body)
{
	struct flux_close c;

	if (!flux_close_decode(&c, body))
		return false;
	if (c.kind == FLUX_CLOSE_ACK) {
		if (s->state == FLUX_S_CLOSING)
			flux_session_closed(ep, s);
	} else if (is_live(s)) {
		flux_session_ended_by_peer(ep, s, &c);
	} else {
		/* Both closed at once, or our answer was lost: our own reason stands. */
		flux_control_close(ep, s, FLUX_CLOSE_ACK);
		if (s->state == FLUX_S_CLOSING)
			flux_session_closed(ep, s);
	}
	return true;
}

void flux_control_receive(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
			  const struct flux_rx *rx)
{
	struct flux_reader body;
	bool ok = true;

	flux_reader_init(&body, (const uint8_t *)rx->data + FLUX_HEADER_LEN,
			 rx->len - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
	if (h->type == FLUX_PKT_CLOSE) {
		ok = on_close(ep, s, &body);
	} else if (!is_live(s)) {
		ep->stats.rx_out_of_state++;
	} else if (h->stream != 0 && h->type != FLUX_PKT_OPEN) {
		ok = false;
	} else {
		switch (h->type) {
		case FLUX_PKT_FEEDBACK:
			ok = on_feedback(ep, s, &body);
			break;
		case FLUX_PKT_SYNC:
			ok = on_sync(ep, s, h, &body);
			break;
		case FLUX_PKT_OPEN:
			ok = on_open(ep, s, h, &body);
			break;
		case FLUX_PKT_PING:
			ok = on_ping(ep, s, h, &body);
			break;
		case FLUX_PKT_PONG:
			ok = on_pong(ep, s, &body);
			break;
		default: /* of a later version: ignored, though it is the peer's */
			ep->stats.rx_unused++;
			break;
		}
	}
	if (!ok)
		ep->stats.rx_malformed++;
}
