/* SPDX-License-Identifier: MIT */
/*
 * Rings beside each other: the same work in turns (A B C A B C ...), every item written, read, summed
 * and checked, threads pinned, and the cache-line probe before and after each. Pairs whose probe moved
 * are dropped, and what is compared is the median of the ratios within a pair.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/probe.h"
#include "config.h"
#include "lib/bench.h"
#include "ring/work.h"

/* What a row measures: its first entry is compared with each of the others, in pairs. */
#define MOST_ENTRIES 10u

struct entry {
	char name[40];
	work_ring run;
	struct work work;
	double goal; /* what the first is to be, at least, in terms of this one; 0: nothing is asked */
	/* Of the rounds that count. The first of the row has those of all pairs. */
	double rate[MOST_ENTRIES * MOST_ROUNDS], cpu[MOST_ENTRIES * MOST_ROUNDS], ratio[MOST_ROUNDS];
	uint32_t rounds, dropped;
};

struct row {
	char name[64];
	struct entry entries[MOST_ENTRIES];
	uint32_t n;
	double probe[MOST_ENTRIES * MOST_ROUNDS];
};

struct options {
	uint32_t rounds;
	uint32_t rest; /* ms between pairs, for those who share the machine */
	bool json;
	double bytes; /* of a ring whose capacity is not said */
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *values, uint32_t n)
{
	static double sorted[1000];

	if (!n)
		return 0;
	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), by_size);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* ---- Rounds ---- */

struct sample {
	double rate, cpu;
};

static struct sample once(const struct entry *entry)
{
	double items = (double)work_total(&entry->work);
	struct result result;

	if (!entry->run(&entry->work, &result))
		bench_die(entry->name);
	if (result.sum != work_expected(&entry->work)) {
		fprintf(stderr, "%s: items were lost or spoiled\n", entry->name);
		exit(1);
	}
	return (struct sample){ items / result.seconds, (double)result.cpu_ns / items };
}

static void keep(struct entry *entry, struct sample sample)
{
	entry->rate[entry->rounds] = sample.rate;
	entry->cpu[entry->rounds] = sample.cpu;
}

/* The first of a row and another: false if the processors moved meanwhile. */
static bool play(struct row *row, struct entry *entry)
{
	struct entry *first = &row->entries[0];
	double before = probe_line(bench_cpus()), between, after;
	struct sample ours = once(first), theirs;

	between = probe_line(bench_cpus());
	if (!probe_is_steady(before, between))
		return false;
	theirs = once(entry);
	after = probe_line(bench_cpus());
	if (!probe_is_steady(between, after) || !probe_is_steady(before, after))
		return false;
	row->probe[first->rounds] = between;
	keep(first, ours);
	keep(entry, theirs);
	entry->ratio[entry->rounds] = ours.rate / theirs.rate;
	first->rounds++;
	entry->rounds++;
	return true;
}

static void print_json(const struct row *row)
{
	for (uint32_t i = 0; i < row->n; i++) {
		const struct entry *e = &row->entries[i];
		double rate = median(e->rate, e->rounds);

		printf("{\"row\":\"%s\",\"who\":\"%s\",\"msgs_per_s\":%.0f,\"bytes_per_s\":%.0f,"
		       "\"cpu_ns_per_msg\":%.2f,\"ratio\":%.3f,\"goal\":%g,\"capacity\":%u,\"probe_ns\":%.0f,"
		       "\"rounds\":%u,\"dropped\":%u}\n",
		       row->name, e->name, rate, rate * e->work.slot, median(e->cpu, e->rounds),
		       i ? median(e->ratio, e->rounds) : 1.0, e->goal, e->work.capacity,
		       median(row->probe, row->entries[0].rounds), e->rounds, e->dropped);
	}
}

static void print(const struct row *row)
{
	printf("%s: capacity %u, probe %.0f ns\n", row->name, row->entries[0].work.capacity,
	       median(row->probe, row->entries[0].rounds));
	for (uint32_t i = 0; i < row->n; i++) {
		const struct entry *e = &row->entries[i];
		double rate = median(e->rate, e->rounds), ratio = median(e->ratio, e->rounds);

		printf("  %-28s", e->name);
		if (!e->rounds) {
			printf(" no round of %u was steady\n", e->dropped);
			continue;
		}
		printf(" %7.1f M/s %6.2f GB/s %6.2f ns CPU", rate * 1e-6, rate * 1e-9 * e->work.slot,
		       median(e->cpu, e->rounds));
		if (i)
			printf("   flux is %5.2fx  (%u rounds, %u dropped)", ratio, e->rounds, e->dropped);
		if (e->goal > 0)
			printf("   goal %.1fx%s", e->goal, ratio < e->goal - 0.005 ? ", MISSED" : "");
		printf("\n");
	}
}

static void measure(struct row *row, const struct options *options)
{
	for (uint32_t tries = 0; tries < 5 * options->rounds; tries++)
		for (uint32_t i = 1; i < row->n; i++) {
			struct entry *entry = &row->entries[i];

			if (entry->rounds == options->rounds)
				continue;
			if (!play(row, entry))
				entry->dropped++;
			usleep(options->rest * 1000);
		}
	if (options->json)
		print_json(row);
	else
		print(row);
	fflush(stdout);
	free(row);
}

/* ---- Rows ---- */

static struct row *new_row(const char *what, const struct work *work)
{
	struct row *row = calloc(1, sizeof(*row));

	if (!row)
		bench_die("memory");
	snprintf(row->name, sizeof(row->name), "%s, %u B x%u, %u to %u", what, work->slot, work->batch,
		 work->writers, work->readers);
	return row;
}

static struct work *add(struct row *row, const char *name, work_ring run, const struct work *work, double goal)
{
	struct entry *entry = &row->entries[row->n++];
	uint32_t parties;

	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->run = run;
	entry->work = *work;
	entry->goal = goal;
	parties = work->writers + (work->together ? 1 : work->readers);
	entry->work.crowded = parties > bench_cpus()->count;
	return &entry->work;
}

/* What is asked of us: times the peer's rate, in which he pauses as we do, or does not. */
struct goals {
	double rte_equal, ck_equal, single_bare;
};

/* Queues of a type are compiled for these. */
static inline bool is_usual(uint32_t slot)
{
	return slot == 8 || slot == 64 || slot == 128;
}

/* Beside each peer that configure found and that can do it. */
static void peers(struct work work, const struct goals *goals, const struct options *options)
{
	struct row *row = new_row(work.share ? "shared" : "ring", &work);

	work.wait = WORK_EQUAL;
	add(row, "flux", flux_run, &work, 0);
	for (int wait = WORK_EQUAL; wait <= WORK_BARE; wait++) {
		bool equal = wait == WORK_EQUAL;

		work.wait = (enum work_wait)wait;
		if (!equal)
			add(row, "flux, spinning", flux_run, &work, 0);
#ifdef HAVE_DPDK
		if (work.readers == 1)
			add(row, equal ? "rte_ring, equal pauses" : "rte_ring, no pauses", rte_run, &work,
			    equal ? goals->rte_equal : 0);
#endif
#ifdef HAVE_CK
		if (work.readers == 1 && is_usual(work.slot))
			add(row, equal ? "ck_ring, equal pauses" : "ck_ring, no pauses", ck_run, &work,
			    equal ? goals->ck_equal : goals->single_bare);
#endif
#ifdef HAVE_MOODYCAMEL
		/* His queue for several producers grows: it cannot be compared with a ring that refuses. */
		if (work.readers == 1 && work.writers == 1 && is_usual(work.slot))
			add(row, equal ? "moodycamel, equal pauses" : "moodycamel, no pauses", moody_run, &work,
			    equal ? 0 : goals->single_bare);
#endif
	}
	(void)goals; /* without peers */
	measure(row, options);
}

/*
 * All readers see everything. With a CPU for each, beside one reader. With fewer, threads that take
 * turns measure the scheduler; there one thread turns all readers, beside one that reads each batch twice.
 */
static void broadcast(struct work work, const struct options *options)
{
	struct row *row;
	struct work *one;

	work.readers = 2;
	work.together = work.writers + work.readers > bench_cpus()->count;
	row = new_row(work.together ? "broadcast by one thread" : "broadcast", &work);
	add(row, "flux, 2 readers", flux_run, &work, 0);
	work.readers = 1;
	one = add(row, work.together ? "flux, 1 reader, twice" : "flux, 1 reader", flux_run, &work, 0.9);
	one->twice = work.together;
	one->together = false;
	measure(row, options);
}

static void processes(struct work work, const struct options *options)
{
	struct row *row = new_row("processes", &work);

	work.mapped = true;
	add(row, "flux, processes", flux_run, &work, 0)->processes = true;
	add(row, "flux, threads", flux_run, &work, 0.9);
	work.mapped = false;
	add(row, "flux, threads, on the heap", flux_run, &work, 0);
	measure(row, options);
}

static uint32_t capacity_of(double bytes, uint32_t slot)
{
	uint32_t capacity = 2;

	while (capacity * 2.0 * slot <= bytes && capacity < 1u << 30)
		capacity *= 2;
	return capacity;
}

/* The rows that doc/performance.md speaks of. */
static void all_rows(struct work work, const struct options *options)
{
	static const struct {
		uint32_t slot, batch, writers;
		struct goals goals;
	} rows[] = {
		{ 8, 1, 1, { 0, 2.5, 4 } },
		{ 64, 1, 1, { 0, 2.5, 4 } },
		{ 64, 16, 1, { 2, 0, 0 } },
		{ 64, 64, 1, { 1, 0, 0 } },
		{ 64, 256, 1, { 1, 0, 0 } },
		{ 64, 1024, 1, { 1, 0, 0 } },
		{ 8, 1024, 1, { 1, 0, 0 } },
		{ 128, 1024, 1, { 1, 0, 0 } },
		{ 64, 1, 2, { 1.5, 0, 0 } },
		{ 64, 16, 2, { 1.5, 0, 0 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		work.slot = rows[i].slot;
		work.batch = rows[i].batch;
		work.writers = rows[i].writers;
		work.readers = 1;
		work.capacity = capacity_of(options->bytes, work.slot);
		peers(work, &rows[i].goals, options);
	}
	work.slot = 64;
	work.writers = 1;
	work.capacity = capacity_of(options->bytes, work.slot);
	work.batch = 256;
	broadcast(work, options);
	work.batch = 1;
	processes(work, options);
	work.batch = 64;
	processes(work, options);
	rtt(16, options->rounds, options->json);
	rtt(1024, options->rounds, options->json);
}

/* ---- Options ---- */

static void usage(const char *program)
{
	fprintf(stderr,
		"Usage: %s [--slot BYTES] [--batch N] [--writers N] [--readers N] [--share] [--capacity SLOTS]\n"
		"       [--count N] [--rounds N] [--rest MS] [--json] [--all [--bytes N] | --broadcast | --processes | --rtt]\n"
		"--all: every row, with rings of --bytes (4 MiB: more than a second-level cache has)\n",
		program);
	exit(2);
}

enum {
	PEERS,
	ALL,
	BROADCAST,
	PROCESSES,
	RTT
};

static const struct option longs[] = {
	{ "slot", 1, NULL, 's' },
	{ "batch", 1, NULL, 'b' },
	{ "writers", 1, NULL, 'w' },
	{ "readers", 1, NULL, 'r' },
	{ "share", 0, NULL, 'S' },
	{ "capacity", 1, NULL, 'c' },
	{ "count", 1, NULL, 'n' },
	{ "rounds", 1, NULL, 'R' },
	{ "bytes", 1, NULL, 'B' },
	{ "rest", 1, NULL, 'x' },
	{ "all", 0, NULL, 'a' },
	{ "json", 0, NULL, 'j' },
	{ "broadcast", 0, NULL, 'C' },
	{ "processes", 0, NULL, 'p' },
	{ "rtt", 0, NULL, 't' },
	{ NULL, 0, NULL, 0 },
};

static int parse(int argc, char **argv, struct work *work, struct options *options)
{
	int option, what = PEERS;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 0) : 0;
		uint32_t *number = option == 's' ? &work->slot :
				   option == 'b' ? &work->batch :
				   option == 'w' ? &work->writers :
				   option == 'r' ? &work->readers :
				   option == 'c' ? &work->capacity :
				   option == 'R' ? &options->rounds :
				   option == 'x' ? &options->rest :
						   NULL;

		if (number)
			*number = value <= UINT32_MAX ? (uint32_t)value : 0;
		else if (option == 'n')
			work->count = value;
		else if (option == 'B')
			options->bytes = (double)value;
		else if (option == 'S')
			work->share = true;
		else if (option == 'j')
			options->json = true;
		else if (option == '?')
			usage(argv[0]);
		else
			what = option == 'a' ? ALL :
			       option == 'C' ? BROADCAST :
			       option == 'p' ? PROCESSES :
					       RTT;
	}
	if (!work->capacity && work->slot)
		work->capacity = capacity_of(options->bytes, work->slot);
	if (!work->slot || work->slot % 8 || !work->batch || work->batch > work->capacity || !work->writers ||
	    !work->readers || !options->rounds || options->rounds > MOST_ROUNDS || work->count < work->writers)
		usage(argv[0]);
	return what;
}

int main(int argc, char **argv)
{
	static const struct goals none = { 0, 0, 0 };
	struct work work = { .slot = 64, .batch = 1, .writers = 1, .readers = 1, .count = 5000000 };
	struct options options = { 5, 0, false, 4 << 20 };

	switch (parse(argc, argv, &work, &options)) {
	case ALL:
		all_rows(work, &options);
		break;
	case BROADCAST:
		broadcast(work, &options);
		break;
	case PROCESSES:
		processes(work, &options);
		break;
	case RTT:
		rtt(16, options.rounds, options.json);
		rtt(1024, options.rounds, options.json);
		break;
	default:
		peers(work, &none, &options);
	}
	return 0;
}
