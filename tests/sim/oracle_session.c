/* SPDX-License-Identifier: MIT */
/* The oracle on sessions and hosts as a whole: how they end, what they allocate, what they send twice. */
#include <inttypes.h>
#include <string.h>

#include "core/endpoint/check.h"
#include "tests/sim/oracle_wire.h"

void sim_oracle_measure(struct sim_wire_session *s, int which)
{
	const struct sim_end *end = &s->end[which];
	struct flux_session_stats stats = { .size = sizeof(stats) };

	if (end->life != end->host->life || !end->host->ep ||
	    flux_session_get_stats(end->host->ep, end->cid, &stats))
		return;
	sim_flow_measure(&s->flow[which], &stats, NULL);
	sim_flow_measure(&s->flow[!which], NULL, &stats);
}

void sim_oracle_disturbed(struct sim_host *host)
{
	struct sim_oracle *oracle = host->sim->oracle;

	oracle->disturbed[host->index] = host->life > 1 || host->turns > 0;
	oracle->dropped[host->index] = 0;
	oracle->allocations[host->index] = host->memory.calls;
	if (!host->ep) {
		memset(oracle->proven[host->index], 0, sizeof(oracle->proven[host->index]));
		memset(oracle->bytes_in[host->index], 0, sizeof(oracle->bytes_in[host->index]));
		memset(oracle->bytes_out[host->index], 0, sizeof(oracle->bytes_out[host->index]));
	}
	for (struct sim_wire_session *s = oracle->sessions; s; s = s->next) {
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
static struct sim_wire_session *wire_of(const struct sim_session *session, int *which)
{
	struct sim_wire_session *s = session->host->sim->oracle->sessions;

	for (; s; s = s->next) {
		for (*which = 0; *which < 2; ++*which) {
			const struct sim_end *end = &s->end[*which];

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
	const struct sim_wire_session *s = wire_of(session, &which);

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
	const struct sim_wire_session *s = wire_of(session, &which);

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
	const struct sim_wire_session *s = wire_of(session, &which);
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
	struct sim_wire_session *s = wire_of(session, &which);

	if (s)
		sim_oracle_measure(s, which);
}

static void check_allocations(struct sim_host *host)
{
	uint64_t *before = &host->sim->oracle->allocations[host->index];

	if (host->memory.calls != *before && !host->may_allocate && !host->memory.refuse_at)
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
	return !cfg->jitter && cfg->reorder <= 0 && !cfg->rate_bps && !cfg->script &&
	       !link->stats.cut && !link->stats.rewritten;
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
	for (const struct sim_wire_session *s = sim->oracle->sessions; s; s = s->next)
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
