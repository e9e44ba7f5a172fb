/* SPDX-License-Identifier: MIT */
/* From a session into a ring: a message that finds no room there stays in the session, whose window fills. */
#include "modules/bridge.h"

#include <string.h>

#include "core/base/bits.h"
#include "sys/clock.h"

/* Between processes, one who would have rung may have died before he did. */
#define LOOK_AGAIN FLUX_MS(25)

static bool has_records(const struct flux_ring_writer *writer)
{
	return writer->ring->flags & FLUX_RING_RECORDS;
}

/* The message into the ring: 0 or an error. */
static int put(struct flux_ring_writer *writer, const struct flux_msg *msg)
{
	struct flux_ring_record record;
	struct flux_ring_span span;
	int rc;

	if (has_records(writer)) {
		rc = flux_ring_record_claim(writer, msg->len, &record);
		if (rc < 0)
			return rc;
		memcpy(record.data, msg->data, msg->len);
		return flux_ring_record_publish(writer, msg->len);
	}
	if (msg->len != writer->slot)
		return FLUX_EMSGSIZE;
	rc = flux_ring_claim(writer, 1, &span);
	if (rc < 0)
		return rc;
	memcpy(span.at[0], msg->data, msg->len);
	return flux_ring_publish(writer, 1);
}

/* Slots that surely take the message: a record may need as much again before the wrap, less one. */
static uint32_t slots_of(const struct flux_ring_writer *writer, uint32_t len)
{
	return has_records(writer) ? (uint32_t)(2 * flux_ring_record_slots_(writer->slot, writer->shift, len) - 1) : 1;
}

/* There may be room again. */
static void go_on(struct flux_bridge *bridge)
{
	if (!bridge->armed || bridge->att.gone || bridge->att.binding->member.closing)
		return;
	bridge->armed = false;
	flux_binding_resume_for(bridge->att.binding, bridge->att.sid);
}

/* Be told when there is room for a message of `len` bytes. */
static void wait_for_room(struct flux_bridge *bridge, uint32_t len)
{
	int rc = flux_ring_writer_arm(bridge->writer, slots_of(bridge->writer, len));

	flux_bridge_wait(bridge);
	bridge->armed = true;
	if (rc != 0) /* by now, or closed: the next try tells */
		flux_timer_set(bridge->look, 0);
	else if (bridge->writer->ring->flags & FLUX_RING_PROCESSES)
		flux_timer_set(bridge->look, flux_clock_now() + LOOK_AGAIN);
}

static enum flux_take on_message(struct flux_attachment *att, flux_sid sid, const struct flux_msg *msg)
{
	struct flux_bridge *bridge = (struct flux_bridge *)att;
	int rc = put(bridge->writer, msg);

	(void)sid;
	if (rc == 0) {
		flux_bridge_count(bridge, msg->len);
		return FLUX_TAKE;
	}
	if (rc == FLUX_EAGAIN) {
		wait_for_room(bridge, msg->len);
		return FLUX_KEEP;
	}
	flux_bridge_tell(bridge, rc, msg->len);
	return rc == FLUX_EMSGSIZE ? FLUX_TAKE : FLUX_KEEP;
}

/* After the last message. */
static void on_event(struct flux_attachment *att, const struct flux_event *event)
{
	if (event->type == FLUX_EVENT_CLOSED)
		flux_bridge_tell((struct flux_bridge *)att, FLUX_ECLOSED, 0);
}

static void on_room(void *ctx, struct flux_watch *watch, uint32_t events)
{
	struct flux_bridge *bridge = ctx;

	(void)watch;
	(void)events;
	flux_ring_writer_clear(bridge->writer);
	go_on(bridge);
}

static void on_look(void *ctx, struct flux_timer *timer)
{
	(void)timer;
	go_on(ctx);
}

int flux_bridge_open_in(struct flux_bridge **bridge, struct flux_binding *binding, flux_sid sid,
			struct flux_ring_writer *writer, const struct flux_bridge_cfg *cfg)
{
	struct flux_loop *loop = binding->member.loop;
	struct flux_bridge *b;
	int rc;

	if (flux_ring_writer_fd(writer) < 0)
		return flux_loop_fail(loop, FLUX_ENOTSUP,
				      "the ring's writer does not wait by descriptor: open it with FLUX_WAIT_FD");
	rc = flux_bridge_create(&b, binding, sid, true, cfg);
	if (rc < 0)
		return rc;
	b->writer = writer;
	rc = flux_timer_open(&b->look, loop, on_look, b);
	if (rc == 0)
		rc = flux_watch_open(&b->room, loop, flux_ring_writer_fd(writer), FLUX_LOOP_IN, on_room, b);
	if (rc < 0) {
		flux_bridge_close(b);
		return rc;
	}
	b->att.on_message = on_message;
	b->att.on_event = on_event;
	*bridge = b;
	return 0;
}
