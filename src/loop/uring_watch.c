/* SPDX-License-Identifier: MIT */
/*
 * What is asked of the kernel for each descriptor: a poll that tells once and is armed anew, which makes
 * it level-triggered; and for a socket whose messages are wanted, a receive that goes on by itself.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <poll.h>
#include <sys/stat.h>

#include "loop/uring.h"

/* Messages of one turn; joined ones are large. */
#define MESSAGES_A_TURN 16u
#define BYTES_A_TURN    (128u << 10)

/* Waits for the end of a request; it comes at once. */
#define PATIENCE 1000

#define OWNER(op, member) \
	((struct flux_uring_watch *)(void *)((uint8_t *)(op)-offsetof(struct flux_uring_watch, member)))

/* ---- Completions ---- */

static void list(struct flux_uring_host *host, struct flux_uring_watch *watch)
{
	if (watch->listed)
		return;
	watch->listed = true;
	watch->next_listed = NULL;
	if (host->first)
		host->last->next_listed = watch;
	else
		host->first = watch;
	host->last = watch;
}

static struct flux_uring_watch *unlist(struct flux_uring_host *host)
{
	struct flux_uring_watch *watch = host->first;

	host->first = watch->next_listed;
	watch->listed = false;
	return watch;
}

static void reap_poll(struct flux_uring_host *host, struct flux_uring_op *op, int res, uint32_t flags)
{
	struct flux_uring_watch *watch = OWNER(op, poll);
	int error = res < 0 ? 0 : res & (POLLERR | POLLHUP | POLLNVAL);

	(void)flags; /* told once */
	op->in_flight = false;
	if (!watch->tag || res == -ECANCELED)
		return;
	if (res < 0 || res & POLLIN || error)
		watch->ready |= FLUX_LOOP_IN;
	if (res < 0 || res & POLLOUT || error)
		watch->ready |= FLUX_LOOP_OUT;
	list(host, watch);
}

static void reap_message(struct flux_uring_host *host, struct flux_uring_op *op, int res, uint32_t flags)
{
	struct flux_uring_watch *watch = OWNER(op, messages);
	uint32_t at = (host->head + host->count) % host->uring.n_bufs;

	if (flags & IORING_CQE_F_BUFFER) {
		host->inbox[at] = (struct flux_uring_arrival){ watch->tag ? watch : NULL,
							       flags >> IORING_CQE_BUFFER_SHIFT, res };
		host->count++;
	}
	if (flags & IORING_CQE_F_MORE)
		return;
	/* It ended, be it an error, no buffer or a full completion queue: arm it when all that was handed out. */
	op->in_flight = false;
	if (res == -ENOBUFS)
		host->stalls++;
	if (!watch->tag || res == -ECANCELED)
		return;
	if (res < 0 && res != -ENOBUFS)
		watch->ready |= FLUX_LOOP_IN; /* the owner reads what waits, errors included */
	list(host, watch);
}

bool flux_uring_reap(struct flux_uring_host *host)
{
	struct io_uring *ring = &host->uring.ring;
	struct io_uring_cqe *cqe;
	bool any = false;
	unsigned int head, n;

	for (;;) {
		n = 0;
		io_uring_for_each_cqe(ring, head, cqe)
		{
			struct flux_uring_op *op = io_uring_cqe_get_data(cqe);

			n++;
			if (op)
				op->reap(host, op, cqe->res, cqe->flags);
		}
		io_uring_cq_advance(ring, n);
		any = any || n > 0;
		if (!io_uring_cq_has_overflow(ring) || io_uring_get_events(ring) < 0)
			return any;
	}
}

/* ---- Requests ---- */

static void arm_poll(struct flux_uring_host *host, struct flux_uring_watch *watch)
{
	unsigned int mask = (watch->events & FLUX_LOOP_OUT ? POLLOUT : 0u) |
			    (watch->events & FLUX_LOOP_IN ? POLLIN : 0u);
	struct io_uring_sqe *sqe;

	if (!mask || watch->poll.in_flight || watch->ready)
		return;
	sqe = flux_uring_sqe(&host->uring);
	if (!sqe) {
		list(host, watch);
		return;
	}
	io_uring_prep_poll_add(sqe, watch->fd, mask);
	io_uring_sqe_set_data(sqe, &watch->poll);
	watch->poll.in_flight = true;
}

static void arm_messages(struct flux_uring_host *host, struct flux_uring_watch *watch)
{
	if (!(watch->events & FLUX_LOOP_MESSAGES) || watch->messages.in_flight)
		return;
	watch->messages.in_flight = flux_uring_receive(&host->uring, watch->fd, &watch->messages);
	if (!watch->messages.in_flight)
		list(host, watch);
}

static void arm(struct flux_uring_host *host, struct flux_uring_watch *watch)
{
	arm_poll(host, watch);
	arm_messages(host, watch);
}

void flux_uring_await(struct flux_uring_host *host, const struct flux_uring_op *op)
{
	struct __kernel_timespec moment = { .tv_nsec = 10000000 };
	struct io_uring_cqe *cqe;

	for (int i = 0; op->in_flight && i < PATIENCE; i++) {
		(void)io_uring_submit_and_wait_timeout(&host->uring.ring, &cqe, 1, &moment, NULL);
		flux_uring_reap(host);
	}
}

/*
 * Have a request end, and see it end: until then the kernel holds its file, and a port of a closed socket
 * would stay bound.
 */
static void stop(struct flux_uring_host *host, struct flux_uring_op *op)
{
	struct io_uring_sqe *sqe;

	if (!op->in_flight || !flux_uring_mine(host))
		return;
	if (!host->uring.enabled && flux_uring_enable(&host->uring) < 0)
		return;
	(void)io_uring_submit(&host->uring.ring); /* it may be queued still; a full queue would hold up the next one too */
	flux_uring_reap(host);
	sqe = op->in_flight ? flux_uring_sqe(&host->uring) : NULL;
	if (!sqe)
		return;
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL);
	flux_uring_await(host, op);
}

/* ---- Watching ---- */

/* Descriptors that have nothing to tell are refused, as epoll does. */
static int check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? -EPERM : 0;
}

static void forget(struct flux_uring_host *host, struct flux_uring_watch *watch)
{
	flux_uring_end_sends(host, watch);
	watch->tag = NULL;
	watch->events = 0;
	stop(host, &watch->poll);
	stop(host, &watch->messages);
	for (uint32_t i = 0; i < host->count; i++) {
		struct flux_uring_arrival *a = &host->inbox[(host->head + i) % host->uring.n_bufs];

		if (a->watch == watch)
			a->watch = NULL;
	}
	watch->next_gone = host->gone;
	host->gone = watch;
	if (host->first || host->count)
		host->turn = true;
}

int flux_uring_watch(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	struct flux_uring_host *host = arg;
	struct flux_uring_watch *watch = *slot;
	int rc;

	if (!events) {
		if (watch)
			forget(host, watch);
		*slot = NULL;
		return 0;
	}
	if (!*host->here)
		return FLUX_EFORKED;
	if (!watch) {
		rc = check(fd);
		if (rc < 0)
			return rc;
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return FLUX_ENOMEM;
		watch->tag = tag;
		watch->fd = fd;
		watch->poll.reap = reap_poll;
		watch->messages.reap = reap_message;
		*slot = watch;
	}
	if (watch->events != events) {
		watch->events = events;
		stop(host, &watch->poll); /* it asks for something else */
		if (!(events & FLUX_LOOP_MESSAGES))
			stop(host, &watch->messages);
	}
	if (events == FLUX_LOOP_HOLD) {
		flux_uring_end_sends(host, watch);
		return 0;
	}
	watch->ready &= events | (events & FLUX_LOOP_MESSAGES ? FLUX_LOOP_IN : 0u); /* its errors */
	if (watch->ready)
		list(host, watch);
	if (host->count > 0)
		host->turn = true; /* what was held comes first */
	arm(host, watch);
	return 0;
}

void flux_uring_free_gone(struct flux_uring_host *host)
{
	struct flux_uring_watch **link = &host->gone;

	while (*link) {
		struct flux_uring_watch *watch = *link;

		/* One that would not end is the kernel's until the ring is closed. */
		if (watch->listed || watch->poll.in_flight || watch->messages.in_flight) {
			link = &watch->next_gone;
			continue;
		}
		*link = watch->next_gone;
		free(watch);
	}
}

/* ---- Handing out ---- */

/* The loop is paused. */
static bool is_held(const struct flux_uring_watch *watch)
{
	return watch && watch->events == FLUX_LOOP_HOLD;
}

bool flux_uring_has_mail(const struct flux_uring_host *host)
{
	return host->count > 0 && !is_held(host->inbox[host->head].watch);
}

/* Messages of one owner, `most` or fewer. Returns what is left of the budget. */
static uint32_t hand_messages(struct flux_uring_host *host, uint32_t most)
{
	struct flux_uring_watch *watch = host->inbox[host->head].watch;
	struct msghdr msgs[MESSAGES_A_TURN];
	struct iovec iov[MESSAGES_A_TURN];
	uint32_t buffers[MESSAGES_A_TURN];
	uint32_t taken = 0, n = 0;
	size_t bytes = 0;

	while (taken < most && bytes < BYTES_A_TURN && host->count > 0 &&
	       host->inbox[host->head].watch == watch) {
		const struct flux_uring_arrival *a = &host->inbox[host->head];

		if (flux_uring_message(&host->uring, a->buffer, a->len, &msgs[n], &iov[n]))
			bytes += iov[n++].iov_len;
		buffers[taken++] = a->buffer;
		host->head = (host->head + 1) % host->uring.n_bufs;
		host->count--;
	}
	if (watch && n > 0)
		flux_loop_on_messages(host->loop, watch->tag, msgs, n);
	for (uint32_t i = 0; i < taken; i++)
		flux_uring_give_buffer(&host->uring, buffers[i]);
	return bytes < BYTES_A_TURN ? most - taken : 0;
}

static void hand_inbox(struct flux_uring_host *host)
{
	uint32_t left = MESSAGES_A_TURN;

	while (left > 0 && flux_uring_has_mail(host) && !host->closed)
		left = hand_messages(host, left);
}

void flux_uring_hand_out(struct flux_uring_host *host)
{
	struct flux_uring_watch *last;

	hand_inbox(host);
	last = host->last;
	while (host->first && !host->closed) {
		struct flux_uring_watch *watch = unlist(host);
		uint32_t ready = is_held(watch) ? 0 : watch->ready;

		watch->ready &= ~ready;
		if (watch->tag && ready)
			flux_loop_on_fd(host->loop, watch->tag, ready);
		if (watch->tag && !host->closed)
			arm(host, watch);
		if (watch == last)
			break; /* what was listed meanwhile waits for the next turn */
	}
}
