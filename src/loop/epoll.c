/* SPDX-License-Identifier: MIT */
/*
 * The epoll adapter: all descriptors in one epoll set, the deadline's among them. Whoever polls it may
 * sleep in it, or look at the set's own descriptor in a loop of his; then a pending turn is one too.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <flux/epoll.h>

/* Descriptors of one turn; more wait for the next, in their order. */
#define BATCH 64
/* Turns of a loop whose sockets look by themselves, to one look at the set. */
#define ASK_EVERY 16

struct watch {
	void *tag; /* NULL: gone, while its events may still be in the batch */
	uint32_t events;
	struct watch *next_gone;
};

struct epoll_host {
	struct flux_loop *loop;
	int epoll_fd;
	int turn_fd;  /* embedded: readable while `turn`; else -1 */
	bool turn;    /* one was asked for, or there is more to do */
	bool polling; /* inside flux_loop_poll_epoll(), which then frees what is left */
	bool closed;  /* by flux_loop_close() meanwhile */
	bool left;    /* a forked child has left in the set what it forgot */
	struct watch *gone;
	uint32_t skipped; /* turns without a look at the set, and those with one */
};

/* ---- Watching ---- */

static int control(struct epoll_host *host, int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event event = {
		.events = (events & FLUX_LOOP_IN ? EPOLLIN : 0u) | (events & FLUX_LOOP_OUT ? EPOLLOUT : 0u),
		.data.ptr = ptr,
	};

	return epoll_ctl(host->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

static void forget(struct epoll_host *host, struct watch *watch)
{
	watch->tag = NULL;
	watch->next_gone = host->gone;
	host->gone = watch;
}

static void free_gone(struct epoll_host *host)
{
	struct watch *watch;

	while ((watch = host->gone) != NULL) {
		host->gone = watch->next_gone;
		free(watch);
	}
}

static int watch_fd(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	struct epoll_host *host = arg;
	struct watch *watch = *slot;
	int rc;

	if (!events) {
		if (!watch)
			return 0;
		if (!flux_loop_is_forked(host->loop))
			(void)control(host, EPOLL_CTL_DEL, fd, 0, NULL);
		else
			host->left = true; /* it is the parent's set too */
		forget(host, watch);
		*slot = NULL;
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return FLUX_ENOMEM;
		watch->tag = tag;
	}
	rc = control(host, *slot ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, events, watch);
	if (rc == -EEXIST && host->left) /* adopted since */
		rc = control(host, EPOLL_CTL_MOD, fd, events, watch);
	if (rc == 0) {
		watch->events = events;
		*slot = watch;
	} else if (!*slot) {
		free(watch);
	}
	return rc;
}

/* ---- A turn ---- */

/* Who sleeps at the set's own descriptor shall see it. */
static void show_turn(struct epoll_host *host)
{
	if (host->turn && host->turn_fd >= 0 && !flux_loop_is_forked(host->loop))
		(void)!write(host->turn_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void rearm(void *arg)
{
	struct epoll_host *host = arg;

	host->turn = true;
	if (!host->polling)
		show_turn(host);
}

static uint32_t ready(const struct watch *watch, uint32_t events)
{
	uint32_t error = events & (EPOLLERR | EPOLLHUP);

	return watch->events & ((events & EPOLLIN || error ? FLUX_LOOP_IN : 0) |
				(events & EPOLLOUT || error ? FLUX_LOOP_OUT : 0));
}

static void hand_out(struct epoll_host *host, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n && !host->closed; i++) {
		struct watch *watch = events[i].data.ptr;

		if (!watch)
			(void)!read(host->turn_fd, &(uint64_t){ 0 }, sizeof(uint64_t));
		else if (watch->tag && ready(watch, events[i].events)) /* it may be watched for others by now */
			flux_loop_on_fd(host->loop, watch->tag, ready(watch, events[i].events));
	}
}

static void end_turn(struct epoll_host *host)
{
	if (!host->turn || host->closed)
		return;
	host->turn = false;
	if (flux_loop_on_turn(host->loop) > 0)
		host->turn = true;
	if (!host->closed)
		show_turn(host);
}

static void free_host(struct epoll_host *host)
{
	free_gone(host);
	if (host->turn_fd >= 0)
		close(host->turn_fd);
	if (host->epoll_fd >= 0)
		close(host->epoll_fd);
	free(host);
}

static void close_host(void *arg)
{
	struct epoll_host *host = arg;

	host->closed = true;
	if (!host->polling)
		free_host(host);
}

/* The deadline is a descriptor's; this is for a caller who has something else to do by then. */
static int wait_for(struct epoll_host *host, struct epoll_event *events, flux_ts timeout)
{
	flux_ts ms = timeout / FLUX_MS(1) + (timeout % FLUX_MS(1) != 0);

	if (timeout == 0 || timeout == FLUX_NEVER)
		return epoll_wait(host->epoll_fd, events, BATCH, timeout ? -1 : 0);
#ifdef HAVE_EPOLL_PWAIT2
	struct timespec ts = { (time_t)(timeout / FLUX_S(1)), (long)(timeout % FLUX_S(1)) };
	int n = epoll_pwait2(host->epoll_fd, events, BATCH, &ts, NULL);

	if (n >= 0 || errno != ENOSYS)
		return n;
#endif
	return epoll_wait(host->epoll_fd, events, BATCH, ms < INT_MAX ? (int)ms : INT_MAX);
}

/* While sockets look by themselves, the set is asked now and then: for errors, and for what is no socket. */
static bool skips(struct epoll_host *host, flux_ts timeout)
{
	return timeout == 0 && flux_loop_looks(host->loop) && ++host->skipped % ASK_EVERY != 0;
}

static const struct flux_loop_ops epoll_ops = {
	.size = sizeof(epoll_ops),
	.watch = watch_fd,
	.rearm = rearm,
	.close = close_host,
	.offers = FLUX_LOOP_ADOPTION,
};

int flux_loop_poll_epoll(struct flux_loop *loop, flux_ts timeout)
{
	struct epoll_host *host = flux_loop_host(loop, &epoll_ops);
	struct epoll_event events[BATCH];
	bool did;
	int n;

	if (!host || host->polling)
		return FLUX_EINVAL;
	if (flux_loop_is_forked(loop))
		return FLUX_EFORKED;
	if (host->turn)
		timeout = 0;
	host->polling = true;
	n = skips(host, timeout) ? 0 : wait_for(host, events, timeout);
	did = host->turn || n > 0;
	if (timeout == 0)
		host->turn = true; /* one who does not wait may be spinning: see flux_loop_set_awake() */
	hand_out(host, events, n);
	end_turn(host);
	host->polling = false;
	if (host->closed) {
		free_host(host);
		return FLUX_ECLOSED;
	}
	free_gone(host);
	return did || host->turn;
}

/* ---- Opening ---- */

int flux_loop_open_epoll(struct flux_loop **loop)
{
	struct epoll_host *host = calloc(1, sizeof(*host));
	int rc = 0;

	if (!host)
		return FLUX_ENOMEM;
	host->turn_fd = -1;
	host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (host->epoll_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = flux_loop_create(&host->loop, &epoll_ops, host, NULL);
	if (rc < 0) {
		free_host(host);
		return rc;
	}
	rc = flux_loop_keep_time(host->loop);
	if (rc < 0) {
		flux_loop_close(host->loop);
		return rc;
	}
	*loop = host->loop;
	return 0;
}

int flux_loop_epoll_fd(struct flux_loop *loop)
{
	struct epoll_host *host = flux_loop_host(loop, &epoll_ops);
	int rc;

	if (!host)
		return FLUX_EINVAL;
	if (host->turn_fd < 0) {
		host->turn_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (host->turn_fd < 0)
			return -errno;
		rc = control(host, EPOLL_CTL_ADD, host->turn_fd, FLUX_LOOP_IN, NULL);
		if (rc < 0) {
			close(host->turn_fd);
			host->turn_fd = -1;
			return rc;
		}
		show_turn(host);
	}
	return host->epoll_fd;
}

static int open_driver(struct flux_loop **loop, char *why, size_t why_cap)
{
	int rc = flux_loop_open_epoll(loop);

	snprintf(why, why_cap, "%s%s", rc < 0 ? "epoll: " : "", rc < 0 ? flux_strerror(rc) : "");
	return rc;
}

const struct flux_driver flux_driver_epoll = {
	.size = sizeof(flux_driver_epoll),
	.name = "epoll",
	.open = open_driver,
	.poll = flux_loop_poll_epoll,
};
