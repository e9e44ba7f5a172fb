/* SPDX-License-Identifier: MIT */
/* U24, A11: messages of every size up to the limit arrive whole and once; above it, an error that says it. */
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/common.h"

static struct pair world;

static void test_U24_A11_powers_of_two_and_neighbours(void **state)
{
	struct sim_plan plan = { .count = 62, .sizes = SIM_SIZE_POWERS, .size_max = 1u << 20 };

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		const struct sim_link_cfg link = { .delay = FLUX_US(200), .loss = seed % 2 ? 0.02 : 0 };

		pair_open(&world, seed, &link);
		world.sim.check_every = 16;
		world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
		world.b->app.read_partial = seed % 4 == 3 ? 0.2 : 0;
		sim_connect(world.a, world.b, &plan, &plan);
		pair_run_done(&world, FLUX_S(60));
		pair_close(&world);
	}
}

static void test_U24_over_the_limit(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_US(200) };
	uint8_t *message = calloc(1, (1u << 20) + 1);
	struct sim_session *session;
	struct flux_claim claim;
	uint32_t max;

	(void)state;
	assert_non_null(message);
	pair_open(&world, 1, &link);
	session = sim_connect(world.a, world.b, NULL, NULL);
	pair_run(&world, FLUX_S(1));
	assert_int_equal(flux_session_max_message(world.a->ep, session->sid), 1u << 20);
	assert_int_equal(flux_session_send(world.a->ep, session->sid, message, (1u << 20) + 1), FLUX_EMSGSIZE);
	assert_non_null(strstr(flux_endpoint_detail(world.a->ep), "1048576"));
	max = flux_session_max_claim(world.a->ep, session->sid);
	assert_in_range(max, 1000, 1200);
	assert_int_equal(flux_session_claim(world.a->ep, session->sid, max + 1, &claim), FLUX_EMSGSIZE);
	assert_int_equal(flux_session_claim(world.a->ep, session->sid, max, &claim), 0);
	assert_int_equal(flux_session_send(world.a->ep, session->sid, message, 1), FLUX_EBUSY);
	assert_int_equal(flux_session_publish(world.a->ep, session->sid, max + 1), FLUX_EINVAL);
	flux_session_abort_claim(world.a->ep, session->sid);
	pair_close(&world);
	free(message);
}

/* The limit that counts is the receiver's. */
static void test_U24_the_peers_limit_holds(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_US(200) };
	static uint8_t message[5001];
	struct sim_session *session;

	(void)state;
	pair_init(&world, 2);
	world.b_cfg.endpoint.max_message = 5000;
	pair_start(&world, &link);
	session = sim_connect(world.a, world.b, NULL, NULL);
	pair_run(&world, FLUX_S(1));
	assert_int_equal(flux_session_max_message(world.a->ep, session->sid), 5000);
	assert_int_equal(flux_session_send(world.a->ep, session->sid, message, 5001), FLUX_EMSGSIZE);
	assert_non_null(strstr(flux_endpoint_detail(world.a->ep), "5000"));
	pair_close(&world);
}

/* A message larger than the receive window, and than the pool, still goes through. */
static void test_A11_a_message_larger_than_the_window(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(1), .loss = 0.01 };
	struct sim_plan plan = plan_steady(5, 1u << 20, 0);

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_init(&world, seed);
		world.b_cfg.endpoint.window = 16;
		world.b_cfg.endpoint.max_sessions = 1;
		world.b_cfg.endpoint.rx_pool = 16;
		pair_start(&world, &link);
		world.sim.check_every = 16;
		world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
		sim_connect(world.a, world.b, &plan, NULL);
		pair_run_done(&world, FLUX_S(120));
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U24_A11_powers_of_two_and_neighbours),
		cmocka_unit_test(test_U24_over_the_limit),
		cmocka_unit_test(test_U24_the_peers_limit_holds),
		cmocka_unit_test(test_A11_a_message_larger_than_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
