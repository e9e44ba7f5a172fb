/* SPDX-License-Identifier: MIT */
/*
 * The oracle's front: finds out by watching handshakes which session a packet belongs to, and hands it to the
 * flow that it is about.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "tests/sim/oracle_wire.h"

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
		struct sim_hello *hello = oracle->hellos;

		oracle->hellos = hello->next;
		free(hello);
	}
	while (oracle->sessions) {
		struct sim_wire_session *session = oracle->sessions;

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
	struct sim_hello *hello = oracle->hellos;

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

static void add_session(struct sim_host *server, const struct sim_hello *hello, const struct flux_welcome *w)
{
	struct sim_oracle *oracle = server->sim->oracle;
	struct sim_wire_session *s = calloc(1, sizeof(*s));
	flux_ts now = server->sim->now;

	if (!s)
		abort();
	s->end[0] = (struct sim_end){ hello->host, hello->life, hello->cid, 0, now, now, false };
	s->end[1] = (struct sim_end){ server, server->life, w->server_cid, 0, now, now, false };
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
	const struct sim_hello *hello = oracle->hellos;
	struct flux_welcome welcome;

	/* Ids come again in another life: the checksum tells which question is answered. */
	while (hello && (hello->host != client || hello->cid != view->header.cid ||
			 !flux_welcome_decode(&welcome, packet->data, packet->len, hello->nonce)))
		hello = hello->next;
	if (!hello)
		return;
	for (struct sim_wire_session *s = oracle->sessions; s; s = s->next)
		if (s->end[0].host == client && s->end[0].cid == hello->cid && s->end[1].host == server &&
		    s->end[1].cid == view->welcome.server_cid)
			return;
	add_session(server, hello, &view->welcome);
}

/* The session in which `host` is addressed as `cid`; `which` is its end. */
static struct sim_wire_session *find_to(const struct sim_host *host, uint32_t cid, int *which)
{
	for (struct sim_wire_session *s = host->sim->oracle->sessions; s; s = s->next) {
		for (*which = 0; *which < 2; ++*which) {
			const struct sim_end *end = &s->end[*which];

			if (end->host == host && end->life == host->life && end->cid == cid)
				return s;
		}
	}
	return NULL;
}

/*
 * The session in which `host` sends to `peer` as `cid`; `which` is the host's end. An id may come again when
 * the peer has started anew: the session with its present life is preferred.
 */
static struct sim_wire_session *find_from(const struct sim_host *host, const struct sim_host *peer,
					  uint32_t cid, int *which)
{
	struct sim_wire_session *found = NULL;

	for (struct sim_wire_session *s = host->sim->oracle->sessions; s; s = s->next) {
		for (int i = 0; i < 2; i++) {
			const struct sim_end *own = &s->end[i], *other = &s->end[!i];

			if (own->host != host || own->life != host->life || other->host != peer ||
			    other->cid != cid || (found && other->life != peer->life))
				continue;
			found = s;
			*which = i;
			if (other->life == peer->life)
				return s;
		}
	}
	return found;
}

static struct sim_wire_session *newest_between(struct sim *sim, const struct sim_host *a, const struct sim_host *b,
					       int *which)
{
	for (struct sim_wire_session *s = sim->oracle->sessions; s; s = s->next)
		for (*which = 0; *which < 2; ++*which)
			if (s->end[*which].host == a && s->end[!*which].host == b)
				return s;
	return NULL;
}

bool sim_oracle_tag(struct sim *sim, const struct sim_host *from, const struct sim_host *to, uint32_t *tag,
		    uint32_t *cid)
{
	int which;
	const struct sim_wire_session *s = newest_between(sim, from, to, &which);
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

static void sent_in_session(struct sim_host *host, const struct sim_view *view, const struct sim_packet *packet)
{
	int which = 0;
	const struct sim_host *peer = sim_host_at(host->sim, &packet->to);
	struct sim_wire_session *s = find_from(host, peer, view->header.cid, &which);

	if (!s)
		return;
	if (view->header.type != FLUX_PKT_DATA || view->header.rtx)
		sim_oracle_measure(s, which);
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
	struct sim_wire_session *s = find_to(host, view->header.cid, &which);
	bool fresh = !packet->copy;

	/* From another address it is nothing to the session. */
	if (!s || sim_host_at(host->sim, &packet->from) != s->end[!which].host)
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
		for (struct sim_wire_session *s = oracle->sessions; s; s = s->next)
			for (int i = 0; i < 2; i++)
				if (s->flow[i].reader == host)
					sim_flow_unsure(&s->flow[i], oracle->batch_serial);
	}
	oracle->dropped[host->index] = dropped;
	oracle->no_buffer[host->index] = stats.rx_no_buffer;
	oracle->batch_serial = oracle->serial + 1;
}
