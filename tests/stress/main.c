/* SPDX-License-Identifier: MIT */
/*
 * The variants of the ring's stress: ring [--count N] [--seed N] [--only PART-OF-A-NAME] [--worst-ms N].
 * Speaks TAP; a failure prints the command that repeats it. On a quiet machine, --worst-ms 20 lets R14's
 * gaps fail if an item lies there for longer; time decides nothing without it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flux/ring.h>

#include "tests/stress/ring.h"

#define SLEEP (FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP)
#define SHARE FLUX_RING_SHARE
#define LOSSY FLUX_RING_LOSSY
#define SUMS  FLUX_RING_SUMS
#define RECS  FLUX_RING_RECORDS
#define ADAPT FLUX_WAIT_ADAPTIVE
#define YIELD FLUX_WAIT_YIELD
#define NAP   FLUX_WAIT_SLEEP
#define BLOCK FLUX_WAIT_BLOCK

static const struct stress_kind kinds[] = {
	{ "spsc, adaptive", 0, 1, 1, 256, 64, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "spsc, smallest ring", 0, 1, 1, 2, 16, YIELD, YIELD, STRESS_FLAT, 0, 0, 0 },
	{ "spsc, slots of 24 bytes, naps", 0, 1, 1, 64, 24, NAP, NAP, STRESS_FLAT, 1, 0, 0 },
	{ "spsc, both sides block", SLEEP, 1, 1, 64, 32, BLOCK, BLOCK, STRESS_FLAT, 0, 0, 0 },
	{ "spsc, checksums", SUMS, 1, 1, 64, 128, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "broadcast, 3 readers", 0, 1, 3, 128, 64, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "broadcast, 3 readers that block", SLEEP, 1, 3, 16, 16, BLOCK, BLOCK, STRESS_FLAT, 0, 0, 0 },
	{ "pipeline of 3", 0, 1, 3, 64, 32, YIELD, YIELD, STRESS_PIPELINE, 0, 0, 0 },
	{ "pipeline of 3 that block", SLEEP, 1, 3, 32, 32, BLOCK, BLOCK, STRESS_PIPELINE, 0, 0, 0 },
	{ "diamond of 4, 2 writers", 0, 2, 4, 64, 32, YIELD, YIELD, STRESS_DIAMOND, 1, 0, 0 },
	{ "mpsc, 3 writers", 0, 3, 1, 128, 64, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "mpsc, smallest ring, aborts", 0, 3, 1, 2, 16, YIELD, YIELD, STRESS_FLAT, 1, 0, 0 },
	{ "mpsc, both sides block, aborts", SLEEP, 3, 1, 32, 32, BLOCK, BLOCK, STRESS_FLAT, 1, 0, 0 },
	{ "3 writers, 2 broadcast readers", 0, 3, 2, 64, 48, ADAPT, ADAPT, STRESS_FLAT, 1, 0, 0 },
	{ "spmc shared, 3 readers", SHARE, 1, 3, 64, 64, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "mpmc shared, 2 by 2", SHARE, 2, 2, 64, 64, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "mpmc shared, aborts, checksums", SHARE | SUMS, 3, 3, 32, 32, YIELD, YIELD, STRESS_FLAT, 1, 0, 0 },
	{ "mpmc shared, both sides block", SHARE | SLEEP, 2, 2, 16, 16, BLOCK, BLOCK, STRESS_FLAT, 1, 0, 0 },
	{ "mpmc shared, smallest ring", SHARE, 2, 2, 2, 16, YIELD, YIELD, STRESS_FLAT, 0, 0, 0 },
	{ "lossy, 2 readers", LOSSY, 1, 2, 64, 64, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 0 },
	{ "lossy, checksums", LOSSY | SUMS, 1, 1, 16, 40, ADAPT, YIELD, STRESS_FLAT, 0, 0, 0 },
	{ "records, 1 writer, 2 readers", RECS, 1, 2, 256, 8, ADAPT, ADAPT, STRESS_FLAT, 1, 0, 0 },
	{ "records, 1 writer, both sides block", RECS | SLEEP, 1, 1, 64, 16, BLOCK, BLOCK, STRESS_FLAT, 1, 0, 0 },
	{ "records, 3 writers, checksums", RECS | SUMS, 3, 1, 64, 32, YIELD, YIELD, STRESS_FLAT, 1, 0, 0 },
	{ "records, 2 writers, pipeline of 2", RECS, 2, 2, 64, 16, YIELD, YIELD, STRESS_PIPELINE, 1, 0, 0 },
	{ "records shared, 1 writer", RECS | SHARE, 1, 2, 64, 16, YIELD, YIELD, STRESS_FLAT, 1, 0, 0 },
	{ "records shared, 2 writers, 3 readers", RECS | SHARE, 2, 3, 64, 32, YIELD, YIELD, STRESS_FLAT, 1, 0, 0 },
	{ "R17 records, join and leave", RECS, 2, 1, 64, 16, YIELD, YIELD, STRESS_FLAT, 1, 2, 0 },
	{ "R17 join and leave, 1 writer", 0, 1, 1, 64, 32, ADAPT, ADAPT, STRESS_FLAT, 0, 2, 0 },
	{ "R17 join and leave, 2 writers, aborts", 0, 2, 1, 64, 32, YIELD, YIELD, STRESS_FLAT, 1, 2, 0 },
	{ "R17 join and leave, shared", SHARE, 2, 1, 64, 32, YIELD, YIELD, STRESS_FLAT, 0, 2, 0 },
	{ "R17 join and leave, both sides block", SLEEP, 1, 1, 16, 32, BLOCK, BLOCK, STRESS_FLAT, 0, 2, 0 },
	{ "R17 join and leave, 2 writers that block", SLEEP, 2, 1, 16, 32, BLOCK, BLOCK, STRESS_FLAT, 1, 2, 0 },
	{ "growing, 1 reader", 0, 1, 1, 16, 24, ADAPT, ADAPT, STRESS_FLAT, 0, 0, 512 },
	{ "growing, 3 readers that block", SLEEP, 1, 3, 16, 32, BLOCK, BLOCK, STRESS_FLAT, 1, 0, 256 },
	{ "growing, diamond of 4", 0, 1, 4, 16, 32, YIELD, YIELD, STRESS_DIAMOND, 0, 0, 256 },
	{ "growing, join and leave", 0, 1, 1, 16, 32, YIELD, YIELD, STRESS_FLAT, 0, 2, 256 },
	{ "growing records, 2 readers", RECS, 1, 2, 64, 8, ADAPT, ADAPT, STRESS_FLAT, 1, 0, 1024 },
	{ "growing records, join and leave", RECS | SLEEP, 1, 1, 64, 16, BLOCK, BLOCK, STRESS_FLAT, 1, 2, 512 },
};

static const struct {
	const char *name;
	uint32_t waits;
	bool gaps;
} sleepers[] = {
	{ "R14 question and answer by futex", FLUX_WAIT_BLOCK, false },
	{ "R14 question and answer by descriptor", FLUX_WAIT_FD, false },
	{ "R14 random gaps, futex", FLUX_WAIT_BLOCK, true },
	{ "R14 random gaps, descriptor", FLUX_WAIT_FD, true },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int report(int number, const char *name, const char *why, uint64_t count, uint64_t seed)
{
	printf("%s %d - %s\n", why ? "not ok" : "ok", number, name);
	if (why)
		printf("# %s; again: tests/stress/ring --count %llu --seed %llu --only '%s'\n", why,
		       (unsigned long long)count, (unsigned long long)seed, name);
	fflush(stdout);
	return why != NULL;
}

int main(int argc, char **argv)
{
	uint64_t count = 20000, seed = 1, worst_ms = 0;
	const char *only = "";
	int number = 0, failed = 0;
	char why[120];

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--count"))
			count = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else if (!strcmp(argv[i], "--worst-ms"))
			worst_ms = strtoull(argv[i + 1], NULL, 0);
	}
	for (size_t i = 0; i < N(kinds); i++)
		if (strstr(kinds[i].name, only))
			failed += report(++number, kinds[i].name, stress_ring(&kinds[i], count, seed, why), count, seed);
	for (size_t i = 0; i < N(sleepers); i++) {
		const char *name = sleepers[i].name;

		if (!strstr(name, only))
			continue;
		failed += report(++number, name,
				 sleepers[i].gaps ?
					 stress_gaps(sleepers[i].waits, count, seed, worst_ms, why) :
					 stress_pingpong(sleepers[i].waits, count / 4, seed, why),
				 count, seed);
	}
	printf("1..%d\n", number);
	return failed > 0;
}
