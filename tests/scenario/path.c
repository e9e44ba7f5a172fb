/* SPDX-License-Identifier: MIT */
/* U08, U10, U13: jitter that is not loss, long paths that lose much, numbers that wrap. */
#include "tests/scenario/common.h"

static struct pair world;

/* Share of datagrams sent again although nothing was lost. */
static double spurious(flux_ts delay, flux_ts jitter, uint64_t seed)
{
	const struct sim_link_cfg link = { .delay = delay, .jitter = jitter };
	struct sim_plan plan = plan_steady(20000, 1000, FLUX_US(500));
	struct flux_session_stats stats;
	struct sim_session *session;

	pair_open(&world, seed, &link);
	session = sim_connect(world.a, world.b, &plan, NULL);
	pair_run_done(&world, FLUX_S(60));
	stats = sim_session_stats(session);
	pair_close(&world);
	return (double)stats.retransmitted / (double)stats.tx_datagrams;
}

static void test_U08_jitter_is_not_loss(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 3; seed++) {
		double little = spurious(FLUX_MS(49), FLUX_MS(2), seed);
		double much = spurious(FLUX_MS(70), FLUX_MS(60), seed);

		if (little >= 0.01 || much >= 0.05)
			fail_msg("sent again: %.3f at +-1 ms, %.3f at +-30 ms", little, much);
	}
}

static flux_ts longest_freeze(const struct sim_stream *stream)
{
	flux_ts longest = 0;

	for (uint64_t i = 1; i < stream->delivered; i++) {
		flux_ts freeze = stream->delivered_at[i] - stream->delivered_at[i - 1];

		if (freeze > longest)
			longest = freeze;
	}
	return longest;
}

/* Ten minutes of a thousand messages a second. */
static void test_U10_all_gaps_are_repaired_at_once(void **state)
{
	const flux_ts rtt = FLUX_MS(250);
	const struct sim_link_cfg link = { .delay = FLUX_MS(125) };
	struct sim_plan plan = plan_steady(600000, 100, FLUX_MS(1));
	struct sim_session *session;

	(void)state;
	pair_open(&world, 1, &link);
	sim_link(&world.sim, world.a, world.b)->cfg.loss = 0.08;
	world.sim.check_every = 64;
	session = sim_connect(world.a, world.b, &plan, NULL);
	pair_run_done(&world, FLUX_S(700));
	if (sim_stream_delay(session->tx, 0.99) >= 4 * rtt || longest_freeze(session->tx) > FLUX_MS(1500))
		fail_msg("p99 %.3f s, longest freeze %.3f s", (double)sim_stream_delay(session->tx, 0.99) / 1e9,
			 (double)longest_freeze(session->tx) / 1e9);
	pair_close(&world);
}

static void test_U13_numbers_wrap(void **state)
{
	static const uint64_t edges[] = { 1u << 16, 1ull << 31, 1ull << 32 };
	const struct sim_link_cfg link = { .delay = FLUX_MS(2), .loss = 0.05, .reorder = 0.05, .reorder_delay = FLUX_MS(3) };
	struct sim_plan plan = plan_steady(33000, 1100, 0);
	struct flux_session_stats stats;

	(void)state;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		pair_init(&world, i * 4);
		world.a_cfg.endpoint.first_seq = edges[i] - 50;
		pair_start(&world, &link);
		world.sim.check_every = 64;
		sim_connect(world.a, world.b, &plan, NULL);
		pair_run_done(&world, FLUX_S(100));
		stats = sim_session_stats(sim_session_with(world.b, world.a));
		assert_true(stats.rx_datagrams > 30000);
		/* Nothing was counted as lost that was not, or was only late. */
		assert_true(stats.lost < pair_out(&world)->data_missed + pair_out(&world)->reordered + 100);
		assert_int_equal(stats.gaps, 0);
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U08_jitter_is_not_loss),
		cmocka_unit_test(test_U10_all_gaps_are_repaired_at_once),
		cmocka_unit_test(test_U13_numbers_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
