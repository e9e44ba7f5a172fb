/* SPDX-License-Identifier: MIT */
/* Equal messages one way over Flux, as fast as it goes, from one process to another; cf. raw_udp. */
#include "lib/flood.h"

#include <stdio.h>
#include <sys/wait.h>

struct receiver {
	const struct bench_options *options;
	struct flood_receiver flood;
	struct loop loop;
	uint64_t cpu_ns;
	int report;
};

static void on_end(void *ctx)
{
	struct receiver *receiver = ctx;

	loop_stop(&receiver->loop);
}

static int start(void *ctx, struct loop *loop)
{
	struct receiver *receiver = ctx;
	struct flux_addr addr;

	receiver->cpu_ns = bench_cpu_ns();
	flood_receiver_open(&receiver->flood, loop->flux, receiver->options, &addr);
	bench_put(receiver->report, &addr, sizeof(addr));
	return 0;
}

/* The first thing the receiver reports is its address, the second its outcome. */
static void receiver_main(int fd, void *ctx)
{
	struct receiver receiver = { .options = ctx, .report = fd };
	const struct loop_user user = { .start = start, .ctx = &receiver };
	struct flood_outcome *outcome = &receiver.flood.outcome;

	receiver.flood.on_end = on_end;
	receiver.flood.ctx = &receiver;
	bench_host_run(receiver.options, 0, &receiver.loop, &user);
	outcome->cpu_ns = bench_cpu_ns() - receiver.cpu_ns;
	bench_put(fd, outcome, sizeof(*outcome));
}

static double mean(uint64_t sum, uint64_t n)
{
	return n ? (double)sum / (double)n : 0;
}

/* Many datagrams a call say little of the sender, which has sendmmsg() too; its flag does. */
static void print(const struct bench_options *options, const char *loop, const struct flood_outcome *sent,
		  const struct flood_outcome *received)
{
	printf("{\"bench\":\"flux_stream\",\"loop\":\"%s\",\"size\":%u,\"messages_per_second\":%.0f,\"sent\":%llu,"
	       "\"received\":%llu,\"datagrams\":%llu,\"datagram_bytes\":%.0f,\"lost\":%llu,"
	       "\"retransmitted\":%llu,\"kernel_drops\":%llu,\"tx_offload\":%u,\"rx_offload\":%u,"
	       "\"tx_per_call\":%.1f,\"rx_per_call\":%.1f,\"tx_cpu_ns\":%.1f,\"rx_cpu_ns\":%.1f}\n",
	       loop, options->size, mean(received->messages * 1000000000u, received->ns),
	       (unsigned long long)sent->messages, (unsigned long long)received->messages,
	       (unsigned long long)received->datagrams, mean(received->bytes, received->datagrams),
	       (unsigned long long)received->lost, (unsigned long long)sent->retransmitted,
	       (unsigned long long)received->kernel_drops, sent->offload, received->offload,
	       mean(sent->datagrams, sent->calls), mean(received->datagrams, received->calls),
	       mean(sent->cpu_ns, sent->messages), mean(received->cpu_ns, received->messages));
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1024, .seconds = 2, .offload = true };
	struct flood_outcome sent = { 0 };
	struct flood_outcome received;
	struct flux_addr addr;
	const char *loop;
	int report;

	bench_parse(&options, argc, argv);
	bench_fork(receiver_main, &options, &report);
	bench_get(report, &addr, sizeof(addr));
	loop = flood_send(&addr, &options, &sent);
	bench_get(report, &received, sizeof(received));
	wait(NULL);
	print(&options, loop, &sent, &received);
	return received.messages == sent.messages ? 0 : 1;
}
