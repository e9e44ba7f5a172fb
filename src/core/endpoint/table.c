/* SPDX-License-Identifier: MIT */
/* The sessions of an endpoint: by name in one array access, by the peer's address through a small table. */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/base/mutation.h"
#include "core/base/siphash.h"
#include "core/endpoint/endpoint.h"

#define INDEX_BITS      FLUX_SID_INDEX_BITS
#define INDEX_MASK      ((1u << INDEX_BITS) - 1)
#define GENERATION_MASK 0x7FFu /* bits 20 to 30; bit 31 is for groups */
#define WINDOW_MIN      16u

int flux_table_init(struct flux_endpoint *ep)
{
	uint32_t n = ep->cfg.max_sessions;

	flux_list_init(&ep->ready);
	flux_list_init(&ep->readable);
	flux_list_init(&ep->eventful);
	flux_list_init(&ep->unsettled);
	flux_list_init(&ep->half);
	ep->peers_mask = flux_pow2_ceil(n) - 1;
	ep->sessions = flux_mem_take_zeroed(ep->mem, n, sizeof(*ep->sessions));
	ep->free_sessions = flux_mem_take(ep->mem, n, sizeof(*ep->free_sessions));
	ep->peers = flux_mem_take_zeroed(ep->mem, (size_t)ep->peers_mask + 1, sizeof(struct flux_session *));
	if (!ep->sessions || !ep->free_sessions || !ep->peers)
		return FLUX_ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		ep->free_sessions[i] = i;
		ep->sessions[i].sid = (flux_rng_u32(&ep->rng) & GENERATION_MASK) << INDEX_BITS | i;
		if (FLUX_MUTATION(SAME_LIFE))
			ep->sessions[i].sid = i;
	}
	ep->n_free = n;
	return flux_heap_init(&ep->timers, ep->mem, n);
}

static void free_streams(struct flux_session *s)
{
	if (!s->open)
		return;
	flux_txstream_fini(&s->tx);
	flux_rxstream_fini(&s->rx);
	s->open = false;
}

void flux_table_fini(struct flux_endpoint *ep)
{
	for (uint32_t i = 0; ep->sessions && i < ep->cfg.max_sessions; i++)
		free_streams(&ep->sessions[i]);
	if (ep->timers.mem)
		flux_heap_fini(&ep->timers);
	flux_mem_give(ep->mem, ep->sessions, ep->cfg.max_sessions, sizeof(*ep->sessions));
	flux_mem_give(ep->mem, ep->free_sessions, ep->cfg.max_sessions, sizeof(*ep->free_sessions));
	if (!FLUX_MUTATION(LEAK_MEMORY))
		flux_mem_give(ep->mem, ep->peers, (size_t)ep->peers_mask + 1, sizeof(struct flux_session *));
}

static struct flux_session **bucket(const struct flux_endpoint *ep, const struct flux_addr *peer)
{
	uint8_t key[22], hash[16];
	uint32_t h;

	memcpy(key, peer->ip, 16);
	memcpy(key + 16, &peer->scope, 4);
	memcpy(key + 20, &peer->port, 2);
	flux_siphash128(hash, key, sizeof(key), ep->cfg.reset_key);
	memcpy(&h, hash, sizeof(h));
	return &ep->peers[h & ep->peers_mask];
}

/* The name of the next life of the slot: another generation, never 0. */
static flux_sid next_sid(flux_sid sid)
{
	uint32_t index = sid & INDEX_MASK, generation = sid >> INDEX_BITS;

	do
		generation = (generation + 1) & GENERATION_MASK;
	while (!generation);
	return generation << INDEX_BITS | index;
}

/* What a new session may promise: its share of the socket buffer, were all open ones busy. */
static uint32_t window_share(const struct flux_endpoint *ep)
{
	uint32_t share = ep->rcvbuf_datagrams / (ep->cfg.max_sessions - ep->n_free);

	return flux_min_u32(ep->cfg.window, flux_max_u32(share, WINDOW_MIN));
}

struct flux_session *flux_table_add(struct flux_endpoint *ep, const struct flux_addr *peer,
				    enum flux_session_state state)
{
	struct flux_session *s, **chain;
	flux_sid sid;

	if (!ep->n_free)
		return NULL;
	s = &ep->sessions[ep->free_sessions[ep->free_head]];
	ep->free_head = (ep->free_head + 1) % ep->cfg.max_sessions;
	ep->n_free--;
	sid = next_sid(s->sid);
	memset(s, 0, sizeof(*s));
	s->sid = sid;
	s->peer = *peer;
	s->state = state;
	s->control_next = 1;
	s->first_tx = ep->cfg.first_seq ? ep->cfg.first_seq : (flux_rng_u32(&ep->rng) >> 1 | 1);
	if (FLUX_MUTATION(SAME_LIFE))
		s->first_tx = 1000;
	s->window = window_share(ep);
	s->max_datagram = ep->cfg.max_datagram;
	s->idle_timeout = ep->cfg.idle_timeout;
	s->t_heard = ep->now;
	s->end.t_linger = FLUX_NEVER;
	s->timer.key = FLUX_NEVER;
	flux_replay_init(&s->replay);
	flux_rtt_init(&s->rtt, ep->cfg.granularity);
	chain = bucket(ep, peer);
	s->peer_next = *chain;
	*chain = s;
	return s;
}

void flux_table_set_local(struct flux_session *s, const struct flux_rx *rx)
{
	if (!rx->local)
		return;
	s->local = *rx->local;
	s->from = &s->local;
}

void flux_table_remove(struct flux_endpoint *ep, struct flux_session *s)
{
	struct flux_session **link = bucket(ep, &s->peer);

	while (*link != s)
		link = &(*link)->peer_next;
	*link = s->peer_next;
	free_streams(s);
	if (flux_node_linked(&s->half))
		ep->n_half--;
	flux_list_remove(&s->half);
	flux_list_remove(&s->ready);
	flux_list_remove(&s->readable);
	flux_list_remove(&s->eventful);
	flux_list_remove(&s->unsettled);
	flux_heap_set(&ep->timers, &s->timer, FLUX_NEVER);
	s->state = FLUX_S_FREE;
	ep->free_sessions[(ep->free_head + ep->n_free++) % ep->cfg.max_sessions] = (uint32_t)(s - ep->sessions);
}

struct flux_session *flux_table_peer(const struct flux_endpoint *ep, const struct flux_addr *peer,
				     struct flux_session *from)
{
	struct flux_session *s = from ? from->peer_next : *bucket(ep, peer);

	while (s && !flux_addr_equal(&s->peer, peer))
		s = s->peer_next;
	return s;
}
