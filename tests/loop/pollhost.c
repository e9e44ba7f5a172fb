/* SPDX-License-Identifier: MIT */
/* An array of fds, and a turn after each poll(). The host outlives the loop, for the tests' sake. */
#include "tests/loop/pollhost.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/loop/rows.h"

#define MAX_FDS    256
#define LONGEST_MS 5

struct pollhost {
	struct flux_loop *loop; /* NULL: closed */
	struct pollfd fds[MAX_FDS];
	void *tags[MAX_FDS];
	nfds_t n;
	bool turn; /* one was asked for, or there is more to do */
};

static int watch(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	struct pollhost *host = arg;
	nfds_t i = 0;

	*slot = events ? (void *)(uintptr_t)(uint32_t)fd : NULL;
	while (i < host->n && host->fds[i].fd != fd)
		i++;
	if (i == MAX_FDS)
		return FLUX_ENOMEM;
	if (events == 0) {
		if (i < host->n)
			host->fds[i].fd = -1; /* its place is taken out after the round */
		return 0;
	}
	host->fds[i].fd = fd;
	host->fds[i].events = (short)((events & FLUX_LOOP_IN ? POLLIN : 0) | (events & FLUX_LOOP_OUT ? POLLOUT : 0));
	host->fds[i].revents = 0;
	host->tags[i] = tag;
	if (i == host->n)
		host->n++;
	return 0;
}

static void rearm(void *arg)
{
	struct pollhost *host = arg;

	host->turn = true;
}

static void closed(void *arg)
{
	struct pollhost *host = arg;

	host->loop = NULL;
}

static int open_with(struct flux_loop **loop, void **arg, const struct flux_mem *mem,
		     int (*send)(void *, void *, const struct msghdr *, uint32_t))
{
	const struct flux_loop_ops ops = {
		.size = sizeof(ops),
		.watch = watch,
		.rearm = rearm,
		.close = closed,
		.send = send,
	};
	struct pollhost *host = calloc(1, sizeof(*host));
	int rc;

	if (!host)
		return FLUX_ENOMEM;
	rc = flux_loop_create(&host->loop, &ops, host, mem);
	if (rc < 0) {
		free(host);
		return rc;
	}
	*loop = host->loop;
	*arg = host;
	return 0;
}

int pollhost_open(struct flux_loop **loop, void **host, const struct flux_mem *mem)
{
	return open_with(loop, host, mem, NULL);
}

int pollhost_open_lent(struct flux_loop **loop, void **host,
		       int (*send)(void *host, void *slot, const struct msghdr *msg, uint32_t run))
{
	return open_with(loop, host, NULL, send);
}

void *pollhost_tag(const void *arg, int fd)
{
	const struct pollhost *host = arg;

	for (nfds_t i = 0; i < host->n; i++)
		if (host->fds[i].fd == fd)
			return host->tags[i];
	return NULL;
}

static void forget_closed(struct pollhost *host)
{
	nfds_t kept = 0;

	for (nfds_t i = 0; i < host->n; i++) {
		if (host->fds[i].fd < 0)
			continue;
		host->fds[kept] = host->fds[i];
		host->tags[kept++] = host->tags[i];
	}
	host->n = kept;
}

static int sleep_ms(const struct pollhost *host)
{
	flux_ts due, now = flux_loop_now();

	if (!host->loop)
		return LONGEST_MS;
	due = flux_loop_deadline(host->loop);
	if (host->turn || due <= now)
		return 0;
	return due - now > FLUX_MS(LONGEST_MS) ? LONGEST_MS : (int)((due - now) / FLUX_MS(1)) + 1;
}

void pollhost_round(void *arg)
{
	struct pollhost *host = arg;

	forget_closed(host);
	poll(host->fds, host->n, sleep_ms(host));
	for (nfds_t i = 0; i < host->n && host->loop; i++) {
		uint32_t events = (host->fds[i].revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL) ? FLUX_LOOP_IN : 0) |
				  (host->fds[i].revents & POLLOUT ? FLUX_LOOP_OUT : 0);

		if (events && host->fds[i].fd >= 0)
			flux_loop_on_fd(host->loop, host->tags[i], events);
	}
	if (!host->loop || (!host->turn && flux_loop_deadline(host->loop) > flux_loop_now()))
		return;
	host->turn = false;
	if (flux_loop_on_turn(host->loop) > 0)
		host->turn = true;
}

void pollhost_close(void *host)
{
	free(host);
}

static int open_poll(struct flux_loop **loop, void **host)
{
	return pollhost_open(loop, host, NULL);
}

const struct adapter poll_rows[1] = {
	{ "poll", open_poll, pollhost_round, pollhost_close, NULL, false },
};
