/* SPDX-License-Identifier: MIT */
/* Building the control packets of a session: FEEDBACK, SYNC, PING, PONG, CLOSE, OPEN. */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/mutation.h"
#include "core/endpoint/endpoint.h"

struct draft {
	struct flux_op *op;
	struct flux_writer body;
};

/* Take an image and write the header; false if none is free. */
static bool begin(struct flux_endpoint *ep, struct flux_session *s, uint8_t type, uint16_t stream,
		  struct draft *d)
{
	struct flux_header h = {
		.version = FLUX_WIRE_VERSION,
		.type = type,
		.stream = stream,
		.cid = s->peer_cid,
		.num = (uint32_t)s->control_next,
		.ts = flux_ts_us(ep->now),
	};
	uint8_t *image;

	d->op = flux_op_new_control(ep, s);
	if (!d->op)
		return false;
	s->control_next++;
	image = flux_op_image(ep, d->op);
	flux_header_encode(&h, image);
	flux_writer_init(&d->body, image + FLUX_HEADER_LEN,
			 FLUX_IMAGE_BYTES - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
	return true;
}

static void finish(struct flux_endpoint *ep, struct flux_session *s, struct draft *d)
{
	uint8_t *image = flux_op_image(ep, d->op);
	size_t len = (size_t)(d->body.pos - image);

	if (d->body.bad) {
		flux_op_queue(ep, d->op, 0);
		return;
	}
	flux_trailer_seal(image, len, s->tag_tx);
	flux_op_queue(ep, d->op, len + FLUX_TRAILER_LEN);
}

static bool send_feedback(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_feedback fb;
	struct draft d;

	if (!begin(ep, s, FLUX_PKT_FEEDBACK, 0, &d))
		return false;
	flux_rxstream_build_feedback(&s->rx, ep->now, &s->rtt, &fb);
	flux_feedback_encode(&fb, &d.body);
	d.op->kind = FLUX_OP_FEEDBACK;
	s->feedback_queued = !d.body.bad;
	finish(ep, s, &d);
	return true;
}

static bool send_sync(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_sync sync;
	struct draft d;

	if (!begin(ep, s, FLUX_PKT_SYNC, 0, &d))
		return false;
	flux_txstream_build_sync(&s->tx, ep->now, &s->rtt, &sync);
	flux_sync_encode(&sync, &d.body);
	finish(ep, s, &d);
	return true;
}

static bool send_ping(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_ping ping = {
		.size = FLUX_HEADER_LEN + FLUX_PING_LEN + FLUX_PONG_LEN - FLUX_PING_LEN + FLUX_TRAILER_LEN,
	};
	struct draft d;

	if (!begin(ep, s, FLUX_PKT_PING, 0, &d))
		return false;
	while (!s->ping_data) /* asked again, it is the same question: echo_ts tells which copy was answered */
		s->ping_data = flux_rng_u64(&ep->rng);
	ping.data = s->ping_data;
	s->t_ping = ep->now;
	if (s->t_asked <= s->t_heard || s->t_asked < ep->awake_since)
		s->t_asked = ep->now;
	s->want_ping = false;
	flux_ping_encode(&ping, &d.body);
	finish(ep, s, &d);
	return true;
}

bool flux_control_pong(struct flux_endpoint *ep, struct flux_session *s, uint32_t ts,
		       const struct flux_ping *ping)
{
	struct flux_pong pong = {
		.data = ping->data,
		.size = ping->size,
		.flags = ping->flags,
		.path = ping->path,
		.echo_ts = ts,
	};
	struct draft d;

	if (!begin(ep, s, FLUX_PKT_PONG, 0, &d))
		return false;
	flux_pong_encode(&pong, &d.body);
	finish(ep, s, &d);
	return true;
}

bool flux_control_close(struct flux_endpoint *ep, struct flux_session *s, uint8_t kind)
{
	struct flux_close c = { .kind = kind, .code = s->end.code };
	struct draft d;

	if (!begin(ep, s, FLUX_PKT_CLOSE, 0, &d))
		return false;
	if (kind != FLUX_CLOSE_ACK) {
		c.text_len = (uint8_t)strlen(s->end.text);
		memcpy(c.text, s->end.text, c.text_len);
		d.op->kind = FLUX_OP_CLOSE;
	}
	flux_close_encode(&c, &d.body);
	finish(ep, s, &d);
	return true;
}

bool flux_control_open(struct flux_endpoint *ep, struct flux_session *s, uint16_t stream,
		       const struct flux_open *answer)
{
	struct draft d;

	if (!begin(ep, s, FLUX_PKT_OPEN, stream, &d))
		return false;
	flux_open_encode(answer, &d.body);
	finish(ep, s, &d);
	return true;
}

/* CLOSE again, at doubling intervals, three times in all; the last wait ends in TOMB (timers.c). */
static bool service_closing(struct flux_endpoint *ep, struct flux_session *s)
{
	if (ep->now < s->end.t_next || s->end.tries >= FLUX_CLOSE_TRIES)
		return true;
	for (int i = 0; i < (FLUX_MUTATION(CLOSE_OFTEN) ? 5 : 1); i++)
		if (!flux_control_close(ep, s, s->end.kind))
			return false;
	s->end.t_next = flux_ts_add(ep->now, flux_rtt_rto(&s->rtt) << s->end.tries);
	s->end.tries++;
	return true;
}

static bool service_up(struct flux_endpoint *ep, struct flux_session *s)
{
	if ((s->want_ping || ep->now >= flux_session_ping_time(s)) && !send_ping(ep, s))
		return false;
	if (!s->feedback_queued && flux_rxstream_feedback_due(&s->rx, ep->now, &s->rtt) &&
	    !send_feedback(ep, s))
		return false;
	return !flux_txstream_sync_due(&s->tx, ep->now) || send_sync(ep, s);
}

bool flux_control_service(struct flux_endpoint *ep, struct flux_session *s)
{
	switch (s->state) {
	case FLUX_S_WAIT:
		return ep->now < s->knock.t_next || flux_hello_send(ep, s);
	case FLUX_S_UP:
	case FLUX_S_DRAIN:
		return service_up(ep, s);
	case FLUX_S_CLOSING:
		return service_closing(ep, s);
	default:
		return true;
	}
}
