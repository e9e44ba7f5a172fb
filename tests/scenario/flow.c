/* SPDX-License-Identifier: MIT */
/* U05, A04, U16: queues that end, answers that say so, readers that stop. */
#include <string.h>

#include "tests/scenario/common.h"

static struct pair world;

static const struct sim_link_cfg link_1ms = { .delay = FLUX_MS(1) };

/* The peer is not there for a minute: no memory grows, every send is refused; then it comes. */
static void test_U05_peer_absent_then_there(void **state)
{
	struct sim_plan plan = plan_steady(4000, 1024, 0);
	struct sim_session *session;
	uint64_t bytes;

	(void)state;
	for (uint64_t seed = 0; seed < 3; seed++) {
		pair_init(&world, seed);
		world.a_cfg.endpoint.connect_timeout = FLUX_NEVER;
		pair_start(&world, &link_1ms);
		sim_host_crash(world.b);
		session = sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_S(1));
		bytes = world.a->memory.bytes;
		for (uint32_t i = 0; i < 60; i++) {
			assert_int_equal(flux_session_send(world.a->ep, session->sid, "", 0), FLUX_EAGAIN);
			pair_run(&world, FLUX_S(1));
			assert_int_equal(world.a->memory.bytes, bytes);
		}
		assert_int_equal(session->tx->accepted, 0);
		sim_host_start(world.b);
		pair_run_done(&world, FLUX_S(10));
		assert_true(session->up);
		assert_true(session->up_at - world.sim.now < FLUX_S(1) || session->tx->delivered == 4001);
		pair_close(&world);
	}
}

/* Messages of no stream, sent by hand while the reader stands still. */
static void test_A04_every_message_is_accepted_or_refused(void **state)
{
	uint8_t message[1000];
	uint64_t accepted = 0, refused = 0;
	struct flux_session_stats stats;
	struct sim_session *session, *reader;

	(void)state;
	memset(message, 7, sizeof(message));
	pair_open(&world, 1, &link_1ms);
	world.b->app.raw = true;
	session = sim_connect(world.a, world.b, NULL, NULL);
	pair_run(&world, FLUX_MS(100));
	reader = sim_session_with(world.b, world.a);
	sim_session_pause(reader, true);
	for (uint32_t i = 0; i < 10000; i++) {
		int rc = flux_session_send(world.a->ep, session->sid, message, sizeof(message));

		accepted += rc == 0;
		refused += rc == FLUX_EAGAIN;
		if (i % 100 == 0) {
			sim_host_kick(world.a);
			pair_run(&world, FLUX_MS(10));
		}
	}
	assert_int_equal(accepted + refused, 10000);
	assert_true(refused > 0);
	stats = sim_session_stats(session);
	assert_int_equal(stats.tx_messages, accepted);
	assert_int_equal(stats.tx_refused, refused);
	assert_true(stats.queued_bytes <= stats.queue_limit);
	session->blocked = true;
	sim_session_pause(reader, false);
	pair_run(&world, FLUX_S(2));
	assert_int_equal(reader->read_count, accepted);
	assert_int_equal(session->writables, 1);
	pair_close(&world);
}

static void test_A04_reader_stops_and_goes_on(void **state)
{
	struct sim_plan plan = plan_steady(40000, 1000, 0);
	struct sim_session *reader, *writer;
	uint64_t held;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link_1ms);
		writer = sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_MS(20));
		reader = sim_session_with(world.b, world.a);
		sim_session_pause(reader, true);
		pair_run(&world, FLUX_S(5));
		held = writer->tx->accepted;
		assert_true(writer->blocked && held < 40001);
		pair_run(&world, FLUX_S(5));
		assert_int_equal(writer->tx->accepted, held);
		sim_session_pause(reader, false);
		pair_run_done(&world, FLUX_S(20));
		assert_true(writer->writables > 0 && writer->writables <= writer->tx->refused);
		pair_close(&world);
	}
}

/* SIGSTOP for ten seconds: nothing is lost, memory is bounded, the estimate of the RTT comes back. */
static void test_U16_receiver_stopped_for_ten_seconds(void **state)
{
	struct sim_plan plan = plan_steady(100000, 500, FLUX_MS(1));
	struct flux_session_stats stats;
	struct sim_session *session;

	(void)state;
	plan.count = 20000;
	for (uint64_t seed = 0; seed < 9; seed++) {
		uint64_t bytes;

		pair_init(&world, seed);
		world.b_cfg.rcvbuf = world.b_cfg.endpoint.rcvbuf = 425984;
		pair_start(&world, &link_1ms);
		session = sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_S(2));
		bytes = world.a->memory.bytes + world.b->memory.bytes;
		sim_host_pause(world.b, FLUX_S(10));
		pair_run(&world, FLUX_S(10));
		assert_int_equal(world.a->memory.bytes + world.b->memory.bytes, bytes);
		pair_run(&world, FLUX_S(5));
		stats = sim_session_stats(session);
		assert_in_range(stats.srtt, FLUX_MS(1), 2 * FLUX_MS(2) + FLUX_US(200));
		pair_run_done(&world, FLUX_S(60));
		assert_false(session->closed);
		/* The window was cut to what the socket's buffer holds: the kernel dropped nothing. */
		assert_int_equal(world.b->queue_drops, 0);
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U05_peer_absent_then_there),
		cmocka_unit_test(test_A04_every_message_is_accepted_or_refused),
		cmocka_unit_test(test_A04_reader_stops_and_goes_on),
		cmocka_unit_test(test_U16_receiver_stopped_for_ten_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
