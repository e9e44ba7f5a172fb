/* SPDX-License-Identifier: MIT */
/*
 * The oracle's front: finds out which session a packet belongs to by watching handshakes, hands it to the
 * flow it is about, and checks what concerns sessions and hosts as a whole.
 */
#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "core/endpoint/check.h"
#include "tests/sim/oracle_flow.h"

/* A question that was asked: who, under which id and nonce. */
struct hello {
	struct hello *next;
	struct sim_host *host;
	uint32_t life, cid;
	uint64_t nonce;
	struct flux_params params;
};

/* One end of a session, as the wire shows it. */
struct end {
	struct sim_host *host;
	uint32_t life, cid;       /* cid: in packets to this end */
	uint32_t closes;          /* CLOSE but no ack, sent */
	flux_ts heard, heard_new; /* last packet given to it; last one that was not a duplicate */
	bool vague;               /* the host was stopped or its clock stepped since */
};

struct wire_session {
	struct wire_session *next;
	struct end end[2];       /* 0: client */
	struct sim_flow flow[2]; /* flow[i] is written by end[i] */
	uint64_t nonce[2];
	flux_ts idle_timeout;
};

struct sim_oracle {
	struct hello *hellos;
	struct wire_session *sessions;                   /* newest first */
	uint64_t serial;                                 /* counts feeds */
	uint64_t batch_serial;                           /* of the first feed of this batch */
	uint64_t bytes_in[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* [host][peer], while the peer is unproven */
	uint64_t bytes_out[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	bool proven[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	uint64_t allocations[SIM_HOSTS_MAX];
	uint64_t dropped[SIM_HOSTS_MAX];
	uint64_t no_buffer[SIM_HOSTS_MAX];
	bool disturbed[SIM_HOSTS_MAX];
};

struct sim_oracle *sim_oracle_new(void)
{
	struct sim_oracle *oracle = calloc(1, sizeof(*oracle));

	if (!oracle)
		abort();
	return oracle;
}

void sim_oracle_free(struct sim_oracle *oracle)
{
	while (oracle->hellos) {
		struct hello *hello = oracle->hellos;

		oracle->hellos = hello->next;
		free(hello);
	}
	while (oracle->sessions) {
		struct wire_session *session = oracle->sessions;

		oracle->sessions = session->next;
		sim_flow_fini(&session->flow[0]);
		sim_flow_fini(&session->flow[1]);
		free(session);
	}
	free(oracle);
}

/* ---- who talks to whom ---- */

static void see_hello(struct sim_host *host, const struct sim_view *view)
{
	struct sim_oracle *oracle = host->sim->oracle;
	struct hello *hello = oracle->hellos;

	while (hello && (hello->host != host || hello->life != host->life || hello->cid != view->header.cid))
		hello = hello->next;
	if (!hello) {
		hello = calloc(1, sizeof(*hello));
		if (!hello)
			abort();
		hello->next = oracle->hellos;
		oracle->hellos = hello;
	}
	hello->host = host;
	hello->life = host->life;
	hello->cid = view->header.cid;
	hello->nonce = view->hello.nonce;
	hello->params = view->hello.params;
}

static flux_ts agreed_timeout(const struct flux_params *a, const struct flux_params *b)
{
	uint32_t ms = a->idle_timeout_ms;

	if (b->idle_timeout_ms && (b->idle_timeout_ms < ms || !ms))
		ms = b->idle_timeout_ms;
	return FLUX_MS(ms);
}

static void add_session(struct sim_host *server, const struct hello *hello, const struct flux_welcome *w)
{
	struct sim_oracle *oracle = server->sim->oracle;
	struct wire_session *s = calloc(1, sizeof(*s));
	flux_ts now = server->sim->now;

	if (!s)
		abort();
	s->end[0] = (struct end){ hello->host, hello->life, hello->cid, 0, now, now, false };
	s->end[1] = (struct end){ server, server->life, w->server_cid, 0, now, now, false };
	s->nonce[0] = hello->nonce;
	s->nonce[1] = w->nonce;
	s->idle_timeout = agreed_timeout(&hello->params, &w->params);
	sim_flow_init(&s->flow[0], hello->host, server, hello->params.first_seq, w->params.window);
	sim_flow_init(&s->flow[1], server, hello->host, w->params.first_seq, hello->params.window);
	s->next = oracle->sessions;
	oracle->sessions = s;
}

static void see_welcome(struct sim_host *server, const struct sim_view *view, const struct sim_packet *packet)
{
	struct sim_oracle *oracle = server->sim->oracle;
	const struct sim_host *client = sim_host_at(server->sim, &packet->to);
	const struct hello *hello = oracle->hellos;

	while (hello && (hello->host != client || hello->cid != view->header.cid))
		hello = hello->next;
	if (!hello)
		return;
	for (struct wire_session *s = oracle->sessions; s; s = s->next)
		if (s->end[0].host == client && s->end[0].cid == hello->cid && s->end[1].host == server &&
		    s->end[1].cid == view->welcome.server_cid)
			return;
	add_session(server, hello, &view->welcome);
}

/* The session in which `host` is addressed as `cid`; `which` is its end. */
static struct wire_session *find_to(const struct sim_host *host, uint32_t cid, int *which)
{
	for (struct wire_session *s = host->sim->oracle->sessions; s; s = s->next) {
		for (*which = 0; *which < 2; ++*which) {
			const struct end *end = &s->end[*which];

			if (end->host == host && end->life == host->life && end->cid == cid)
				return s;
		}
	}
	return NULL;
}

/* The session in which `host` sends to `peer` as `cid`; `which` is the host's end. */
static struct wire_session *find_from(const struct sim_host *host, const struct sim_host *peer, uint32_t cid,
				      int *which)
{
	for (struct wire_session *s = host->sim->oracle->sessions; s; s = s->next) {
		for (*which = 0; *which < 2; ++*which) {
			const struct end *own = &s->end[*which];

			if (own->host == host && own->life == host->life && s->end[!*which].host == peer &&
			    s->end[!*which].cid == cid)
				return s;
		}
	}
	return NULL;
}

static struct wire_session *newest_between(struct sim *sim, const struct sim_host *a, const struct sim_host *b,
					   int *which)
{
	for (struct wire_session *s = sim->oracle->sessions; s; s = s->next)
		for (*which = 0; *which < 2; ++*which)
			if (s->end[*which].host == a && s->end[!*which].host == b)
				return s;
	return NULL;
}

bool sim_oracle_tag(struct sim *sim, const struct sim_host *from, const struct sim_host *to, uint32_t *tag,
		    uint32_t *cid)
{
	int which;
	const struct wire_session *s = newest_between(sim, from, to, &which);
	uint8_t nonces[16];

	if (!s)
		return false;
	for (size_t i = 0; i < 16; i++)
		nonces[i] = (uint8_t)(s->nonce[i / 8] >> 8 * (i % 8));
	*tag = flux_crc32c(which == 0 ? 1 : 2, nonces, 16);
	*cid = s->end[!which].cid;
	return true;
}

/* ---- packets out ---- */

static void check_amplification(struct sim_host *host, const struct sim_packet *packet)
{
	struct sim_oracle *oracle = host->sim->oracle;
	const struct sim_host *peer = sim_host_at(host->sim, &packet->to);

	if (!peer || oracle->proven[host->index][peer->index])
		return;
	oracle->bytes_out[host->index][peer->index] += packet->len;
	if (oracle->bytes_out[host->index][peer->index] > oracle->bytes_in[host->index][peer->index])
		sim_violate(host->sim, SIM_AMPLIFY, "host %u sent %" PRIu64 " bytes for %" PRIu64, host->index,
			    oracle->bytes_out[host->index][peer->index],
			    oracle->bytes_in[host->index][peer->index]);
}

static struct sim_shown *find_shown(struct sim_host *host, const struct flux_header *header)
{
	for (uint32_t i = 0; i < SIM_LENT_MAX; i++)
		if (host->shown[i].serial && host->shown[i].cid == header->cid &&
		    host->shown[i].num == header->num)
			return &host->shown[i];
	return NULL;
}

static struct sim_moment moment_of(struct sim_host *host, const struct flux_header *header)
{
	const struct sim_shown *shown = find_shown(host, header);
	struct sim_moment now = { host->sim->oracle->serial, host->sim->now };

	return shown ? (struct sim_moment){ shown->serial, shown->time } : now;
}

void sim_oracle_shown(struct sim_host *host, const struct flux_tx *tx)
{
	struct flux_header header;
	struct sim_shown *slot;

	if (tx->head_len || !flux_header_decode(&header, tx->body, tx->body_len) ||
	    header.type == FLUX_PKT_DATA || find_shown(host, &header))
		return;
	slot = &host->shown[host->shown_next++ % SIM_LENT_MAX];
	*slot = (struct sim_shown){ header.cid, header.num, host->sim->oracle->serial, host->sim->now };
}

/* What an end says of itself goes into its flows: as writer, and as reader of the other. */
static void measure(struct wire_session *s, int which)
{
	const struct end *end = &s->end[which];
	struct flux_session_stats stats = { .size = sizeof(stats) };

	if (end->life != end->host->life || !end->host->ep ||
	    flux_session_get_stats(end->host->ep, end->cid, &stats))
		return;
	sim_flow_measure(&s->flow[which], &stats, NULL);
	sim_flow_measure(&s->flow[!which], NULL, &stats);
}

static void sent_in_session(struct sim_host *host, const struct sim_view *view, const struct sim_packet *packet)
{
	int which;
	const struct sim_host *peer = sim_host_at(host->sim, &packet->to);
	struct wire_session *s = find_from(host, peer, view->header.cid, &which);

	if (!s)
		return;
	if (view->header.type != FLUX_PKT_DATA || view->header.rtx)
		measure(s, which);
	switch (view->header.type) {
	case FLUX_PKT_DATA:
		sim_flow_data_sent(&s->flow[which], view, packet);
		break;
	case FLUX_PKT_SYNC:
		sim_flow_sync_sent(&s->flow[which], view, moment_of(host, &view->header));
		break;
	case FLUX_PKT_FEEDBACK:
		sim_flow_feedback_sent(&s->flow[!which], view, moment_of(host, &view->header));
		break;
	case FLUX_PKT_CLOSE:
		/* Three tries, and one more word when the idle timeout ends it. */
		if (view->close.kind != FLUX_CLOSE_ACK && ++s->end[which].closes > 4)
			sim_violate(host->sim, SIM_CLOSE, "%u CLOSEs", s->end[which].closes);
		break;
	default:
		break;
	}
}

void sim_oracle_sent(struct sim_host *host, const struct sim_packet *packet)
{
	struct sim_view view;

	sim_view_decode(&view, packet->data, packet->len);
	if (!view.ok) {
		sim_violate(host->sim, SIM_CALLS, "host %u sends a malformed datagram of type %u", host->index,
			    view.header.type);
		return;
	}
	check_amplification(host, packet);
	if (view.header.type == FLUX_PKT_HELLO)
		see_hello(host, &view);
	else if (view.header.type == FLUX_PKT_WELCOME)
		see_welcome(host, &view, packet);
	else
		sent_in_session(host, &view, packet);
}

/* ---- packets in ---- */

static void fed_in_session(struct sim_host *host, const struct sim_view *view, const struct sim_packet *packet)
{
	struct sim_oracle *oracle = host->sim->oracle;
	int which;
	struct wire_session *s = find_to(host, view->header.cid, &which);
	bool fresh = !packet->copy;

	if (!s)
		return;
	switch (view->header.type) {
	case FLUX_PKT_DATA:
		fresh = sim_flow_data_fed(&s->flow[!which], view, oracle->serial);
		break;
	case FLUX_PKT_SYNC:
		sim_flow_sync_fed(&s->flow[!which], view);
		break;
	case FLUX_PKT_FEEDBACK:
		sim_flow_feedback_fed(&s->flow[which], view);
		break;
	default:
		break;
	}
	s->end[which].heard = host->sim->now;
	if (fresh) {
		s->end[which].heard_new = host->sim->now;
		s->end[which].vague = false;
	}
}

void sim_oracle_fed(struct sim_host *host, const struct sim_packet *packet)
{
	struct sim_oracle *oracle = host->sim->oracle;
	const struct sim_host *peer = sim_host_at(host->sim, &packet->from);
	struct sim_view view;

	oracle->serial++;
	if (peer)
		oracle->bytes_in[host->index][peer->index] += packet->len;
	sim_view_decode(&view, packet->data, packet->len);
	if (view.header.type >= FLUX_PKT_HELLO || packet->damaged)
		host->may_allocate = true;
	if (!packet->damaged && !packet->forged && view.ok)
		fed_in_session(host, &view, packet);
}

void sim_oracle_fed_all(struct sim_host *host)
{
	struct sim_oracle *oracle = host->sim->oracle;
	struct flux_endpoint_stats stats = { .size = sizeof(stats) };
	uint64_t dropped;

	flux_endpoint_get_stats(host->ep, &stats);
	dropped = stats.rx_no_buffer + stats.rx_out_of_range;
	if (dropped != oracle->dropped[host->index]) {
		for (struct wire_session *s = oracle->sessions; s; s = s->next)
			for (int i = 0; i < 2; i++)
				if (s->flow[i].reader == host)
					sim_flow_unsure(&s->flow[i], oracle->batch_serial);
	}
	oracle->dropped[host->index] = dropped;
	oracle->no_buffer[host->index] = stats.rx_no_buffer;
	oracle->batch_serial = oracle->serial + 1;
}

/* ---- sessions and hosts ---- */

void sim_oracle_disturbed(struct sim_host *host)
{
	struct sim_oracle *oracle = host->sim->oracle;

	oracle->disturbed[host->index] = host->life > 1 || host->turns > 0;
	oracle->dropped[host->index] = 0;
	oracle->allocations[host->index] = host->memory.calls;
	if (!host->ep)
		memset(oracle->proven[host->index], 0, sizeof(oracle->proven[host->index]));
	for (struct wire_session *s = oracle->sessions; s; s = s->next) {
		for (int i = 0; i < 2; i++) {
			if (s->end[i].host != host)
				continue;
			s->flow[i].writer_calm = s->flow[!i].reader_calm = host->sim->now;
			s->end[i].vague = true;
			s->end[i].heard = host->paused_until > host->sim->now ? host->paused_until : host->sim->now;
		}
	}
}

void sim_oracle_proven(struct sim_session *session)
{
	struct sim *sim = session->host->sim;
	const struct sim_host *peer = sim_host_at(sim, &session->peer);

	if (peer)
		sim->oracle->proven[session->host->index][peer->index] = true;
}

/* The application's session as the wire shows it; NULL until a WELCOME was seen. */
static struct wire_session *wire_of(const struct sim_session *session, int *which)
{
	struct wire_session *s = session->host->sim->oracle->sessions;

	for (; s; s = s->next) {
		for (*which = 0; *which < 2; ++*which) {
			const struct end *end = &s->end[*which];

			/* A session's name is the id that packets to it carry. */
			if (end->host == session->host && end->life == session->life && end->cid == session->sid)
				return s;
		}
	}
	return NULL;
}

static void check_timed_out(struct sim_session *session)
{
	struct sim *sim = session->host->sim;
	int which;
	const struct wire_session *s = wire_of(session, &which);

	if (!session->app.may_time_out)
		sim_violate(sim, SIM_IDLE, "host %u: timed out", session->host->index);
	if (!s || s->end[which].vague || !s->idle_timeout)
		return;
	if (sim->now - s->end[which].heard_new + FLUX_MS(2) < s->idle_timeout)
		sim_violate(sim, SIM_IDLE, "host %u: timed out %.3f s after it heard the peer",
			    session->host->index, (double)(sim->now - s->end[which].heard_new) / 1e9);
}

static void check_undelivered(struct sim_session *session)
{
	struct sim *sim = session->host->sim;
	int which;
	const struct wire_session *s = wire_of(session, &which);

	if (session->reason == 0 && session->undelivered)
		sim_violate(sim, SIM_CLOSE, "closed well with %" PRIu64 " messages undelivered",
			    session->undelivered);
	if (!session->tx || !s)
		return;
	if (session->undelivered > session->tx->accepted)
		sim_violate(sim, SIM_CLOSE, "%" PRIu64 " undelivered of %" PRIu64, session->undelivered,
			    session->tx->accepted);
	else if (session->tx->accepted - session->undelivered > sim_flow_messages(&s->flow[which]))
		sim_violate(sim, SIM_CLOSE, "%" PRIu64 " said to be delivered, %" PRIu64 " arrived",
			    session->tx->accepted - session->undelivered, sim_flow_messages(&s->flow[which]));
}

void sim_oracle_closed(struct sim_session *session)
{
	struct sim *sim = session->host->sim;
	const struct sim_stream *tx = session->tx;

	if (session->up && session->reason == FLUX_ETIMEDOUT)
		check_timed_out(session);
	if (session->reason == FLUX_EPROTO)
		sim_violate(sim, SIM_HARMLESS, "host %u: closed for a broken protocol: %s",
			    session->host->index, session->text);
	if (session->closing && session->reason == 0 && tx && tx->delivered < tx->accepted)
		sim_violate(sim, SIM_CLOSE, "closed well, but only %" PRIu64 " of %" PRIu64 " were delivered",
			    tx->delivered, tx->accepted);
	if (session->up)
		check_undelivered(session);
}

/* Silence for longer than the timeout and a keep-alive must have ended a session. */
static void check_silence(const struct sim_session *session)
{
	struct sim *sim = session->host->sim;
	int which;
	const struct wire_session *s = wire_of(session, &which);
	flux_ts slack;

	if (!s || !s->idle_timeout)
		return;
	slack = s->idle_timeout / 4 + FLUX_MS(100) + session->host->cfg.late_max;
	if (sim->now > s->end[which].heard + s->idle_timeout + slack)
		sim_violate(sim, SIM_IDLE, "host %u: silent for %.3f s and not timed out", session->host->index,
			    (double)(sim->now - s->end[which].heard) / 1e9);
}

static void measure_session(const struct sim_session *session)
{
	int which;
	struct wire_session *s = wire_of(session, &which);

	if (s)
		measure(s, which);
}

static void check_allocations(struct sim_host *host)
{
	uint64_t *before = &host->sim->oracle->allocations[host->index];

	if (host->memory.calls != *before && !host->may_allocate)
		sim_violate(host->sim, SIM_ALLOC, "host %u allocates in a turn without a handshake", host->index);
	*before = host->memory.calls;
	host->may_allocate = false;
}

static void check_endpoint(struct sim_host *host)
{
	const char *bad;

	if (host->turns % host->sim->check_every)
		return;
	bad = flux_endpoint_check(host->ep);
	if (bad)
		sim_violate(host->sim, SIM_CHECK, "host %u: %s", host->index, bad);
}

void sim_oracle_turn(struct sim_host *host)
{
	uint32_t sessions = 0;

	check_allocations(host);
	check_endpoint(host);
	for (const struct sim_session *s = host->sessions; s; s = s->next) {
		if (!s->up || s->closed || s->crashed)
			continue;
		/* Of very many sessions each is looked at now and then. */
		if (sessions++ > 3 && host->turns % 16)
			break;
		check_silence(s);
		measure_session(s);
	}
}

/* ---- the end ---- */

/*
 * On a path that cannot reorder and whose delay does not change, only the lost is sent again. After a cut the
 * breaker makes repairs late, and a late one may be asked for twice.
 */
static bool is_even(const struct sim_link *link)
{
	const struct sim_link_cfg *cfg = &link->cfg;

	/* A copy that comes late counts as the packet itself if that was corrupted. */
	if (cfg->duplicate_delay && cfg->corrupt > 0)
		return false;
	return !cfg->jitter && !cfg->reorder && !cfg->rate_bps && !cfg->script &&
	       !link->stats.cut;
}

/* Its kernel refuses, or keeps images for long: repairs or questions leave late, and are made again. */
static bool is_sluggish(const struct sim_host *host)
{
	return host->cfg.drive == SIM_COMPLETION ? host->cfg.retire_max > FLUX_US(300) : host->cfg.refuse > 0;
}

static void check_resends(struct sim *sim, const struct sim_host *from, const struct sim_host *to)
{
	const struct sim_link *link = sim->links[from->index][to->index];
	const struct sim_link *back = sim->links[to->index][from->index];
	uint64_t resent = 0;
	uint64_t missed;

	if (!link || !back || sim->oracle->disturbed[from->index] || sim->oracle->disturbed[to->index] ||
	    !is_even(link) || !is_even(back))
		return;
	for (const struct wire_session *s = sim->oracle->sessions; s; s = s->next)
		for (int i = 0; i < 2; i++)
			if (s->flow[i].writer == from && s->flow[i].reader == to)
				resent += s->flow[i].resent;
	missed = link->stats.data_missed + to->queue_data_drops;
	/* A reader without room makes the writer slow down, and so its repairs late: some are asked for twice. */
	missed += sim->oracle->no_buffer[to->index] * 11 / 10;
	if (is_sluggish(from) || is_sluggish(to))
		missed += missed + 10;
	if (resent > missed)
		sim_violate(sim, SIM_RESENDS, "%" PRIu64 " sent again, %" PRIu64 " missed", resent, missed);
}

void sim_oracle_end(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->host_count; i++)
		for (uint32_t j = 0; j < sim->host_count; j++)
			check_resends(sim, sim->hosts[i], sim->hosts[j]);
}
