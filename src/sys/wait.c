/* SPDX-License-Identifier: MIT */
/* How Linux waits for a ring: futex, eventfd and the scheduler. */
#include <flux/ring.h>

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"

static flux_ts wait_now(void *ctx)
{
	(void)ctx;
	return flux_clock_now();
}

static void wait_yield(void *ctx)
{
	(void)ctx;
	sched_yield();
}

static struct timespec to_timespec(flux_ts ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / FLUX_S(1)), .tv_nsec = (long)(ns % FLUX_S(1)) };
}

static void wait_nap(void *ctx, uint32_t ns)
{
	struct timespec t = to_timespec(ns);

	(void)ctx;
	nanosleep(&t, NULL);
}

/* The kernel's own look at *word closes the gap between the caller's look and the sleep. */
static void wait_sleep(void *ctx, uint32_t *word, uint32_t value, flux_ts deadline, int shared)
{
	int op = shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE;
	struct timespec limit = { 0, 0 };

	(void)ctx;
	if (deadline != FLUX_NEVER) {
		flux_ts now = flux_clock_now();

		if (now >= deadline)
			return;
		limit = to_timespec(deadline - now);
	}
	/* Woken, changed, interrupted or too late: the caller looks again in each case. */
	(void)syscall(SYS_futex, word, op, value, deadline == FLUX_NEVER ? NULL : &limit, NULL, 0);
}

static void wait_wake(void *ctx, uint32_t *word, int shared)
{
	(void)ctx;
	(void)syscall(SYS_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static int wait_fd_open(void *ctx, uint32_t party, int whose)
{
	int fd;

	(void)ctx;
	(void)party;
	if (whose != FLUX_BELL_HERE)
		return FLUX_ENOTSUP; /* an eventfd has no name by which others could find it */
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void wait_fd_close(void *ctx, int fd)
{
	(void)ctx;
	close(fd);
}

static void wait_fd_ring(void *ctx, int fd)
{
	uint64_t one = 1;
	ssize_t rc;

	(void)ctx;
	/* Full means rung already. */
	do
		rc = write(fd, &one, sizeof(one));
	while (rc < 0 && errno == EINTR);
}

static void wait_fd_clear(void *ctx, int fd)
{
	uint64_t count;
	ssize_t rc;

	(void)ctx;
	do
		rc = read(fd, &count, sizeof(count));
	while (rc < 0 && errno == EINTR);
}

const struct flux_wait_ops flux_wait_linux = {
	.now = wait_now,
	.yield = wait_yield,
	.nap = wait_nap,
	.sleep = wait_sleep,
	.wake = wait_wake,
	.fd_open = wait_fd_open,
	.fd_close = wait_fd_close,
	.fd_ring = wait_fd_ring,
	.fd_clear = wait_fd_clear,
	.ctx = NULL,
};
