/* SPDX-License-Identifier: MIT */
/* From a ring into a session: items that find no room there stay in the ring, whose writers then wait. */
#include "modules/bridge.h"

#include "sys/clock.h"

#define LOOK_AGAIN FLUX_MS(1)

static int on_item(void *ctx, struct flux_feed *feed, void *item, uint32_t len)
{
	struct flux_bridge *bridge = ctx;
	struct flux_binding *binding = bridge->att.binding;
	int rc = binding->member.closing ? FLUX_ECLOSED :
					   flux_session_send(binding->ep, bridge->att.sid, item, len);

	(void)feed;
	switch (rc) {
	case 0:
		flux_bridge_count(bridge, len);
		flux_binding_touch(binding);
		return FLUX_FEED_ON;
	case FLUX_EMSGSIZE:
		flux_bridge_tell(bridge, rc, len);
		return FLUX_FEED_ON;
	case FLUX_EBUSY: /* somebody writes a message in place, and has not finished */
		flux_timer_set(bridge->look, flux_clock_now() + LOOK_AGAIN);
		flux_bridge_wait(bridge);
		return FLUX_FEED_KEEP;
	case FLUX_EAGAIN: /* until it has room, or comes up: on_event() */
		flux_bridge_wait(bridge);
		return FLUX_FEED_KEEP;
	default:
		flux_bridge_tell(bridge, rc, len);
		return FLUX_FEED_KEEP;
	}
}

static void on_look(void *ctx, struct flux_timer *timer)
{
	(void)timer;
	flux_feed_resume(((struct flux_bridge *)ctx)->feed);
}

static void on_error(void *ctx, struct flux_feed *feed, int code)
{
	(void)feed;
	flux_bridge_tell(ctx, code, 0);
}

static void on_event(struct flux_attachment *att, const struct flux_event *event)
{
	struct flux_bridge *bridge = (struct flux_bridge *)att;

	if (event->type == FLUX_EVENT_UP || event->type == FLUX_EVENT_WRITABLE) {
		flux_feed_resume(bridge->feed);
	} else if (event->type == FLUX_EVENT_CLOSED) {
		flux_feed_pause(bridge->feed);
		flux_bridge_tell(bridge, FLUX_ECLOSED, 0);
	}
}

int flux_bridge_open_out(struct flux_bridge **bridge, struct flux_binding *binding, flux_sid sid,
			 struct flux_ring_reader *reader, const struct flux_bridge_cfg *cfg)
{
	struct flux_feed_cfg feed = FLUX_FEED_CFG_INIT;
	struct flux_bridge *b;
	int rc;

	if (sid == 0)
		return flux_loop_fail(binding->member.loop, FLUX_ECLOSED, "session 0 is no session");
	rc = flux_bridge_create(&b, binding, sid, false, cfg);
	if (rc < 0)
		return rc;
	b->att.on_event = on_event;
	feed.on_item = on_item;
	feed.on_error = on_error;
	feed.ctx = b;
	rc = flux_timer_open(&b->look, binding->member.loop, on_look, b);
	if (rc == 0)
		rc = flux_feed_open(&b->feed, binding->member.loop, reader, &feed);
	if (rc < 0) {
		flux_bridge_close(b);
		return rc;
	}
	*bridge = b;
	return 0;
}
