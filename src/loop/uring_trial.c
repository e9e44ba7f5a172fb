/* SPDX-License-Identifier: MIT */
/*
 * Whether io_uring works here: a datagram to ourselves, received as the loop will receive. Versions and
 * lists of operations say less, as filters and back-ports make them lie.
 */
#include <errno.h>
#include <string.h>

#include <netinet/in.h>
#include <unistd.h>

#include "loop/uring.h"

static const char word[] = "flux";

/* A socket of the loopback that speaks to itself. */
static int open_socket(void)
{
	struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(self);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&self, len) == 0 && getsockname(fd, (struct sockaddr *)&self, &len) == 0 &&
	    connect(fd, (struct sockaddr *)&self, len) == 0 &&
	    send(fd, word, sizeof(word), MSG_NOSIGNAL) == sizeof(word))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* 0, or what the completion says, or that none came. */
static int receive_one(struct flux_uring *uring, int fd)
{
	struct __kernel_timespec patience = { .tv_sec = 1 };
	struct io_uring_cqe *cqe = NULL;
	struct msghdr msg;
	struct iovec iov;
	int rc = flux_uring_enable(uring);

	if (rc < 0)
		return rc;
	if (!flux_uring_receive(uring, fd, NULL))
		return -ENOSYS;
	do {
		rc = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1, &patience, NULL);
	} while (rc == -EINTR);
	if (rc < 0)
		return rc;
	if (!cqe)
		return -ETIME;
	if (cqe->res < 0)
		return cqe->res;
	if (!(cqe->flags & IORING_CQE_F_BUFFER) ||
	    !flux_uring_message(uring, cqe->flags >> IORING_CQE_BUFFER_SHIFT, cqe->res, &msg, &iov) ||
	    iov.iov_len != sizeof(word) || memcmp(iov.iov_base, word, sizeof(word)) != 0)
		return -EOPNOTSUPP;
	return 0;
}

int flux_uring_trial(const struct flux_uring_cfg *cfg, char *why)
{
	struct flux_uring_cfg small = *cfg;
	struct flux_uring uring;
	int fd, rc;

	small.buffers = 2;
	rc = flux_uring_open(&uring, &small, why);
	if (rc < 0)
		return rc;
	fd = open_socket();
	rc = fd < 0 ? fd : receive_one(&uring, fd);
	flux_uring_close(&uring); /* with the receive that is still armed */
	if (fd >= 0)
		close(fd);
	return rc < 0 ? flux_uring_refused(why, rc, "a trial receive") : 0;
}
