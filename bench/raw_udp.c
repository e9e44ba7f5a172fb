/* SPDX-License-Identifier: MIT */
/*
 * The yardstick: equal datagrams by sendmmsg and recvmmsg from one process to another, as fast as
 * it goes. Nothing is repaired; what arrived is counted, and every byte is written and read.
 */
#include "lib/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH    64u
#define RCVBUF   (4 << 20)
#define END_SIZE 1u /* a datagram of one byte ends the run */

struct outcome {
	uint64_t received, sum, ns, cpu_ns;
};

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	unsigned char *bytes;
	uint32_t size;
};

static void batch_open(struct batch *batch, uint32_t size)
{
	memset(batch, 0, sizeof(*batch));
	batch->size = size;
	batch->bytes = malloc((size_t)BATCH * size);
	if (!batch->bytes)
		bench_die("malloc");
	for (uint32_t i = 0; i < BATCH; i++) {
		batch->pieces[i] = (struct iovec){ batch->bytes + (size_t)i * size, size };
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

static void receive_all(int fd, struct batch *batch, struct outcome *outcome)
{
	uint64_t first = 0, last = 0;

	for (;;) {
		int n = recvmmsg(fd, batch->messages, BATCH, MSG_WAITFORONE, NULL);

		if (n < 0 && errno != EINTR)
			bench_die("recvmmsg");
		for (int i = 0; i < n; i++) {
			if (batch->messages[i].msg_len <= END_SIZE) {
				outcome->ns = last - first;
				return;
			}
			outcome->sum += bench_sum(batch->pieces[i].iov_base, batch->messages[i].msg_len);
			outcome->received++;
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
	batch_open(&batch, receiver->options->size);
	cpu = bench_cpu_ns();
	receive_all(receiver->fd, &batch, &outcome);
	outcome.cpu_ns = bench_cpu_ns() - cpu;
	bench_put(fd, &outcome, sizeof(outcome));
}

static uint64_t send_all(int fd, struct batch *batch, double seconds)
{
	uint64_t end = bench_now_ns() + (uint64_t)(seconds * 1e9);
	uint64_t sent = 0;

	while (bench_now_ns() < end) {
		for (uint32_t i = 0; i < BATCH; i++)
			bench_fill(batch->pieces[i].iov_base, batch->size, sent + i);
		int n = sendmmsg(fd, batch->messages, BATCH, 0);

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			bench_die("sendmmsg");
		sent += n > 0 ? (uint64_t)n : 0;
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
	batch_open(&batch, options.size);
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
	printf("{\"bench\":\"raw_udp\",\"size\":%u,\"messages_per_second\":%.0f,\"sent\":%llu,"
	       "\"received\":%llu,\"loss\":%.4f,\"tx_cpu_ns\":%.0f,\"rx_cpu_ns\":%.0f}\n",
	       options.size, (double)outcome.received * 1e9 / (double)outcome.ns,
	       (unsigned long long)sent, (unsigned long long)outcome.received,
	       1.0 - (double)outcome.received / (double)sent, (double)cpu / (double)sent,
	       (double)outcome.cpu_ns / (double)outcome.received);
	return 0;
}
