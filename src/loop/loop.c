/* SPDX-License-Identifier: MIT */
/*
 * The turn: what a host's loop calls, and in which order its members get their share. Callbacks are
 * entered from here only, one at a time; whatever they close ends when the last of them has returned.
 */
#include "loop/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/cfg.h"
#include "core/base/mem.h"
#include "core/base/time.h"
#include "loop/member.h"
#include "sys/clock.h"

/* Its address is a name of the thread, got without a system call. */
static _Thread_local char this_thread;

#ifdef FLUX_DEBUG
static _Thread_local char trespass[FLUX_LOOP_DETAIL];

bool flux_loop_owned(const struct flux_loop *loop, const char *function)
{
	if (loop->owner == &this_thread)
		return true;
	snprintf(trespass, sizeof(trespass), "%s() was called from a thread that does not turn this loop",
		 function);
	return false;
}
#endif

int flux_loop_stranger(struct flux_loop *loop)
{
	if (flux_loop_is_here(loop))
		return FLUX_ETHREAD;
	return flux_loop_fail(loop, FLUX_EFORKED,
			      "this process was forked from the one that owns the loop: close the loop "
			      "and open another, or flux_loop_adopt() it");
}

const char *flux_loop_detail(const struct flux_loop *loop)
{
#ifdef FLUX_DEBUG
	if (loop->owner != &this_thread)
		return trespass;
#endif
	return loop->detail;
}

int flux_loop_fail(struct flux_loop *loop, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(loop->detail, sizeof(loop->detail), format, args);
	va_end(args);
	return code;
}

int flux_cfg_fail(struct flux_loop *loop, int code)
{
	if (code == FLUX_E2BIG)
		return flux_loop_fail(loop, code, "the configuration sets a member that version %s lacks",
				      flux_version());
	return flux_loop_fail(loop, code, "the configuration's size is not set: start from its initialiser");
}

int flux_loop_create(struct flux_loop **loop, const struct flux_loop_ops *ops, void *host,
		     const struct flux_mem *mem)
{
	struct flux_loop_ops known = { 0 };
	struct flux_loop *l;
	int rc = flux_cfg_copy(&known, sizeof(known), ops);

	if (rc < 0)
		return rc;
	if (!known.watch || !known.rearm || !known.close)
		return FLUX_EINVAL;
	if (!mem)
		mem = &flux_mem_libc;
	l = flux_mem_take_zeroed(mem, 1, sizeof(*l));
	if (l)
		l->mark = flux_fork_mark();
	if (!l || !l->mark || flux_heap_init(&l->timers, mem, 0) < 0) {
		if (l)
			flux_fork_unmark(l->mark);
		flux_mem_give(mem, l, 1, sizeof(*l));
		return FLUX_ENOMEM;
	}
	l->ops = known;
	l->host = host;
	l->mem = mem;
	l->owner = &this_thread;
	flux_list_init(&l->members);
	flux_list_init(&l->idlers);
	*loop = l;
	return 0;
}

void *flux_loop_host(const struct flux_loop *loop, const struct flux_loop_ops *ops)
{
	return loop && loop->ops.close == ops->close ? loop->host : NULL;
}

flux_ts flux_loop_now(void)
{
	return flux_clock_now();
}

void flux_loop_ask(struct flux_loop *loop)
{
	if ((loop->paused && !loop->reap) || !flux_fork_is_here(loop->mark))
		return; /* flux_loop_resume() asks; in a child nobody should be woken */
	if (loop->turning) {
		loop->again = true;
	} else if (!loop->asked) {
		loop->asked = true;
		loop->ops.rearm(loop->host);
	}
}

static struct flux_member *member_at(struct flux_node *node)
{
	return FLUX_CONTAINER(node, struct flux_member, on_loop);
}

#define FOR_EACH(node, list) \
	for (struct flux_node *node = (list)->head.next; node != &(list)->head; node = node->next)

static void sweep(struct flux_list *list)
{
	struct flux_node *node = list->head.next;

	while (node != &list->head) {
		struct flux_member *member = member_at(node);

		node = node->next;
		member->ops->sweep(member);
	}
}

/* End the members that were closed. Their last callbacks may close more. */
static void reap(struct flux_loop *loop)
{
	while (loop->reap) {
		loop->reap = false;
		sweep(&loop->members);
		sweep(&loop->idlers);
	}
}

static void close_members(struct flux_loop *loop)
{
	FOR_EACH (node, &loop->members)
		member_at(node)->ops->close(member_at(node));
	FOR_EACH (node, &loop->idlers)
		member_at(node)->ops->close(member_at(node));
}

/* Callbacks may come from here on. A loop belongs to the thread that turns it. */
static void enter(struct flux_loop *loop)
{
	loop->owner = &this_thread;
	loop->busy = true;
}

/* No callback is on the stack any more. Returns false if the loop is gone. */
static bool leave(struct flux_loop *loop)
{
	reap(loop);
	loop->turning = loop->flushing = false;
	loop->busy = false;
	if (!loop->closing) {
		if (loop->missed) {
			loop->missed = loop->asked = false;
			flux_loop_ask(loop);
		}
		return true;
	}
	loop->ops.close(loop->host);
	flux_heap_fini(&loop->timers);
	flux_fork_unmark(loop->mark);
	flux_mem_give(loop->mem, loop, 1, sizeof(*loop));
	return false;
}

void flux_loop_close(struct flux_loop *loop)
{
	if (!loop || loop->closing || (flux_loop_is_here(loop) && !FLUX_OWNED(loop)))
		return;
	loop->closing = true;
	close_members(loop);
	if (loop->busy)
		return;
	enter(loop);
	leave(loop);
}

/* Whether what comes from the host is for us now. */
static bool is_on(struct flux_loop *loop)
{
	if (!flux_loop_is_here(loop) && !loop->paused)
		flux_loop_forsake(loop);
	return !loop->paused;
}

void flux_loop_on_fd(struct flux_loop *loop, void *tag, uint32_t events)
{
	struct flux_member *member = tag;

	/* A host that runs its loop inside one of our callbacks: what is level-triggered comes again. */
	if (loop->busy || !is_on(loop))
		return;
	enter(loop);
	member->ops->on_fd(member, events);
	leave(loop);
}

void flux_loop_on_messages(struct flux_loop *loop, void *tag, const struct msghdr *msgs, uint32_t n)
{
	struct flux_member *member = tag;

	/* Inside one of our callbacks they are lost, as any datagram may be. */
	if (loop->busy || !is_on(loop))
		return;
	enter(loop);
	member->ops->on_messages(member, msgs, n);
	leave(loop);
}

/* A turn of the members: how time, what came and what is due to go change them. */
static void turn_members(struct flux_loop *loop)
{
	flux_ts now = flux_clock_now();

	loop->turn_now = now;
	flux_timers_run(loop, now);
	/* Two rounds, so that what a callback of one member sends on another leaves in this turn. */
	FOR_EACH (node, &loop->members) {
		if (!flux_loop_is_here(loop))
			return; /* a callback forked, and this is the child: the parent goes on */
		member_at(node)->ops->advance(member_at(node), now);
	}
	if (!flux_loop_is_here(loop))
		return;
	loop->flushing = true;
	FOR_EACH (node, &loop->members)
		member_at(node)->ops->flush(member_at(node));
}

void flux_loop_on_sent(struct flux_loop *loop, void *tag, uint32_t run)
{
	struct flux_member *member = tag;

	(void)loop;
	member->ops->on_sent(member, run);
}

int flux_loop_on_turn(struct flux_loop *loop)
{
	flux_ts due;

	if (loop->busy) { /* by a host that runs its loop inside a callback: it is made up for */
		if (loop->turning)
			loop->again = true;
		else
			loop->missed = true;
		return 0;
	}
	enter(loop);
	loop->asked = false;
	loop->again = false;
	loop->turning = true;
	if (is_on(loop)) /* else it ends what was closed meanwhile */
		turn_members(loop);
	if (!leave(loop))
		return FLUX_ECLOSED;
	if (!is_on(loop))
		return 0;
	due = flux_loop_deadline(loop);
	if (loop->again || due <= flux_clock_now())
		return 1;
	if (!loop->awake)
		flux_loop_arm(loop, due);
	return 0;
}

void flux_loop_set_awake(struct flux_loop *loop, int awake)
{
	if (!FLUX_OWNED(loop) || loop->awake == !!awake)
		return;
	loop->awake = awake;
	/* They ask to be woken; and the deadline was not armed. */
	FOR_EACH (node, &loop->members) {
		flux_member_touch(member_at(node));
	}
	flux_loop_ask(loop);
}

/* Sockets and rings that may be looked at one by one, each by about the time of one question to the kernel. */
#define LOOKERS_MOST 4

int flux_loop_looks(const struct flux_loop *loop)
{
	return loop->awake && !loop->paused && loop->n_members <= LOOKERS_MOST &&
	       !(loop->ops.offers & FLUX_LOOP_MESSAGES);
}

flux_ts flux_loop_deadline(const struct flux_loop *loop)
{
	const struct flux_node *node = loop->members.head.next;
	flux_ts due = flux_timers_deadline(loop);

	if (loop->paused)
		return FLUX_NEVER;
	for (; node != &loop->members.head; node = node->next) {
		const struct flux_member *member = FLUX_CONTAINER(node, struct flux_member, on_loop);

		due = flux_ts_min(due, member->ops->deadline(member));
	}
	return due;
}
