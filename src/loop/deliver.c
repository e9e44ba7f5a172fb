/* SPDX-License-Identifier: MIT */
/*
 * Handing out: events in order, messages to who reads them. A session's UP comes before its first
 * message and its EOS and CLOSED after the last, because events are asked for between any two reads.
 */
#include "core/base/time.h"
#include "loop/binding.h"
#include "sys/clock.h"

/* Messages between two looks at events and clock, for who takes each by itself; else FLUX_SUB_BATCH. */
#define READ_SINGLY 16

/* A turn may take this long to hand out; then the host's other events have their turn. */
#define DELIVER_TIME FLUX_US(32)

static void hand_event(struct flux_binding *binding, const struct flux_event *event)
{
	struct flux_attachment *att;

	if (event->type == FLUX_EVENT_CLOSED) {
		flux_binding_forget(binding, event->sid);
		flux_path_forget(binding, event->sid);
	}
	if (binding->cfg.on_event)
		binding->cfg.on_event(binding->cfg.ctx, binding, event);
	/* Looked up now, so that what on_event attached gets it too. */
	att = flux_attachment_first(binding, event->sid);
	for (; att && !binding->member.closing; att = att->next)
		if (att->sid == event->sid && !att->gone && att->on_event)
			att->on_event(att, event);
}

/* Hand out messages one by one, until one is kept, or who reads has changed. Returns how many were taken. */
static uint32_t hand_singly(struct flux_binding *binding, struct flux_attachment *reader, flux_sid sid,
			    const struct flux_msg *msgs, uint32_t n, enum flux_take *answer)
{
	uint32_t taken = 0;

	while (taken < n && !binding->stop) {
		*answer = reader->on_message(reader, sid, &msgs[taken]);
		if (*answer == FLUX_KEEP)
			break;
		taken++;
	}
	return taken;
}

/* Read from a session until its messages, the batch or its reader's patience end. */
static void hand_messages(struct flux_binding *binding, flux_sid sid)
{
	struct flux_attachment *reader = flux_attachment_reader(binding, sid);
	struct flux_msg msgs[FLUX_SUB_BATCH];
	enum flux_take answer = FLUX_TAKE;
	uint32_t taken, n;

	if (!reader) {
		flux_binding_pause(binding, sid); /* instead of being offered it for ever */
		return;
	}
	n = flux_session_read(binding->ep, sid, msgs, reader->on_batch ? FLUX_SUB_BATCH : READ_SINGLY);
	binding->reading = sid;
	binding->stop = false;
	if (!reader->on_batch) {
		taken = hand_singly(binding, reader, sid, msgs, n, &answer);
	} else if (n > 0) {
		taken = reader->on_batch(reader, sid, msgs, n);
		answer = taken < n ? FLUX_KEEP : FLUX_TAKE;
	} else {
		taken = 0;
	}
	binding->reading = 0;
	flux_session_release(binding->ep, sid, taken);
	if (answer == FLUX_KEEP && !reader->gone)
		flux_binding_pause(binding, sid);
}

void flux_binding_deliver(struct flux_binding *binding)
{
	flux_ts until = 0;
	struct flux_event event;
	flux_sid sid;

	for (;;) {
		while (!binding->member.closing &&
		       (flux_endpoint_event(binding->ep, &event) || flux_path_event(binding, &event)))
			hand_event(binding, &event);
		if (binding->member.closing || !flux_loop_is_here(binding->member.loop))
			return;
		sid = flux_endpoint_readable(binding->ep);
		if (sid == 0)
			return;
		if (until == 0)
			until = flux_ts_add(flux_clock_now(), DELIVER_TIME);
		else
			binding->spent = binding->spent || flux_clock_now() > until;
		if (binding->spent) {
			flux_binding_touch(binding);
			return;
		}
		hand_messages(binding, sid);
	}
}
