/* SPDX-License-Identifier: MIT */
/*
 * What everybody has: the same messages over plain TCP, each behind its length in 4 bytes, batched
 * into writes of 64 KiB, taken apart at the other end. Every byte is written and read; cf. raw_udp.
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

#define CHUNK  65536u
#define PREFIX ((uint32_t)sizeof(uint32_t))

struct outcome {
	uint64_t received, sum, ns, cpu_ns;
};

/* Read the whole messages among `len` bytes; returns how many bytes they are. */
static uint32_t read_messages(const unsigned char *at, uint32_t len, struct outcome *outcome)
{
	uint32_t done = 0, size;

	while (len - done >= PREFIX) {
		memcpy(&size, at + done, PREFIX);
		if (size > len - done - PREFIX)
			break;
		outcome->sum += bench_sum(at + done + PREFIX, size);
		outcome->received++;
		done += PREFIX + size;
	}
	return done;
}

static void receive_all(int fd, unsigned char *buffer, struct outcome *outcome)
{
	uint64_t first = 0, last = 0;
	uint32_t len = 0;

	for (;;) {
		ssize_t n = read(fd, buffer + len, CHUNK - len);
		uint32_t done;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			bench_die("read");
		if (n == 0)
			break;
		len += (uint32_t)n;
		done = read_messages(buffer, len, outcome);
		len -= done;
		memmove(buffer, buffer + done, len);
		last = bench_now_ns();
		if (first == 0)
			first = last;
	}
	outcome->ns = last - first;
}

struct receiver {
	const struct bench_options *options;
	int listener;
};

static void receiver_main(int report, void *ctx)
{
	struct receiver *receiver = ctx;
	struct outcome outcome = { 0 };
	unsigned char *buffer = malloc(CHUNK);
	uint64_t cpu;
	int fd;

	if (receiver->options->spread)
		bench_pin(0);
	fd = accept(receiver->listener, NULL, NULL);
	if (!buffer || fd < 0)
		bench_die("accept");
	cpu = bench_cpu_ns();
	receive_all(fd, buffer, &outcome);
	outcome.cpu_ns = bench_cpu_ns() - cpu;
	bench_put(report, &outcome, sizeof(outcome));
}

static void write_all(int fd, const unsigned char *at, uint32_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno != EINTR)
			bench_die("write");
		if (n > 0) {
			at += n;
			len -= (uint32_t)n;
		}
	}
}

/* As many whole messages a write as 64 KiB hold. */
static uint64_t send_all(int fd, const struct bench_options *options)
{
	uint64_t end = bench_now_ns() + (uint64_t)(options->seconds * 1e9);
	uint32_t stride = PREFIX + options->size;
	uint32_t count = CHUNK / stride;
	unsigned char *buffer = malloc(CHUNK);
	uint64_t sent = 0;

	if (!buffer)
		bench_die("malloc");
	while (bench_now_ns() < end) {
		for (uint32_t i = 0; i < count; i++) {
			memcpy(buffer + (size_t)i * stride, &options->size, PREFIX);
			bench_fill(buffer + (size_t)i * stride + PREFIX, options->size, sent + i);
		}
		write_all(fd, buffer, count * stride);
		sent += count;
	}
	free(buffer);
	return sent;
}

static int open_listener(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(*addr)) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) != 0)
		bench_die("socket");
	return fd;
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1024, .seconds = 2 };
	struct receiver receiver = { .options = &options };
	struct outcome outcome;
	struct sockaddr_in to;
	uint64_t sent, cpu;
	int fd, report;

	bench_parse(&options, argc, argv);
	if (options.size > CHUNK - PREFIX) {
		fprintf(stderr, "raw_tcp: a message must fit into a write\n");
		return 2;
	}
	receiver.listener = open_listener(&to);
	bench_fork(receiver_main, &receiver, &report);
	if (options.spread)
		bench_pin(1);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bench_die("connect");
	cpu = bench_cpu_ns();
	sent = send_all(fd, &options);
	cpu = bench_cpu_ns() - cpu;
	close(fd);
	bench_get(report, &outcome, sizeof(outcome));
	wait(NULL);
	printf("{\"bench\":\"raw_tcp\",\"size\":%u,\"messages_per_second\":%.0f,\"sent\":%llu,"
	       "\"received\":%llu,\"tx_cpu_ns\":%.1f,\"rx_cpu_ns\":%.1f}\n",
	       options.size, (double)outcome.received * 1e9 / (double)outcome.ns,
	       (unsigned long long)sent, (unsigned long long)outcome.received,
	       (double)cpu / (double)sent, (double)outcome.cpu_ns / (double)outcome.received);
	return outcome.received == sent ? 0 : 1;
}
