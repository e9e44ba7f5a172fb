/* SPDX-License-Identifier: MIT */
/* U19, U20: a dead peer is reported in time, a silent one is given its time, a late host blames nobody. */
#include "tests/scenario/common.h"

static struct pair world;

static const struct sim_link_cfg link_10ms = { .delay = FLUX_MS(10) };

static void test_U19_a_dead_peer_is_reported_in_time(void **state)
{
	static const flux_ts limits[] = { FLUX_MS(500), FLUX_S(2), FLUX_S(15), FLUX_S(30) };
	struct sim_plan plan = plan_steady(100000, 100, FLUX_MS(10));
	struct sim_session *a, *b;

	(void)state;
	for (uint64_t i = 0; i < 12; i++) {
		flux_ts limit = limits[i % 4];
		flux_ts cut;

		pair_init(&world, i);
		world.a_cfg.endpoint.idle_timeout = limit;
		world.b_cfg.endpoint.idle_timeout = FLUX_S(60);
		pair_start(&world, &link_10ms);
		a = sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_S(1));
		b = sim_session_with(world.b, world.a);
		a->app.may_time_out = b->app.may_time_out = true;
		cut = world.sim.now;
		sim_cut(&world.sim, world.a, world.b, FLUX_S(1000));
		pair_run(&world, limit + limit / 4 + FLUX_S(1));
		assert_true(a->closed && b->closed);
		assert_int_equal(a->reason, FLUX_ETIMEDOUT);
		assert_int_equal(b->reason, FLUX_ETIMEDOUT);
		/* The last word heard is up to one keep-alive old when the line goes dead. */
		assert_in_range(a->closed_at - cut, limit * 9 / 10 - FLUX_MS(50), limit * 11 / 10 + FLUX_MS(20));
		assert_in_range(b->closed_at - cut, limit * 9 / 10 - FLUX_MS(50), limit * 11 / 10 + FLUX_MS(20));
		assert_true(a->undelivered > 0);
		pair_close(&world);
	}
}

/* A hundred sessions, a host that is always late, and queues in the sockets: nobody is declared dead. */
static void test_U19_a_hundred_busy_sessions_live(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_US(50) };
	struct sim_plan plan = plan_steady(120, 500, FLUX_MS(500));

	(void)state;
	pair_init(&world, 6);
	world.a_cfg.endpoint.max_sessions = world.b_cfg.endpoint.max_sessions = 100;
	world.a_cfg.endpoint.idle_timeout = FLUX_S(1);
	world.a_cfg.wake_max = world.b_cfg.wake_max = FLUX_MS(20);
	world.a_cfg.late_max = world.b_cfg.late_max = FLUX_MS(100);
	pair_start(&world, &link);
	world.sim.check_every = 256;
	for (uint32_t i = 0; i < 100; i++)
		sim_connect(world.a, world.b, &plan, &plan);
	pair_run_done(&world, FLUX_S(120));
	for (const struct sim_session *s = world.a->sessions; s; s = s->next)
		assert_true(s->up && !s->closed);
	pair_close(&world);
}

static void test_U20_three_seconds_of_darkness(void **state)
{
	struct sim_plan plan = plan_steady(1000, 100, FLUX_MS(10));
	struct sim_session *session;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link_10ms);
		session = sim_connect(world.a, world.b, &plan, &plan);
		pair_run(&world, FLUX_S(2));
		sim_cut(&world.sim, world.a, world.b, FLUX_S(3));
		pair_run_done(&world, FLUX_S(20));
		assert_false(session->closed);
		/* Repaired within a second or so of the light, not at some far back-off. */
		assert_true(sim_stream_delay(session->tx, 1.0) < FLUX_S(3) + FLUX_MS(1500));
		pair_close(&world);
	}
}

/* The breaker slows a sender down that hears nothing; when it hears again it is soon where it was. */
static void test_U20_a_full_stream_is_back_soon_after_the_dark(void **state)
{
	static const flux_ts delays[] = { FLUX_US(100), FLUX_MS(1), FLUX_MS(10), FLUX_MS(50) };
	struct sim_plan plan = plan_steady(60000, 1000, FLUX_US(200));
	struct sim_session *session;
	uint64_t delivered;

	(void)state;
	for (uint64_t i = 0; i < 12; i++) {
		const struct sim_link_cfg link = { .delay = delays[i % 4] };

		pair_init(&world, i);
		world.b_cfg.endpoint.window = 4096;
		pair_start(&world, &link);
		world.sim.check_every = 64;
		session = sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_S(2));
		sim_cut(&world.sim, world.a, world.b, i < 4 ? FLUX_MS(300) : i < 8 ? FLUX_S(1) :
										     FLUX_S(3));
		pair_run(&world, i < 4 ? FLUX_MS(300) : i < 8 ? FLUX_S(1) :
								FLUX_S(3));
		pair_run(&world, FLUX_S(2));
		delivered = session->tx->delivered;
		pair_run(&world, FLUX_S(1));
		/* 5000 a second are meant; 4000 and the backlog are the least. */
		if (session->tx->delivered < delivered + 4000 && session->tx->delivered < 60001)
			fail_msg("delay %u us: %u messages in the third second after the dark",
				 (unsigned)(link.delay / 1000), (unsigned)(session->tx->delivered - delivered));
		pair_run_done(&world, FLUX_S(60));
		pair_close(&world);
	}
}

/* An idle session says something now and then, and not much. */
static void test_idle_sessions_are_nearly_silent(void **state)
{
	struct sim_session *session;
	uint64_t packets;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		struct sim_plan plan = plan_steady(5, 100, 0);

		pair_open(&world, seed, &link_10ms);
		session = sim_connect(world.a, world.b, &plan, &plan);
		pair_run(&world, FLUX_S(2));
		packets = world.sim.packets;
		pair_run(&world, FLUX_S(60));
		/* PING and PONG of either side each 3 s, 10 % earlier at most. */
		assert_in_range(world.sim.packets - packets, 20, 4 * 23);
		assert_false(session->closed);
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U19_a_dead_peer_is_reported_in_time),
		cmocka_unit_test(test_U19_a_hundred_busy_sessions_live),
		cmocka_unit_test(test_U20_three_seconds_of_darkness),
		cmocka_unit_test(test_U20_a_full_stream_is_back_soon_after_the_dark),
		cmocka_unit_test(test_idle_sessions_are_nearly_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
