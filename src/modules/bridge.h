/* SPDX-License-Identifier: MIT */
/* A bridge from the inside: an attachment of a session, and one end of a ring. */
#ifndef FLUX_MODULES_BRIDGE_H
#define FLUX_MODULES_BRIDGE_H

#include <flux/bridge.h>
#include <flux/feed.h>
#include <flux/timer.h>
#include <flux/watch.h>

#include "loop/binding.h"

struct flux_bridge {
	struct flux_attachment att; /* first */
	struct flux_bridge_cfg cfg;
	struct flux_bridge_stats stats;
	struct flux_timer *look; /* try again, where nobody may say when */
	/* Out. */
	struct flux_feed *feed;
	/* In. */
	struct flux_ring_writer *writer;
	struct flux_watch *room; /* the writer's bell */
	bool armed;              /* somebody was kept until there is room */
};

/* A cleared one on a session. 0 or an error. */
int flux_bridge_create(struct flux_bridge **bridge, struct flux_binding *binding, flux_sid sid, bool reads,
		       const struct flux_bridge_cfg *cfg);

/* Tell of what did not go through. */
void flux_bridge_tell(struct flux_bridge *bridge, int code, uint32_t len);

/* One message went through. */
static inline void flux_bridge_count(struct flux_bridge *bridge, uint32_t len)
{
	bridge->stats.messages++;
	bridge->stats.bytes += len;
	bridge->stats.waiting = 0;
}

/* The other side has no room. */
static inline void flux_bridge_wait(struct flux_bridge *bridge)
{
	bridge->stats.waits += !bridge->stats.waiting;
	bridge->stats.waiting = 1;
}

#endif
