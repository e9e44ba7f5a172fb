/* SPDX-License-Identifier: MIT */
/*
 * Rings beside each other: the same work in turns (A B C A B C ...), every item written, read, summed
 * and checked, threads pinned, and the cache-line probe before and after each. Rounds whose probe
 * moved are dropped, and what is compared is the median of the ratios within a round.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "lib/bench.h"
#include "ring/work.h"

#define MOST_ROUNDS 99
/* A probe that changed by more than this within a round means that the processors moved. */
#define STEADY 1.5

static const struct contender contenders[] = {
	{ "flux", flux_run },
#ifdef HAVE_DPDK
	{ "rte_ring", rte_run },
#endif
#ifdef HAVE_CK
	{ "ck_ring", ck_run },
#endif
#ifdef HAVE_MOODYCAMEL
	{ "moodycamel", moody_run },
#endif
};

#define N (sizeof(contenders) / sizeof(contenders[0]))

/* ---- The probe: two threads hand one line to and fro ---- */

#define PROBE_ROUNDS 20000u
#define PROBE_END    UINT32_MAX
/* Where the processors are shared, a round trip may take milliseconds: enough is enough. */
#define PROBE_NS 100000000u

struct probe {
	_Alignas(128) uint32_t line;
	_Alignas(128) uint64_t ns;
};

static void *probe_side(void *arg)
{
	struct probe *probe = arg;

	work_pin(1);
	for (uint32_t seen = 0; seen != PROBE_END;) {
		seen = __atomic_load_n(&probe->line, __ATOMIC_ACQUIRE);
		if (seen % 2 && seen != PROBE_END)
			__atomic_store_n(&probe->line, seen + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Nanoseconds of a round trip. */
static double probe(void)
{
	static struct probe p;
	pthread_t thread;
	uint64_t start;
	uint32_t n = 0;

	p.line = 0;
	work_pin(0);
	if (pthread_create(&thread, NULL, probe_side, &p))
		bench_die("pthread_create");
	start = bench_now_ns();
	for (uint32_t i = 0; i < PROBE_ROUNDS; i++, n++) {
		__atomic_store_n(&p.line, 2 * i + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&p.line, __ATOMIC_ACQUIRE) != 2 * i + 2)
			;
		if (i == 100) {
			start = bench_now_ns();
			n = 0;
		}
		if (i % 64 == 0 && bench_now_ns() - start > PROBE_NS)
			break;
	}
	p.ns = bench_now_ns() - start;
	__atomic_store_n(&p.line, PROBE_END, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	return (double)p.ns / (n ? n : 1);
}

/* ---- Rounds ---- */

struct table {
	double rate[N][MOST_ROUNDS]; /* items a second */
	double probe[MOST_ROUNDS];
	uint32_t rounds, dropped;
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, uint32_t n)
{
	double sorted[MOST_ROUNDS];

	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = values[i];
	qsort(sorted, n, sizeof(*sorted), by_size);
	return sorted[n / 2];
}

/* One round of all; false if the probe moved meanwhile. */
static bool play(const struct work *work, double rate[N], double *near)
{
	double first = probe(), last = first;

	for (size_t i = 0; i < N; i++) {
		uint64_t sum;
		double seconds = contenders[i].run(work, &sum);

		rate[i] = 0;
		if (seconds < 0)
			continue;
		if (sum != work_expected(work)) {
			fprintf(stderr, "%s: items were lost or spoiled\n", contenders[i].name);
			exit(1);
		}
		rate[i] = (double)(work->count / work->writers * work->writers) / seconds;
		last = probe();
		if (last > first * STEADY || first > last * STEADY)
			return false;
	}
	*near = first;
	return true;
}

static void print(const struct work *work, const struct table *table)
{
	printf("%u B x%u, %u to %u%s, capacity %u, %s: %u rounds, %u dropped, probe %.0f ns\n", work->slot,
	       work->batch, work->writers, work->readers, work->share ? " shared" : "", work->capacity,
	       work->spin ? "spin" : "back-off", table->rounds, table->dropped,
	       median(table->probe, table->rounds));
	for (size_t i = 0; i < N; i++) {
		double ratios[MOST_ROUNDS];

		if (table->rounds && table->rate[i][0] <= 0) {
			printf("  %-12s cannot do this\n", contenders[i].name);
			continue;
		}
		for (uint32_t k = 0; k < table->rounds; k++)
			ratios[k] = table->rate[0][k] / table->rate[i][k];
		printf("  %-12s %8.1f M/s %8.2f GB/s   flux is %.2fx\n", contenders[i].name,
		       median(table->rate[i], table->rounds) * 1e-6,
		       median(table->rate[i], table->rounds) * 1e-9 * work->slot, median(ratios, table->rounds));
	}
	fflush(stdout);
}

static void compare(const struct work *work, uint32_t rounds)
{
	static struct table table;
	double rate[N];

	table.rounds = table.dropped = 0;
	while (table.rounds < rounds && table.dropped < 4 * rounds) {
		if (!play(work, rate, &table.probe[table.rounds])) {
			table.dropped++;
			continue;
		}
		for (size_t i = 0; i < N; i++)
			table.rate[i][table.rounds] = rate[i];
		table.rounds++;
	}
	print(work, &table);
}

static void usage(const char *program)
{
	fprintf(stderr,
		"Usage: %s [--slot BYTES] [--batch N] [--writers N] [--readers N] [--share] [--spin]\n"
		"       [--capacity SLOTS] [--count N] [--rounds N] | --all [--count N] [--rounds N]\n",
		program);
	exit(2);
}

/* The rows that doc/performance.md speaks of. */
static void all_rows(struct work work, uint32_t rounds)
{
	static const struct {
		uint32_t slot, batch, writers, readers;
	} rows[] = {
		{ 8, 1, 1, 1 },
		{ 64, 1, 1, 1 },
		{ 64, 16, 1, 1 },
		{ 64, 256, 1, 1 },
		{ 64, 1024, 1, 1 },
		{ 8, 1024, 1, 1 },
		{ 128, 1024, 1, 1 },
		{ 64, 256, 1, 2 },
		{ 64, 1, 2, 1 },
		{ 64, 16, 2, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		work.slot = rows[i].slot;
		work.batch = rows[i].batch;
		work.writers = rows[i].writers;
		work.readers = rows[i].readers;
		compare(&work, rounds);
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "slot", 1, NULL, 's' },
		{ "batch", 1, NULL, 'b' },
		{ "writers", 1, NULL, 'w' },
		{ "readers", 1, NULL, 'r' },
		{ "share", 0, NULL, 'S' },
		{ "spin", 0, NULL, 'p' },
		{ "capacity", 1, NULL, 'c' },
		{ "count", 1, NULL, 'n' },
		{ "rounds", 1, NULL, 'R' },
		{ "all", 0, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	struct work work = { 64, 1, 16384, 1, 1, 0, 0, 20000000 };
	uint32_t rounds = 5;
	bool all = false;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (option) {
		case 's':
			work.slot = (uint32_t)value;
			break;
		case 'b':
			work.batch = (uint32_t)value;
			break;
		case 'w':
			work.writers = (uint32_t)value;
			break;
		case 'r':
			work.readers = (uint32_t)value;
			break;
		case 'S':
			work.share = 1;
			break;
		case 'p':
			work.spin = 1;
			break;
		case 'c':
			work.capacity = (uint32_t)value;
			break;
		case 'n':
			work.count = value;
			break;
		case 'R':
			rounds = (uint32_t)value;
			break;
		case 'a':
			all = true;
			break;
		default:
			usage(argv[0]);
		}
	}
	if (!work.slot || work.slot % 8 || !work.batch || work.batch > work.capacity || !work.writers ||
	    !work.readers || !rounds || rounds > MOST_ROUNDS || work.count < work.writers)
		usage(argv[0]);
	if (all)
		all_rows(work, rounds);
	else
		compare(&work, rounds);
	return 0;
}
