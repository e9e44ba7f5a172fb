/* SPDX-License-Identifier: MIT */
/* The user's timers on a loop: a heap, from which a turn takes what is due. */
#include <flux/timer.h>

#include "core/base/mem.h"
#include "loop/loop.h"
#include "loop/member.h"

struct flux_timer {
	struct flux_member member;
	struct flux_heap_node node;
	flux_timer_fn on_due;
	void *ctx;
};

static struct flux_timer *timer_of(struct flux_member *member)
{
	return FLUX_CONTAINER(member, struct flux_timer, member);
}

static void close_member(struct flux_member *member)
{
	flux_heap_set(&member->loop->timers, &timer_of(member)->node, FLUX_NEVER);
	(void)flux_member_close(member);
}

static void sweep(struct flux_member *member)
{
	struct flux_loop *loop = member->loop;

	if (!member->closing)
		return;
	flux_member_leave(member);
	loop->n_timers--;
	flux_mem_give(loop->mem, timer_of(member), 1, sizeof(struct flux_timer));
}

static const struct flux_member_ops member_ops = {
	.close = close_member,
	.sweep = sweep,
};

int flux_timer_open(struct flux_timer **timer, struct flux_loop *loop, flux_timer_fn on_due, void *ctx)
{
	struct flux_timer *t;
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (!on_due)
		return flux_loop_fail(loop, FLUX_EINVAL, "a timer needs on_due");
	t = flux_mem_take_zeroed(loop->mem, 1, sizeof(*t));
	if (!t || flux_heap_reserve(&loop->timers, loop->n_timers + 1) < 0) {
		flux_mem_give(loop->mem, t, 1, sizeof(*t));
		return flux_loop_fail(loop, FLUX_ENOMEM, "no memory for timer %u", loop->n_timers + 1);
	}
	rc = flux_member_join(&t->member, loop, &member_ops);
	if (rc < 0) {
		flux_mem_give(loop->mem, t, 1, sizeof(*t));
		return rc;
	}
	t->on_due = on_due;
	t->ctx = ctx;
	loop->n_timers++;
	*timer = t;
	return 0;
}

void flux_timer_set(struct flux_timer *timer, flux_ts at)
{
	struct flux_loop *loop = timer->member.loop;

	if (!FLUX_OWNED(loop) || timer->member.closing)
		return;
	/* Not in the turn that calls them: one that is always due would keep the others from theirs. */
	if (loop->turning && at <= loop->turn_now)
		at = loop->turn_now + 1;
	flux_heap_set(&loop->timers, &timer->node, at);
	/* A turn tells the host the new deadline at its end; one that was moved later only costs a turn. */
	if (!loop->turning && flux_heap_first(&loop->timers) == &timer->node)
		flux_loop_ask(loop);
}

void flux_timer_close(struct flux_timer *timer)
{
	if (timer && FLUX_OWNED(timer->member.loop) && !timer->member.closing)
		close_member(&timer->member);
}

void flux_timers_run(struct flux_loop *loop, flux_ts now)
{
	struct flux_heap_node *node;

	while (flux_loop_is_here(loop) && (node = flux_heap_first(&loop->timers)) != NULL && node->key <= now) {
		struct flux_timer *timer = FLUX_CONTAINER(node, struct flux_timer, node);

		flux_heap_set(&loop->timers, node, FLUX_NEVER);
		timer->on_due(timer->ctx, timer);
	}
}

flux_ts flux_timers_deadline(const struct flux_loop *loop)
{
	const struct flux_heap_node *node = flux_heap_first(&loop->timers);

	return node ? node->key : FLUX_NEVER;
}
