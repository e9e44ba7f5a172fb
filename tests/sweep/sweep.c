/* SPDX-License-Identifier: MIT */
/*
 * Walks worlds by seeds: sweep [--world NAME] [--seed N] [--seeds N] [--trace]. Without arguments every world
 * runs for its share of FLUX_SWEEP_SEEDS (default 1050) seeds. A failure prints the command that repeats it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sweep/worlds.h"

#define DEFAULT_SEEDS 1050u

struct options {
	const char *world;
	uint64_t first, seeds; /* of each world */
	bool trace;
	const char *self;
};

struct totals {
	uint64_t runs, packets;
	double virtual_s;
};

static bool run_one(const struct options *options, const struct world *world, uint64_t seed,
		    struct totals *totals)
{
	static struct sim sim;

	sim_init(&sim, seed);
	sim.trace = options->trace ? stdout : NULL;
	/* The endpoint's checker walks every window: not after each of a long run's turns. */
	sim.check_every = options->trace ? 1 : 16;
	world_run(&sim, world);
	totals->runs++;
	totals->packets += sim.packets;
	totals->virtual_s += (double)sim.now / 1e9;
	if (options->trace)
		printf("# trace hash %016" PRIx64 "\n", sim.trace_hash);
	sim_fini(&sim);
	if (!sim.violated)
		return true;
	printf("# %s\n# repeat: %s --world %s --seed %" PRIu64 " --trace\n", sim.why, options->self, world->name,
	       seed);
	return false;
}

static bool run_world(const struct options *options, const struct world *world, size_t number)
{
	struct totals totals = { 0 };
	bool fine = true;

	for (uint64_t i = 0; i < options->seeds && fine; i++)
		fine = run_one(options, world, options->first + i, &totals);
	printf("%s %zu - %s: %" PRIu64 " seeds, %" PRIu64 " packets, %.0f virtual seconds\n", fine ? "ok" : "not ok",
	       number, world->name, totals.runs, totals.packets, totals.virtual_s);
	fflush(stdout);
	return fine;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end || end == text) {
		fprintf(stderr, "sweep: \"%s\" is not a number\n", text);
		exit(2);
	}
	return value;
}

static void parse(struct options *options, int argc, char **argv)
{
	const char *env = getenv("FLUX_SWEEP_SEEDS");
	uint64_t all = env ? number(env) : DEFAULT_SEEDS;

	*options = (struct options){ .first = 1, .self = argv[0] };
	options->seeds = (all + world_count - 1) / world_count;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--trace") == 0) {
			options->trace = true;
		} else if (strcmp(argv[i], "--world") == 0) {
			options->world = value;
			i++;
		} else if (strcmp(argv[i], "--seed") == 0) {
			options->first = number(value);
			options->seeds = 1;
			i++;
		} else if (strcmp(argv[i], "--seeds") == 0) {
			options->seeds = number(value);
			i++;
		} else {
			fprintf(stderr, "usage: sweep [--world NAME] [--seed N] [--seeds N] [--trace]\n");
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options options;
	size_t ran = 0;
	bool fine = true;

	parse(&options, argc, argv);
	for (size_t i = 0; i < world_count; i++)
		if (!options.world || strcmp(options.world, worlds[i].name) == 0)
			fine = run_world(&options, &worlds[i], ++ran) && fine;
	printf("1..%zu\n", ran);
	if (!ran)
		fprintf(stderr, "sweep: no such world\n");
	return ran && fine ? 0 : 1;
}
