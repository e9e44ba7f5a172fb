/* SPDX-License-Identifier: MIT */
/* The user's descriptors on a loop. */
#include <flux/watch.h>

#include "core/base/mem.h"
#include "loop/loop.h"
#include "loop/member.h"

struct flux_watch {
	struct flux_member member;
	int fd;
	flux_watch_fn on_ready;
	void *ctx;
};

static struct flux_watch *watch_of(struct flux_member *member)
{
	return FLUX_CONTAINER(member, struct flux_watch, member);
}

static void on_fd(struct flux_member *member, uint32_t events)
{
	struct flux_watch *watch = watch_of(member);

	if (!member->closing && events)
		watch->on_ready(watch->ctx, watch, events);
}

static void close_member(struct flux_member *member)
{
	(void)flux_member_close(member);
}

static void give(struct flux_watch *watch)
{
	const struct flux_mem *mem = watch->member.loop->mem;

	flux_member_leave(&watch->member);
	flux_mem_give(mem, watch, 1, sizeof(*watch));
}

static void sweep(struct flux_member *member)
{
	if (member->closing)
		give(watch_of(member));
}

static const struct flux_member_ops member_ops = {
	.on_fd = on_fd,
	.close = close_member,
	.sweep = sweep,
};

int flux_watch_open(struct flux_watch **watch, struct flux_loop *loop, int fd, uint32_t events,
		    flux_watch_fn on_ready, void *ctx)
{
	struct flux_watch *w;
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (!on_ready)
		return flux_loop_fail(loop, FLUX_EINVAL, "a watch needs on_ready");
	w = flux_mem_take_zeroed(loop->mem, 1, sizeof(*w));
	if (!w)
		return flux_loop_fail(loop, FLUX_ENOMEM, "no memory for a watch");
	w->fd = fd;
	w->on_ready = on_ready;
	w->ctx = ctx;
	rc = flux_member_join(&w->member, loop, &member_ops);
	if (rc < 0) {
		flux_mem_give(loop->mem, w, 1, sizeof(*w));
		return rc;
	}
	rc = flux_watch_change(w, events);
	if (rc < 0) {
		give(w);
		return rc;
	}
	*watch = w;
	return 0;
}

int flux_watch_change(struct flux_watch *watch, uint32_t events)
{
	struct flux_loop *loop = watch->member.loop;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (watch->member.closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the watch is closed");
	if (events & ~(FLUX_LOOP_IN | FLUX_LOOP_OUT))
		return flux_loop_fail(loop, FLUX_EINVAL, "a watch has events %u (in) and %u (out), not %u",
				      FLUX_LOOP_IN, FLUX_LOOP_OUT, events);
	if (!events && watch->member.fd < 0)
		return 0;
	return flux_member_watch(&watch->member, watch->fd, events);
}

void flux_watch_close(struct flux_watch *watch)
{
	if (watch && FLUX_OWNED(watch->member.loop))
		(void)flux_member_close(&watch->member);
}
