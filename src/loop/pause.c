/* SPDX-License-Identifier: MIT */
/* A loop that is off its host for a while: what its members watch is taken from there, and put back. */
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
		return FLUX_ETHREAD;
	if (!loop->paused)
		leave_host(loop);
	return 0;
}

int flux_loop_resume(struct flux_loop *loop)
{
	int rc;

	if (!FLUX_OWNED(loop))
		return FLUX_ETHREAD;
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
