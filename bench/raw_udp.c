/* SPDX-License-Identifier: MIT */
/*
 * The yardstick: equal datagrams by sendmmsg and recvmmsg from one process to another, as fast as
 * it goes; with --offload in runs that the kernel cuts and joins (UDP_SEGMENT, UDP_GRO). Nothing is
 * repaired; what arrived is counted, and every byte is written and read.
 */
#include "lib/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH        64u /* messages of the kernel a call */
#define BATCH_JOINED 4u  /* the same with offload: each is a run of datagrams */
#define RUN_BYTES    65507u
#define RUN_SEGMENTS 64u
#define RCVBUF       (4 << 20)
#define END_SIZE     1u /* a datagram of one byte ends the run */

struct outcome {
	uint64_t received, sum, ns, cpu_ns, calls;
};

/* Messages of the kernel, each with `run` datagrams of `size` bytes. */
struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	_Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(int))];
	unsigned char *bytes;
	uint32_t n, size, run;
};

/* `room`: bytes of a message's buffer; 0: as many as its datagrams have. */
static void batch_open(struct batch *batch, const struct bench_options *options, uint32_t room)
{
	uint32_t fit = RUN_BYTES / options->size;

	memset(batch, 0, sizeof(*batch));
	batch->size = options->size;
	batch->run = !options->offload || fit == 0 ? 1 : fit < RUN_SEGMENTS ? fit :
									      RUN_SEGMENTS;
	batch->n = options->offload ? BATCH_JOINED : BATCH;
	if (room == 0)
		room = batch->run * batch->size;
	batch->bytes = malloc((size_t)batch->n * room);
	if (!batch->bytes)
		bench_die("malloc");
	for (uint32_t i = 0; i < batch->n; i++) {
		batch->pieces[i] = (struct iovec){ batch->bytes + (size_t)i * room, room };
		batch->messages[i].msg_hdr.msg_iov = &batch->pieces[i];
		batch->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static int open_socket(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);
	int bytes = RCVBUF;

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(*addr)) != 0 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) != 0)
		bench_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return fd;
}

static void set_udp(int fd, int option, int value)
{
	if (setsockopt(fd, SOL_UDP, option, &value, sizeof(value)) != 0)
		bench_die("segmentation offload");
}

/* Receiving */

/* The length of each datagram of a message but the last. */
static uint32_t segment_of(struct msghdr *message, uint32_t len)
{
	struct cmsghdr *note = message->msg_controllen ? CMSG_FIRSTHDR(message) : NULL;
	int size;

	if (!note || note->cmsg_level != SOL_UDP || note->cmsg_type != UDP_GRO)
		return len;
	memcpy(&size, CMSG_DATA(note), sizeof(size));
	return (uint32_t)size;
}

/* Read every datagram of a message; false: it is the end of the run. */
static bool read_message(struct batch *batch, uint32_t i, struct outcome *outcome)
{
	const unsigned char *at = batch->pieces[i].iov_base;
	uint32_t left = batch->messages[i].msg_len;
	uint32_t segment = segment_of(&batch->messages[i].msg_hdr, left);

	if (left <= END_SIZE)
		return false;
	while (left > 0) {
		uint32_t len = left < segment ? left : segment;

		outcome->sum += bench_sum(at, len);
		outcome->received++;
		at += len;
		left -= len;
	}
	return true;
}

static void receive_all(int fd, struct batch *batch, struct outcome *outcome)
{
	uint64_t first = 0, last = 0;

	for (;;) {
		int n;

		for (uint32_t i = 0; i < batch->n; i++) {
			batch->messages[i].msg_hdr.msg_control = batch->control[i];
			batch->messages[i].msg_hdr.msg_controllen = sizeof(batch->control[i]);
		}
		n = recvmmsg(fd, batch->messages, batch->n, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EINTR)
			bench_die("recvmmsg");
		outcome->calls++;
		for (int i = 0; i < n; i++) {
			if (!read_message(batch, (uint32_t)i, outcome)) {
				outcome->ns = last - first;
				return;
			}
		}
		last = bench_now_ns();
		if (first == 0)
			first = last;
	}
}

struct receiver {
	const struct bench_options *options;
	int fd;
};

static void receiver_main(int fd, void *ctx)
{
	struct receiver *receiver = ctx;
	struct outcome outcome = { 0 };
	struct batch batch;
	uint64_t cpu;

	if (receiver->options->spread)
		bench_pin(0);
	if (receiver->options->offload)
		set_udp(receiver->fd, UDP_GRO, 1);
	batch_open(&batch, receiver->options, receiver->options->offload ? UINT16_MAX : 0);
	cpu = bench_cpu_ns();
	receive_all(receiver->fd, &batch, &outcome);
	outcome.cpu_ns = bench_cpu_ns() - cpu;
	bench_put(fd, &outcome, sizeof(outcome));
}

/* Sending */

static void fill_message(struct batch *batch, uint32_t i, uint64_t number)
{
	unsigned char *at = batch->pieces[i].iov_base;

	for (uint32_t k = 0; k < batch->run; k++, at += batch->size)
		bench_fill(at, batch->size, number + k);
}

static uint64_t send_all(int fd, struct batch *batch, double seconds)
{
	uint64_t end = bench_now_ns() + (uint64_t)(seconds * 1e9);
	uint64_t sent = 0;

	while (bench_now_ns() < end) {
		for (uint32_t i = 0; i < batch->n; i++)
			fill_message(batch, i, sent + i * batch->run);
		int n = sendmmsg(fd, batch->messages, batch->n, 0);

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			bench_die("sendmmsg");
		sent += n > 0 ? (uint64_t)n * batch->run : 0;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1024, .seconds = 2 };
	struct receiver receiver = { .options = &options };
	struct outcome outcome;
	struct sockaddr_in to, from;
	struct batch batch;
	uint64_t sent, cpu;
	int fd, report;

	bench_parse(&options, argc, argv);
	receiver.fd = open_socket(&to);
	bench_fork(receiver_main, &receiver, &report);
	if (options.spread)
		bench_pin(1);
	fd = open_socket(&from);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bench_die("connect");
	if (options.offload)
		set_udp(fd, UDP_SEGMENT, (int)options.size);
	batch_open(&batch, &options, 0);
	cpu = bench_cpu_ns();
	sent = send_all(fd, &batch, options.seconds);
	cpu = bench_cpu_ns() - cpu;
	for (int i = 0; i < 3; i++) { /* the buffer may be full the first time */
		usleep(20000);
		if (send(fd, "", END_SIZE, 0) < 0)
			bench_die("send");
	}
	bench_get(report, &outcome, sizeof(outcome));
	wait(NULL);
	free(batch.bytes);
	printf("{\"bench\":\"raw_udp\",\"size\":%u,\"run\":%u,\"messages_per_second\":%.0f,\"sent\":%llu,"
	       "\"received\":%llu,\"loss\":%.4f,\"rx_per_call\":%.1f,\"tx_cpu_ns\":%.1f,"
	       "\"rx_cpu_ns\":%.1f}\n",
	       options.size, batch.run, (double)outcome.received * 1e9 / (double)outcome.ns,
	       (unsigned long long)sent, (unsigned long long)outcome.received,
	       1.0 - (double)outcome.received / (double)sent,
	       (double)outcome.received / (double)outcome.calls, (double)cpu / (double)sent,
	       (double)outcome.cpu_ns / (double)outcome.received);
	return 0;
}
