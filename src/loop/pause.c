/* SPDX-License-Identifier: MIT */
/*
 * A loop that is off its host for a while: what its members watch is taken from there, and put back. Also in a
 * forked child, whose copy is off until it is adopted.
 */
#include "loop/loop.h"
#include "loop/member.h"

/* Returns 0 or the first error, behind which nothing is done. */
static int show(struct flux_list *list, bool on)
{
	int rc = 0;

	for (struct flux_node *node = list->head.next; node != &list->head && rc == 0; node = node->next)
		rc = flux_member_show(FLUX_CONTAINER(node, struct flux_member, on_loop), on);
	return rc;
}

static void leave_host(struct flux_loop *loop)
{
	loop->paused = true;
	(void)show(&loop->members, false); /* less than before: nothing to refuse */
	(void)show(&loop->idlers, false);
}

int flux_loop_pause(struct flux_loop *loop)
{
	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (!loop->paused)
		leave_host(loop);
	return 0;
}

int flux_loop_resume(struct flux_loop *loop)
{
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (!loop->paused)
		return 0;
	rc = show(&loop->members, true);
	if (rc == 0)
		rc = show(&loop->idlers, true);
	if (rc < 0) {
		leave_host(loop);
		return rc;
	}
	loop->paused = false;
	flux_loop_ask(loop);
	return 0;
}

/* ---- Forks ---- */

void flux_loop_forsake(struct flux_loop *loop)
{
	leave_host(loop);
	loop->forsaken = true;
}

int flux_loop_is_forked(const struct flux_loop *loop)
{
	return !flux_fork_is_here(loop->mark);
}

int flux_loop_adopt(struct flux_loop *loop)
{
	if (!flux_loop_is_forked(loop))
		return FLUX_OWNED(loop) ? 0 : FLUX_ETHREAD;
	if (!(loop->ops.offers & FLUX_LOOP_ADOPTION))
		return flux_loop_fail(loop, FLUX_ENOTSUP,
				      "this kind of loop cannot go on in a forked child: close it, open another");
	*loop->mark = 1;
	loop->armed = FLUX_NEVER; /* the parent may have read what it was armed for */
	if (loop->forsaken) {
		loop->forsaken = false;
		return flux_loop_resume(loop);
	}
	loop->asked = false;
	flux_loop_ask(loop);
	return 0;
}
