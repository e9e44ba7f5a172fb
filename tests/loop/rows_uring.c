/* SPDX-License-Identifier: MIT */
/* Our own loop over io_uring, with the best flags and with those of an older kernel. */
#include <flux/uring.h>

#include "tests/loop/rows.h"

/* A round that waits in vain ends, and so does the test. */
#define LONGEST_MS 5

/* The host is where the test keeps its loop: NULL once closed. Where io_uring is refused these are rows of epoll. */
static int open_uring(struct flux_loop **loop, void **host)
{
	*host = loop;
	return flux_loop_open_uring(loop, NULL, NULL);
}

static int open_older(struct flux_loop **loop, void **host)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;

	*host = loop;
	cfg.no_defer = 1;
	cfg.zero_copy = 1;
	cfg.buffers = 4; /* and with bursts that find none */
	return flux_loop_open_uring(loop, &cfg, NULL);
}

static void uring_round(void *host)
{
	struct flux_loop **loop = host;

	if (*loop && flux_loop_poll_uring(*loop, FLUX_MS(LONGEST_MS)) == FLUX_ECLOSED)
		*loop = NULL;
}

static void close_host(void *host)
{
	(void)host;
}

const struct adapter uring_rows[2] = {
	{ "io_uring", open_uring, uring_round, close_host, NULL, false },
	{ "io_uring, fewer flags", open_older, uring_round, close_host, NULL, false },
};
