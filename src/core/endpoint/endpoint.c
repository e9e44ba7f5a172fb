/* SPDX-License-Identifier: MIT */
/* Making and freeing an endpoint, its clock, its deadline and its error text. */
#include "core/endpoint/endpoint.h"

#include <string.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/base/mutation.h"
#include "core/base/text.h"

/* What a datagram costs of a socket buffer: a power of two with its headers, and the sk_buff. */
static uint32_t truesize(uint32_t datagram)
{
	return flux_pow2_ceil(datagram + 64 + 320) + 256;
}

static void init_ops(struct flux_endpoint *ep)
{
	for (uint32_t i = 0; i < FLUX_OPS; i++)
		ep->free_ops[i] = (uint16_t)(FLUX_OPS - 1 - i);
	ep->n_free_ops = FLUX_OPS;
}

static void init_secrets(struct flux_endpoint *ep)
{
	static const uint8_t none[sizeof(ep->cfg.reset_key)];

	flux_rng_init(&ep->rng, ep->cfg.seed);
	flux_rng_bytes(&ep->rng, ep->cookie_key, sizeof(ep->cookie_key));
	if (!memcmp(ep->cfg.reset_key, none, sizeof(none)))
		flux_rng_bytes(&ep->rng, ep->cfg.reset_key, sizeof(ep->cfg.reset_key));
	while (!ep->cfg.boot_id)
		ep->cfg.boot_id = flux_rng_u64(&ep->rng);
}

static int no_memory(char *why)
{
	return flux_endpoint_cfg_fail(why, FLUX_ENOMEM, "the allocator refused: lower max_sessions or rx_pool");
}

int flux_endpoint_create(struct flux_endpoint **out, const struct flux_endpoint_cfg *cfg, char *why)
{
	struct flux_endpoint_cfg full;
	struct flux_endpoint *ep;
	int rc = flux_endpoint_cfg_resolve(&full, cfg, why);

	if (rc)
		return rc;
	ep = flux_mem_take_zeroed(full.mem, 1, sizeof(*ep));
	if (!ep)
		return no_memory(why);
	ep->cfg = full;
	ep->mem = full.mem;
	init_ops(ep);
	init_secrets(ep);
	/* Three quarters of the buffer: what the kernel counts beside it must fit too. */
	ep->rcvbuf_datagrams = full.rcvbuf ? full.rcvbuf / 4 * 3 / truesize(full.max_datagram) : UINT32_MAX;

	rc = flux_table_init(ep);
	if (!rc)
		rc = flux_pool_init(&ep->rx_pool, ep->mem, full.rx_pool, full.max_datagram);
	if (!rc)
		rc = flux_pool_init(&ep->images, ep->mem, FLUX_IMAGES, FLUX_IMAGE_BYTES);
	if (rc) {
		flux_endpoint_destroy(ep);
		return no_memory(why);
	}
	ep->rx_pool.owed = full.max_sessions; /* one slot each, whatever the others hold */
	*out = ep;
	return 0;
}

void flux_endpoint_destroy(struct flux_endpoint *ep)
{
	if (!ep)
		return;
	flux_table_fini(ep);
	flux_pool_fini(&ep->images);
	flux_pool_fini(&ep->rx_pool);
	flux_mem_give(ep->mem, ep, 1, sizeof(*ep));
}

flux_ts flux_endpoint_clock(struct flux_endpoint *ep, flux_ts now)
{
	if (now < ep->now) {
		ep->stats.clock_steps_back++;
		return ep->now;
	}
	/* Long away: suspended, stopped, or a blocked loop. Silence meanwhile is nobody's fault but ours. */
	if (now - ep->now > ep->cfg.idle_timeout / 2)
		ep->awake_since = now;
	ep->now = now;
	return now;
}

flux_ts flux_endpoint_deadline(const struct flux_endpoint *ep)
{
	const struct flux_heap_node *first = flux_heap_first(&ep->timers);

	if (FLUX_MUTATION(DEADLINE_PAST) && first)
		return 0;
	return first ? first->key : FLUX_NEVER;
}

void flux_endpoint_expire(struct flux_endpoint *ep, flux_ts now)
{
	struct flux_heap_node *node;

	now = flux_endpoint_clock(ep, now);
	while ((node = flux_heap_first(&ep->timers)) && node->key <= now)
		flux_session_expire(ep, FLUX_CONTAINER(node, struct flux_session, timer), now);
}

int flux_endpoint_fail(struct flux_endpoint *ep, int code, const char *what, uint64_t limit,
		       const char *remedy)
{
	struct flux_text t;

	flux_text_init(&t, ep->detail, sizeof(ep->detail));
	flux_text_str(&t, what);
	flux_text_u64(&t, limit);
	flux_text_str(&t, remedy);
	return code;
}

int flux_endpoint_fail_closed(struct flux_endpoint *ep, flux_sid sid)
{
	return flux_endpoint_fail(ep, FLUX_ECLOSED, "session ", sid, " is closing, closed or unknown");
}

const char *flux_endpoint_detail(const struct flux_endpoint *ep)
{
	return ep->detail;
}

int flux_endpoint_connect(struct flux_endpoint *ep, flux_ts now, const struct flux_addr *peer, flux_sid *sid)
{
	struct flux_session *s;

	flux_endpoint_clock(ep, now);
	if ((peer->family != 4 && peer->family != 6) || !peer->port)
		return flux_endpoint_fail(ep, FLUX_EINVAL, "the peer needs an address and a port from 1 to ",
					  65535, "");
	s = flux_table_add(ep, peer, FLUX_S_WAIT);
	if (!s)
		return flux_endpoint_fail(ep, FLUX_EBUSY, "all ", ep->cfg.max_sessions,
					  " sessions are open: close one, or raise max_sessions");
	s->known = true;
	flux_hello_start(ep, s);
	*sid = s->sid;
	return 0;
}
