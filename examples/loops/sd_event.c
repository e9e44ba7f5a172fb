/* SPDX-License-Identifier: MIT */
/* Flux in an sd-event loop: a source for each descriptor, and one of time for the turns. */
#include <stdlib.h>

#include <sys/epoll.h>

#include <systemd/sd-event.h>

#include "loops.h"

struct host {
	struct flux_loop *loop;
	sd_event *event;
	sd_event_source *turn;
};

struct watch {
	struct host *host;
	void *tag;
	sd_event_source *source;
};

static int on_ready(sd_event_source *source, int fd, uint32_t is, void *arg)
{
	struct watch *watch = arg;
	uint32_t what = (is & ~(uint32_t)EPOLLOUT ? FLUX_LOOP_IN : 0) | (is & EPOLLOUT ? FLUX_LOOP_OUT : 0);

	(void)source, (void)fd;
	flux_loop_on_fd(watch->host->loop, watch->tag, what);
	return 0;
}

static int watch_fd(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	uint32_t what = (events & FLUX_LOOP_IN ? EPOLLIN : 0) | (events & FLUX_LOOP_OUT ? EPOLLOUT : 0);
	struct watch *watch = *slot;
	int rc = 0;

	if (events && watch)
		return sd_event_source_set_io_events(watch->source, what);
	if (events) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return FLUX_ENOMEM;
		watch->host = arg;
		watch->tag = tag;
		rc = sd_event_add_io(watch->host->event, &watch->source, fd, what, on_ready, watch);
	}
	if (rc < 0 || !events) {
		if (watch)
			sd_event_source_disable_unref(watch->source);
		free(watch);
		watch = NULL;
	}
	*slot = watch;
	return rc;
}

/* A time of the clock that Flux goes by; 0 is at once, and lets sources that wait have their turn first. */
static void turn_at(struct host *host, flux_ts due)
{
	sd_event_source_set_time(host->turn, due ? due / FLUX_US(1) + 1 : 0);
	sd_event_source_set_enabled(host->turn, due == FLUX_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, uint64_t usec, void *host)
{
	struct flux_loop *loop = ((struct host *)host)->loop;
	int more = flux_loop_on_turn(loop);

	(void)source, (void)usec;
	if (more >= 0) /* else the loop is gone */
		turn_at(host, more ? 0 : flux_loop_deadline(loop));
	return 0;
}

static void rearm(void *host)
{
	turn_at(host, 0);
}

static void close_host(void *arg)
{
	struct host *host = arg;

	sd_event_source_disable_unref(host->turn);
	sd_event_unref(host->event);
	free(host);
}

int open_in_sd_event(struct flux_loop **loop, struct sd_event *event)
{
	static const struct flux_loop_ops ops = { sizeof(ops), watch_fd, rearm, close_host, 0, NULL };
	struct host *host = calloc(1, sizeof(*host));
	int rc = FLUX_ENOMEM;

	if (host)
		rc = sd_event_add_time(event, &host->turn, CLOCK_BOOTTIME, 0, 1, on_turn, host);

	if (rc < 0) {
		free(host);
		return rc;
	}
	host->event = sd_event_ref(event);
	turn_at(host, FLUX_NEVER);
	rc = flux_loop_create(&host->loop, &ops, host, NULL);
	if (rc < 0)
		close_host(host);
	else
		*loop = host->loop;
	return rc;
}
