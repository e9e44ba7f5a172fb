/* SPDX-License-Identifier: MIT */
/* Where a datagram belongs, whether it is authentic, and what a session does with it. */
#include <string.h>

#include "core/base/addr.h"
#include "core/base/mutation.h"
#include "core/base/seq.h"
#include "core/endpoint/endpoint.h"

#define RESETS_PER_SECOND 10u
#define RESET_MIN         41u /* answered with less than came */

/* A packet for a session that we do not know: say so, but never more than was asked, nor often. */
static void answer_unknown(struct flux_endpoint *ep, const struct flux_header *h, const struct flux_rx *rx)
{
	uint8_t token[FLUX_RESET_TOKEN_LEN];
	struct flux_op *op;

	ep->stats.rx_unknown++;
	if (rx->len < RESET_MIN || h->type == FLUX_PKT_RESET || h->cid >> 31)
		return;
	if (ep->now - ep->t_resets >= FLUX_S(1)) {
		ep->t_resets = ep->now;
		ep->resets_left = RESETS_PER_SECOND;
	}
	if (!ep->resets_left)
		return;
	op = flux_op_new_answer(ep, rx);
	if (!op)
		return;
	ep->resets_left--;
	ep->stats.resets_sent++;
	flux_reset_token(ep, h->cid, &rx->from, token);
	flux_op_queue(ep, op, flux_reset_encode(h->cid, token, 40, flux_op_image(ep, op), FLUX_IMAGE_BYTES));
}

/* RESET names the cid that its sender was addressed by: our peer's. */
static void on_reset(struct flux_endpoint *ep, const struct flux_rx *rx)
{
	uint8_t token[FLUX_RESET_TOKEN_LEN], diff = 0;
	struct flux_session *s = NULL;
	uint32_t cid;

	if (!flux_reset_decode(&cid, token, rx->data, rx->len)) {
		ep->stats.rx_malformed++;
		return;
	}
	while ((s = flux_table_peer(ep, &rx->from, s)))
		if (s->peer_cid == cid && s->has_reset_token &&
		    (s->state == FLUX_S_UP || s->state == FLUX_S_DRAIN || s->state == FLUX_S_CLOSING))
			break;
	if (!s) {
		ep->stats.rx_unknown++;
		return;
	}
	for (uint32_t i = 0; i < sizeof(token); i++)
		diff |= token[i] ^ s->reset_token[i];
	if (diff)
		ep->stats.rx_bad_checksum++;
	else if (s->state == FLUX_S_CLOSING)
		flux_session_closed(ep, s);
	else
		flux_session_end(ep, s, FLUX_ERESET, 0, FLUX_CODE_RESTART,
				 "the peer no longer knows this session");
}

static bool authentic(struct flux_endpoint *ep, struct flux_session *s, const struct flux_rx *rx)
{
	if (flux_trailer_check(rx->data, rx->len, s->tag_rx) || FLUX_MUTATION(SKIP_CHECKSUM) ||
	    FLUX_MUTATION(SAME_LIFE))
		return true;
	ep->stats.rx_bad_checksum++;
	return false;
}

/* The peer is there, and this is its session: a half-open one is proven by it. */
static bool heard(struct flux_endpoint *ep, struct flux_session *s)
{
	bool first = !s->confirmed;

	s->t_heard = ep->now;
	s->confirmed = true;
	if (s->state == FLUX_S_HALF && !flux_session_up(ep, s))
		return false;
	/* Not before: a WELCOME that comes late may be of a life that is over. */
	if (first)
		flux_session_end_earlier(ep, s);
	return true;
}

/* Whether the session has a use for DATA of this number; sets data->seq. */
static bool is_new(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
		   struct flux_rx_data *data)
{
	data->seq = flux_seq_rebuild(s->rx.win.high, h->num);
	switch (flux_rxwin_judge(&s->rx.win, data->seq)) {
	case FLUX_RX_DUPLICATE:
		flux_rxstream_duplicate(&s->rx, &s->rtt, data->seq, data->rtx, data->len);
		return false;
	case FLUX_RX_FAR:
		ep->stats.rx_out_of_range++;
		return false;
	default:
		return true;
	}
}

static void on_data(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
		    const struct flux_rx *rx)
{
	struct flux_rx_data data = {
		.datagram = rx->data,
		.ts = h->ts,
		.len = (uint16_t)rx->len,
		.rtx = h->rtx,
	};
	bool was_open = s->open;

	if (h->stream != 0 || rx->len > s->max_datagram || rx->len <= FLUX_HEADER_LEN + FLUX_TRAILER_LEN) {
		ep->stats.rx_malformed++;
		return;
	}
	/* A duplicate costs no checksum, and is no sign of life. */
	if (was_open && !is_new(ep, s, h, &data))
		return;
	if (!authentic(ep, s, rx) || !heard(ep, s))
		return;
	if (!was_open && !is_new(ep, s, h, &data))
		return;
	if (!flux_rxstream_data(&s->rx, ep->now, &s->rtt, &data))
		ep->stats.rx_no_buffer++;
	flux_list_append(&ep->unsettled, &s->unsettled);
	if (!flux_node_linked(&s->readable)) /* else it is known to be, and stays so */
		flux_session_refresh(ep, s);
	flux_session_touch(ep, s);
}

/* DATA after the end: the peer missed our last word. */
static bool is_over(const struct flux_session *s)
{
	return s->state >= FLUX_S_CLOSING;
}

static void on_session_packet(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
			      const struct flux_rx *rx)
{
	uint64_t num;

	if (h->type == FLUX_PKT_DATA && !is_over(s)) {
		on_data(ep, s, h, rx);
		return;
	}
	if (!authentic(ep, s, rx))
		return;
	if (h->type == FLUX_PKT_DATA || h->type == FLUX_PKT_REPAIR) { /* no numbers of space 3 */
		ep->stats.rx_out_of_state++;
		return;
	}
	num = flux_replay_rebuild(&s->replay, h->num);
	if (!flux_replay_take(&s->replay, num)) {
		ep->stats.rx_replayed++;
		return;
	}
	if (!heard(ep, s))
		return;
	flux_control_receive(ep, s, h, rx);
}

static bool is_answer(uint8_t type)
{
	return type == FLUX_PKT_COOKIE || type == FLUX_PKT_WELCOME || type == FLUX_PKT_VERSIONS;
}

static void receive_one(struct flux_endpoint *ep, const struct flux_rx *rx)
{
	struct flux_session *s;
	struct flux_header h;

	ep->stats.rx_datagrams++;
	ep->stats.rx_bytes += rx->len;
	if (!flux_header_decode(&h, rx->data, rx->len)) {
		ep->stats.rx_malformed++;
		return;
	}
	if (h.type == FLUX_PKT_HELLO) {
		flux_welcome_on_hello(ep, rx);
		return;
	}
	if (h.version != FLUX_WIRE_VERSION && h.type != FLUX_PKT_VERSIONS) {
		ep->stats.rx_malformed++;
		return;
	}
	if (h.type == FLUX_PKT_RESET) {
		on_reset(ep, rx);
		return;
	}
	s = flux_table_find(ep, h.cid);
	if (!s || !flux_addr_same(&s->peer, &rx->from)) {
		if (is_answer(h.type))
			ep->stats.rx_unknown++;
		else
			answer_unknown(ep, &h, rx);
		return;
	}
	if ((s->state == FLUX_S_WAIT) != is_answer(h.type))
		ep->stats.rx_out_of_state++;
	else if (is_answer(h.type))
		flux_hello_on_answer(ep, s, rx, h.type);
	else
		on_session_packet(ep, s, &h, rx);
}

void flux_endpoint_receive(struct flux_endpoint *ep, flux_ts now, const struct flux_rx *rx, uint32_t n)
{
	flux_endpoint_clock(ep, now);
	for (uint32_t i = 0; i < n; i++)
		receive_one(ep, &rx[i]);
}

void flux_endpoint_settle(struct flux_endpoint *ep)
{
	struct flux_node *node;

	if (FLUX_MUTATION(ALLOC_LATER))
		ep->mem->free(ep->mem->ctx, ep->mem->alloc(ep->mem->ctx, 16), 16);
	while ((node = flux_list_first(&ep->unsettled))) {
		flux_list_remove(node);
		flux_rxwin_settle(&FLUX_CONTAINER(node, struct flux_session, unsettled)->rx.win);
	}
}
