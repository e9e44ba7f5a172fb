/* SPDX-License-Identifier: MIT */
/* The server's half of the handshake: nothing is stored before a cookie has proven the address. */
#include "core/base/bits.h"
#include "core/base/mutation.h"
#include "core/endpoint/endpoint.h"

#define HALF_LIFE  FLUX_S(3)
#define HALF_YOUNG FLUX_S(1)

static void send_versions(struct flux_endpoint *ep, const struct flux_rx *rx, const struct flux_hello *h)
{
	struct flux_op *op = flux_op_new_answer(ep, rx);
	struct flux_versions v = {
		.cid = h->cid,
		.attempt = h->attempt,
		.ts = h->ts,
		.version_min = FLUX_WIRE_VERSION,
		.version_max = FLUX_WIRE_VERSION,
	};

	if (op)
		flux_op_queue(ep, op,
			      flux_versions_encode(&v, h->nonce, flux_op_image(ep, op), FLUX_IMAGE_BYTES));
}

static void send_cookie(struct flux_endpoint *ep, const struct flux_rx *rx, const struct flux_hello *h)
{
	struct flux_op *op = flux_op_new_answer(ep, rx);
	struct flux_cookie_packet c = { .cid = h->cid, .attempt = h->attempt, .ts = h->ts };

	if (!op)
		return;
	flux_cookie_make(ep, c.cookie, &rx->from, h);
	flux_op_queue(ep, op, flux_cookie_encode(&c, h->nonce, flux_op_image(ep, op), FLUX_IMAGE_BYTES));
	ep->stats.cookies_sent++;
}

static void send_welcome(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_op *op = flux_op_new_control(ep, s);
	struct flux_welcome w = {
		.cid = s->peer_cid,
		.attempt = s->hello_attempt,
		.ts = flux_ts_us(ep->now),
		.version = FLUX_WIRE_VERSION,
		.suite = FLUX_SUITE_CRC,
		.server_cid = s->sid,
		.nonce = s->nonce_s,
		.boot = ep->cfg.boot_id,
		.echo_ts = s->hello_ts,
	};

	if (!op)
		return;
	flux_hello_params(ep, s, &w.params);
	flux_op_queue(ep, op, flux_welcome_encode(&w, s->nonce_c, flux_op_image(ep, op), FLUX_IMAGE_BYTES));
}

/* The session that an earlier copy of the same HELLO made, or NULL. */
static struct flux_session *find_same(const struct flux_endpoint *ep, const struct flux_rx *rx,
				      const struct flux_hello *h)
{
	struct flux_session *s = NULL;

	while ((s = flux_table_peer(ep, &rx->from, s)))
		if (s->incoming && s->nonce_c == h->nonce && s->peer_cid == h->cid)
			return s;
	return NULL;
}

/* When the table is full, the oldest half-open session makes room, if it had its time to be proven. */
static void make_room(struct flux_endpoint *ep)
{
	struct flux_node *oldest = flux_list_first(&ep->half);
	struct flux_session *s;

	if (!oldest || ep->n_free)
		return;
	s = FLUX_CONTAINER(oldest, struct flux_session, half);
	if (!s->lent && ep->now - s->t_hello >= HALF_YOUNG)
		flux_table_remove(ep, s);
}

/* Their HELLO came, for the first time or again: there is a while from now to confirm our WELCOME. */
static void await_proof(struct flux_endpoint *ep, struct flux_session *s)
{
	s->t_hello = ep->now;
	flux_list_remove(&s->half);
	flux_list_append(&ep->half, &s->half);
	flux_heap_set(&ep->timers, &s->timer, flux_ts_add(ep->now, HALF_LIFE));
}

static struct flux_session *make_half(struct flux_endpoint *ep, const struct flux_rx *rx,
				      const struct flux_hello *h)
{
	struct flux_session *s;

	make_room(ep);
	s = flux_table_add(ep, &rx->from, FLUX_S_HALF);
	if (!s || !flux_hello_take_params(ep, s, &h->params)) {
		ep->stats.sessions_refused++;
		if (s)
			flux_table_remove(ep, s);
		return NULL;
	}
	flux_table_set_local(s, rx);
	s->incoming = true;
	s->peer_cid = h->cid;
	s->nonce_c = h->nonce;
	s->nonce_s = flux_rng_u64(&ep->rng);
	s->peer_boot = h->boot;
	flux_session_set_tags(s);
	ep->n_half++;
	return s;
}

void flux_welcome_on_hello(struct flux_endpoint *ep, const struct flux_rx *rx)
{
	struct flux_session *s;
	struct flux_hello h;

	ep->stats.hello_received++;
	switch (flux_hello_decode(&h, rx->data, rx->len)) {
	case FLUX_HELLO_BAD:
		ep->stats.rx_malformed++;
		return;
	case FLUX_HELLO_OTHER_VERSION:
		if (ep->cfg.accept)
			send_versions(ep, rx, &h);
		return;
	case FLUX_HELLO_OK:
		break;
	}
	if (!ep->cfg.accept || h.mode != FLUX_MODE_PLAIN || !(h.suites & 1u << FLUX_SUITE_CRC)) {
		ep->stats.sessions_refused++;
		return;
	}
	if (!flux_cookie_good(ep, &rx->from, &h) && !FLUX_MUTATION(ANSWER_LONGER)) {
		send_cookie(ep, rx, &h);
		return;
	}
	s = find_same(ep, rx, &h);
	if (!s)
		s = make_half(ep, rx, &h);
	if (!s || s->state > FLUX_S_UP)
		return;
	s->hello_ts = h.ts;
	s->hello_attempt = h.attempt;
	if (s->state == FLUX_S_HALF)
		await_proof(ep, s);
	send_welcome(ep, s);
	if (FLUX_MUTATION(ANSWER_LONGER))
		send_welcome(ep, s);
}
