/* SPDX-License-Identifier: MIT */
/* Flux in a loop over epoll that a program wrote for itself, beside the program's own descriptors. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <sys/epoll.h>

#include "loops.h"

struct watch {
	void *tag;
	bool gone; /* freed at the end of the round: its event may be among those not yet handled */
	struct watch *next;
};

struct bare {
	struct flux_loop *loop; /* NULL: closed; this is freed at the end of the round */
	int epoll_fd;
	bool turn;
	struct watch *gone;
};

static int watch_fd(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	struct bare *bare = arg;
	struct watch *watch = *slot;
	struct epoll_event event = { .events = (events & FLUX_LOOP_IN ? EPOLLIN : 0u) |
					       (events & FLUX_LOOP_OUT ? EPOLLOUT : 0u) };
	int op = watch ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (!watch)
		*slot = watch = calloc(1, sizeof(*watch));
	if (!watch)
		return FLUX_ENOMEM;
	event.data.ptr = watch;
	if (events) {
		watch->tag = tag;
		return epoll_ctl(bare->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
	}
	watch->gone = true;
	*slot = NULL;
	if (flux_loop_is_forked(bare->loop))
		return 0; /* the set is its parent's, and goes on telling of this one */
	epoll_ctl(bare->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	watch->next = bare->gone;
	bare->gone = watch;
	return 0;
}

static void rearm(void *bare)
{
	((struct bare *)bare)->turn = true;
}

static void close_host(void *bare)
{
	((struct bare *)bare)->loop = NULL;
}

void bare_on_event(struct bare *bare, const struct epoll_event *event)
{
	struct watch *watch = event->data.ptr;
	uint32_t what = (event->events & ~(uint32_t)EPOLLOUT ? FLUX_LOOP_IN : 0) |
			(event->events & EPOLLOUT ? FLUX_LOOP_OUT : 0);

	if (bare->loop && !watch->gone)
		flux_loop_on_fd(bare->loop, watch->tag, what);
}

int bare_end_of_round(struct bare *bare)
{
	if (bare->loop && bare->turn) {
		bare->turn = false;
		bare->turn |= flux_loop_on_turn(bare->loop) > 0;
	}
	for (struct watch *next; bare->gone; bare->gone = next) {
		next = bare->gone->next;
		free(bare->gone);
	}
	if (bare->loop)
		return bare->turn;
	free(bare);
	return -1;
}

int open_in_bare(struct flux_loop **loop, struct bare **out, int epoll_fd)
{
	static const struct flux_loop_ops ops = { sizeof(ops), watch_fd, rearm, close_host, 0, NULL };
	struct bare *bare = calloc(1, sizeof(*bare));
	int rc = bare ? flux_loop_create(&bare->loop, &ops, bare, NULL) : FLUX_ENOMEM;

	if (rc < 0) {
		free(bare);
		return rc;
	}
	bare->epoll_fd = epoll_fd;
	*out = bare;
	*loop = bare->loop;
	return flux_loop_keep_time(bare->loop);
}
