/* SPDX-License-Identifier: MIT */
/* libevent bases of every kind that changes how timers or fds are handled. */
#include <stdlib.h>

#include <event2/event.h>

#include <flux/event.h>

#include "tests/loop/evlocks.h"
#include "tests/loop/rows.h"

/* Wakes a round that would sleep for ever, so that a test that waits in vain ends. */
#define TICK_US 5000

struct base {
	struct event_base *base;
	struct event *tick;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static int open_base(struct flux_loop **loop, void **host, int flags, int priorities)
{
	const struct timeval tick = { 0, TICK_US };
	struct event_config *config = event_config_new();
	struct base *b = calloc(1, sizeof(*b));

	if (!config || !b || event_config_set_flag(config, flags) < 0)
		return -1;
	b->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!b->base || event_base_priority_init(b->base, priorities) < 0)
		return -1;
	b->tick = event_new(b->base, -1, EV_PERSIST, on_tick, NULL);
	if (!b->tick || event_priority_set(b->tick, 0) < 0 || event_add(b->tick, &tick) < 0)
		return -1;
	*host = b;
	return flux_loop_open_event(loop, b->base);
}

static int open_default(struct flux_loop **loop, void **host)
{
	return open_base(loop, host, 0, 1);
}

static int open_precise(struct flux_loop **loop, void **host)
{
	return open_base(loop, host, EVENT_BASE_FLAG_PRECISE_TIMER, 1);
}

static int open_changelist(struct flux_loop **loop, void **host)
{
	return open_base(loop, host, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST, 1);
}

/* Ours is the middle one, and the tick's goes first. */
static int open_priorities(struct flux_loop **loop, void **host)
{
	return open_base(loop, host, 0, 3);
}

/* From here on every base of the process has locks: the last row. */
static int open_locks(struct flux_loop **loop, void **host)
{
	evlocks_use();
	return open_base(loop, host, 0, 1);
}

static void base_round(void *host)
{
	struct base *b = host;

	event_base_loop(b->base, EVLOOP_ONCE);
}

static void base_close(void *host)
{
	struct base *b = host;

	event_free(b->tick);
	event_base_free(b->base);
	free(b);
}

static void base_forked(void *host)
{
	struct base *b = host;

	event_reinit(b->base);
}

const struct adapter event_rows[5] = {
	{ "libevent", open_default, base_round, base_close, base_forked, true },
	{ "libevent, precise timers", open_precise, base_round, base_close, base_forked, true },
	{ "libevent, changelist", open_changelist, base_round, base_close, base_forked, true },
	{ "libevent, priorities", open_priorities, base_round, base_close, base_forked, true },
	{ "libevent, locks", open_locks, base_round, base_close, base_forked, true },
};
