/* SPDX-License-Identifier: MIT */
/* The applications of a host: they send what their plans say, and check every message and event they get. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/host.h"
#include "tests/sim/oracle.h"

/* Messages sent in one go: a backlogged application gives the loop a turn now and then. */
#define PUMP_MAX        256u
#define READ_MAX        64u
#define EMPTY_READS_MAX 10000u

static void pump(struct sim_session *session);
static void plan_pump(struct sim_session *session, flux_ts when);

static bool is_usable(const struct sim_session *session)
{
	return session->host->ep && !session->crashed && !session->closed;
}

static struct sim_session *session_new(struct sim_host *host, flux_sid sid, const struct flux_addr *peer)
{
	struct sim_session *session = calloc(1, sizeof(*session));

	if (!session)
		abort();
	session->host = host;
	session->life = host->life;
	session->app = host->app;
	if (!session->app.read_batch || session->app.read_batch > READ_MAX)
		session->app.read_batch = 16;
	session->must_end = host->app.must_end;
	session->sid = sid;
	session->peer = *peer;
	session->born = host->sim->now;
	session->pump_at = FLUX_NEVER;
	session->next = host->sessions;
	host->sessions = session;
	return session;
}

static struct sim_session *session_find(struct sim_host *host, flux_sid sid)
{
	struct sim_session *session = host->sessions;

	while (session && (session->sid != sid || session->crashed || session->closed))
		session = session->next;
	return session;
}

struct sim_session *sim_session_with(struct sim_host *host, const struct sim_host *peer)
{
	struct sim_session *session = host->sessions;

	while (session && !flux_addr_equal(&session->peer, &peer->addr))
		session = session->next;
	return session;
}

struct flux_session_stats sim_session_stats(const struct sim_session *session)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };

	if (!is_usable(session) || flux_session_get_stats(session->host->ep, session->sid, &stats))
		memset(&stats, 0, sizeof(stats));
	return stats;
}

bool sim_session_settled(const struct sim_session *session)
{
	return session->crashed || session->closed || !(session->closing || session->must_end);
}

/* ---- sending ---- */

static void pump_later(void *ctx, uint64_t serial)
{
	struct sim_session *session = ctx;
	struct sim_host *host = session->host;

	if (serial != session->pump_serial)
		return;
	session->pump_at = FLUX_NEVER;
	if (host->sim->now < host->paused_until)
		plan_pump(session, host->paused_until);
	else if (is_usable(session))
		pump(session);
}

/* At most one call is pending for a session. */
static void plan_pump(struct sim_session *session, flux_ts when)
{
	if (when >= session->pump_at)
		return;
	session->pump_at = when;
	sim_at(session->host->sim, when, pump_later, session, ++session->pump_serial);
}

/* When message `index` of the outgoing stream may be sent; FLUX_NEVER: when something else happens. */
static flux_ts due(const struct sim_session *session, uint64_t index)
{
	const struct sim_plan *plan = &session->tx->plan;
	uint64_t heard = session->rx ? session->rx->delivered : 0;

	if (index == 0)
		return session->born + plan->start;
	if (plan->timing == SIM_STEADY)
		return session->born + plan->start + (index - 1) / plan->burst * plan->interval;
	/* Both preambles are counted: message i answers message i, and asks after answer i - 1. */
	if (plan->timing == SIM_ASK)
		return index == 1 || heard >= index ? session->born + plan->start : FLUX_NEVER;
	return heard > index ? session->born + plan->start : FLUX_NEVER;
}

/* In place, and sometimes through a larger claim or after one that was given up. */
static int send_in_place(struct sim_session *session, uint64_t index, uint32_t len)
{
	struct flux_endpoint *ep = session->host->ep;
	struct sim_pcg *chance = &session->host->chance;
	struct flux_claim claim;
	int rc;

	if (sim_pcg_chance(chance, 0.1) && flux_session_claim(ep, session->sid, len, &claim) == 0)
		flux_session_abort_claim(ep, session->sid);
	rc = flux_session_claim(ep, session->sid, len, &claim);
	if (rc)
		return rc;
	if (claim.len < len)
		sim_violate(session->host->sim, SIM_CALLS, "claimed %u, got %u", len, claim.len);
	else
		sim_stream_fill(session->tx, index, claim.data);
	return flux_session_publish(ep, session->sid, len);
}

static int send_copy(struct sim_session *session, uint64_t index, uint32_t len)
{
	uint8_t *data = malloc(len ? len : 1);
	int rc;

	if (!data)
		abort();
	sim_stream_fill(session->tx, index, data);
	rc = flux_session_send(session->host->ep, session->sid, len ? data : NULL, len);
	free(data);
	return rc;
}

static int send_one(struct sim_session *session, uint64_t index)
{
	uint32_t len = sim_stream_len(session->tx, index);
	uint32_t max = flux_session_max_claim(session->host->ep, session->sid);

	if (session->up && len <= max && sim_pcg_chance(&session->host->chance, session->tx->plan.in_place))
		return send_in_place(session, index, len);
	return send_copy(session, index, len);
}

/* Close once both directions went through, if the application is one that does. */
static void maybe_close(struct sim_session *session)
{
	const struct sim_stream *tx = session->tx;
	const struct sim_stream *back = tx ? tx->back : NULL;

	if (!session->app.close_done || session->closing || session->incoming || !session->up)
		return;
	if (tx && tx->accepted < sim_stream_total(tx))
		return;
	if (back && back->delivered < sim_stream_total(back))
		return;
	sim_session_close(session, session->app.close_linger);
}

static void refused(struct sim_session *session, int rc)
{
	if (rc == FLUX_EAGAIN) {
		session->tx->refused++;
		session->blocked = true;
	} else if (rc != FLUX_ECLOSED) {
		sim_violate(session->host->sim, SIM_CALLS, "send answers %d: %s", rc,
			    flux_endpoint_detail(session->host->ep));
	}
}

static void pump(struct sim_session *session)
{
	struct sim *sim = session->host->sim;
	struct sim_stream *tx = session->tx;
	uint32_t n = 0;
	flux_ts when;
	int rc;

	while (tx && !session->blocked && !session->closing && tx->accepted < sim_stream_total(tx)) {
		when = due(session, tx->accepted);
		if (when > sim->now || n++ == PUMP_MAX) {
			if (when != FLUX_NEVER)
				plan_pump(session, when > sim->now ? when : sim->now + 10000);
			break;
		}
		rc = send_one(session, tx->accepted);
		if (rc) {
			refused(session, rc);
			break;
		}
		tx->accepted_at[tx->accepted++] = sim->now;
	}
	maybe_close(session);
	sim_host_kick(session->host);
}

struct sim_session *sim_connect_addr(struct sim_host *from, const struct flux_addr *to,
				     const struct sim_plan *out, const struct sim_plan *back)
{
	struct sim *sim = from->sim;
	struct sim_session *session;
	flux_sid sid;
	int rc;

	rc = flux_endpoint_connect(from->ep, sim_host_now(from), to, &sid);
	if (rc) {
		sim_violate(sim, SIM_CALLS, "connect answers %d: %s", rc, flux_endpoint_detail(from->ep));
		return NULL;
	}
	session = session_new(from, sid, to);
	from->may_allocate = true;
	sim_oracle_proven(session);
	if (out)
		session->tx = sim_stream_add(sim, out);
	if (out && back) {
		session->rx = session->tx->back = sim_stream_add(sim, back);
		session->rx->back = session->tx;
		session->rx->bound = true;
	}
	plan_pump(session, sim->now);
	sim_host_kick(from);
	return session;
}

struct sim_session *sim_connect(struct sim_host *from, struct sim_host *to, const struct sim_plan *out,
				const struct sim_plan *back)
{
	return sim_connect_addr(from, &to->addr, out, back);
}

void sim_session_close(struct sim_session *session, flux_ts linger)
{
	struct sim_host *host = session->host;

	if (!is_usable(session))
		return;
	session->closing = true;
	if (flux_session_close(host->ep, sim_host_now(host), session->sid, linger))
		sim_violate(host->sim, SIM_CALLS, "close of an open session fails");
	sim_host_kick(host);
}

void sim_session_abort(struct sim_session *session, uint32_t code, const char *text)
{
	struct sim_host *host = session->host;

	if (!is_usable(session))
		return;
	session->closing = true;
	if (flux_session_abort(host->ep, sim_host_now(host), session->sid, code, text))
		sim_violate(host->sim, SIM_CALLS, "abort of an open session fails");
	sim_host_kick(host);
}

/* ---- reading ---- */

static void apply_pause(struct sim_session *session)
{
	if (!is_usable(session))
		return;
	flux_session_pause(session->host->ep, session->sid, session->paused || session->held);
	sim_host_kick(session->host);
}

void sim_session_pause(struct sim_session *session, bool paused)
{
	session->paused = paused;
	apply_pause(session);
}

static void go_on_reading(void *ctx, uint64_t arg)
{
	struct sim_session *session = ctx;

	(void)arg;
	session->held = false;
	apply_pause(session);
}

static void hold_reading(struct sim_session *session, flux_ts time)
{
	session->held = true;
	session->read_since_pause = 0;
	apply_pause(session);
	sim_at(session->host->sim, session->host->sim->now + time, go_on_reading, session, 0);
}

/* The first message of an incoming session says which stream it is; each stream has one reader. */
static void bind_stream(struct sim_session *session, const struct flux_msg *msg)
{
	struct sim *sim = session->host->sim;
	struct sim_stream *stream = sim_stream_find(sim, sim_preamble_id(msg->data, msg->len));

	if (!stream || stream->bound) {
		sim_violate(sim, SIM_OLD_LIFE, "host %u: a session begins with %s", session->host->index,
			    stream ? "a stream that another one has begun" : "no preamble");
		return;
	}
	stream->bound = true;
	session->rx = stream;
	session->tx = stream->back;
}

/* Is it at least a message of some other stream, for instance of an earlier life? */
static bool is_of_another(const struct sim_session *session, const struct flux_msg *msg)
{
	for (const struct sim_stream *s = session->host->sim->streams; s; s = s->next)
		for (uint64_t i = 0; s != session->rx && i < s->accepted && msg->len > 8; i++)
			if (sim_stream_equal(s, i, msg->data, msg->len))
				return true;
	return false;
}

static void not_expected(const struct sim_session *session, const struct flux_msg *msg)
{
	const struct sim_stream *rx = session->rx;
	bool stray = is_of_another(session, msg);

	sim_violate(session->host->sim, stray ? SIM_OLD_LIFE : SIM_ORDER,
		    "stream %" PRIu64 ": message %" PRIu64 " %s", rx->id, rx->delivered,
		    stray ? "is of another stream" : rx->delivered < rx->accepted ? "is not what was sent" :
										    "was never sent");
}

static void take(struct sim_session *session, const struct flux_msg *msg)
{
	struct sim *sim = session->host->sim;
	struct sim_stream *rx = session->rx;

	if (session->eos)
		sim_violate(sim, SIM_EOS, "a message after EOS");
	session->read_count++;
	session->read_since_pause++;
	if (!rx || sim->violated)
		return;
	if (rx->delivered >= rx->accepted || !sim_stream_equal(rx, rx->delivered, msg->data, msg->len))
		not_expected(session, msg);
	else
		rx->delivered_at[rx->delivered++] = sim->now;
}

/* How many of the n messages that were looked at to release now. */
static uint32_t choose_release(struct sim_session *session, uint32_t n)
{
	if (!sim_pcg_chance(&session->host->chance, session->app.read_partial))
		return n;
	return (uint32_t)sim_pcg_below(&session->host->chance, n);
}

static void read_some(struct sim_session *session)
{
	struct sim_host *host = session->host;
	struct flux_msg msgs[READ_MAX];
	uint32_t n = flux_session_read(host->ep, session->sid, msgs, session->app.read_batch);
	uint32_t keep = n ? choose_release(session, n) : 0;

	/* Parts of a message are taken in without showing anything, but not for ever. */
	session->empty_reads = n ? 0 : session->empty_reads + 1;
	if (session->empty_reads > EMPTY_READS_MAX)
		sim_violate(host->sim, SIM_CALLS, "readable, and nothing to read");
	if (!n)
		return;
	if (!session->rx && !session->app.raw)
		bind_stream(session, &msgs[0]);
	for (uint32_t i = 0; i < keep; i++)
		take(session, &msgs[i]);
	flux_session_release(host->ep, session->sid, keep);
	if (keep < n)
		hold_reading(session, sim_pcg_range(&host->chance, 1000, 2000000));
	else if (session->app.slow_count && session->read_since_pause >= session->app.slow_count)
		hold_reading(session, session->app.slow_time);
}

void sim_app_read(struct sim_host *host)
{
	struct sim_session *session;
	flux_sid sid;

	while (!host->sim->violated && (sid = flux_endpoint_readable(host->ep)) != 0) {
		session = session_find(host, sid);
		if (!session) {
			sim_violate(host->sim, SIM_EVENTS, "a session is readable that is not up");
			return;
		}
		read_some(session);
		if (session->tx)
			pump(session);
		else
			maybe_close(session);
	}
}

/* ---- events ---- */

static void on_up(struct sim_host *host, const struct flux_event *event)
{
	struct sim_session *session = session_find(host, event->sid);

	host->may_allocate = true;
	if (event->incoming) {
		if (session)
			sim_violate(host->sim, SIM_EVENTS, "a session is up twice");
		session = session_new(host, event->sid, &event->peer);
		session->incoming = true;
	} else if (!session || session->up) {
		sim_violate(host->sim, SIM_EVENTS, session ? "up twice" : "up, but never connected");
		return;
	}
	session->up = true;
	session->up_at = host->sim->now;
	session->blocked = false;
	sim_oracle_proven(session);
	pump(session);
}

static void on_writable(struct sim_session *session)
{
	if (!session->blocked)
		sim_violate(session->host->sim, SIM_EVENTS, "writable, but nothing was refused");
	session->blocked = false;
	session->writables++;
	pump(session);
}

static void on_eos(struct sim_session *session)
{
	if (session->eos)
		sim_violate(session->host->sim, SIM_EOS, "EOS twice");
	if (session->rx && session->rx->delivered < session->rx->accepted)
		sim_violate(session->host->sim, SIM_EOS, "EOS after %" PRIu64 " of %" PRIu64 " messages",
			    session->rx->delivered, session->rx->accepted);
	session->eos = true;
	if (session->app.close_eos && !session->closing)
		sim_session_close(session, session->app.close_linger);
}

static void on_closed(struct sim_session *session, const struct flux_event *event)
{
	struct sim_host *host = session->host;

	session->closed = true;
	session->closed_at = host->sim->now;
	session->reason = event->reason;
	session->code = event->code;
	session->undelivered = event->undelivered;
	memcpy(session->text, event->text, sizeof(session->text));
	if (flux_session_send(host->ep, session->sid, "x", 1) != FLUX_ECLOSED)
		sim_violate(host->sim, SIM_CALLS, "send on a closed session does not answer FLUX_ECLOSED");
	sim_oracle_closed(session);
}

static void on_event(struct sim_host *host, const struct flux_event *event)
{
	struct sim_session *session;

	if (event->type == FLUX_EVENT_UP) {
		on_up(host, event);
		return;
	}
	session = session_find(host, event->sid);
	if (!session) {
		sim_violate(host->sim, SIM_EVENTS, "event %d of a session that is not there", event->type);
		return;
	}
	if (event->type == FLUX_EVENT_CLOSED)
		on_closed(session, event);
	else if (!session->up)
		sim_violate(host->sim, SIM_EVENTS, "event %d before up", event->type);
	else if (event->type == FLUX_EVENT_WRITABLE)
		on_writable(session);
	else if (event->type == FLUX_EVENT_EOS)
		on_eos(session);
	else
		sim_violate(host->sim, SIM_COMPLETE, "event %d: datagrams %" PRIu64 " to %" PRIu64 " lost",
			    event->type, event->first, event->last);
}

void sim_app_events(struct sim_host *host)
{
	struct flux_event event;

	while (!host->sim->violated && flux_endpoint_event(host->ep, &event))
		on_event(host, &event);
}

void sim_app_crashed(struct sim_host *host)
{
	for (struct sim_session *s = host->sessions; s; s = s->next) {
		if (s->closed || s->crashed)
			continue;
		s->crashed = true;
		if (s->tx)
			s->tx->abandoned = true;
		if (s->rx)
			s->rx->abandoned = true;
	}
}
