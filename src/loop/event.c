/* SPDX-License-Identifier: MIT */
/*
 * The libevent adapter: Flux on a borrowed event_base of any configuration. It uses installed headers
 * only, as an adapter written elsewhere would.
 *
 * libevent's own timers may be 4 ms late (a base without PRECISE_TIMER reads a coarse clock), so the loop
 * keeps its time itself. The turn is an event that is only ever made active: libevent appends it
 * behind the fds that are ready. Work left over comes back by a timer of zero, after one poll: to make
 * the turn active from within itself would keep the host's other events out.
 *
 * A prepare watcher of libevent 2.2 is no better place for turns: it is called when the poll's timeout is
 * settled. A callback of ours that adds a timer there, makes an event active or breaks the loop, would be
 * heard when the poll ends by something else, and a loop that closes itself would free its watcher under
 * libevent's feet.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <unistd.h>

#include <event2/event.h>

#include <flux/event.h>

struct event_host {
	struct flux_loop *loop;
	struct event_base *base;
	bool own_base;
	bool running; /* inside flux_loop_run_event(), which then frees what is left */
	bool closed;
	pid_t parted;       /* the forked child in which the base shares nothing with the parent's any more */
	struct event *turn; /* the end of this round of callbacks */
	struct event *more; /* another turn after the host's other events */
};

/* What is watched of one fd. */
struct watch {
	struct event_host *host;
	void *tag;
	struct event *in, *out; /* in: from the beginning; out: only while the kernel refuses */
};

/* ---- Watching ---- */

/*
 * Before anything of ours is taken off the base of a forked child: until event_reinit() it is the parent's
 * too, whose events would go. To do it again, where the host has done it, does no harm.
 */
static void part(struct event_host *host)
{
	if (!host->loop || !flux_loop_is_forked(host->loop) || host->parted == getpid())
		return;
	host->parted = getpid();
	(void)event_reinit(host->base);
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	uint32_t events = (what & EV_READ ? FLUX_LOOP_IN : 0) | (what & EV_WRITE ? FLUX_LOOP_OUT : 0);

	(void)fd;
	flux_loop_on_fd(watch->host->loop, watch->tag, events); /* the loop may be gone now */
}

/* Have `*event` exist and be added, or not exist. */
static int keep(struct event **event, bool wanted, struct watch *watch, int fd, short what)
{
	if (!wanted) {
		free_event(*event);
		*event = NULL;
		return 0;
	}
	if (*event)
		return 0;
	*event = event_new(watch->host->base, fd, (short)(what | EV_PERSIST), on_ready, watch);
	if (*event && event_add(*event, NULL) == 0)
		return 0;
	free_event(*event);
	*event = NULL;
	return FLUX_ENOMEM;
}

static int watch_fd(void *host, int fd, uint32_t events, void *tag, void **slot)
{
	struct watch *watch = *slot;
	int rc;

	part(host);
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return FLUX_ENOMEM;
		watch->host = host;
		watch->tag = tag;
		*slot = watch;
	}
	rc = keep(&watch->in, events & FLUX_LOOP_IN, watch, fd, EV_READ);
	if (rc == 0)
		rc = keep(&watch->out, events & FLUX_LOOP_OUT, watch, fd, EV_WRITE);
	if (!watch->in && !watch->out) {
		free(watch);
		*slot = NULL;
	}
	return rc;
}

/* ---- Turns ---- */

static void rearm(void *arg)
{
	struct event_host *host = arg;

	event_active(host->turn, EV_TIMEOUT, 1);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct event_host *host = arg;

	(void)fd;
	(void)what;
	/* Negative: closed by one of its callbacks, `host` is gone. */
	if (flux_loop_on_turn(host->loop) > 0)
		event_add(host->more, &at_once);
}

/* ---- Opening and closing ---- */

static void free_host(struct event_host *host)
{
	if (host->own_base)
		event_base_free(host->base);
	free(host);
}

static void close_host(void *arg)
{
	struct event_host *host = arg;

	part(host);
	free_event(host->turn);
	free_event(host->more);
	host->closed = true;
	if (host->running)
		event_base_loopbreak(host->base); /* flux_loop_run_event() frees the rest */
	else
		free_host(host);
}

static const struct flux_loop_ops event_ops = {
	.size = sizeof(event_ops),
	.watch = watch_fd,
	.rearm = rearm,
	.close = close_host,
	.offers = FLUX_LOOP_ADOPTION,
};

int flux_loop_open_event(struct flux_loop **loop, struct event_base *base)
{
	struct event_host *host = calloc(1, sizeof(*host));
	int rc = FLUX_ENOMEM;

	if (!host)
		return rc;
	host->own_base = !base;
	host->base = base ? base : event_base_new();
	if (!host->base)
		goto fail;
	host->turn = event_new(host->base, -1, 0, on_turn, host);
	host->more = event_new(host->base, -1, 0, on_turn, host);
	if (!host->turn || !host->more)
		goto fail;
	rc = flux_loop_create(&host->loop, &event_ops, host, NULL);
	if (rc < 0)
		goto fail;
	rc = flux_loop_keep_time(host->loop);
	if (rc < 0) {
		flux_loop_close(host->loop);
		return rc;
	}
	*loop = host->loop;
	return 0;

fail:
	host->own_base = host->own_base && host->base;
	close_host(host);
	return rc;
}

int flux_loop_run_event(struct flux_loop *loop)
{
	struct event_host *host = flux_loop_host(loop, &event_ops);
	int rc;

	if (!host || host->running)
		return FLUX_EINVAL;
	if (flux_loop_is_forked(loop))
		return FLUX_EFORKED;
	host->running = true;
	rc = event_base_dispatch(host->base);
	host->running = false;
	if (host->closed) {
		free_host(host);
		return FLUX_ECLOSED;
	}
	return rc < 0 ? -EIO : 0;
}

struct event_base *flux_loop_event_base(const struct flux_loop *loop)
{
	struct event_host *host = flux_loop_host(loop, &event_ops);

	return host ? host->base : NULL;
}
