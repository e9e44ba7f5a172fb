/* SPDX-License-Identifier: MIT */
/* Datagrams on their way out: shown by peek, lent by commit, given back by retire. */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/mutation.h"
#include "core/endpoint/endpoint.h"

#define QUANTUM 16u /* datagrams a session shows before the next one has its turn */
#define NO_SEQ  UINT64_MAX

static struct flux_op *op_new(struct flux_endpoint *ep, struct flux_session *s, uint8_t kind)
{
	struct flux_op *op;

	if (!ep->n_free_ops)
		return NULL;
	op = &ep->ops[ep->free_ops[--ep->n_free_ops]];
	op->kind = kind;
	op->state = FLUX_OP_SHOWN;
	op->sid = s ? s->sid : 0;
	op->session = s;
	op->seq = NO_SEQ;
	op->image = FLUX_POOL_NONE;
	if (s)
		s->lent++;
	return op;
}

static void op_free(struct flux_endpoint *ep, struct flux_op *op)
{
	if (op->image != FLUX_POOL_NONE)
		flux_pool_give(&ep->images, op->image);
	if (op->sid)
		op->session->lent--;
	op->state = FLUX_OP_FREE;
	ep->free_ops[ep->n_free_ops++] = (uint16_t)(op - ep->ops);
}

static struct flux_op *new_control(struct flux_endpoint *ep, struct flux_session *s,
				   const struct flux_addr *to)
{
	uint32_t image = flux_pool_take(&ep->images);
	struct flux_op *op;

	if (image == FLUX_POOL_NONE)
		return NULL;
	op = op_new(ep, s, FLUX_OP_CONTROL);
	if (!op) {
		flux_pool_give(&ep->images, image);
		return NULL;
	}
	op->image = image;
	op->to = *to;
	op->from = NULL;
	return op;
}

struct flux_op *flux_op_new_control(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_op *op = new_control(ep, s, &s->peer);

	if (op)
		op->from = s->from;
	return op;
}

struct flux_op *flux_op_new_answer(struct flux_endpoint *ep, const struct flux_rx *rx)
{
	struct flux_op *op = new_control(ep, NULL, &rx->from);

	if (op && rx->local) {
		op->local = *rx->local;
		op->from = &op->local;
	}
	return op;
}

void flux_op_queue(struct flux_endpoint *ep, struct flux_op *op, size_t len)
{
	if (!len) {
		op_free(ep, op);
		return;
	}
	op->len = (uint32_t)len;
	op->state = FLUX_OP_QUEUED;
	ep->control[ep->control_tail++ % FLUX_IMAGES] = (uint16_t)(op - ep->ops);
}

static struct flux_tx *show(struct flux_endpoint *ep, struct flux_op *op, const struct flux_addr *to,
			    const struct flux_local *from)
{
	struct flux_tx *tx = &ep->out[ep->n_out++];

	op->state = FLUX_OP_SHOWN;
	*tx = (struct flux_tx){ .token = (uint32_t)(op - ep->ops), .sid = op->sid, .to = *to, .local = from };
	return tx;
}

/* Show queued control datagrams, from the `*from`-th on. */
static void show_control(struct flux_endpoint *ep, uint32_t *from)
{
	for (; *from != ep->control_tail && ep->n_out < FLUX_PEEK_MAX; ++*from) {
		struct flux_op *op = &ep->ops[ep->control[*from % FLUX_IMAGES]];
		struct flux_tx *tx = show(ep, op, &op->to, op->from);

		tx->body = flux_op_image(ep, op);
		tx->body_len = op->len;
	}
}

/* Stamp and checksum a datagram of the window; it never changes after that. */
static void seal(struct flux_endpoint *ep, struct flux_session *s, uint64_t seq)
{
	struct flux_tx_slot *slot = flux_txwin_slot(&s->tx.win, seq);
	uint8_t *image = flux_txwin_image(&s->tx.win, slot);
	struct flux_header h = {
		.version = FLUX_WIRE_VERSION,
		.type = FLUX_PKT_DATA,
		.cid = s->peer_cid,
		.num = (uint32_t)seq,
		.ts = flux_ts_us(ep->now),
	};

	if (slot->sealed)
		return;
	flux_header_encode(&h, image);
	flux_trailer_seal(image, slot->len - FLUX_TRAILER_LEN, s->tag_tx);
	slot->sealed = 1;
}

static void show_data(struct flux_endpoint *ep, struct flux_session *s, struct flux_op *op)
{
	const struct flux_tx_slot *slot = flux_txwin_slot(&s->tx.win, op->seq);
	const uint8_t *image = flux_txwin_image(&s->tx.win, slot);
	struct flux_tx *tx = show(ep, op, &s->peer, s->from);

	op->len = slot->len;
	tx->body = image;
	tx->body_len = slot->len;
	if (op->kind != FLUX_OP_RTX)
		return;
	/* The image stays as it is; the repair has a header of its own. */
	memcpy(op->head, image, FLUX_HEADER_LEN);
	op->head[1] |= FLUX_MUTATION(NO_RTX_BIT) ? 0 : FLUX_RTX_BIT;
	op->head[12] ^= (uint8_t)FLUX_MUTATION(NEW_STAMP);
	tx->head = op->head;
	tx->head_len = FLUX_HEADER_LEN;
	tx->body = image + FLUX_HEADER_LEN;
	tx->body_len -= FLUX_HEADER_LEN;
}

/* Whether the session may send DATA: its streams live and the peer has not ended them. */
static bool may_send_data(const struct flux_session *s)
{
	return s->open && (s->state == FLUX_S_UP || s->state == FLUX_S_DRAIN);
}

/* Show up to a quantum of a session's datagrams; false: nothing more is due now. */
static bool show_session(struct flux_endpoint *ep, struct flux_session *s)
{
	enum flux_tx_due due;

	if (!may_send_data(s))
		return false;
	if (s->scan_peek != ep->peeks || FLUX_MUTATION(SHOW_TWICE))
		flux_txstream_scan(&s->tx, &s->scan);
	s->scan_peek = ep->peeks;
	for (uint32_t n = 0; n < QUANTUM && ep->n_out < FLUX_PEEK_MAX; n++) {
		uint64_t seq;
		struct flux_op *op;

		if (!ep->n_free_ops)
			return true;
		due = flux_txstream_due(&s->tx, &s->scan, ep->now, &s->rtt, &seq);
		if (due == FLUX_DUE_NOTHING)
			return false;
		op = op_new(ep, s, due == FLUX_DUE_RTX ? FLUX_OP_RTX : FLUX_OP_DATA);
		op->seq = seq;
		seal(ep, s, seq);
		show_data(ep, s, op);
	}
	return true;
}

/* Forget the last showing, but for control datagrams: theirs are built and stay queued. */
static void unshow(struct flux_endpoint *ep)
{
	for (uint32_t i = 0; i < ep->n_out; i++) {
		struct flux_op *op = &ep->ops[ep->out[i].token];

		if (op->image != FLUX_POOL_NONE) {
			op->state = FLUX_OP_QUEUED;
		} else {
			flux_session_touch(ep, op->session);
			op_free(ep, op);
		}
	}
	ep->n_out = 0;
}

uint32_t flux_endpoint_peek(struct flux_endpoint *ep, flux_ts now, const struct flux_tx **tx)
{
	uint32_t control = ep->control_head;
	struct flux_node *node, *stuck = NULL;

	flux_endpoint_clock(ep, now);
	unshow(ep);
	ep->peeks++;
	*tx = ep->out;
	if (ep->n_lent >= FLUX_PEEK_MAX)
		return 0;
	show_control(ep, &control);
	while (ep->n_out < FLUX_PEEK_MAX && (node = flux_list_first(&ep->ready)) && node != stuck) {
		struct flux_session *s = FLUX_CONTAINER(node, struct flux_session, ready);
		uint32_t before = ep->n_out;
		bool again = !flux_control_service(ep, s);

		show_control(ep, &control);
		again |= show_session(ep, s);
		again |= control != ep->control_tail;
		flux_list_remove(node);
		if (!again) {
			flux_session_set_timer(ep, s, true);
			continue;
		}
		flux_list_append(&ep->ready, node);
		if (ep->n_out > before)
			stuck = NULL;
		else if (!stuck)
			stuck = node;
	}
	return ep->n_out;
}

static void commit_one(struct flux_endpoint *ep, struct flux_op *op)
{
	struct flux_session *s = op->sid ? op->session : NULL;

	op->state = FLUX_OP_LENT;
	ep->n_lent++;
	ep->stats.tx_datagrams++;
	ep->stats.tx_bytes += op->len;
	if (op->image != FLUX_POOL_NONE) {
		ep->control_head++;
		flux_op_image(ep, op)[20] ^= (uint8_t)FLUX_MUTATION(SCRIBBLE);
	}
	if (op->kind == FLUX_OP_CLOSE)
		flux_session_tell_closed(ep, s);
	if (op->kind == FLUX_OP_FEEDBACK) {
		s->feedback_queued = false;
		flux_session_touch(ep, s);
	}
	if (op->seq == NO_SEQ)
		return;
	if (s->open && op->seq >= s->tx.win.una)
		flux_txstream_sent(&s->tx, ep->now, &s->rtt, op->seq, op->kind == FLUX_OP_RTX);
	else
		op->seq = NO_SEQ; /* acknowledged since it was shown: nothing is pinned */
	flux_session_touch(ep, s);
}

void flux_endpoint_commit(struct flux_endpoint *ep, flux_ts now, uint32_t n)
{
	flux_endpoint_clock(ep, now);
	n = flux_min_u32(n, ep->n_out);
	for (uint32_t i = 0; i < n; i++)
		commit_one(ep, &ep->ops[ep->out[i].token]);
	ep->n_out -= n;
	memmove(ep->out, ep->out + n, ep->n_out * sizeof(*ep->out));
}

/* Room in the window came back: for the end of the stream, or for the application. */
static void room_again(struct flux_endpoint *ep, struct flux_session *s)
{
	flux_session_check_drained(ep, s);
	if (s->state == FLUX_S_UP && flux_txstream_take_writable(&s->tx))
		flux_session_raise(ep, s, FLUX_PENDING_WRITABLE);
}

void flux_endpoint_retire(struct flux_endpoint *ep, const uint32_t *tokens, uint32_t n)
{
	struct flux_session *roomy = NULL;

	for (uint32_t i = 0; i < n; i++) {
		struct flux_op *op = tokens[i] < FLUX_OPS ? &ep->ops[tokens[i]] : NULL;

		if (!op || op->state != FLUX_OP_LENT)
			continue;
		if (op->sid && op->session->open && op->seq != NO_SEQ) {
			flux_txwin_unpin(&op->session->tx.win, op->seq);
			if (roomy && roomy != op->session)
				room_again(ep, roomy);
			roomy = op->session;
		}
		ep->n_lent--;
		op_free(ep, op);
	}
	if (roomy)
		room_again(ep, roomy);
}
