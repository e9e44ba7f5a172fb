/* SPDX-License-Identifier: MIT */
/* Events and messages that wait to be pulled: which sessions have some. */
#include <string.h>

#include "core/base/mutation.h"
#include "core/endpoint/endpoint.h"

static bool has_unread(const struct flux_session *s)
{
	return s->open && !s->end.drop_unread && flux_delivery_ready(&s->rx.delivery, &s->rx.win);
}

/* Whether something can be told now: the end of a stream and of a session only after its messages. */
static bool has_event(const struct flux_session *s)
{
	if (s->pending & (FLUX_PENDING_UP | FLUX_PENDING_WRITABLE))
		return true;
	if (s->open && s->rx.delivery.gap && !s->end.drop_unread)
		return true;
	return (s->pending & (FLUX_PENDING_EOS | FLUX_PENDING_CLOSED)) && !has_unread(s);
}

static void set_linked(struct flux_list *list, struct flux_node *node, bool on)
{
	if (on)
		flux_list_append(list, node);
	else
		flux_list_remove(node);
}

void flux_session_refresh(struct flux_endpoint *ep, struct flux_session *s)
{
	set_linked(&ep->readable, &s->readable, !s->paused && has_unread(s));
	set_linked(&ep->eventful, &s->eventful, has_event(s));
	/* A buried session goes when its last event was pulled. */
	if (s->state == FLUX_S_TOMB && !s->pending)
		flux_session_set_timer(ep, s, false);
}

void flux_session_raise(struct flux_endpoint *ep, struct flux_session *s, uint8_t pending)
{
	s->pending |= pending;
	flux_session_refresh(ep, s);
}

flux_sid flux_endpoint_readable(struct flux_endpoint *ep)
{
	struct flux_node *node = flux_list_first(&ep->readable);

	if (!node)
		return 0;
	flux_list_remove(node);
	flux_list_append(&ep->readable, node);
	return FLUX_CONTAINER(node, struct flux_session, readable)->sid;
}

static void fill_closed(const struct flux_session *s, struct flux_event *event)
{
	event->type = FLUX_EVENT_CLOSED;
	event->reason = s->end.reason;
	event->code = s->end.code;
	event->undelivered = s->end.undelivered;
	memcpy(event->text, s->end.text, sizeof(s->end.text));
}

int flux_endpoint_event(struct flux_endpoint *ep, struct flux_event *event)
{
	struct flux_node *node = flux_list_first(&ep->eventful);
	struct flux_session *s;

	if (!node)
		return 0;
	s = FLUX_CONTAINER(node, struct flux_session, eventful);
	memset(event, 0, sizeof(*event));
	event->sid = s->sid;
	event->peer = s->peer;
	event->incoming = s->incoming;
	if (s->pending & FLUX_PENDING_UP) {
		event->type = FLUX_EVENT_UP;
		s->pending &= FLUX_MUTATION(UP_TWICE) ? UINT8_MAX : (uint8_t)~FLUX_PENDING_UP;
	} else if (s->pending & FLUX_PENDING_WRITABLE) {
		event->type = FLUX_EVENT_WRITABLE;
		s->pending &= (uint8_t)~FLUX_PENDING_WRITABLE;
	} else if (s->open && flux_delivery_take_gap(&s->rx.delivery, &event->first, &event->last)) {
		event->type = FLUX_EVENT_GAP;
	} else if (s->pending & FLUX_PENDING_EOS) {
		event->type = FLUX_EVENT_EOS;
		s->pending &= (uint8_t)~FLUX_PENDING_EOS;
	} else {
		fill_closed(s, event);
		s->pending = 0;
	}
	flux_list_remove(node);
	flux_session_refresh(ep, s);
	return 1;
}
