/* SPDX-License-Identifier: MIT */
/* What both directions of a bridge have in common: beginning, counters, end. */
#include "modules/bridge.h"

#include "core/base/cfg.h"

/* Let go of the ring, and of all that lives on the loop for it. */
static void detach(struct flux_bridge *bridge)
{
	flux_feed_close(bridge->feed);
	flux_watch_close(bridge->room);
	flux_timer_close(bridge->look);
	bridge->feed = NULL;
	bridge->room = NULL;
	bridge->look = NULL;
}

/* The binding ends. With a loop that ends they do by themselves, and may be gone before. */
static void on_end(struct flux_attachment *att)
{
	if (!att->binding->member.loop->closing)
		detach((struct flux_bridge *)att);
}

int flux_bridge_create(struct flux_bridge **bridge, struct flux_binding *binding, flux_sid sid, bool reads,
		       const struct flux_bridge_cfg *cfg)
{
	struct flux_bridge_cfg known = FLUX_BRIDGE_CFG_INIT;
	struct flux_attachment *att;
	int rc;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	rc = cfg ? flux_cfg_copy(&known, sizeof(known), cfg) : 0;
	if (rc < 0)
		return flux_cfg_fail(binding->member.loop, rc);
	rc = flux_attachment_create(&att, binding, sid, sizeof(**bridge), reads);
	if (rc < 0)
		return rc;
	att->on_end = on_end;
	*bridge = (struct flux_bridge *)att;
	(*bridge)->cfg = known;
	return 0;
}

void flux_bridge_tell(struct flux_bridge *bridge, int code, uint32_t len)
{
	if (code == FLUX_EMSGSIZE || code == FLUX_EBADMSG)
		bridge->stats.refused++;
	if (bridge->cfg.on_error && !bridge->att.gone)
		bridge->cfg.on_error(bridge->cfg.ctx, bridge, code, len);
}

void flux_bridge_get_stats(const struct flux_bridge *bridge, struct flux_bridge_stats *stats)
{
	if (FLUX_OWNED(bridge->att.binding->member.loop))
		flux_stats_copy(stats, &bridge->stats, sizeof(*stats));
}

void flux_bridge_close(struct flux_bridge *bridge)
{
	if (!bridge || !FLUX_OWNED(bridge->att.binding->member.loop) || bridge->att.gone)
		return;
	detach(bridge);
	flux_attachment_destroy(&bridge->att);
}
