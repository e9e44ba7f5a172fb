/* SPDX-License-Identifier: MIT */
/* Loss of every kind and place: the tail of a burst, every second packet, both ways at once. */
#include "tests/scenario/common.h"

static struct pair world;

/* Drops the first transmission of the last message's datagram. */
struct tail {
	uint32_t seen, drop_at;
};

static struct sim_fate drop_tail(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct tail *tail = ctx;
	struct sim_view view;

	(void)now;
	sim_view_decode(&view, packet->data, packet->len);
	if (view.header.type != FLUX_PKT_DATA || view.header.rtx)
		return (struct sim_fate){ 0 };
	return (struct sim_fate){ .drop = ++tail->seen == tail->drop_at };
}

/* A lone last message that is lost comes within a few round trips, not after a heartbeat of 100 ms. */
static void test_tail_loss_is_repaired_within_a_few_round_trips(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(2) };
	struct sim_plan plan = plan_steady(10, 100, FLUX_MS(50));

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		/* One datagram a message (the preamble goes with the first): the tenth is the tail. */
		struct tail tail = { .drop_at = 10 };
		struct sim_session *session;

		pair_open(&world, seed, &link);
		sim_link(&world.sim, world.a, world.b)->cfg.script = drop_tail;
		sim_link(&world.sim, world.a, world.b)->cfg.script_ctx = &tail;
		session = sim_connect(world.a, world.b, &plan, NULL);
		pair_run_done(&world, FLUX_S(10));
		assert_int_equal(pair_out(&world)->scripted, 1);
		/* Heartbeat after srtt/4, then a round trip and a half, and the turns in between. */
		assert_in_range(sim_stream_delay(session->tx, 1.0), FLUX_MS(6), FLUX_MS(2) * 6);
		pair_close(&world);
	}
}

static void test_request_and_response_at_one_percent(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_US(20), .loss = 0.01 };
	struct sim_plan ask = plan_steady(3000, 100, 0);
	struct sim_plan answer = plan_steady(3000, 100, 0);
	struct sim_session *session;

	(void)state;
	ask.timing = SIM_ASK;
	answer.timing = SIM_ANSWER;
	pair_open(&world, 1, &link);
	session = sim_connect(world.a, world.b, &ask, &answer);
	pair_run_done(&world, FLUX_S(60));
	assert_true(sim_stream_delay(session->tx, 0.99) < FLUX_MS(2));
	assert_true(sim_stream_delay(session->rx, 0.99) < FLUX_MS(2));
	assert_true(sim_stream_delay(session->tx, 1.0) < FLUX_MS(50));
	pair_close(&world);
}

static void test_thirty_percent_both_ways_is_still_equal(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5), .loss = 0.3 };
	struct sim_plan plan = plan_steady(2000, 1000, 0);

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link);
		world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
		sim_connect(world.a, world.b, &plan, &plan);
		pair_run_done(&world, FLUX_S(300));
		pair_close(&world);
	}
}

/* 1.1 times the lost datagrams is the promise; on an even path no more than the lost ones. */
static void test_only_the_lost_is_sent_again(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5), .loss = 0.02, .corrupt = 0.001 };
	struct sim_plan plan = plan_steady(20000, 1000, FLUX_US(50));
	struct flux_session_stats stats;
	struct sim_session *session;

	(void)state;
	pair_open(&world, 3, &link);
	session = sim_connect(world.a, world.b, &plan, NULL);
	pair_run_done(&world, FLUX_S(60));
	stats = sim_session_stats(session);
	assert_true(pair_out(&world)->data_missed > 200);
	assert_in_range(stats.retransmitted, pair_out(&world)->data_missed * 9 / 10,
			pair_out(&world)->data_missed);
	pair_close(&world);
}

/* The same run twice: the same packets at the same times. */
static void test_a_seed_repeats_a_run(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5), .jitter = FLUX_MS(1), .loss = 0.1, .corrupt = 0.01, .duplicate = 0.1, .duplicate_delay = FLUX_MS(3) };
	struct sim_plan plan = plan_steady(500, 700, FLUX_US(100));
	uint64_t hash[3];

	(void)state;
	for (uint64_t drives = 0; drives < 9; drives++) {
		for (uint64_t i = 0; i < 3; i++) {
			pair_open(&world, drives + 9 * (i / 2), &link);
			world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
			sim_connect(world.a, world.b, &plan, &plan);
			pair_run_done(&world, FLUX_S(60));
			hash[i] = world.sim.trace_hash;
			pair_close(&world);
		}
		assert_true(hash[0] == hash[1]);
		assert_true(hash[0] != hash[2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tail_loss_is_repaired_within_a_few_round_trips),
		cmocka_unit_test(test_request_and_response_at_one_percent),
		cmocka_unit_test(test_thirty_percent_both_ways_is_still_equal),
		cmocka_unit_test(test_only_the_lost_is_sent_again),
		cmocka_unit_test(test_a_seed_repeats_a_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
