/* SPDX-License-Identifier: MIT */
/*
 * The yardstick of flux_paced: datagrams one way at a steady pace, a timerfd and a socket in an epoll set
 * at one end, a socket in another's at the other. Nothing is repaired.
 */
#include "lib/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST     65507u
#define END_SIZE 1u /* a datagram of one byte ends the run */

struct outcome {
	uint64_t messages, sum, cpu_ns;
};

struct receiver {
	const struct bench_options *options;
	int fd;
};

static int watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		bench_die("epoll");
	return set;
}

static void sleep_until_ready(int set)
{
	struct epoll_event event;

	if (epoll_wait(set, &event, 1, -1) < 0)
		bench_die("epoll_wait");
}

static void receiver_main(int fd, void *ctx)
{
	const struct receiver *receiver = ctx;
	static unsigned char bytes[MOST];
	struct outcome outcome = { 0 };
	int set = watch(receiver->fd);
	uint64_t cpu = 0;

	if (receiver->options->spread)
		bench_pin(0);
	for (;;) {
		ssize_t n;

		sleep_until_ready(set);
		n = recv(receiver->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == (ssize_t)END_SIZE)
			break;
		if (n < 0)
			continue;
		if (cpu == 0)
			cpu = bench_cpu_ns();
		outcome.sum += bench_sum(bytes, (uint32_t)n);
		outcome.messages++;
	}
	outcome.cpu_ns = bench_cpu_ns() - cpu;
	bench_put(fd, &outcome, sizeof(outcome));
}

static int open_timer(uint32_t rate)
{
	const uint64_t ns = 1000000000u / rate;
	const struct timespec pace = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
	const struct itimerspec when = { pace, pace };
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) < 0)
		bench_die("timerfd");
	return fd;
}

static void send_all(int fd, const struct bench_options *options, struct outcome *outcome)
{
	static unsigned char bytes[MOST];
	int timer = open_timer(options->rate);
	int set = watch(timer);
	uint64_t most = (uint64_t)(options->seconds * options->rate);
	uint64_t cpu = bench_cpu_ns();

	while (outcome->messages < most) {
		uint64_t due;

		sleep_until_ready(set);
		if (read(timer, &due, sizeof(due)) < 0)
			continue;
		while (due-- > 0 && outcome->messages < most) {
			bench_fill(bytes, options->size, outcome->messages++);
			if (send(fd, bytes, options->size, 0) < 0)
				bench_die("send");
		}
	}
	outcome->cpu_ns = bench_cpu_ns() - cpu;
}

static int open_socket(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(*addr)) != 0 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) != 0)
		bench_die("socket");
	return fd;
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 64, .seconds = 2 };
	struct receiver receiver = { .options = &options };
	struct outcome sent = { 0 }, received;
	struct sockaddr_in to, from;
	int fd, report;

	bench_parse(&options, argc, argv);
	if (options.size <= END_SIZE || options.size > MOST) {
		fprintf(stderr, "raw_paced: --size is 2 to 65507\n");
		return 2;
	}
	receiver.fd = open_socket(&to);
	bench_fork(receiver_main, &receiver, &report);
	if (options.spread)
		bench_pin(1);
	fd = open_socket(&from);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		bench_die("connect");
	send_all(fd, &options, &sent);
	if (send(fd, "", END_SIZE, 0) < 0)
		bench_die("send");
	bench_get(report, &received, sizeof(received));
	wait(NULL);
	printf("{\"bench\":\"raw_paced\",\"size\":%u,\"rate\":%u,\"sent\":%llu,\"received\":%llu,"
	       "\"tx_cpu_ns\":%.0f,\"rx_cpu_ns\":%.0f}\n",
	       options.size, options.rate, (unsigned long long)sent.messages, (unsigned long long)received.messages,
	       (double)sent.cpu_ns / (double)sent.messages, (double)received.cpu_ns / (double)received.messages);
	return 0;
}
