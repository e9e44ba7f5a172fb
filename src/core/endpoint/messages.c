/* SPDX-License-Identifier: MIT */
/* The application's side of a session: sending and reading messages (flux/session.h). */
#include "core/base/bits.h"
#include "core/base/mutation.h"
#include "core/endpoint/endpoint.h"
#include "core/rudp/pack.h"

/* The session if messages may go into it, or NULL. */
static struct flux_session *find_up(const struct flux_endpoint *ep, flux_sid sid)
{
	struct flux_session *s = flux_table_find_known(ep, sid);

	return s && s->state == FLUX_S_UP ? s : NULL;
}

/* Why they may not. */
static int refuse(struct flux_endpoint *ep, flux_sid sid)
{
	const struct flux_session *s = flux_table_find_known(ep, sid);

	if (!s || s->state > FLUX_S_UP)
		return flux_endpoint_fail_closed(ep, sid);
	return flux_endpoint_fail(ep, FLUX_EAGAIN, "session ", sid, " is not up yet: wait for FLUX_EVENT_UP");
}

static int explain(struct flux_endpoint *ep, const struct flux_session *s, int rc, bool claim)
{
	switch (rc) {
	case FLUX_EAGAIN:
		return flux_endpoint_fail(ep, rc, "the send queue of ", s->tx.win.cap,
					  " bytes is full: wait for FLUX_EVENT_WRITABLE, or raise tx_queue");
	case FLUX_EMSGSIZE:
		if (claim)
			return flux_endpoint_fail(ep, rc, "a claim holds at most ",
						  flux_txstream_max_claim(&s->tx),
						  " bytes: use send for longer messages");
		if (s->tx.max_message < s->peer_max_message)
			return flux_endpoint_fail(ep, rc, "the send queue holds messages of at most ",
						  s->tx.max_message, " bytes: raise tx_queue");
		return flux_endpoint_fail(ep, rc, "the peer takes messages of at most ", s->tx.max_message,
					  " bytes: raise max_message at its end");
	case FLUX_EBUSY:
		return flux_endpoint_fail(ep, rc, "a claim of ", s->tx.claim_len,
					  " bytes is unfinished: publish or abort it first");
	case FLUX_EINVAL:
		return flux_endpoint_fail(ep, rc, "publish needs an open claim and at most its ",
					  s->tx.claimed ? s->tx.claim_len : 0, " bytes");
	default:
		return rc;
	}
}

int flux_session_send(struct flux_endpoint *ep, flux_sid sid, const void *data, uint32_t len)
{
	struct flux_session *s = find_up(ep, sid);
	int rc;

	if (!s)
		return refuse(ep, sid);
	rc = flux_txstream_send(&s->tx, data, len);
	if (rc)
		return explain(ep, s, rc, false);
	flux_session_touch(ep, s);
	return 0;
}

int flux_session_claim(struct flux_endpoint *ep, flux_sid sid, uint32_t len, struct flux_claim *claim)
{
	struct flux_session *s = find_up(ep, sid);
	void *data;
	int rc;

	if (!s)
		return refuse(ep, sid);
	data = flux_pack_claim(&s->tx, len);
	if (!data) {
		rc = flux_txstream_claim(&s->tx, len, &data);
		if (rc)
			return explain(ep, s, rc, true);
	}
	*claim = (struct flux_claim){ .data = data, .len = len / (FLUX_MUTATION(CLAIM_SHORT) ? 2 : 1) };
	return 0;
}

int flux_session_publish(struct flux_endpoint *ep, flux_sid sid, uint32_t len)
{
	struct flux_session *s = find_up(ep, sid);
	int rc;

	if (!s)
		return refuse(ep, sid);
	if (!flux_pack_publish(&s->tx, len)) {
		rc = flux_txstream_publish(&s->tx, len);
		if (rc)
			return explain(ep, s, rc, true);
	}
	flux_session_touch(ep, s);
	return 0;
}

int flux_session_claim_some(struct flux_endpoint *ep, flux_sid sid, uint32_t len, uint32_t most,
			    struct flux_claims *claims)
{
	struct flux_session *s = find_up(ep, sid);
	void *data;
	int rc;

	if (!s)
		return refuse(ep, sid);
	rc = flux_txstream_claim_some(&s->tx, len, &most, &data);
	if (rc == FLUX_EINVAL)
		return flux_endpoint_fail(ep, rc, "a claim is of at least ", 1, " message");
	if (rc)
		return explain(ep, s, rc, true);
	*claims = (struct flux_claims){
		.data = data,
		.len = len,
		.n = most,
		.stride = flux_record_header_len(FLUX_REC_WHOLE, len) + len,
	};
	return 0;
}

int flux_session_publish_some(struct flux_endpoint *ep, flux_sid sid, uint32_t n)
{
	struct flux_session *s = find_up(ep, sid);
	int rc;

	if (!s)
		return refuse(ep, sid);
	rc = flux_txstream_publish_some(&s->tx, n);
	if (rc)
		return flux_endpoint_fail(ep, rc, "publish needs an open claim and at most its ", s->tx.claimed,
					  " messages");
	flux_session_touch(ep, s);
	return 0;
}

void flux_session_abort_claim(struct flux_endpoint *ep, flux_sid sid)
{
	struct flux_session *s = flux_table_find_known(ep, sid);

	if (!s || !s->open)
		return;
	flux_txstream_abort(&s->tx);
	flux_session_touch(ep, s);
}

uint32_t flux_session_max_message(const struct flux_endpoint *ep, flux_sid sid)
{
	const struct flux_session *s = flux_table_find_known(ep, sid);

	return s && s->state == FLUX_S_UP ? s->tx.max_message : 0;
}

uint32_t flux_session_max_claim(const struct flux_endpoint *ep, flux_sid sid)
{
	const struct flux_session *s = flux_table_find_known(ep, sid);

	return s && s->state == FLUX_S_UP ? flux_txstream_max_claim(&s->tx) : 0;
}

/* Reading may have met the end of the stream, or records that break their rules. */
static void after_reading(struct flux_endpoint *ep, struct flux_session *s, bool had_eos)
{
	if (s->rx.delivery.eos && !had_eos)
		s->pending |= FLUX_PENDING_EOS;
	if (s->rx.delivery.broken && s->state < FLUX_S_CLOSING) {
		s->end.drop_unread = true;
		flux_session_end(ep, s, FLUX_EPROTO, FLUX_CLOSE_ABORT, FLUX_CODE_PROTOCOL,
				 "records break their rules, or a message is over max_message");
	}
	flux_session_refresh(ep, s);
	flux_session_touch(ep, s);
}

uint32_t flux_session_read(struct flux_endpoint *ep, flux_sid sid, struct flux_msg *msgs, uint32_t max)
{
	struct flux_session *s = flux_table_find_known(ep, sid);
	bool had_eos;
	uint32_t n;

	if (!s || !s->open || s->end.drop_unread)
		return 0;
	had_eos = s->rx.delivery.eos;
	n = flux_delivery_read(&s->rx.delivery, &s->rx.win, msgs, s->paused ? 0 : max);
	if (!n || s->rx.delivery.broken)
		after_reading(ep, s, had_eos);
	return n;
}

void flux_session_release(struct flux_endpoint *ep, flux_sid sid, uint32_t n)
{
	struct flux_session *s = flux_table_find_known(ep, sid);

	if (!s || !s->open || !n)
		return;
	flux_delivery_release(&s->rx.delivery, &s->rx.win, n);
	after_reading(ep, s, s->rx.delivery.eos);
}

void flux_session_pause(struct flux_endpoint *ep, flux_sid sid, int paused)
{
	struct flux_session *s = flux_table_find_known(ep, sid);

	if (!s)
		return;
	s->paused = paused != 0;
	flux_session_refresh(ep, s);
}
