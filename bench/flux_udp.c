/* SPDX-License-Identifier: MIT */
/*
 * What raw_udp does, through flux/udp.h on a loop at each end: equal datagrams from one process to another,
 * as fast as it goes. Nothing is repaired; what arrived is counted, and every byte is written and read.
 */
#include "lib/bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <flux/epoll.h>
#include <flux/udp.h>

#define END_SIZE 1u /* a datagram of one byte ends the run */

struct outcome {
	uint64_t received, sum, first_ns, last_ns, cpu_ns, calls;
	struct flux_addr addr;
	uint32_t offload, done;
};

struct receiver {
	const struct bench_options *options;
	struct outcome outcome;
};

static void open_udp(struct flux_udp **udp, struct flux_loop **loop, struct flux_udp_cfg *cfg,
		     const struct bench_options *options)
{
	cfg->local = "127.0.0.1:0";
	cfg->max_datagram = options->size;
	cfg->no_offload = !options->offload;
	if (flux_loop_open_epoll(loop) < 0 || flux_udp_open(udp, *loop, cfg) < 0)
		bench_die("flux_udp_open");
}

/* Receiving */

static void on_datagrams(void *ctx, struct flux_udp *udp, const struct flux_rx *d, uint32_t n)
{
	struct outcome *outcome = ctx;

	(void)udp;
	for (uint32_t i = 0; i < n; i++) {
		if (d[i].len <= END_SIZE) {
			outcome->done = 1;
			return;
		}
		outcome->sum += bench_sum(d[i].data, d[i].len);
		outcome->received++;
	}
	outcome->last_ns = bench_now_ns();
	if (!outcome->first_ns)
		outcome->first_ns = outcome->last_ns;
}

static void receiver_main(int fd, void *ctx)
{
	struct receiver *receiver = ctx;
	struct outcome *outcome = &receiver->outcome;
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct flux_udp_stats stats = { .size = sizeof(stats) };
	struct flux_loop *loop;
	struct flux_udp *udp;
	uint64_t cpu;

	if (receiver->options->spread)
		bench_pin(0);
	cfg.on_datagrams = on_datagrams;
	cfg.ctx = outcome;
	open_udp(&udp, &loop, &cfg, receiver->options);
	flux_udp_local(udp, &outcome->addr);
	bench_put(fd, outcome, sizeof(*outcome));
	cpu = bench_cpu_ns();
	while (!outcome->done)
		flux_loop_poll_epoll(loop, FLUX_NEVER);
	outcome->cpu_ns = bench_cpu_ns() - cpu;
	flux_udp_get_stats(udp, &stats);
	outcome->calls = stats.rx_syscalls;
	outcome->offload = stats.rx_offload;
	bench_put(fd, outcome, sizeof(*outcome));
}

/* Sending */

struct sender {
	struct flux_udp *udp;
	struct flux_tx batch[FLUX_UDP_BATCH];
	unsigned char *bytes;
	uint64_t sent;
};

/* A batch of new datagrams; those that the socket does not take now are lost, as raw_udp's would wait. */
static void send_batch(struct sender *sender, struct flux_loop *loop, uint32_t size)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < FLUX_UDP_BATCH; i++)
		bench_fill(sender->bytes + (size_t)i * size, size, sender->sent + i);
	while (done < FLUX_UDP_BATCH) {
		int n = flux_udp_send(sender->udp, sender->batch + done, FLUX_UDP_BATCH - done);

		if (n < 0)
			bench_die("flux_udp_send");
		done += (uint32_t)n;
		if (done < FLUX_UDP_BATCH)
			flux_loop_poll_epoll(loop, FLUX_NEVER); /* until it is writable */
	}
	sender->sent += FLUX_UDP_BATCH;
}

int main(int argc, char **argv)
{
	static unsigned char bytes[FLUX_UDP_BATCH * 65536u];
	struct bench_options options = { .size = 1024, .seconds = 2, .offload = true };
	struct receiver receiver = { .options = &options };
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct sender sender = { .bytes = bytes };
	struct outcome outcome;
	struct flux_loop *loop;
	char peer[FLUX_ADDR_TEXT];
	uint64_t cpu, end;
	int report;

	bench_parse(&options, argc, argv);
	bench_fork(receiver_main, &receiver, &report);
	bench_get(report, &outcome, sizeof(outcome));
	if (options.spread)
		bench_pin(1);
	cfg.peer = flux_addr_format(&outcome.addr, peer);
	open_udp(&sender.udp, &loop, &cfg, &options);
	for (uint32_t i = 0; i < FLUX_UDP_BATCH; i++)
		sender.batch[i] = (struct flux_tx){ .body = bytes + (size_t)i * options.size, .body_len = options.size };
	cpu = bench_cpu_ns();
	end = bench_now_ns() + (uint64_t)(options.seconds * 1e9);
	while (bench_now_ns() < end)
		send_batch(&sender, loop, options.size);
	cpu = bench_cpu_ns() - cpu;
	for (int i = 0; i < 3; i++) { /* the buffer may be full the first time */
		usleep(20000);
		if (flux_udp_send(sender.udp, &(struct flux_tx){ .body = bytes, .body_len = END_SIZE }, 1) != 1)
			bench_die("flux_udp_send");
	}
	bench_get(report, &outcome, sizeof(outcome));
	wait(NULL);
	printf("{\"bench\":\"flux_udp\",\"size\":%u,\"messages_per_second\":%.0f,\"sent\":%llu,\"received\":%llu,"
	       "\"loss\":%.4f,\"rx_per_call\":%.1f,\"tx_cpu_ns\":%.1f,\"rx_cpu_ns\":%.1f,\"offload\":%u}\n",
	       options.size, (double)outcome.received * 1e9 / (double)(outcome.last_ns - outcome.first_ns),
	       (unsigned long long)sender.sent, (unsigned long long)outcome.received,
	       1.0 - (double)outcome.received / (double)sender.sent,
	       (double)outcome.received / (double)outcome.calls, (double)cpu / (double)sender.sent,
	       (double)outcome.cpu_ns / (double)outcome.received, outcome.offload);
	return 0;
}
