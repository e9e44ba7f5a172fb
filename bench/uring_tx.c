/* SPDX-License-Identifier: MIT */
/*
 * How datagrams leave best beside an io_uring loop: by sendmmsg() and then the turn's call, or as requests in
 * that call: plain, linked for their order, or without a copy. One process sends, another only receives; ways
 * take turns, and processor time of the sender is told for each datagram, median of the rounds.
 */
#include "lib/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liburing.h>

#define SIZE      1024u
#define RUN_BYTES 65536u
#define MESSAGES  16u
#define FLAGS     (MSG_DONTWAIT | MSG_NOSIGNAL)
#define ROUNDS    9u

static const struct shape {
	const char *name;
	uint32_t messages, run; /* a turn; datagrams of each message */
} shapes[] = {
	{ "4 runs of 63", 4, 63 },
	{ "16 datagrams", 16, 1 },
	{ "1 datagram", 1, 1 },
};

static const char *const ways[] = { "sendmmsg", "requests", "linked", "fixed file", "no copy" };

enum way {
	SENDMMSG,
	REQUESTS,
	LINKED,
	FIXED_FILE,
	NO_COPY,
	WAYS
};

struct sender {
	struct io_uring ring;
	int fd;
	struct sockaddr_in to;
	struct mmsghdr msgs[MESSAGES];
	struct iovec iov[MESSAGES];
	_Alignas(struct cmsghdr) char control[MESSAGES][CMSG_SPACE(sizeof(uint16_t))];
	unsigned char bytes[MESSAGES][RUN_BYTES];
	uint64_t sent;      /* datagrams */
	uint32_t in_flight; /* completions to come */
};

static void sink(int report, void *ctx)
{
	struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(self);
	static char bytes[RUN_BYTES];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	(void)ctx;
	bench_pin(0);
	(void)setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&self, len) < 0 || getsockname(fd, (struct sockaddr *)&self, &len) < 0)
		bench_die("bind");
	bench_put(report, &self, sizeof(self));
	while (recv(fd, bytes, sizeof(bytes), 0) >= 0)
		;
}

static void open_sender(struct sender *s)
{
	const uint16_t segment = SIZE;

	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		bench_die("socket");
	if (io_uring_queue_init(64, &s->ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) < 0 ||
	    io_uring_register_ring_fd(&s->ring) < 0 || io_uring_register_files(&s->ring, &s->fd, 1) < 0)
		bench_die("io_uring");
	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct cmsghdr *c = (void *)s->control[i];

		memset(s->bytes[i], (int)i, RUN_BYTES);
		s->iov[i].iov_base = s->bytes[i];
		s->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &s->to, .msg_namelen = sizeof(s->to) };
		s->msgs[i].msg_hdr.msg_iov = &s->iov[i];
		s->msgs[i].msg_hdr.msg_iovlen = 1;
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(segment));
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	}
}

static void take_shape(struct sender *s, const struct shape *shape)
{
	for (uint32_t i = 0; i < MESSAGES; i++) {
		s->iov[i].iov_len = SIZE * (size_t)shape->run;
		s->msgs[i].msg_hdr.msg_control = shape->run > 1 ? s->control[i] : NULL;
		s->msgs[i].msg_hdr.msg_controllen = shape->run > 1 ? sizeof(s->control[i]) : 0;
	}
}

static void ask(struct sender *s, const struct shape *shape, enum way way)
{
	for (uint32_t i = 0; i < shape->messages; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
		const struct msghdr *msg = &s->msgs[i].msg_hdr;

		if (!sqe)
			bench_die("io_uring_get_sqe");
		if (way == NO_COPY)
			io_uring_prep_sendmsg_zc(sqe, s->fd, msg, FLAGS);
		else
			io_uring_prep_sendmsg(sqe, way == FIXED_FILE ? 0 : s->fd, msg, FLAGS);
		if (way == FIXED_FILE)
			sqe->flags |= IOSQE_FIXED_FILE;
		if (way == LINKED && i + 1 < shape->messages)
			sqe->flags |= IOSQE_IO_LINK;
	}
	s->in_flight += shape->messages;
}

/* Completions; a message counts when it is told to have left. */
static void reap(struct sender *s, uint32_t run)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&s->ring, &cqe) == 0) {
		if (!(cqe->flags & IORING_CQE_F_NOTIF) && cqe->res > 0)
			s->sent += run;
		if (!(cqe->flags & IORING_CQE_F_MORE))
			s->in_flight--;
		io_uring_cqe_seen(&s->ring, cqe);
	}
}

static void turn(struct sender *s, const struct shape *shape, enum way way)
{
	if (way == SENDMMSG) {
		int n = sendmmsg(s->fd, s->msgs, shape->messages, FLAGS);

		s->sent += n > 0 ? (uint64_t)n * shape->run : 0;
	} else {
		ask(s, shape, way);
	}
	(void)io_uring_submit_and_get_events(&s->ring);
	reap(s, shape->run);
	while (s->in_flight > 32) { /* notifications */
		(void)io_uring_submit_and_wait(&s->ring, 1);
		reap(s, shape->run);
	}
}

static double measure(struct sender *s, const struct shape *shape, enum way way, double seconds)
{
	uint64_t end = bench_now_ns() + (uint64_t)(seconds * 1e9), cpu = bench_cpu_ns();

	take_shape(s, shape);
	s->sent = 0;
	do {
		turn(s, shape, way);
	} while (bench_now_ns() < end);
	return (double)(bench_cpu_ns() - cpu) / (double)s->sent;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double ns[WAYS][ROUNDS], ratio[WAYS][ROUNDS];
	struct bench_options options = { .size = SIZE, .seconds = 0.2 };
	static struct sender s;
	pid_t pid;
	int report;

	bench_parse(&options, argc, argv);
	pid = bench_fork(sink, NULL, &report);
	bench_get(report, &s.to, sizeof(s.to));
	bench_pin(1);
	open_sender(&s);
	for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
		for (uint32_t r = 0; r < ROUNDS; r++)
			for (enum way way = 0; way < WAYS; way++) {
				ns[way][r] = measure(&s, &shapes[k], way, options.seconds);
				ratio[way][r] = ns[way][r] / ns[SENDMMSG][r];
			}
		for (enum way way = 0; way < WAYS; way++) {
			qsort(ns[way], ROUNDS, sizeof(double), compare);
			qsort(ratio[way], ROUNDS, sizeof(double), compare);
			printf("{\"bench\":\"uring_tx\",\"turn\":\"%s\",\"way\":\"%s\",\"tx_cpu_ns\":%.1f,"
			       "\"of_sendmmsg\":%.2f}\n",
			       shapes[k].name, ways[way], ns[way][ROUNDS / 2], ratio[way][ROUNDS / 2]);
		}
	}
	kill(pid, SIGTERM);
	wait(NULL);
	return 0;
}
