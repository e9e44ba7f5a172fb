/* SPDX-License-Identifier: MIT */
/*
 * Gets a key from a memcached by TCP, again and again, and tells how long the answers took: kv_tcp HOST
 * PORT KEY SECONDS DEPTH, where DEPTH requests are written together and then their answers awaited. Above
 * 1 it is a flood, to stand beside that of fluxkv; with 0, each request has a connection of its own, which
 * memcached's main thread has to accept.
 */
#include "lib/bench.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hist.h"

#define MAX_DEPTH 1024u
#define LINE      300u

static int open_connection(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int one = 1, fd;

	if (getaddrinfo(host, port, &hints, &found) != 0) {
		errno = EADDRNOTAVAIL;
		bench_die(host);
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		bench_die("connect");
	freeaddrinfo(found);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Read one answer, to learn how long each of them is. */
static size_t first_answer(int fd, char *text, size_t room)
{
	size_t have = 0;

	while (have < 5 || memcmp(text + have - 5, "END\r\n", 5) != 0) {
		ssize_t n = read(fd, text + have, room - have);

		if (n <= 0)
			bench_die("no answer");
		have += (size_t)n;
	}
	return have;
}

/* As of a client that died: nothing of the connection stays, and ports do not run out. */
static void close_connection(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void ask(int fd, const char *requests, size_t len, char *answers, size_t answers_len)
{
	bench_put(fd, requests, len);
	if (recv(fd, answers, answers_len, MSG_WAITALL) != (ssize_t)answers_len)
		bench_die("no answers");
}

int main(int argc, char **argv)
{
	static char requests[MAX_DEPTH * LINE], answers[MAX_DEPTH * LINE];
	static struct hist hist;
	uint64_t start, until, began;
	size_t len, answer_len;
	unsigned depth, n;
	bool anew;
	int fd;

	if (argc != 6 || (depth = (unsigned)strtoul(argv[5], NULL, 10)) > MAX_DEPTH) {
		fprintf(stderr, "Usage: kv_tcp HOST PORT KEY SECONDS DEPTH\n");
		return 2;
	}
	anew = depth == 0;
	n = anew ? 1 : depth;
	fd = open_connection(argv[1], argv[2]);
	len = (size_t)snprintf(requests, LINE, "get %.250s\r\n", argv[3]);
	bench_put(fd, requests, len);
	answer_len = first_answer(fd, answers, LINE);
	for (unsigned i = 1; i < n; i++)
		memcpy(requests + i * len, requests, len);
	began = bench_now_ns();
	until = began + (uint64_t)(strtod(argv[4], NULL) * 1e9);
	while ((start = bench_now_ns()) < until) {
		if (anew) {
			close_connection(fd);
			start = bench_now_ns();
			fd = open_connection(argv[1], argv[2]);
		}
		ask(fd, requests, n * len, answers, n * answer_len);
		hist_add(&hist, bench_now_ns() - start);
	}
	printf("{\"bench\":\"kv_tcp\",\"depth\":%u,\"requests\":%llu,\"per_second\":%.0f,\"p50_us\":%.1f,"
	       "\"p99_us\":%.1f}\n",
	       depth, (unsigned long long)(hist.count * n),
	       (double)(hist.count * n) * 1e9 / (double)(start - began),
	       (double)hist_percentile(&hist, 0.5) / 1000, (double)hist_percentile(&hist, 0.99) / 1000);
	return 0;
}
