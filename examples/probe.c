/* SPDX-License-Identifier: MIT */
/* Asks an HTTP server for a page once a millisecond and tells how long the answers took. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 1000000
#define CELLS    100000u /* of 1 us; the last one holds what took longer */

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int open_connection(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int one = 1;
	int fd;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Read one answer: the head, then as many bytes as its Content-Length says. Returns 0 or -1. */
static int read_answer(int fd)
{
	char text[16384];
	size_t have = 0;

	for (;;) {
		ssize_t n = read(fd, text + have, sizeof(text) - 1 - have);
		const char *body, *length;

		if (n <= 0)
			return -1;
		have += (size_t)n;
		text[have] = '\0';
		body = strstr(text, "\r\n\r\n");
		length = strcasestr(text, "\r\nContent-Length:");
		if (body && (!length || length > body))
			return -1;
		if (body && have >= (size_t)(body + 4 - text) + strtoul(length + 17, NULL, 10))
			return strncmp(text, "HTTP/1.1 200", 12) == 0 ? 0 : -1;
		if (have == sizeof(text) - 1)
			return -1;
	}
}

static uint32_t percentile(const uint64_t *cells, uint64_t count, double share)
{
	uint64_t rank = (uint64_t)((double)count * share);
	uint64_t seen = 0;
	uint32_t i;

	for (i = 0; i < CELLS - 1; i++) {
		seen += cells[i];
		if (seen > rank)
			break;
	}
	return i;
}

/* Returns the number of answers. */
static uint64_t measure(int fd, const char *request, double seconds, uint64_t *cells)
{
	const struct timespec pause = { 0, PAUSE_NS };
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
	uint64_t count = 0;
	uint64_t start, took;

	while (!stopped && (start = now_ns()) < end) {
		if (write(fd, request, strlen(request)) < 0 || read_answer(fd) != 0)
			break;
		took = (now_ns() - start) / 1000;
		cells[took < CELLS ? took : CELLS - 1]++;
		count++;
		nanosleep(&pause, NULL);
	}
	return count;
}

int main(int argc, char **argv)
{
	static uint64_t cells[CELLS];
	struct sigaction action = { .sa_handler = on_signal }; /* without SA_RESTART */
	char request[256];
	uint64_t count;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "Usage: probe HOST PORT PATH SECONDS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	fd = open_connection(argv[1], argv[2]);
	if (fd < 0) {
		fprintf(stderr, "probe: cannot connect to %s:%s: %s\n", argv[1], argv[2], strerror(errno));
		return 1;
	}
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", argv[3], argv[1],
		 argv[2]);
	count = measure(fd, request, strtod(argv[4], NULL), cells);
	close(fd);
	if (count == 0) {
		fprintf(stderr, "probe: no answer\n");
		return 1;
	}
	printf("{\"requests\":%llu,\"p50_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u}\n",
	       (unsigned long long)count, percentile(cells, count, 0.5), percentile(cells, count, 0.99),
	       percentile(cells, count, 0.999), percentile(cells, count, (double)(count - 1) / (double)count));
	return 0;
}
