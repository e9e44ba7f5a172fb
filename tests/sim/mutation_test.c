/* SPDX-License-Identifier: MIT */
/*
 * Does the oracle see what it says it sees? The core is compiled here with faults that can be turned on one at
 * a time; for each there must be a world in which the named property is found violated. Without any, the same
 * worlds are clean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mutation.h"
#include "tests/sweep/worlds.h"

#define SEEDS 16u

enum flux_mutation flux_mutation;
uint64_t flux_mutation_salt;

static struct sim sim;

static const struct {
	enum flux_mutation mutation;
	enum sim_property property;
	const char *world; /* that shows it */
	bool blind;        /* the endpoint's own checker would be first: it is not asked */
} expected[] = {
	{ FLUX_MUT_FORGET_MESSAGE, SIM_ORDER, "lan", false },
	{ FLUX_MUT_DELIVER_TWICE, SIM_ORDER, "lan", false },
	{ FLUX_MUT_SKIP_FRAGMENT, SIM_ORDER, "big", false },
	{ FLUX_MUT_GIVE_UP, SIM_COMPLETE, "lossy", false },
	{ FLUX_MUT_NO_HEARTBEAT, SIM_COMPLETE, "lossy", false },
	{ FLUX_MUT_FREE_EARLY, SIM_COMPLETE, "lossy", true },
	{ FLUX_MUT_EOS_TOO_SOON, SIM_EOS, "lan", false },
	{ FLUX_MUT_IGNORE_LIMIT, SIM_LIMIT, "slow", false },
	{ FLUX_MUT_NEW_STAMP, SIM_SAME_BYTES, "lossy", false },
	{ FLUX_MUT_NO_RTX_BIT, SIM_SAME_BYTES, "lossy", false },
	{ FLUX_MUT_SHOW_TWICE, SIM_SAME_BYTES, "big", false },
	{ FLUX_MUT_SKIP_HOLD, SIM_HOLD, "blink", false },
	{ FLUX_MUT_IGNORE_CWND, SIM_CWND, "paced", false },
	{ FLUX_MUT_IGNORE_RATE, SIM_RATE, "paced", false },
	{ FLUX_MUT_RESEND_NEIGHBOUR, SIM_RESENDS, "lossy", true },
	{ FLUX_MUT_SYNC_FOR_EVER, SIM_QUIET, "lan", false },
	{ FLUX_MUT_SYNC_NO_BACKOFF, SIM_QUIET, "lossy", false },
	{ FLUX_MUT_ACK_BACK, SIM_MONOTONE, "lan", false },
	{ FLUX_MUT_ACK_AHEAD, SIM_MONOTONE, "thin", false },
	{ FLUX_MUT_WINDOW_BACK, SIM_MONOTONE, "lan", false },
	{ FLUX_MUT_ASK_AT_ONCE, SIM_ASK_TIME, "reorder", false },
	{ FLUX_MUT_ASK_AGAIN, SIM_ASK_TIME, "lossy", false },
	{ FLUX_MUT_ASK_TOO_MUCH, SIM_ASK_TRUE, "lossy", false },
	{ FLUX_MUT_ANSWER_LONGER, SIM_AMPLIFY, "lan", false },
	{ FLUX_MUT_SKIP_CHECKSUM, SIM_HARMLESS, "mangle", true },
	{ FLUX_MUT_SAME_LIFE, SIM_OLD_LIFE, "restart", true },
	{ FLUX_MUT_IDLE_EARLY, SIM_IDLE, "dead", false },
	{ FLUX_MUT_IDLE_LATE, SIM_IDLE, "dead", false },
	{ FLUX_MUT_CLOSE_EARLY, SIM_CLOSE, "lossy", false },
	{ FLUX_MUT_CLOSE_OFTEN, SIM_CLOSE, "burst", false },
	{ FLUX_MUT_UNDELIVERED_ZERO, SIM_CLOSE, "dead", false },
	{ FLUX_MUT_DEADLINE_PAST, SIM_DEADLINE, "lan", false },
	{ FLUX_MUT_UNSEEDED, SIM_REPEAT, "lan", false },
	{ FLUX_MUT_ALLOC_LATER, SIM_ALLOC, "lan", false },
	{ FLUX_MUT_SCRIBBLE, SIM_LENT, "lan", false },
	{ FLUX_MUT_LEAK_MEMORY, SIM_MEMORY, "lan", false },
	{ FLUX_MUT_LEAK_BUFFER, SIM_CHECK, "lan", false },
	{ FLUX_MUT_UP_TWICE, SIM_EVENTS, "lan", false },
	{ FLUX_MUT_CLAIM_SHORT, SIM_CALLS, "lan", false },
};

#define EXPECTED (sizeof(expected) / sizeof(expected[0]))

static const char *const names[] = {
#define NAME(name) #name,
	FLUX_MUTATION_LIST(NAME)
#undef NAME
};

static uint64_t run(const struct world *world, uint64_t seed, bool blind)
{
	sim_init(&sim, seed);
	sim.check_every = blind ? UINT32_MAX : 4;
	world_run(&sim, world);
	sim_fini(&sim);
	return sim.trace_hash;
}

/* What one run shows; the same run again must be the same. */
static enum sim_property look(const struct world *world, uint64_t seed, size_t i)
{
	uint64_t hash = run(world, seed, expected[i].blind);

	if (sim.violated || expected[i].property != SIM_REPEAT)
		return sim.violated;
	return run(world, seed, expected[i].blind) == hash ? SIM_FINE : SIM_REPEAT;
}

static const struct world *world_named(const char *name)
{
	for (size_t i = 0; i < world_count; i++)
		if (strcmp(worlds[i].name, name) == 0)
			return &worlds[i];
	return NULL;
}

static void test_without_a_fault_all_is_well(void **state)
{
	(void)state;
	flux_mutation = FLUX_MUT_NONE;
	for (size_t i = 0; i < world_count; i++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			run(&worlds[i], seed, false);
			if (sim.violated)
				fail_msg("%s: %s", worlds[i].name, sim.why);
		}
	}
}

static void test_every_fault_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXPECTED; i++) {
		const struct world *world = world_named(expected[i].world);
		enum sim_property seen = SIM_FINE, other = SIM_FINE;

		flux_mutation = expected[i].mutation;
		for (uint64_t seed = 1; seed <= SEEDS && seen != expected[i].property; seed++) {
			seen = look(world, seed, i);
			if (seen)
				other = seen;
		}
		flux_mutation = FLUX_MUT_NONE;
		if (seen != expected[i].property)
			fail_msg("%s: property %d was not found violated (another: %d)",
				 names[expected[i].mutation], expected[i].property, other);
	}
}

/* Every mutation is in the table, and every property of the oracle. */
static void test_the_table_is_complete(void **state)
{
	static const enum sim_property properties[] = {
		SIM_ORDER, SIM_COMPLETE, SIM_EOS, SIM_LIMIT, SIM_SAME_BYTES, SIM_HOLD, SIM_CWND,
		SIM_RATE, SIM_RESENDS, SIM_QUIET, SIM_MONOTONE, SIM_ASK_TIME, SIM_ASK_TRUE, SIM_AMPLIFY,
		SIM_HARMLESS, SIM_OLD_LIFE, SIM_IDLE, SIM_CLOSE, SIM_DEADLINE, SIM_REPEAT, SIM_ALLOC,
		SIM_LENT, SIM_MEMORY, SIM_EVENTS, SIM_CHECK, SIM_CALLS
	};
	bool mutations[FLUX_MUT_COUNT] = { true };

	(void)state;
	for (size_t k = 0; k < sizeof(properties) / sizeof(properties[0]); k++) {
		bool found = false;

		for (size_t i = 0; i < EXPECTED; i++)
			found |= expected[i].property == properties[k];
		if (!found)
			fail_msg("no mutation for property %d", properties[k]);
	}
	for (size_t i = 0; i < EXPECTED; i++)
		mutations[expected[i].mutation] = true;
	for (size_t i = 0; i < FLUX_MUT_COUNT; i++)
		if (!mutations[i])
			fail_msg("%s is in no row", names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_fault_all_is_well),
		cmocka_unit_test(test_every_fault_is_seen),
		cmocka_unit_test(test_the_table_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
