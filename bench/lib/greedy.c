/* SPDX-License-Identifier: MIT */
/* A libevent adapter that knows no budget: the opposite of flux/event.h, to compare with. */
#include "lib/greedy.h"

#include <poll.h>
#include <stdlib.h>

#include <event2/event.h>

#define WATCHES 8u /* a socket's, the deadline's, and then some */

struct watch {
	struct host *host;
	void *tag;
	struct event *event; /* NULL: free */
};

/* Whoever closes the loop does it outside of the base's callbacks. */
struct host {
	struct flux_loop *loop;
	struct event_base *base;
	struct event *turn;
	struct watch watches[WATCHES];
};

static uint32_t ready(int fd, uint32_t wanted)
{
	struct pollfd ask = { fd, (short)((wanted & FLUX_LOOP_IN ? POLLIN : 0) | (wanted & FLUX_LOOP_OUT ? POLLOUT : 0)),
			      0 };

	if (poll(&ask, 1, 0) < 1)
		return 0;
	return (ask.revents & (POLLIN | POLLERR) ? FLUX_LOOP_IN : 0u) | (ask.revents & POLLOUT ? FLUX_LOOP_OUT : 0u);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	uint32_t wanted = (what & EV_READ ? FLUX_LOOP_IN : 0u) | (what & EV_WRITE ? FLUX_LOOP_OUT : 0u);
	uint32_t events = wanted;

	do {
		flux_loop_on_fd(watch->host->loop, watch->tag, events);
		while (flux_loop_on_turn(watch->host->loop) > 0)
			;
		events = ready(fd, wanted);
	} while (events && watch->event);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct host *host = arg;

	(void)fd;
	(void)what;
	while (flux_loop_on_turn(host->loop) > 0)
		;
}

static struct watch *find_free(struct host *host)
{
	for (uint32_t i = 0; i < WATCHES; i++)
		if (!host->watches[i].event)
			return &host->watches[i];
	return NULL;
}

static int watch_fd(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	struct watch *watch = *slot ? *slot : find_free(arg);
	short what = (short)((events & FLUX_LOOP_IN ? EV_READ : 0) | (events & FLUX_LOOP_OUT ? EV_WRITE : 0));

	if (!watch)
		return FLUX_ENOMEM;
	if (watch->event)
		event_free(watch->event);
	*watch = (struct watch){ .host = arg, .tag = tag };
	*slot = NULL;
	if (!events)
		return 0;
	watch->event = event_new(watch->host->base, fd, (short)(what | EV_PERSIST), on_ready, watch);
	if (!watch->event || event_add(watch->event, NULL) != 0)
		return FLUX_ENOMEM;
	*slot = watch;
	return 0;
}

static void rearm(void *arg)
{
	struct host *host = arg;

	event_active(host->turn, EV_TIMEOUT, 1);
}

static void close_host(void *arg)
{
	struct host *host = arg;

	event_free(host->turn);
	free(host);
}

int greedy_open(struct flux_loop **loop, struct event_base *base)
{
	static const struct flux_loop_ops ops = {
		.size = sizeof(ops), .watch = watch_fd, .rearm = rearm, .close = close_host
	};
	struct host *host = calloc(1, sizeof(*host));
	int rc = FLUX_ENOMEM;

	if (!host)
		return rc;
	host->base = base;
	host->turn = event_new(base, -1, 0, on_turn, host);
	if (host->turn)
		rc = flux_loop_create(&host->loop, &ops, host, NULL);
	if (rc == 0)
		rc = flux_loop_keep_time(host->loop);
	if (rc == 0)
		*loop = host->loop;
	return rc;
}
