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
/* Somebody else runs there. */
#define MOST_NS 2000

bool probe_is_steady(double before, double after)
{
	return after < before * STEADY && before < after * STEADY && after < MOST_NS;
}

#define TRIPS 50000u
#define SLOT  64u

#define MOST_SLOTS 1024u

struct channel {
	_Alignas(128) uint64_t said;
	_Alignas(128) unsigned char data[MOST_SLOTS][SLOT];
};

struct pair {
	struct channel channels[2]; /* to the other side, and back */
	struct flux_ring *rings[2];
	uint32_t lines; /* how many the data walks through */
};

typedef uint64_t (*hand_body)(struct pair *pair, int from, int to, uint64_t trips, struct hist *hist);

/* One side: sends number i into `to`, waits for it to come back by `from`; the other one answers. */
static uint64_t by_lines(struct pair *pair, int from, int to, uint64_t trips, struct hist *hist)
{
	struct channel *in = &pair->channels[from], *out = &pair->channels[to];
	uint64_t sum = 0, last = bench_now_ns(), mask = pair->lines - 1;

	for (uint64_t i = 1; i <= trips; i++) {
		if (hist) {
			work_fill(out->data[i & mask], SLOT, i);
			__atomic_store_n(&out->said, i, __ATOMIC_RELEASE);
		}
		while (__atomic_load_n(&in->said, __ATOMIC_ACQUIRE) != i)
			;
		sum += work_sum(in->data[i & mask], SLOT);
		if (hist) {
			uint64_t now = bench_now_ns();

			hist_add(hist, now - last);
			last = now;
		} else {
			work_fill(out->data[i & mask], SLOT, i);
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

/* A run of round trips: its histogram. */
static void trips(hand_body body, uint32_t slots, struct hist *hist)
{
	static struct pair pair;
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct answerer answerer = { &pair, body, 0 };
	pthread_t thread;
	uint64_t sum;

	memset(hist, 0, sizeof(*hist));
	memset(&pair, 0, sizeof(pair));
	pair.lines = slots;
	cfg.capacity = slots < 2 ? 2 : slots;
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

/* Who is compared with the rings: their data stays in one line, or walks through as many as theirs. */
enum {
	RINGS,
	ONE_LINE,
	AS_MANY,
	WAYS
};

struct trip_table {
	double ns[WAYS][MOST_ROUNDS], ratio[WAYS][MOST_ROUNDS], near[MOST_ROUNDS];
	uint32_t rounds, dropped, slots;
};

static const double shares[] = { 0.5, 0.99, 0.999 };

static void print_trips(const struct trip_table *t, double share, bool json)
{
	static const char *const names[] = { "two rings", "bare, a line and a flag each way",
					     "bare, as many lines and a flag" };

	for (int way = 0; way < WAYS; way++) {
		double ns = median(t->ns[way], t->rounds), ratio = median(t->ratio[way], t->rounds);

		if (json)
			printf("{\"row\":\"round trip, %u slots\",\"who\":\"%s\",\"share\":%g,\"ns\":%.0f,"
			       "\"ratio\":%.3f,\"probe_ns\":%.0f,\"rounds\":%u,\"dropped\":%u}\n",
			       t->slots, names[way], share, ns, ratio, median(t->near, t->rounds), t->rounds,
			       t->dropped);
		else
			printf("  p%-4g %-34s %6.0f ns   two rings are %.2fx%s\n", share * 100, names[way], ns, ratio,
			       way == ONE_LINE && share < 0.9 ? "   goal 1.0x" : "");
	}
}

void rtt(uint32_t slots, uint32_t rounds, bool json)
{
	static struct trip_table tables[3];
	uint32_t n = 0, dropped = 0;

	while (n < rounds && dropped < 4 * rounds) {
		static struct hist hist[WAYS];
		double near = probe_line(bench_cpus());

		trips(by_rings, slots, &hist[RINGS]);
		trips(by_lines, 1, &hist[ONE_LINE]);
		trips(by_lines, slots, &hist[AS_MANY]);
		if (!probe_is_steady(near, probe_line(bench_cpus()))) {
			dropped++;
			continue;
		}
		for (int i = 0; i < 3; i++) {
			double rings = (double)hist_percentile(&hist[RINGS], shares[i]);

			tables[i].near[n] = near;
			for (int way = 0; way < WAYS; way++) {
				tables[i].ns[way][n] = (double)hist_percentile(&hist[way], shares[i]);
				tables[i].ratio[way][n] = rings / tables[i].ns[way][n];
			}
		}
		n++;
	}
	if (!json)
		printf("round trip of 64 B, spinning, rings of %u slots: %u rounds, %u dropped, probe %.0f ns\n",
		       slots, n, dropped, median(tables[0].near, n));
	for (int i = 0; i < 3; i++) {
		tables[i].rounds = n;
		tables[i].dropped = dropped;
		tables[i].slots = slots;
		print_trips(&tables[i], shares[i], json);
	}
	fflush(stdout);
}
