/* SPDX-License-Identifier: MIT */
/*
 * Round trips of one datagram at a time between two threads: through flux/udp.h on a worker at each end, for
 * each way to idle, and the same over bare sockets that spin or sleep in epoll. In turns, in one run.
 */
#include "lib/bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <flux/udp.h>
#include <flux/worker.h>

#include "common/hist.h"

#define ROUNDS 5

static uint32_t trips = 20000;

/* ---- Flux ---- */

struct end {
	struct flux_worker *worker;
	struct flux_udp *udp;
	struct flux_addr addr, to;
	const struct bench_options *options;
	struct hist *hist; /* NULL: answers */
	uint64_t sent_ns;
	uint32_t left;
	sem_t done;
	unsigned char bytes[2048];
};

static void ask(struct end *end)
{
	const struct flux_tx tx = { .body = end->bytes, .body_len = end->options->size, .to = end->to };

	end->sent_ns = bench_now_ns();
	if (flux_udp_send(end->udp, &tx, 1) != 1)
		bench_die("send");
}

static void on_datagrams(void *ctx, struct flux_udp *udp, const struct flux_rx *rx, uint32_t n)
{
	struct end *end = ctx;

	if (!end->hist) {
		const struct flux_tx tx = { .body = rx[0].data, .body_len = rx[0].len, .to = rx[0].from };

		(void)n; /* one is under way at a time */
		(void)!flux_udp_send(udp, &tx, 1);
		return;
	}
	hist_add(end->hist, bench_now_ns() - end->sent_ns);
	if (--end->left)
		ask(end);
	else
		sem_post(&end->done);
}

static int on_start(void *ctx, struct flux_loop *loop)
{
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct end *end = ctx;
	int rc;

	cfg.local = "127.0.0.1:0";
	cfg.on_datagrams = on_datagrams;
	cfg.ctx = end;
	rc = flux_udp_open(&end->udp, loop, &cfg);
	if (rc == 0)
		flux_udp_local(end->udp, &end->addr);
	return rc;
}

static void begin(void *ctx, struct flux_loop *loop)
{
	(void)loop;
	ask(ctx);
}

static void open_end(struct end *end, uint32_t idle, uint32_t nth)
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	char why[FLUX_WHY_TEXT];

	cfg.idle = idle;
	cfg.pin = end->options->spread;
	cfg.cpu = cpus_nth(bench_cpus(), nth);
	cfg.on_start = on_start;
	cfg.ctx = end;
	if (flux_worker_open(&end->worker, &cfg, why) < 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
}

static void run_flux(const struct bench_options *options, uint32_t idle, struct hist *hist)
{
	static struct end a, b;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.options = b.options = options;
	b.hist = hist;
	b.left = trips;
	sem_init(&b.done, 0, 0);
	open_end(&a, idle, 0);
	b.to = a.addr;
	open_end(&b, idle, 1);
	b.to = a.addr;
	if (flux_worker_call(b.worker, begin, &b) < 0)
		bench_die("flux_worker_call");
	while (sem_wait(&b.done) < 0)
		;
	flux_worker_close(b.worker);
	flux_worker_close(a.worker);
}

/* ---- Bare sockets ---- */

struct bare {
	const struct bench_options *options;
	int fd, epoll_fd;
	bool spins;
	uint32_t nth;
	struct hist *hist;
	uint32_t stop;
};

static ssize_t take(struct bare *bare, void *bytes, size_t room, struct sockaddr_in *from)
{
	for (;;) {
		socklen_t len = sizeof(*from);
		ssize_t n = recvfrom(bare->fd, bytes, room, MSG_DONTWAIT, (struct sockaddr *)from, &len);
		struct epoll_event event;

		if (n >= 0 || __atomic_load_n(&bare->stop, __ATOMIC_RELAXED))
			return n;
		if (!bare->spins)
			epoll_wait(bare->epoll_fd, &event, 1, 100);
	}
}

static void *answer(void *arg)
{
	struct bare *bare = arg;
	unsigned char bytes[2048];
	struct sockaddr_in from;
	ssize_t n;

	if (bare->options->spread)
		bench_pin(bare->nth);
	while ((n = take(bare, bytes, sizeof(bytes), &from)) >= 0)
		sendto(bare->fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, sizeof(from));
	return NULL;
}

static void open_bare(struct bare *bare, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	struct epoll_event event = { .events = EPOLLIN };

	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bare->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bare->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (bare->fd < 0 || bind(bare->fd, (struct sockaddr *)addr, sizeof(*addr)) < 0 ||
	    getsockname(bare->fd, (struct sockaddr *)addr, &len) < 0 ||
	    epoll_ctl(bare->epoll_fd, EPOLL_CTL_ADD, bare->fd, &event) < 0)
		bench_die("socket");
}

static void *ask_bare(void *arg)
{
	struct bare *pair = arg;
	struct bare *bare = &pair[1];
	unsigned char bytes[2048] = { 0 };
	struct sockaddr_in to, from;
	socklen_t len = sizeof(to);

	if (bare->options->spread)
		bench_pin(1);
	getsockname(pair[0].fd, (struct sockaddr *)&to, &len);
	for (uint32_t i = 0; i < trips; i++) {
		uint64_t at = bench_now_ns();

		sendto(bare->fd, bytes, bare->options->size, 0, (struct sockaddr *)&to, sizeof(to));
		take(bare, bytes, sizeof(bytes), &from);
		hist_add(bare->hist, bench_now_ns() - at);
	}
	__atomic_store_n(&pair[0].stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void run_bare(const struct bench_options *options, bool spins, struct hist *hist)
{
	struct bare pair[2] = { { .options = options, .spins = spins },
				{ .options = options, .spins = spins, .nth = 1, .hist = hist } };
	struct sockaddr_in unused;
	pthread_t answers, asks;

	open_bare(&pair[0], &unused);
	open_bare(&pair[1], &unused);
	pthread_create(&answers, NULL, answer, &pair[0]);
	pthread_create(&asks, NULL, ask_bare, pair);
	pthread_join(asks, NULL);
	pthread_join(answers, NULL);
	for (int i = 0; i < 2; i++) {
		close(pair[i].fd);
		close(pair[i].epoll_fd);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "bare, spins", "flux, spins", "flux, adaptive", "bare, epoll", "flux, epoll" };
	struct bench_options options = { .size = 64, .seconds = 2 };
	static struct hist hists[5][ROUNDS];

	bench_parse(&options, argc, argv);
	trips = (uint32_t)(options.seconds * 10000);
	bench_cpus();
	for (int round = 0; round < ROUNDS; round++) {
		run_bare(&options, true, &hists[0][round]);
		run_flux(&options, FLUX_IDLE_SPIN, &hists[1][round]);
		run_flux(&options, FLUX_IDLE_ADAPTIVE, &hists[2][round]);
		run_bare(&options, false, &hists[3][round]);
		run_flux(&options, FLUX_IDLE_SLEEP, &hists[4][round]);
	}
	for (int i = 0; i < 5; i++) {
		uint64_t p50[ROUNDS], p99[ROUNDS];

		for (int round = 0; round < ROUNDS; round++) {
			uint64_t v50 = hist_percentile(&hists[i][round], 0.5), v99 = hist_percentile(&hists[i][round], 0.99);
			int at = round;

			for (; at > 0 && p50[at - 1] > v50; at--)
				p50[at] = p50[at - 1];
			p50[at] = v50;
			for (at = round; at > 0 && p99[at - 1] > v99; at--)
				p99[at] = p99[at - 1];
			p99[at] = v99;
		}
		printf("{\"bench\":\"udp_rtt\",\"case\":\"%s\",\"size\":%u,\"trips\":%u,\"p50_ns\":%llu,\"p99_ns\":%llu}\n",
		       names[i], options.size, trips, (unsigned long long)p50[ROUNDS / 2],
		       (unsigned long long)p99[ROUNDS / 2]);
	}
	return 0;
}
