/* SPDX-License-Identifier: MIT */
/* What a session does when time has passed, and when that is next (protocol 4.1). */
#include "core/endpoint/endpoint.h"

#define HALF_LIFE     FLUX_S(3)
#define GRACE_MIN     FLUX_MS(100)
#define PING_MIN      FLUX_MS(100)
#define FIRST_SAMPLES 8
#define PING_MAX      FLUX_S(5)
#define CONFIRM_MIN   FLUX_MS(20)
#define CONFIRM_MAX   FLUX_MS(500)
#define BUSY_TOMB     FLUX_MS(10)

/* PINGs keep quiet sessions alive, and measure the path for an end that gets no FEEDBACK. */
flux_ts flux_session_ping_time(const struct flux_session *s)
{
	flux_ts last = flux_ts_max(s->t_heard, s->t_ping);
	flux_ts keep = flux_ts_add(last, s->idle_timeout / 5);
	flux_ts interval = flux_ts_clamp(10 * s->rtt.srtt, PING_MIN, PING_MAX);

	/* A half-open peer forgets us soon: it must hear something. */
	if (!s->confirmed)
		return flux_ts_add(s->t_ping, flux_ts_clamp(2 * flux_rtt_rto(&s->rtt), CONFIRM_MIN, CONFIRM_MAX));
	if (s->rx.t_echo <= s->rtt.t_sample)
		return keep;
	/* The first samples come quickly, so that the variance is that of the path and not of our ignorance. */
	if (s->rtt.samples < FIRST_SAMPLES)
		interval = flux_rtt_known(&s->rtt) ? flux_ts_max(s->rtt.srtt, PING_MIN) : PING_MIN;
	return flux_ts_min(keep, flux_ts_add(flux_ts_max(s->rtt.t_sample, s->t_ping), interval));
}

/* How long a PING's answer may take before silence is believed. */
static flux_ts grace(const struct flux_session *s)
{
	return flux_ts_max(3 * flux_rtt_rto(&s->rtt), GRACE_MIN);
}

/* The PING that silence is judged by: the first one since, sent while we were awake; 0: none yet. */
static flux_ts judging_ping(const struct flux_endpoint *ep, const struct flux_session *s)
{
	return s->t_asked > s->t_heard && s->t_asked >= ep->awake_since ? s->t_asked : 0;
}

static flux_ts idle_time(const struct flux_endpoint *ep, const struct flux_session *s)
{
	flux_ts t = flux_ts_add(s->t_heard, s->idle_timeout), ping = judging_ping(ep, s);

	if (!ping && s->want_ping) /* not sent yet: the kernel refuses, or it is this turn's */
		ping = ep->now;
	return ping ? flux_ts_max(t, flux_ts_add(ping, grace(s))) : t;
}

static void expire_idle(struct flux_endpoint *ep, struct flux_session *s, flux_ts now)
{
	if (now < flux_ts_add(s->t_heard, s->idle_timeout))
		return;
	if (!judging_ping(ep, s)) {
		s->want_ping = true;
		return;
	}
	if (now >= idle_time(ep, s)) {
		s->end.drop_unread = false;
		flux_session_end(ep, s, FLUX_ETIMEDOUT, 0, FLUX_CODE_IDLE, "nothing was heard from the peer");
		flux_control_close(ep, s, FLUX_CLOSE_ABORT);
	}
}

static void expire_up(struct flux_endpoint *ep, struct flux_session *s, flux_ts now)
{
	flux_txstream_expire(&s->tx, now, &s->rtt);
	if (s->state == FLUX_S_DRAIN && now >= s->end.t_linger) {
		flux_session_end(ep, s, FLUX_EUNDELIVERED, FLUX_CLOSE_ABORT, FLUX_CODE_LOST,
				 "closed before everything was delivered");
		return;
	}
	expire_idle(ep, s, now);
}

/* Its last event was not pulled. If that is because nobody reads its messages, they go after a while. */
static void expire_untold(struct flux_endpoint *ep, struct flux_session *s, flux_ts now)
{
	flux_heap_set(&ep->timers, &s->timer, now < s->end.t_drop ? s->end.t_drop : FLUX_NEVER);
	if (now < s->end.t_drop)
		return;
	s->end.drop_unread = true;
	flux_session_refresh(ep, s);
}

/* Forget it, unless an image of it is lent or its last event was not pulled. */
static void expire_tomb(struct flux_endpoint *ep, struct flux_session *s, flux_ts now)
{
	if (s->pending)
		expire_untold(ep, s, now);
	else if (s->lent)
		flux_heap_set(&ep->timers, &s->timer, now + BUSY_TOMB);
	else
		flux_table_remove(ep, s);
}

void flux_session_expire(struct flux_endpoint *ep, struct flux_session *s, flux_ts now)
{
	switch (s->state) {
	case FLUX_S_WAIT:
		if (now >= s->knock.t_give_up)
			flux_session_end(ep, s, FLUX_ETIMEDOUT, 0, FLUX_CODE_IDLE, "nobody answered");
		break;
	case FLUX_S_HALF:
		if (!s->lent && now >= flux_ts_add(s->t_hello, HALF_LIFE)) {
			flux_table_remove(ep, s);
			return;
		}
		break;
	case FLUX_S_UP:
	case FLUX_S_DRAIN:
		expire_up(ep, s, now);
		break;
	case FLUX_S_CLOSING:
		if (s->end.tries >= FLUX_CLOSE_TRIES && now >= s->end.t_next)
			flux_session_closed(ep, s);
		break;
	default:
		if (now >= s->end.t_next)
			expire_tomb(ep, s, now);
		return;
	}
	flux_session_touch(ep, s);
	flux_session_set_timer(ep, s, false);
}

static flux_ts up_time(const struct flux_endpoint *ep, const struct flux_session *s, bool sending)
{
	flux_ts t = idle_time(ep, s);

	if (s->state == FLUX_S_DRAIN)
		t = flux_ts_min(t, s->end.t_linger);
	t = flux_ts_min(t, s->tx.breaker.t_silence);
	if (!sending)
		return t;
	t = flux_ts_min(t, flux_session_ping_time(s));
	if (!s->feedback_queued)
		t = flux_ts_min(t, flux_rxstream_deadline(&s->rx, ep->now, &s->rtt));
	return flux_ts_min(t, flux_txstream_deadline(&s->tx));
}

void flux_session_set_timer(struct flux_endpoint *ep, struct flux_session *s, bool sending)
{
	flux_ts t;

	switch (s->state) {
	case FLUX_S_WAIT:
		t = sending ? flux_ts_min(s->knock.t_next, s->knock.t_give_up) : s->knock.t_give_up;
		break;
	case FLUX_S_HALF:
		t = flux_ts_max(flux_ts_add(s->t_hello, HALF_LIFE), ep->now + (s->lent ? BUSY_TOMB : 0));
		break;
	case FLUX_S_UP:
	case FLUX_S_DRAIN:
		t = up_time(ep, s, sending);
		break;
	case FLUX_S_CLOSING:
		t = sending || s->end.tries >= FLUX_CLOSE_TRIES ? s->end.t_next : FLUX_NEVER;
		break;
	default:
		t = s->end.t_next;
		break;
	}
	flux_heap_set(&ep->timers, &s->timer, t);
}
