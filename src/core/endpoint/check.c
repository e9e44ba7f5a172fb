/* SPDX-License-Identifier: MIT */
/* A walk through everything an endpoint holds, for tests. */
#include "core/endpoint/check.h"

#include "core/endpoint/endpoint.h"

static const char *check_heap(const struct flux_heap *heap)
{
	for (uint32_t i = 1; i <= heap->n; i++) {
		if (heap->nodes[i]->pos != i)
			return "heap: a node does not know its place";
		if (i > 1 && heap->nodes[i / 2]->key > heap->nodes[i]->key)
			return "heap: a parent is later than its child";
	}
	return NULL;
}

static const char *check_ops(const struct flux_endpoint *ep)
{
	uint32_t free = 0, images = 0;

	for (uint32_t i = 0; i < FLUX_OPS; i++) {
		const struct flux_op *op = &ep->ops[i];

		free += op->state == FLUX_OP_FREE;
		images += op->state != FLUX_OP_FREE && op->image != FLUX_POOL_NONE;
		if (op->state != FLUX_OP_FREE && op->sid && op->session->sid != op->sid)
			return "ops: a datagram of a session that is gone";
	}
	if (free != ep->n_free_ops)
		return "ops: free ones miscounted";
	if (images != FLUX_IMAGES - ep->images.n_free)
		return "ops: images miscounted";
	return ep->control_tail - ep->control_head > FLUX_IMAGES ? "ops: queue overrun" : NULL;
}

static const char *check_session(const struct flux_session *s, uint32_t *buffers, uint32_t *kept)
{
	const char *bad = NULL;

	if (!s->open)
		return NULL;
	*buffers += s->rx.win.present;
	*kept += s->rx.win.promise_used;
	bad = flux_txstream_check(&s->tx);
	return bad ? bad : flux_rxstream_check(&s->rx);
}

const char *flux_endpoint_check(const struct flux_endpoint *ep)
{
	const char *bad = check_heap(&ep->timers);
	uint32_t open = 0, half = 0, buffers = 0, kept = 0;

	if (!bad)
		bad = check_ops(ep);
	for (uint32_t i = 0; !bad && i < ep->cfg.max_sessions; i++) {
		const struct flux_session *s = &ep->sessions[i];

		if (s->state == FLUX_S_FREE)
			continue;
		open++;
		half += flux_node_linked(&s->half);
		bad = check_session(s, &buffers, &kept);
	}
	if (bad)
		return bad;
	if (open != ep->cfg.max_sessions - ep->n_free || half != ep->n_half)
		return "table: sessions miscounted";
	if (buffers != ep->rx_pool.n - ep->rx_pool.n_free)
		return "pool: buffers leaked";
	return kept + ep->rx_pool.owed != ep->cfg.max_sessions ? "pool: promises miscounted" : NULL;
}
