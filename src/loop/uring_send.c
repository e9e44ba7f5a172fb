/* SPDX-License-Identifier: MIT */
/*
 * Sending without a copy (SENDMSG_ZC). A message has one completion, which says whether it left, and mostly a
 * second one, the notification that it is read no more. They come in any order beside those of others.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "loop/uring.h"

/* Messages in flight; a binding has no more. */
#define SENDS 64u

/* So many refusals in a row, and the kernel is not asked again: it, or the device, cannot. */
#define REFUSALS 16u

static void put_back(struct flux_uring_host *host, struct flux_uring_send *send)
{
	send->next = host->free;
	host->free = send;
}

static void reap_send(struct flux_uring_host *host, struct flux_uring_op *op, int res, uint32_t flags)
{
	struct flux_uring_send *send = (void *)((uint8_t *)op - offsetof(struct flux_uring_send, op));

	if (flags & IORING_CQE_F_NOTIF) {
		send->notified = true;
	} else {
		send->told = true;
		send->res = res;
		send->more = flags & IORING_CQE_F_MORE;
	}
	if (!send->told || (send->more && !send->notified))
		return;
	op->in_flight = false;
	if (!send->lent)
		return; /* who sends it looks at it now */
	send->next = host->sent;
	host->sent = send;
}

int flux_uring_open_sends(struct flux_uring_host *host)
{
	host->sends = calloc(SENDS, sizeof(*host->sends));
	if (!host->sends)
		return FLUX_ENOMEM;
	for (uint32_t i = 0; i < SENDS; i++)
		put_back(host, &host->sends[i]);
	return 0;
}

/* Hand in what is queued, this request with it. False: the kernel did not take it, and never will. */
static bool submit(struct flux_uring_host *host, struct io_uring_sqe *sqe)
{
	struct io_uring *ring = &host->uring.ring;

	/* Once more after a completion queue that was full. */
	for (int i = 0; i < 2 && io_uring_sq_ready(ring) > 0; i++) {
		(void)io_uring_submit(ring);
		flux_uring_reap(host);
	}
	if (io_uring_sq_ready(ring) == 0)
		return true;
	io_uring_prep_nop(sqe); /* `msg` will be gone when it is taken */
	io_uring_sqe_set_data(sqe, NULL);
	return false;
}

/* What came of it, as ops.send answers. */
static int judge(struct flux_uring_host *host, struct flux_uring_send *send)
{
	/* It does not wait, so it has been told; and one that failed is read no more in a moment. */
	if (!send->told || send->res < 0)
		flux_uring_await(host, &send->op);
	if (send->op.in_flight) {
		send->lent = true;
		return 0;
	}
	put_back(host, send);
	if (send->res >= 0)
		return 1;
	if (send->res == -EINVAL || send->res == -EOPNOTSUPP)
		host->send_refusals++;
	return send->res;
}

int flux_uring_send(void *arg, void *slot, const struct msghdr *msg, uint32_t run)
{
	struct flux_uring_host *host = arg;
	struct flux_uring_watch *watch = slot;
	struct flux_uring_send *send = host->free;
	struct io_uring_sqe *sqe;
	int rc;

	if (!send || !watch || !flux_uring_mine(host) || host->send_refusals >= REFUSALS)
		return -EAGAIN;
	sqe = flux_uring_sqe(&host->uring);
	if (!sqe)
		return -EAGAIN;
	host->free = send->next;
	*send = (struct flux_uring_send){ .op = { true, reap_send }, .watch = watch, .run = run };
	io_uring_prep_sendmsg_zc(sqe, watch->fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	io_uring_sqe_set_data(sqe, &send->op);
	if (!submit(host, sqe)) {
		send->op.in_flight = false;
		put_back(host, send);
		return -EAGAIN;
	}
	rc = judge(host, send);
	if (rc >= 0)
		host->send_refusals = 0;
	return rc;
}

void flux_uring_tell_sent(struct flux_uring_host *host)
{
	struct flux_uring_send *send;

	while ((send = host->sent) != NULL) {
		host->sent = send->next;
		put_back(host, send);
		if (send->watch)
			flux_loop_on_sent(host->loop, send->watch->tag, send->run);
	}
}

void flux_uring_end_sends(struct flux_uring_host *host, const struct flux_uring_watch *watch)
{
	for (uint32_t i = 0; host->sends && i < SENDS; i++) {
		struct flux_uring_send *send = &host->sends[i];

		if (send->watch != watch)
			continue;
		if (send->op.in_flight && flux_uring_mine(host))
			flux_uring_await(host, &send->op);
		if (send->op.in_flight)
			send->watch = NULL; /* it would not end: what it reads stays lent */
	}
	flux_uring_tell_sent(host);
}
