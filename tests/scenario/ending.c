/* SPDX-License-Identifier: MIT */
/* A03: closing flushes, ends at its deadline, and says what was not delivered. */
#include <string.h>

#include "tests/scenario/common.h"

static struct pair world;

static struct sim_session *up(uint64_t seed, const struct sim_link_cfg *link, const struct sim_plan *plan)
{
	struct sim_session *session;

	pair_open(&world, seed, link);
	session = sim_connect(world.a, world.b, plan, NULL);
	while (!session->up)
		pair_run(&world, FLUX_MS(1));
	return session;
}

static void test_A03_a_thousand_then_close(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(2), .loss = 0.1 };
	struct sim_plan plan = plan_steady(1000, 200, 0);
	struct sim_session *a, *b;

	(void)state;
	for (uint64_t seed = 0; seed < 18; seed++) {
		a = up(seed, &link, &plan);
		while (a->tx->accepted < 1001)
			pair_run(&world, FLUX_US(100));
		sim_session_close(a, FLUX_S(1));
		pair_run(&world, FLUX_S(2));
		b = sim_session_with(world.b, world.a);
		assert_true(a->closed && b->closed);
		assert_int_equal(a->reason, 0);
		assert_int_equal(b->reason, 0);
		assert_int_equal(a->tx->delivered, 1001);
		assert_true(b->eos);
		pair_close(&world);
	}
}

static void test_A03_the_peer_is_gone(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(2) };
	struct sim_plan plan = plan_steady(500, 200, FLUX_MS(1));
	struct sim_session *a;
	flux_ts closing;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		a = up(seed, &link, &plan);
		pair_run(&world, FLUX_MS(200));
		sim_host_crash(world.b);
		pair_run(&world, FLUX_MS(100));
		closing = world.sim.now;
		sim_session_close(a, FLUX_S(1));
		pair_run(&world, FLUX_S(3));
		assert_true(a->closed);
		assert_int_equal(a->reason, FLUX_EUNDELIVERED);
		assert_in_range(a->undelivered, 90, 120);
		assert_in_range(a->closed_at - closing, FLUX_S(1), FLUX_S(1) + FLUX_MS(100));
		pair_close(&world);
	}
}

static void test_A03_close_at_once(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(20) };
	struct sim_plan plan = plan_steady(500, 200, 0);
	struct sim_session *a, *b;
	flux_ts closing;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		a = up(seed, &link, &plan);
		pair_run(&world, FLUX_MS(1));
		closing = world.sim.now;
		a->tx->abandoned = true;
		sim_session_close(a, 0);
		pair_run(&world, FLUX_S(1));
		b = sim_session_with(world.b, world.a);
		assert_true(a->closed);
		assert_in_range(a->closed_at - closing, 0, FLUX_MS(10));
		assert_int_equal(a->reason, FLUX_EUNDELIVERED);
		assert_true(a->undelivered > 0);
		assert_true(!b || b->closed);
		pair_close(&world);
	}
}

/*
 * Both close in the same instant, or the second while the first is flushing. The first to be done ends the
 * session; the other is told if something of its own was not delivered.
 */
static void test_A03_both_close(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5), .loss = 0.1 };
	struct sim_plan plan = plan_steady(200, 200, 0);
	struct sim_session *a, *b;

	(void)state;
	for (uint64_t seed = 0; seed < 36; seed++) {
		pair_open(&world, seed, &link);
		a = sim_connect(world.a, world.b, &plan, &plan);
		while (a->tx->accepted < 201 || !sim_session_with(world.b, world.a) ||
		       !sim_session_with(world.b, world.a)->tx || a->rx->accepted < 201)
			pair_run(&world, FLUX_MS(1));
		b = sim_session_with(world.b, world.a);
		sim_session_close(a, FLUX_NEVER);
		pair_run(&world, FLUX_MS(seed));
		sim_session_close(b, FLUX_NEVER);
		a->tx->abandoned = a->rx->abandoned = true;
		pair_run_done(&world, FLUX_S(20));
		assert_true(a->reason == 0 || b->reason == 0);
		assert_true(a->reason == 0 || (a->reason == FLUX_EUNDELIVERED && a->undelivered > 0));
		assert_true(b->reason == 0 || (b->reason == FLUX_EUNDELIVERED && b->undelivered > 0));
		pair_close(&world);
	}
}

static void test_abort_tells_the_peer_why(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5) };
	struct sim_plan plan = plan_steady(1000, 200, FLUX_MS(1));
	struct sim_session *a, *b;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		a = up(seed, &link, &plan);
		pair_run(&world, FLUX_MS(100));
		b = sim_session_with(world.b, world.a);
		a->tx->abandoned = true;
		sim_session_abort(b, 777, "the disk is full");
		pair_run(&world, FLUX_S(1));
		assert_true(a->closed && b->closed);
		assert_int_equal(a->reason, FLUX_EABORTED);
		assert_int_equal(a->code, 777);
		assert_string_equal(a->text, "the disk is full");
		assert_true(a->undelivered > 0);
		pair_close(&world);
	}
}

/* A reader that does not read holds a graceful close up, and what it has not read is not called delivered. */
static void test_close_waits_for_the_reader(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5) };
	struct sim_plan plan = plan_steady(300, 200, FLUX_US(100));
	struct sim_session *a, *b;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		a = up(seed, &link, &plan);
		pair_run(&world, FLUX_MS(20));
		b = sim_session_with(world.b, world.a);
		sim_session_pause(b, true);
		pair_run(&world, FLUX_MS(100));
		assert_int_equal(a->tx->accepted, 301);
		sim_session_close(a, FLUX_NEVER);
		pair_run(&world, FLUX_S(20));
		assert_false(a->closed);
		sim_session_pause(b, false);
		pair_run_done(&world, FLUX_S(5));
		assert_int_equal(a->reason, 0);
		assert_int_equal(a->tx->delivered, 301);
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A03_a_thousand_then_close),
		cmocka_unit_test(test_A03_the_peer_is_gone),
		cmocka_unit_test(test_A03_close_at_once),
		cmocka_unit_test(test_A03_both_close),
		cmocka_unit_test(test_abort_tells_the_peer_why),
		cmocka_unit_test(test_close_waits_for_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
