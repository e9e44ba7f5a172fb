/* SPDX-License-Identifier: MIT */
/* U01: a peer that restarts on its address and port; nothing of its former life reaches the new one. */
#include <stdlib.h>

#include "tests/scenario/common.h"

static struct pair world;

#define RECORD_MAX 8192u

/* Every packet that went one way, kept to be replayed. */
struct recorder {
	struct sim_packet *packets[RECORD_MAX];
	uint32_t count;
};

static struct recorder recorded;

static struct sim_fate record(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct recorder *recorder = ctx;

	(void)now;
	if (recorder->count < RECORD_MAX)
		recorder->packets[recorder->count++] = sim_packet_clone(packet);
	return (struct sim_fate){ 0 };
}

static void replay(struct recorder *recorder, struct sim_host *to)
{
	for (uint32_t i = 0; i < recorder->count; i++) {
		recorder->packets[i]->copy = true;
		sim_inject(&world.sim, to, recorder->packets[i], FLUX_US(10) * i);
	}
	recorder->count = 0;
}

static void forget(struct recorder *recorder)
{
	while (recorder->count)
		free(recorder->packets[--recorder->count]);
}

static const struct sim_link_cfg link_5ms = { .delay = FLUX_MS(5) };

/* The first session, half through its messages when something happens. */
static struct sim_session *begin(uint64_t seed)
{
	struct sim_plan plan = plan_steady(1000, 300, FLUX_MS(1));
	struct sim_session *session;

	pair_init(&world, seed);
	for (size_t i = 0; i < 16; i++)
		world.b_cfg.endpoint.reset_key[i] = (uint8_t)(i + 1);
	pair_start(&world, &link_5ms);
	sim_link(&world.sim, world.a, world.b)->cfg.script = record;
	sim_link(&world.sim, world.a, world.b)->cfg.script_ctx = &recorded;
	session = sim_connect(world.a, world.b, &plan, &plan);
	pair_run(&world, FLUX_MS(500));
	assert_true(session->tx->delivered > 300 && session->tx->delivered < 700);
	return session;
}

static void test_U01_sender_restarts(void **state)
{
	struct sim_plan plan = plan_steady(1000, 300, FLUX_MS(1));
	struct sim_session *old, *new;
	flux_ts restarted;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		begin(seed);
		old = sim_session_with(world.b, world.a);
		sim_host_crash(world.a);
		sim_host_start(world.a);
		restarted = world.sim.now;
		new = sim_connect(world.a, world.b, &plan, &plan);
		pair_run_done(&world, FLUX_S(20));
		/* The old one ended because the peer is new, within a round trip and 50 ms of that. */
		assert_true(old->closed);
		assert_int_equal(old->reason, FLUX_ERESTARTED);
		assert_true(old->closed_at - restarted < 4 * FLUX_MS(5) + FLUX_MS(50));
		assert_true(new->rx->delivered == 1001 && new->tx->delivered == 1001);
		pair_close(&world);
		forget(&recorded);
	}
}

static void test_U01_receiver_restarts_and_says_so(void **state)
{
	struct sim_plan plan = plan_steady(1000, 300, FLUX_MS(1));
	struct sim_session *old, *new;
	flux_ts restarted;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		old = begin(seed);
		sim_host_crash(world.b);
		sim_host_start(world.b);
		restarted = world.sim.now;
		pair_run(&world, FLUX_MS(200));
		assert_true(old->closed);
		assert_int_equal(old->reason, FLUX_ERESET);
		assert_true(old->closed_at - restarted < 2 * FLUX_MS(5) + FLUX_MS(50));
		assert_true(old->undelivered > 0);
		assert_true(host_stats(world.b).resets_sent > 0);
		new = sim_connect(world.a, world.b, &plan, &plan);
		pair_run_done(&world, FLUX_S(20));
		assert_int_equal(new->tx->delivered, 1001);
		pair_close(&world);
		forget(&recorded);
	}
}

/* Another reset key: its RESET is not believed, the idle timeout decides. */
static void test_U01_receiver_restarts_without_its_key(void **state)
{
	struct sim_session *old;

	(void)state;
	old = begin(4);
	old->app.may_time_out = true;
	sim_host_crash(world.b);
	world.b->cfg.endpoint.reset_key[3] ^= 0x55;
	sim_host_start(world.b);
	pair_run(&world, FLUX_S(30));
	assert_true(old->closed);
	assert_int_equal(old->reason, FLUX_ETIMEDOUT);
	pair_close(&world);
	forget(&recorded);
}

/* All traffic of the old session arrives once more in the middle of the new one. */
static void test_U01_old_packets_are_replayed(void **state)
{
	struct sim_plan plan = plan_steady(1000, 300, FLUX_MS(1));
	struct sim_session *new;
	uint64_t dropped;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		uint64_t before, replayed;

		begin(seed);
		sim_host_crash(world.a);
		sim_host_start(world.a);
		sim_link(&world.sim, world.a, world.b)->cfg.script = NULL;
		new = sim_connect(world.a, world.b, &plan, &plan);
		pair_run(&world, FLUX_MS(300));
		assert_true(new->up);
		before = world.sim.packets;
		replayed = recorded.count;
		dropped = host_stats(world.b).rx_unknown + host_stats(world.b).rx_bad_checksum;
		replay(&recorded, world.b);
		pair_run_done(&world, FLUX_S(20));
		assert_true(before + replayed < world.sim.packets);
		assert_int_equal(new->tx->delivered, 1001);
		assert_false(new->closed);
		dropped = host_stats(world.b).rx_unknown + host_stats(world.b).rx_bad_checksum - dropped;
		assert_true(dropped >= replayed - 10);
		pair_close(&world);
		forget(&recorded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U01_sender_restarts),
		cmocka_unit_test(test_U01_receiver_restarts_and_says_so),
		cmocka_unit_test(test_U01_receiver_restarts_without_its_key),
		cmocka_unit_test(test_U01_old_packets_are_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
