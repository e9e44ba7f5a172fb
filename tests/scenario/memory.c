/* SPDX-License-Identifier: MIT */
/* An allocator that refuses, at every point where it is asked: an error, never a crash, nothing left behind. */
#include <string.h>

#include "tests/scenario/common.h"

static struct pair world;

static const struct sim_link_cfg link_1ms = { .delay = FLUX_MS(1) };

static void test_create_without_memory(void **state)
{
	struct flux_endpoint_cfg cfg = FLUX_ENDPOINT_CFG_INIT;
	struct flux_endpoint *ep = NULL;
	struct sim_memory memory;
	char why[128];
	uint64_t n = 0;
	int rc;

	(void)state;
	do {
		sim_memory_init(&memory);
		memory.refuse_at = ++n;
		cfg.mem = &memory.mem;
		why[0] = '\0';
		rc = flux_endpoint_create(&ep, &cfg, why);
		if (rc == 0)
			break;
		assert_int_equal(rc, FLUX_ENOMEM);
		assert_null(ep);
		assert_true(why[0] != '\0');
		assert_int_equal(memory.blocks, 0);
		assert_int_equal(memory.wrong, 0);
	} while (n < 100);
	assert_in_range(n, 2, 50);
	flux_endpoint_destroy(ep);
	assert_int_equal(memory.blocks, 0);
	flux_endpoint_destroy(NULL);
}

/* The `n`-th allocation after the endpoints exist fails at `victim`; false if there are not so many. */
static bool session_without_memory(struct sim_host **victim, uint64_t n, uint64_t seed)
{
	struct sim_plan plan = plan_steady(100, 3000, 0);
	struct sim_session *session;
	uint64_t before;
	bool failed;

	pair_open(&world, seed, &link_1ms);
	pair_run(&world, FLUX_MS(1));
	before = (*victim)->memory.calls;
	(*victim)->memory.refuse_at = before + n;
	session = sim_connect(world.a, world.b, &plan, &plan);
	session->app.may_time_out = true;
	session->tx->abandoned = session->rx->abandoned = true;
	pair_run(&world, FLUX_S(5));
	failed = (*victim)->memory.calls >= before + n;
	/* The end that lacks memory says so; the other one is told, and nobody hangs. */
	if (failed) {
		assert_true(session->closed);
		if (*victim == world.a)
			assert_int_equal(session->reason, FLUX_ENOMEM);
		else
			assert_true(session->reason == FLUX_EREFUSED || session->reason == FLUX_ETIMEDOUT);
		/* The server hears of a session only to hear its end. */
		assert_true(!world.b->sessions || world.b->sessions->closed);
	}
	/* With memory again, all goes well. */
	(*victim)->memory.refuse_at = 0;
	session = sim_connect(world.a, world.b, &plan, &plan);
	pair_run_done(&world, FLUX_S(10));
	assert_int_equal(session->tx->delivered, 101);
	pair_close(&world);
	return failed;
}

static void test_M09_sessions_without_memory(void **state)
{
	struct sim_host **victims[] = { &world.a, &world.b };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (n = 1; n < 50 && session_without_memory(victims[i], n, n); n++)
			;
		assert_in_range(n, 3, 49);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_without_memory),
		cmocka_unit_test(test_M09_sessions_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
