/* SPDX-License-Identifier: MIT */
/*
 * The io_uring adapter: a turn hands to the kernel what was asked for since the last one, waits until
 * something has completed or the deadline, in one system call, and hands out what came.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include <flux/epoll.h>

#include "loop/uring.h"

/* Its address is a name of the thread. */
static _Thread_local char this_thread;

bool flux_uring_mine(const struct flux_uring_host *host)
{
	return *host->here && (!host->owner || host->owner == &this_thread);
}

/* ---- The loop's calls ---- */

static void rearm(void *arg)
{
	struct flux_uring_host *host = arg;

	host->turn = true;
}

static void unmap_here(struct flux_uring_host *host)
{
	if (host->here)
		munmap((void *)(uintptr_t)host->here, 1);
}

static void free_host(struct flux_uring_host *host)
{
	struct flux_uring_watch *watch;

	if (host->here && !*host->here)
		flux_uring_abandon(&host->uring);
	else
		flux_uring_close(&host->uring);
	while ((watch = host->gone) != NULL) {
		host->gone = watch->next_gone;
		free(watch);
	}
	unmap_here(host);
	free(host->sends);
	free(host->inbox);
	free(host);
}

static void close_host(void *arg)
{
	struct flux_uring_host *host = arg;

	host->closed = true;
	if (!host->polling)
		free_host(host);
}

static const struct flux_loop_ops uring_ops = {
	.size = sizeof(uring_ops),
	.watch = flux_uring_watch,
	.rearm = rearm,
	.close = close_host,
	.offers = FLUX_LOOP_MESSAGES | FLUX_LOOP_HOLD,
};

static const struct flux_loop_ops lending_ops = {
	.size = sizeof(lending_ops),
	.watch = flux_uring_watch,
	.rearm = rearm,
	.close = close_host,
	.offers = FLUX_LOOP_MESSAGES | FLUX_LOOP_HOLD,
	.send = flux_uring_send,
};

/* ---- A turn ---- */

/* Hand in what is queued; nothing to hand in, and nothing that waits for us in the kernel: no call. */
static int look(struct io_uring *ring)
{
	unsigned int pending = IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);

	if (!pending && io_uring_sq_ready(ring) == 0 && (ring->flags & IORING_SETUP_TASKRUN_FLAG))
		return 0;
	return io_uring_submit_and_get_events(ring);
}

static int wait_for(struct flux_uring_host *host, flux_ts timeout)
{
	struct io_uring *ring = &host->uring.ring;
	struct __kernel_timespec ts = { (int64_t)(timeout / FLUX_S(1)), (int64_t)(timeout % FLUX_S(1)) };
	struct io_uring_cqe *cqe;

	if (timeout == 0)
		return look(ring);
	return io_uring_submit_and_wait_timeout(ring, &cqe, 1, timeout == FLUX_NEVER ? NULL : &ts, NULL);
}

/* Whoever turns it first owns it. */
static int claim(struct flux_uring_host *host)
{
	int rc;

	if (!*host->here)
		return FLUX_EFORKED;
	if (!flux_uring_mine(host))
		return FLUX_ETHREAD;
	if (host->owner)
		return 0;
	rc = host->uring.enabled ? 0 : flux_uring_enable(&host->uring);
	if (rc == 0)
		host->owner = &this_thread;
	return rc;
}

static flux_ts shorten(const struct flux_uring_host *host, flux_ts timeout)
{
	flux_ts now;

	if (host->turn || host->first || flux_uring_has_mail(host))
		return 0;
	if (timeout == 0 || host->due == FLUX_NEVER)
		return timeout;
	now = flux_loop_now();
	if (host->due <= now)
		return 0;
	return timeout < host->due - now ? timeout : host->due - now;
}

static void end_turn(struct flux_uring_host *host)
{
	if (host->closed || (!host->turn && (host->due == FLUX_NEVER || host->due > flux_loop_now())))
		return;
	host->turn = false;
	if (flux_loop_on_turn(host->loop) > 0)
		host->turn = true;
	if (!host->closed && host->uring.keeps_time)
		host->due = flux_loop_deadline(host->loop);
}

static int poll_ring(struct flux_uring_host *host, flux_ts timeout)
{
	bool did = host->turn;
	int rc = claim(host);

	if (rc < 0)
		return rc;
	host->polling = true;
	rc = wait_for(host, shorten(host, timeout));
	if (timeout == 0)
		host->turn = true; /* one who does not wait may be spinning: see flux_loop_set_awake() */
	did = flux_uring_reap(host) || host->first || flux_uring_has_mail(host) || did;
	flux_uring_tell_sent(host);
	flux_uring_hand_out(host);
	end_turn(host);
	host->polling = false;
	if (host->closed) {
		free_host(host);
		return FLUX_ECLOSED;
	}
	flux_uring_free_gone(host);
	/* Out of time, interrupted, or the kernel asks that completions be taken first. */
	if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EBUSY && rc != -EAGAIN)
		return rc;
	return did || host->turn;
}

int flux_loop_poll_uring(struct flux_loop *loop, flux_ts timeout)
{
	struct flux_uring_host *host = flux_loop_host(loop, &uring_ops);

	if (!host)
		return flux_loop_poll_epoll(loop, timeout);
	return host->polling ? FLUX_EINVAL : poll_ring(host, timeout);
}

int flux_loop_run_uring(struct flux_loop *loop)
{
	int rc;

	do {
		rc = flux_loop_poll_uring(loop, FLUX_NEVER);
	} while (rc >= 0);
	return rc;
}

int flux_loop_is_uring(const struct flux_loop *loop)
{
	return flux_loop_host(loop, &uring_ops) != NULL;
}

uint64_t flux_loop_uring_stalls(const struct flux_loop *loop)
{
	const struct flux_uring_host *host = flux_loop_host(loop, &uring_ops);

	return host ? host->stalls : 0;
}

/* ---- Opening ---- */

static int read_cfg(struct flux_uring_cfg *cfg, const struct flux_uring_cfg *user, char *why)
{
	const uint8_t *bytes = (const void *)user;
	size_t known = sizeof(*cfg);

	if (!user)
		return 0;
	if (user->size < sizeof(user->size)) {
		snprintf(why, FLUX_WHY_TEXT, "the configuration's size is not set: start from FLUX_URING_CFG_INIT");
		return FLUX_EINVAL;
	}
	for (size_t i = known; i < user->size; i++) {
		if (bytes[i] == 0)
			continue;
		snprintf(why, FLUX_WHY_TEXT, "the configuration sets a member that this version lacks");
		return FLUX_E2BIG;
	}
	memcpy(cfg, user, user->size < known ? user->size : known);
	if (cfg->buffers <= FLUX_URING_MOST_BUFFERS && (cfg->buffers & (cfg->buffers - 1)) == 0)
		return 0;
	snprintf(why, FLUX_WHY_TEXT, "%u receive buffers: not a power of two up to %d", cfg->buffers,
		 FLUX_URING_MOST_BUFFERS);
	return FLUX_EINVAL;
}

/* A page that a forked child gets empty. */
static const uint8_t *map_here(void)
{
	uint8_t *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	(void)madvise(page, 1, MADV_WIPEONFORK);
	*page = 1;
	return page;
}

static int open_ring(struct flux_loop **loop, const struct flux_uring_cfg *cfg, char *why)
{
	struct flux_uring_host *host = calloc(1, sizeof(*host));
	int rc;

	if (!host)
		return FLUX_ENOMEM;
	host->due = FLUX_NEVER;
	rc = flux_uring_open(&host->uring, cfg, why);
	if (rc == 0) {
		host->here = map_here();
		host->inbox = calloc(host->uring.n_bufs, sizeof(*host->inbox));
		if (!host->here || !host->inbox)
			rc = FLUX_ENOMEM;
	}
	if (rc == 0 && cfg->zero_copy)
		rc = flux_uring_open_sends(host);
	if (rc == 0)
		rc = flux_loop_create(&host->loop, cfg->zero_copy ? &lending_ops : &uring_ops, host, NULL);
	if (rc < 0) {
		free_host(host);
		return rc;
	}
	if (!host->uring.keeps_time)
		rc = flux_loop_keep_time(host->loop);
	if (rc < 0)
		flux_loop_close(host->loop);
	else
		*loop = host->loop;
	return rc;
}

int flux_loop_open_uring(struct flux_loop **loop, const struct flux_uring_cfg *user, char *why)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char unread[FLUX_WHY_TEXT];
	int rc;

	if (!why)
		why = unread;
	why[0] = '\0';
	rc = read_cfg(&cfg, user, why);
	if (rc < 0)
		return rc;
	rc = flux_uring_trial(&cfg, why);
	if (rc == 0)
		rc = open_ring(loop, &cfg, why);
	if (rc == 0 || cfg.require)
		return rc;
	return flux_loop_open_epoll(loop);
}

static int open_driver(struct flux_loop **loop, char *why, size_t why_cap)
{
	char words[FLUX_WHY_TEXT];
	int rc = flux_loop_open_uring(loop, NULL, words);

	if (rc < 0 && !words[0])
		snprintf(words, sizeof(words), "io_uring: %s", flux_strerror(rc));
	snprintf(why, why_cap, "%s", words);
	return rc;
}

const struct flux_driver flux_driver_uring = {
	.size = sizeof(flux_driver_uring),
	.name = "uring",
	.open = open_driver,
	.poll = flux_loop_poll_uring,
};
