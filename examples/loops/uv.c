/* SPDX-License-Identifier: MIT */
/*
 * Flux in a libuv loop. The turn is an idle handle, which runs once in each round and keeps libuv from
 * sleeping while it is started.
 */
#include <stdlib.h>

#include <uv.h>

#include "loops.h"

struct host {
	struct flux_loop *loop;
	uv_loop_t *uv;
	uv_idle_t turn;
};

struct watch {
	uv_poll_t poll;
	struct host *host;
	void *tag;
	int events;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	uint32_t what = (status < 0 || events & UV_READABLE ? FLUX_LOOP_IN : 0) |
			(events & UV_WRITABLE ? FLUX_LOOP_OUT : 0);

	if (status < 0) /* an error waits on the socket, and libuv has stopped looking at it */
		uv_poll_start(poll, watch->events, on_ready);
	flux_loop_on_fd(watch->host->loop, watch->tag, what);
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static int watch_fd(void *host, int fd, uint32_t events, void *tag, void **slot)
{
	struct watch *watch = *slot;

	if (!watch && events) {
		watch = calloc(1, sizeof(*watch));
		if (!watch || uv_poll_init(((struct host *)host)->uv, &watch->poll, fd) < 0) {
			free(watch);
			return FLUX_ENOMEM;
		}
		watch->host = host;
		watch->tag = tag;
		watch->poll.data = *slot = watch;
	}
	if (events) {
		watch->events = (int)events; /* FLUX_LOOP_IN and _OUT are UV_READABLE and UV_WRITABLE */
		return uv_poll_start(&watch->poll, watch->events, on_ready);
	}
	if (watch)
		uv_close((uv_handle_t *)&watch->poll, free_watch);
	*slot = NULL;
	return 0;
}

static void on_turn(uv_idle_t *turn)
{
	if (flux_loop_on_turn(((struct host *)turn->data)->loop) == 0)
		uv_idle_stop(turn); /* 1: once more; negative: the loop is gone, and this handle closed */
}

static void rearm(void *host)
{
	uv_idle_start(&((struct host *)host)->turn, on_turn);
}

static void close_host(void *host)
{
	uv_close((uv_handle_t *)&((struct host *)host)->turn, free_watch);
}

int open_in_uv(struct flux_loop **loop, struct uv_loop_s *uv)
{
	static const struct flux_loop_ops ops = { sizeof(ops), watch_fd, rearm, close_host, 0, NULL };
	struct host *host = calloc(1, sizeof(*host));
	int rc = host ? flux_loop_create(&host->loop, &ops, host, NULL) : FLUX_ENOMEM;

	if (rc < 0) {
		free(host);
		return rc;
	}
	host->uv = uv;
	uv_idle_init(uv, &host->turn);
	host->turn.data = host;
	*loop = host->loop;
	return flux_loop_keep_time(host->loop); /* libuv's own timers count milliseconds */
}
