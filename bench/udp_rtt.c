/* SPDX-License-Identifier: MIT */
/*
 * Round trips of one datagram or message at a time between two threads: through flux/udp.h and through a
 * session on a worker at each end, for each way to idle, and over bare sockets that spin or sleep in epoll.
 * In turns, in one run; a round in which the time of a cache line changed is left out.
 */
#include "rtt.h"

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

#include "common/probe.h"

#define ROUNDS 7u

/* ---- flux/udp.h ---- */

struct end {
	struct flux_worker *worker;
	struct flux_udp *udp;
	struct flux_addr addr, to;
	const struct bench_options *options;
	struct hist *hist; /* NULL: answers */
	uint64_t sent_ns;
	uint32_t left;
	sem_t done;
	unsigned char bytes[RTT_MOST];
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

static void run_udp(const struct rtt *rtt, uint32_t idle)
{
	static struct end a, b;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.options = b.options = rtt->options;
	b.hist = rtt->hist;
	b.left = rtt->trips;
	sem_init(&b.done, 0, 0);
	open_end(&a, idle, 0);
	b.to = a.addr;
	open_end(&b, idle, 1);
	if (flux_worker_call(b.worker, begin, &b) < 0)
		bench_die("flux_worker_call");
	while (sem_wait(&b.done) < 0)
		;
	flux_worker_close(b.worker);
	flux_worker_close(a.worker);
}

/* ---- Bare sockets ---- */

struct bare {
	const struct rtt *rtt;
	int fd, epoll_fd;
	bool spins;
	uint32_t nth;
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
	unsigned char bytes[RTT_MOST];
	struct sockaddr_in from;
	ssize_t n;

	if (bare->rtt->options->spread)
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
	unsigned char bytes[RTT_MOST] = { 0 };
	struct sockaddr_in to, from;
	socklen_t len = sizeof(to);

	if (bare->rtt->options->spread)
		bench_pin(bare->nth);
	getsockname(pair[0].fd, (struct sockaddr *)&to, &len);
	for (uint32_t i = 0; i < bare->rtt->trips; i++) {
		uint64_t at = bench_now_ns();

		sendto(bare->fd, bytes, bare->rtt->options->size, 0, (struct sockaddr *)&to, sizeof(to));
		take(bare, bytes, sizeof(bytes), &from);
		hist_add(bare->rtt->hist, bench_now_ns() - at);
	}
	__atomic_store_n(&pair[0].stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void run_bare(const struct rtt *rtt, uint32_t idle)
{
	bool spins = idle == FLUX_IDLE_SPIN;
	struct bare pair[2] = { { .rtt = rtt, .spins = spins }, { .rtt = rtt, .spins = spins, .nth = 1 } };
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

/* ---- All of them in turns ---- */

static const struct row {
	const char *name;
	void (*run)(const struct rtt *rtt, uint32_t idle);
	uint32_t idle;
	uint32_t bare; /* the row beside which it stands */
} rows[] = {
	{ "bare, spins", run_bare, FLUX_IDLE_SPIN, 0 },
	{ "udp, spins", run_udp, FLUX_IDLE_SPIN, 0 },
	{ "session, spins", rtt_run_session, FLUX_IDLE_SPIN, 0 },
	{ "udp, adaptive", run_udp, FLUX_IDLE_ADAPTIVE, 0 },
	{ "session, adaptive", rtt_run_session, FLUX_IDLE_ADAPTIVE, 0 },
	{ "bare, epoll", run_bare, FLUX_IDLE_SLEEP, 5 },
	{ "udp, epoll", run_udp, FLUX_IDLE_SLEEP, 5 },
	{ "session, epoll", rtt_run_session, FLUX_IDLE_SLEEP, 5 },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What a row had in each round that counts. */
struct column {
	double p50_ns[ROUNDS], p99_ns[ROUNDS], of_bare[ROUNDS];
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, uint32_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n ? values[n / 2] : 0;
}

/* Returns whether it counts. */
static bool run_round(const struct bench_options *options, struct column *columns, uint32_t at)
{
	static struct hist hist;
	struct rtt rtt = { options, (uint32_t)(options->seconds * 10000), &hist };
	double before = probe_line(bench_cpus()), after;

	for (uint32_t i = 0; i < ROWS; i++) {
		memset(&hist, 0, sizeof(hist));
		rows[i].run(&rtt, rows[i].idle);
		columns[i].p50_ns[at] = (double)hist_percentile(&hist, 0.5);
		columns[i].p99_ns[at] = (double)hist_percentile(&hist, 0.99);
		columns[i].of_bare[at] = columns[i].p50_ns[at] / columns[rows[i].bare].p50_ns[at];
	}
	after = probe_line(bench_cpus());
	return before < 2 * after && after < 2 * before;
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 64, .seconds = 2 };
	static struct column columns[ROWS];
	uint32_t kept = 0;

	bench_parse(&options, argc, argv);
	if (options.size > RTT_MOST) {
		fprintf(stderr, "udp_rtt: --size is 1 to %u\n", RTT_MOST);
		return 2;
	}
	bench_cpus();
	for (uint32_t round = 0; round < ROUNDS; round++)
		kept += run_round(&options, columns, kept);
	for (uint32_t i = 0; i < ROWS; i++)
		printf("{\"bench\":\"udp_rtt\",\"case\":\"%s\",\"size\":%u,\"rounds\":%u,\"p50_ns\":%.0f,\"p99_ns\":%.0f,\"of_bare\":%.3f}\n",
		       rows[i].name, options.size, kept, median(columns[i].p50_ns, kept),
		       median(columns[i].p99_ns, kept), median(columns[i].of_bare, kept));
	return 0;
}
