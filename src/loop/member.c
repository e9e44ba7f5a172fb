/* SPDX-License-Identifier: MIT */
/* Joining a loop and leaving it, for whatever lives there. */
#include "loop/member.h"

#include <stdbool.h>
#include <string.h>

#include "loop/loop.h"

int flux_member_join(struct flux_member *member, struct flux_loop *loop, const struct flux_member_ops *ops)
{
	if (loop->closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the loop is being closed");
	member->loop = loop;
	member->ops = ops;
	member->fd = -1;
	flux_list_append(ops->advance ? &loop->members : &loop->idlers, &member->on_loop);
	loop->n_members += ops->advance != NULL;
	return 0;
}

static int watch(struct flux_member *member, int fd, uint32_t events)
{
	struct flux_loop *loop = member->loop;
	int rc = loop->ops.watch(loop->host, fd, events, member, &member->slot);

	if (rc < 0)
		return flux_loop_fail(loop, rc, "the event loop cannot watch descriptor %d: %s", fd,
				      strerror(-rc));
	return 0;
}

/* What an adapter is asked for while the loop is paused: nothing, or to hold what it has received. */
static uint32_t paused_events(const struct flux_member *member)
{
	return member->loop->ops.offers & FLUX_LOOP_HOLD;
}

int flux_member_watch(struct flux_member *member, int fd, uint32_t events)
{
	/* The adapter of a paused loop is only told to let go of what it holds. */
	bool told = !member->loop->paused || (!events && paused_events(member));
	int rc = told ? watch(member, fd, events) : 0;

	if (rc < 0)
		return rc;
	member->fd = events ? fd : -1;
	member->events = events;
	return 0;
}

int flux_member_show(struct flux_member *member, bool on)
{
	return member->fd < 0 ? 0 : watch(member, member->fd, on ? member->events : paused_events(member));
}

int flux_member_watch_socket(struct flux_member *member, int fd, uint32_t events)
{
	uint32_t in = member->loop->ops.offers & FLUX_LOOP_MESSAGES;

	return flux_member_watch(member, fd, events | (in ? in : FLUX_LOOP_IN));
}

void flux_member_touch(struct flux_member *member)
{
	member->active = true;
	flux_loop_ask(member->loop);
}

bool flux_member_close(struct flux_member *member)
{
	if (member->closing)
		return false;
	member->closing = true;
	if (member->fd >= 0)
		(void)flux_member_watch(member, member->fd, 0);
	member->loop->reap = true;
	flux_loop_ask(member->loop);
	return true;
}

void flux_member_leave(struct flux_member *member)
{
	if (!flux_node_linked(&member->on_loop))
		return;
	flux_list_remove(&member->on_loop);
	member->loop->n_members -= member->ops->advance != NULL;
}
