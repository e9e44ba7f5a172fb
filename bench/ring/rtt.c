/* SPDX-License-Identifier: MIT */
/*
 * The round trip of 64 bytes by two rings, beside the least that any pair of queues can do: a line of data
 * and a line that says so, each way.
 */
#include <flux/ring.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hist.h"
#include "common/probe.h"
#include "lib/bench.h"
#include "ring/work.h"

/* A probe that changed by more than this within a round means that the processors moved. */
#define STEADY 1.5

bool probe_is_steady(double before, double after)
{
	return after < before * STEADY && before < after * STEADY;
}

#define TRIPS 50000u
#define SLOT  64u

struct channel {
	_Alignas(128) unsigned char data[SLOT];
	_Alignas(128) uint64_t said;
};

struct pair {
	struct channel channels[2]; /* to the other side, and back */
	struct flux_ring *rings[2];
};

typedef uint64_t (*hand_body)(struct pair *pair, int from, int to, uint64_t trips, struct hist *hist);

/* One side: sends number i into `to`, waits for it to come back by `from`; the other one answers. */
static uint64_t by_lines(struct pair *pair, int from, int to, uint64_t trips, struct hist *hist)
{
	struct channel *in = &pair->channels[from], *out = &pair->channels[to];
	uint64_t sum = 0, last = bench_now_ns();

	for (uint64_t i = 1; i <= trips; i++) {
		if (hist) {
			work_fill(out->data, SLOT, i);
			__atomic_store_n(&out->said, i, __ATOMIC_RELEASE);
		}
		while (__atomic_load_n(&in->said, __ATOMIC_ACQUIRE) != i)
			;
		sum += work_sum(in->data, SLOT);
		if (hist) {
			uint64_t now = bench_now_ns();

			hist_add(hist, now - last);
			last = now;
		} else {
			work_fill(out->data, SLOT, i);
			__atomic_store_n(&out->said, i, __ATOMIC_RELEASE);
		}
	}
	return sum;
}

static inline void ring_send(struct flux_ring_writer *writer, uint64_t number)
{
	void *item = flux_ring_claim_one(writer);

	if (!item)
		bench_die("claim");
	work_fill(item, SLOT, number);
	(void)flux_ring_publish(writer, 1);
}

static uint64_t by_rings(struct pair *pair, int from, int to, uint64_t trips, struct hist *hist)
{
	struct flux_ring_writer writer;
	struct flux_ring_reader reader;
	uint64_t sum = 0, last;
	void *item;

	if (flux_ring_writer_open(&writer, pair->rings[to], NULL) ||
	    flux_ring_reader_join(&reader, pair->rings[from], NULL))
		bench_die("ring");
	__atomic_fetch_add(&pair->channels[0].said, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&pair->channels[0].said, __ATOMIC_ACQUIRE) != 2)
		;
	last = bench_now_ns();
	for (uint64_t i = 1; i <= trips; i++) {
		if (hist)
			ring_send(&writer, i);
		while (!(item = flux_ring_peek_one(&reader)))
			;
		sum += work_sum(item, SLOT);
		(void)flux_ring_release(&reader, 1);
		if (hist) {
			uint64_t now = bench_now_ns();

			hist_add(hist, now - last);
			last = now;
		} else {
			ring_send(&writer, i);
		}
	}
	flux_ring_writer_close(&writer);
	flux_ring_reader_leave(&reader);
	return sum;
}

struct answerer {
	struct pair *pair;
	hand_body body;
	uint64_t sum;
};

static void *answer(void *arg)
{
	struct answerer *answerer = arg;

	bench_pin(1);
	answerer->sum = answerer->body(answerer->pair, 0, 1, TRIPS, NULL);
	return NULL;
}

/* A run of round trips: its histogram is added to. */
static void trips(hand_body body, struct hist *hist)
{
	static struct pair pair;
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct answerer answerer = { &pair, body, 0 };
	pthread_t thread;
	uint64_t sum;

	memset(&pair, 0, sizeof(pair));
	for (int i = 0; i < 2; i++)
		if (flux_ring_create(&pair.rings[i], &cfg, &flux_mem_libc))
			bench_die("ring");
	bench_pin(0);
	if (pthread_create(&thread, NULL, answer, &answerer))
		bench_die("pthread_create");
	sum = body(&pair, 1, 0, TRIPS, hist);
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++)
		flux_ring_destroy(pair.rings[i]);
	if (sum != answerer.sum)
		bench_die("items were spoiled");
}

void rtt(uint32_t rounds, bool json)
{
	static const double shares[] = { 0.5, 0.99, 0.999 };
	static double rings[3][MOST_ROUNDS], lines[3][MOST_ROUNDS], ratios[3][MOST_ROUNDS], near[MOST_ROUNDS];
	uint32_t n = 0, dropped = 0;

	while (n < rounds && dropped < 4 * rounds) {
		static struct hist hist[2];

		memset(hist, 0, sizeof(hist));
		near[n] = probe_line(bench_cpus());
		trips(by_lines, &hist[0]);
		trips(by_rings, &hist[1]);
		if (!probe_is_steady(near[n], probe_line(bench_cpus()))) {
			dropped++;
			continue;
		}
		for (int i = 0; i < 3; i++) {
			lines[i][n] = (double)hist_percentile(&hist[0], shares[i]);
			rings[i][n] = (double)hist_percentile(&hist[1], shares[i]);
			ratios[i][n] = rings[i][n] / lines[i][n];
		}
		n++;
	}
	if (!json)
		printf("round trip of 64 B by two rings, spinning: %u rounds, %u dropped, probe %.0f ns\n", n,
		       dropped, median(near, n));
	for (int i = 0; i < 3; i++)
		if (json)
			printf("{\"row\":\"round trip\",\"share\":%g,\"ring_ns\":%.0f,\"bare_ns\":%.0f,"
			       "\"ratio\":%.3f,\"probe_ns\":%.0f,\"rounds\":%u,\"dropped\":%u}\n",
			       shares[i], median(rings[i], n), median(lines[i], n), median(ratios[i], n),
			       median(near, n), n, dropped);
		else
			printf("  p%-4g  %6.0f ns   bare, two lines each way %6.0f ns   %.2fx%s\n", shares[i] * 100,
			       median(rings[i], n), median(lines[i], n), median(ratios[i], n),
			       i ? "" : "   goal 1.0x");
	fflush(stdout);
}
