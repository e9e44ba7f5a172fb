/* SPDX-License-Identifier: MIT */
/* Our own loop over epoll: turned as a thread would, and inside a host's poll() by its one descriptor. */
#include <poll.h>

#include <flux/epoll.h>

#include "tests/loop/rows.h"

/* A round that waits in vain ends, and so does the test. */
#define LONGEST_MS 5

/* The host is where the test keeps its loop: NULL once closed. */
static int open_epoll(struct flux_loop **loop, void **host)
{
	*host = loop;
	return flux_loop_open_epoll(loop);
}

static void turn(void *host, flux_ts timeout)
{
	struct flux_loop **loop = host;

	if (*loop && flux_loop_poll_epoll(*loop, timeout) == FLUX_ECLOSED)
		*loop = NULL;
}

static void epoll_round(void *host)
{
	turn(host, FLUX_MS(LONGEST_MS));
}

/* The host knows nothing but that the descriptor is readable. */
static void one_fd_round(void *host)
{
	struct flux_loop **loop = host;
	struct pollfd p = { .events = POLLIN };

	if (!*loop)
		return;
	p.fd = flux_loop_epoll_fd(*loop);
	if (poll(&p, 1, LONGEST_MS) == 1)
		turn(host, 0);
}

static void close_host(void *host)
{
	(void)host;
}

const struct adapter epoll_rows[2] = {
	{ "epoll", open_epoll, epoll_round, close_host, NULL, true },
	{ "epoll by its one descriptor", open_epoll, one_fd_round, close_host, NULL, true },
};
