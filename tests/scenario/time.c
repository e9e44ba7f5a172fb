/* SPDX-License-Identifier: MIT */
/* E06, E08: clocks that jump, turns that come late, and a deadline that is exact. */
#include "tests/scenario/common.h"

static struct pair world;

static const struct sim_link_cfg link_5ms = { .delay = FLUX_MS(5) };

static void step_clock(void *ctx, uint64_t step)
{
	sim_host_step_clock(ctx, (int64_t)step);
}

/* Suspend of an hour at one end, then at the other, then a small step back: nobody loses anything. */
static void test_E06_clocks_jump(void **state)
{
	struct sim_plan plan = plan_steady(1000, 200, FLUX_MS(10));
	struct sim_session *session;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link_5ms);
		session = sim_connect(world.a, world.b, &plan, &plan);
		sim_at(&world.sim, world.sim.now + FLUX_S(2), step_clock, world.a, FLUX_S(3600));
		sim_at(&world.sim, world.sim.now + FLUX_S(4), step_clock, world.b, FLUX_S(3600));
		sim_at(&world.sim, world.sim.now + FLUX_S(6), step_clock, world.a, (uint64_t)0 - FLUX_MS(200));
		pair_run_done(&world, FLUX_S(30));
		pair_run(&world, FLUX_S(30));
		assert_false(session->closed);
		assert_int_equal(host_stats(world.a).clock_steps_back > 0, 1);
		/* The jumps are in no sample: the echo says how long the reader held it. */
		assert_in_range(sim_session_stats(session).min_rtt, FLUX_MS(10) - FLUX_US(2), FLUX_MS(10) + FLUX_MS(1));
		pair_close(&world);
	}
}

/* An hour asleep without traffic, and the peer gone meanwhile: found out within one limit of waking. */
static void test_E06_asleep_and_the_peer_is_gone(void **state)
{
	struct sim_plan plan = plan_steady(10, 200, FLUX_MS(10));
	struct sim_session *session;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link_5ms);
		session = sim_connect(world.a, world.b, &plan, NULL);
		session->app.may_time_out = true;
		pair_run(&world, FLUX_S(2));
		sim_host_crash(world.b);
		sim_host_step_clock(world.a, (int64_t)FLUX_S(3600));
		pair_run(&world, FLUX_S(1));
		/* Asked at once, and after three timeouts believed. */
		assert_true(session->closed);
		assert_int_equal(session->reason, FLUX_ETIMEDOUT);
		pair_close(&world);
	}
}

/* A loop that is blocked for 200 ms now and then: the estimate stays, nothing is sent twice. */
static void test_E06_a_blocked_loop(void **state)
{
	struct sim_plan plan = plan_steady(5000, 200, FLUX_MS(1));
	struct flux_session_stats stats;
	struct sim_session *session;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link_5ms);
		session = sim_connect(world.a, world.b, &plan, NULL);
		for (uint32_t i = 0; i < 4; i++) {
			pair_run(&world, FLUX_MS(800));
			sim_host_pause(world.sim.hosts[i % 2], FLUX_MS(200));
		}
		pair_run(&world, FLUX_MS(800));
		stats = sim_session_stats(session);
		assert_in_range(stats.srtt, FLUX_MS(9), FLUX_MS(11));
		pair_run_done(&world, FLUX_S(20));
		stats = sim_session_stats(session);
		assert_int_equal(stats.retransmitted, 0);
		pair_close(&world);
	}
}

/* expire() by hand at exactly the deadline: something is done, or the next deadline is later. */
static void test_E08_the_deadline_is_exact(void **state)
{
	static const struct sim_link_cfg links[] = {
		{ .delay = FLUX_US(50) },
		{ .delay = FLUX_MS(20), .loss = 0.1 },
		{ .delay = FLUX_MS(3), .jitter = FLUX_MS(3), .duplicate = 0.1 },
	};
	struct sim_plan plan = plan_steady(500, 300, FLUX_MS(3));

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_init(&world, seed);
		world.a_cfg.drive = world.b_cfg.drive = SIM_READINESS;
		world.a_cfg.wake_max = world.a_cfg.late_max = 0;
		world.b_cfg.wake_max = world.b_cfg.late_max = 0;
		world.a_cfg.endpoint.rate_bps = seed > 5 ? 200000 : 0;
		pair_start(&world, &links[seed % 3]);
		world.a->strict_deadline = world.b->strict_deadline = true;
		world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
		sim_connect(world.a, world.b, &plan, &plan);
		pair_run_done(&world, FLUX_S(30));
		pair_run(&world, FLUX_S(30));
		pair_close(&world);
	}
}

/* Two hundred idle sessions: no more turns than there is to say and to hear. */
static void test_E08_idle_sessions_cost_only_keep_alives(void **state)
{
	struct sim_plan plan = plan_steady(1, 100, 0);
	uint64_t turns, packets;

	(void)state;
	pair_init(&world, 0);
	world.a_cfg.endpoint.max_sessions = world.b_cfg.endpoint.max_sessions = 256;
	pair_start(&world, &link_5ms);
	world.sim.check_every = 256;
	for (uint32_t i = 0; i < 200; i++) {
		sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_MS(17));
	}
	pair_run_done(&world, FLUX_S(5));
	pair_run(&world, FLUX_S(5));
	turns = world.a->turns;
	packets = world.a->sent + world.a->fed;
	pair_run(&world, FLUX_S(60));
	turns = world.a->turns - turns;
	packets = world.a->sent + world.a->fed - packets;
	/* A PING and a PONG for each session and end in 3 s, at most 10 % early. */
	assert_in_range(packets, 200 * 20, 200 * 4 * 23);
	if (turns > packets * 105 / 100)
		fail_msg("%u turns for %u packets", (unsigned)turns, (unsigned)packets);
	pair_close(&world);
}

static void test_nobody_there_no_wakeups(void **state)
{
	uint64_t turns;

	(void)state;
	pair_open(&world, 0, &link_5ms);
	pair_run(&world, FLUX_S(1));
	turns = world.a->turns + world.b->turns;
	pair_run(&world, FLUX_S(1000));
	assert_int_equal(world.a->turns + world.b->turns, turns);
	assert_true(flux_endpoint_deadline(world.a->ep) == FLUX_NEVER);
	pair_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E06_clocks_jump),
		cmocka_unit_test(test_E06_asleep_and_the_peer_is_gone),
		cmocka_unit_test(test_E06_a_blocked_loop),
		cmocka_unit_test(test_E08_the_deadline_is_exact),
		cmocka_unit_test(test_E08_idle_sessions_cost_only_keep_alives),
		cmocka_unit_test(test_nobody_there_no_wakeups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
