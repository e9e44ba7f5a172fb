/* SPDX-License-Identifier: MIT */
/*
 * The deadline as one more descriptor that the adapter watches: a timerfd, since the timers of hosts count
 * in milliseconds, or by a coarse clock.
 */
#include <errno.h>
#include <string.h>

#include <sys/timerfd.h>
#include <unistd.h>

#include "loop/loop.h"

static struct flux_loop *loop_of(struct flux_member *member)
{
	return FLUX_CONTAINER(member, struct flux_loop, timer);
}

static void on_fd(struct flux_member *member, uint32_t events)
{
	struct flux_loop *loop = loop_of(member);
	uint64_t expirations;

	(void)events;
	if (member->closing || read(member->fd, &expirations, sizeof(expirations)) < 0)
		return; /* it was armed anew in between */
	loop->armed = FLUX_NEVER;
	flux_loop_ask(loop);
}

static void close_member(struct flux_member *member)
{
	int fd = member->fd;

	if (flux_member_close(member))
		close(fd);
}

static void sweep(struct flux_member *member)
{
	if (member->closing)
		flux_member_leave(member);
}

static const struct flux_member_ops member_ops = {
	.on_fd = on_fd,
	.close = close_member,
	.sweep = sweep,
};

int flux_loop_keep_time(struct flux_loop *loop)
{
	int fd, rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (loop->keeps_time)
		return 0;
	fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		return flux_loop_fail(loop, rc, "timerfd: %s", strerror(-rc));
	}
	rc = flux_member_join(&loop->timer, loop, &member_ops);
	if (rc == 0)
		rc = flux_member_watch(&loop->timer, fd, FLUX_LOOP_IN);
	if (rc < 0) {
		flux_member_leave(&loop->timer);
		close(fd);
		return rc;
	}
	loop->armed = FLUX_NEVER;
	loop->keeps_time = true;
	return 0;
}

void flux_loop_arm(struct flux_loop *loop, flux_ts due)
{
	struct itimerspec when = { 0 };

	/* Only earlier: an expiry that came too early costs one turn, each change a system call. */
	if (!loop->keeps_time || due >= loop->armed)
		return;
	when.it_value.tv_sec = (time_t)(due / FLUX_S(1));
	when.it_value.tv_nsec = (long)(due % FLUX_S(1));
	if (due == 0)
		when.it_value.tv_nsec = 1; /* 0 would disarm */
	timerfd_settime(loop->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
	loop->armed = due;
}
