/* SPDX-License-Identifier: MIT */
/* The client's half of the handshake: HELLO until COOKIE and WELCOME come (protocol 2.9, 3.1). */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/mutation.h"
#include "core/endpoint/endpoint.h"

#define RETRY_FIRST FLUX_MS(200)
#define RETRY_MAX   FLUX_MS(500)
#define COOKIES_MAX 3 /* followed at once; later ones wait for the timer */

void flux_hello_start(struct flux_endpoint *ep, struct flux_session *s)
{
	s->nonce_c = flux_rng_u64(&ep->rng);
	s->knock = (struct flux_knock){
		.t_next = ep->now,
		.t_give_up = flux_ts_add(ep->now, ep->cfg.connect_timeout),
		.interval = RETRY_FIRST,
	};
	flux_session_touch(ep, s);
	flux_session_set_timer(ep, s, false);
}

void flux_hello_params(const struct flux_endpoint *ep, const struct flux_session *s,
		       struct flux_params *params)
{
	*params = (struct flux_params){
		.has = 1u << FLUX_PARAM_MAX_DATAGRAM | 1u << FLUX_PARAM_IDLE_TIMEOUT |
		       1u << FLUX_PARAM_MAX_MESSAGE | 1u << FLUX_PARAM_WINDOW |
		       1u << FLUX_PARAM_RESET_TOKEN | 1u << FLUX_PARAM_FIRST_SEQ,
		.max_datagram = (uint16_t)ep->cfg.max_datagram,
		.idle_timeout_ms = (uint32_t)(ep->cfg.idle_timeout / FLUX_MS(1)),
		.max_message = ep->cfg.max_message,
		.window = s->window,
		.first_seq = s->first_tx,
	};
	flux_reset_token(ep, s->sid, &s->peer, params->reset_token);
}

bool flux_hello_take_params(const struct flux_endpoint *ep, struct flux_session *s,
			    const struct flux_params *p)
{
	const uint32_t needed = 1u << FLUX_PARAM_MAX_DATAGRAM | 1u << FLUX_PARAM_MAX_MESSAGE |
				1u << FLUX_PARAM_WINDOW | 1u << FLUX_PARAM_FIRST_SEQ;

	if (p->unknown_critical || (p->has & needed) != needed)
		return false;
	if (p->max_datagram < 576 || !p->max_message || !p->first_seq || p->first_seq >> 62)
		return false;
	s->max_datagram = flux_min_u32(ep->cfg.max_datagram, p->max_datagram);
	s->peer_max_message = flux_min_u32(p->max_message, 1u << 30);
	s->peer_window = flux_min_u32(p->window, 1u << 20);
	s->first_rx = p->first_seq;
	s->has_reset_token = p->has & 1u << FLUX_PARAM_RESET_TOKEN;
	memcpy(s->reset_token, p->reset_token, sizeof(s->reset_token));
	if (p->has & 1u << FLUX_PARAM_IDLE_TIMEOUT)
		s->idle_timeout = flux_ts_min(s->idle_timeout,
					      flux_ts_max(FLUX_MS(p->idle_timeout_ms), FLUX_MS(500)));
	s->idle_timeout *= FLUX_MUTATION(IDLE_LATE) ? 2 : 1;
	s->idle_timeout /= FLUX_MUTATION(IDLE_EARLY) ? 2 : 1;
	return true;
}

/* The next HELLO is an interval away, give or take a tenth, so that many clients do not march in step. */
static void plan_next(struct flux_endpoint *ep, struct flux_knock *k)
{
	flux_ts spread = k->interval / 5;

	k->t_next = ep->now + k->interval - spread / 2 + flux_rng_u32(&ep->rng) % (spread + 1);
	k->interval = flux_ts_min(k->interval + k->interval / 2, RETRY_MAX);
}

bool flux_hello_send(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_op *op = flux_op_new_control(ep, s);
	struct flux_hello h = {
		.version = FLUX_WIRE_VERSION,
		.mode = FLUX_MODE_PLAIN,
		.has_cookie = s->knock.has_cookie,
		.cid = s->sid,
		.attempt = s->knock.attempt,
		.ts = flux_ts_us(ep->now),
		.version_min = FLUX_WIRE_VERSION,
		.version_max = FLUX_WIRE_VERSION,
		.suites = 1u << FLUX_SUITE_CRC,
		.nonce = s->nonce_c,
		.boot = ep->cfg.boot_id,
	};

	if (!op)
		return false;
	memcpy(h.cookie, s->knock.cookie, sizeof(h.cookie));
	flux_hello_params(ep, s, &h.params);
	flux_op_queue(ep, op, flux_hello_encode(&h, flux_op_image(ep, op), FLUX_IMAGE_BYTES));
	s->knock.attempt++;
	plan_next(ep, &s->knock);
	return true;
}

static void on_cookie(struct flux_endpoint *ep, struct flux_session *s, const struct flux_rx *rx)
{
	struct flux_cookie_packet c;

	if (!flux_cookie_decode(&c, rx->data, rx->len, s->nonce_c) || c.cid != s->sid) {
		ep->stats.rx_bad_checksum++;
		return;
	}
	memcpy(s->knock.cookie, c.cookie, sizeof(s->knock.cookie));
	s->knock.has_cookie = true;
	if (s->knock.cookies >= COOKIES_MAX)
		return;
	s->knock.cookies++;
	s->knock.t_next = ep->now;
	flux_session_touch(ep, s);
}

static void on_welcome(struct flux_endpoint *ep, struct flux_session *s, const struct flux_rx *rx)
{
	struct flux_welcome w;

	if (!flux_welcome_decode(&w, rx->data, rx->len, s->nonce_c) || w.cid != s->sid) {
		ep->stats.rx_bad_checksum++;
		return;
	}
	if (w.version != FLUX_WIRE_VERSION || w.suite != FLUX_SUITE_CRC ||
	    !flux_hello_take_params(ep, s, &w.params)) {
		flux_session_end(ep, s, FLUX_EPROTO, 0, FLUX_CODE_PROTOCOL,
				 "the peer's WELCOME asks for what we do not know");
		return;
	}
	flux_table_set_local(s, rx);
	s->peer_cid = w.server_cid;
	s->nonce_s = w.nonce;
	s->peer_boot = w.boot;
	flux_session_set_tags(s);
	if (w.echo_dly != FLUX_NO_ECHO)
		flux_rtt_sample(&s->rtt, ep->now,
				(int32_t)(flux_ts_us(ep->now) - w.echo_ts - w.echo_dly));
	flux_session_up(ep, s);
}

static void on_versions(struct flux_endpoint *ep, struct flux_session *s, const struct flux_rx *rx)
{
	struct flux_versions v;

	if (!flux_versions_decode(&v, rx->data, rx->len, s->nonce_c) || v.cid != s->sid)
		ep->stats.rx_bad_checksum++;
	else if (v.version_min > FLUX_WIRE_VERSION || v.version_max < FLUX_WIRE_VERSION)
		flux_session_end(ep, s, FLUX_EVERSION, 0, FLUX_CODE_REFUSED,
				 "the peer speaks other protocol versions");
}

void flux_hello_on_answer(struct flux_endpoint *ep, struct flux_session *s, const struct flux_rx *rx,
			  uint8_t type)
{
	if (type == FLUX_PKT_COOKIE)
		on_cookie(ep, s, rx);
	else if (type == FLUX_PKT_WELCOME)
		on_welcome(ep, s, rx);
	else
		on_versions(ep, s, rx);
}
