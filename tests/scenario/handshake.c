/* SPDX-License-Identifier: MIT */
/* U04, U22, A09: handshakes in which packets are lost, copied and overtaken, and every order of starting. */
#include "tests/scenario/common.h"

static struct pair world;

/* What to do with the packet number `nth` (from 1) of `type`, and with `repeat` - 1 after it. */
struct plot {
	uint8_t type;
	uint32_t nth, repeat;
	struct sim_fate fate;
	uint32_t seen;
};

static struct sim_fate act(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct plot *plot = ctx;
	struct sim_view view;

	(void)now;
	sim_view_decode(&view, packet->data, packet->len);
	if (plot->type && view.header.type != plot->type)
		return (struct sim_fate){ 0 };
	plot->seen++;
	if (plot->seen < plot->nth || plot->seen >= plot->nth + plot->repeat)
		return (struct sim_fate){ 0 };
	return plot->fate;
}

static const struct sim_link_cfg link_5ms = { .delay = FLUX_MS(5) };

/* One handshake with a plot in one direction; returns how long it took. */
static flux_ts connect_under(struct plot *plot, bool towards_server, uint64_t seed)
{
	struct sim_plan plan = plan_steady(20, 100, 0);
	struct sim_session *session;
	struct sim_link *link;
	flux_ts took;

	pair_open(&world, seed, &link_5ms);
	link = towards_server ? sim_link(&world.sim, world.a, world.b) : sim_link(&world.sim, world.b, world.a);
	link->cfg.script = act;
	link->cfg.script_ctx = plot;
	world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
	session = sim_connect(world.a, world.b, &plan, &plan);
	pair_run_done(&world, FLUX_S(20));
	took = session->up_at - session->born;
	pair_close(&world);
	return took;
}

/* The steps of a handshake: which way they go, and the type that may be lost. 0: whatever is first. */
static const struct step {
	uint8_t type;
	bool towards_server;
} steps[] = {
	{ FLUX_PKT_HELLO, true },
	{ FLUX_PKT_COOKIE, false },
	{ FLUX_PKT_WELCOME, false },
	{ FLUX_PKT_PING, true },
	{ FLUX_PKT_DATA, true },
	{ FLUX_PKT_PONG, false },
	{ FLUX_PKT_FEEDBACK, false },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void test_U04_each_packet_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		for (uint32_t repeat = 1; repeat <= 3; repeat++) {
			for (uint32_t nth = 1; nth <= 2; nth++) {
				struct plot plot = { steps[i].type, nth, repeat, { .drop = true }, 0 };

				/* Three retries: 200 ms growing to 500 ms. */
				assert_true(connect_under(&plot, steps[i].towards_server, i + repeat) <
					    FLUX_MS(1500));
			}
		}
	}
}

static void test_U04_each_packet_copied(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		for (uint32_t copies = 1; copies <= 3; copies++) {
			struct plot plot = { steps[i].type, 1, 3, { .copies = copies }, 0 };

			assert_true(connect_under(&plot, steps[i].towards_server, i + copies) < FLUX_MS(100));
		}
	}
}

static void test_U04_each_packet_overtaken(void **state)
{
	const flux_ts delays[] = { FLUX_MS(1), FLUX_MS(30), FLUX_MS(230), FLUX_MS(900) };

	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		for (size_t k = 0; k < sizeof(delays) / sizeof(delays[0]); k++) {
			for (uint32_t nth = 1; nth <= 3; nth++) {
				struct plot plot = { steps[i].type, nth, 1, { .delay = delays[k] }, 0 };

				assert_true(connect_under(&plot, steps[i].towards_server, i + k) <
					    FLUX_MS(1500));
			}
		}
	}
}

static struct sim_fate mute_until(void *ctx, flux_ts now, struct sim_packet *packet)
{
	const flux_ts *until = ctx;

	(void)packet;
	return (struct sim_fate){ .drop = now < *until };
}

/* The server is heard only after seconds: as long as the client asks, it is not forgotten in between. */
static void test_U04_a_welcome_that_is_heard_late(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(150) };
	struct sim_plan plan = plan_steady(20, 100, 0);

	(void)state;
	for (uint64_t i = 0; i < 60; i++) {
		struct sim_session *session;
		flux_ts until;

		pair_open(&world, i, &link);
		session = sim_connect(world.a, world.b, &plan, &plan);
		/* COOKIE is let through. */
		pair_run(&world, FLUX_MS(320));
		until = world.sim.now + FLUX_MS(2000) + i * FLUX_MS(50);
		sim_link(&world.sim, world.b, world.a)->cfg.script = mute_until;
		sim_link(&world.sim, world.b, world.a)->cfg.script_ctx = &until;
		pair_run_done(&world, FLUX_S(20));
		assert_false(session->closed);
		pair_close(&world);
	}
}

/* The oracle watches that the server never sends more than it got before the address is proven. */
static void test_U22_the_server_may_be_mute_at_first(void **state)
{
	(void)state;
	for (uint32_t first = 1; first <= 5; first++) {
		for (uint32_t last = first; last <= 5; last++) {
			struct plot plot = { 0, first, last - first + 1, { .drop = true }, 0 };

			assert_true(connect_under(&plot, false, first + last) < FLUX_S(3));
		}
	}
}

/* Nobody answers HELLOs from an address that cannot be reached: no state, and no more bytes than came in. */
static void test_U22_unproven_peers_get_little(void **state)
{
	struct sim_session *session;

	(void)state;
	pair_open(&world, 2, &link_5ms);
	sim_link(&world.sim, world.b, world.a)->cfg.loss = 1;
	session = sim_connect(world.a, world.b, NULL, NULL);
	pair_run(&world, FLUX_S(30));
	assert_true(session->closed);
	assert_int_equal(session->reason, FLUX_ETIMEDOUT);
	assert_true(pair_out(&world)->sent >= 10);
	assert_null(world.b->sessions);
	assert_int_equal(host_stats(world.b).sessions, 0);
	pair_close(&world);
}

static void start_later(void *ctx, uint64_t arg)
{
	(void)arg;
	sim_host_start(ctx);
}

static void connect_later(void *ctx, uint64_t to)
{
	struct sim_plan plan = plan_steady(10, 100, 0);
	struct sim_host *from = ctx;

	sim_connect(from, from->sim->hosts[to], &plan, &plan);
}

static bool all_up(const struct sim *sim, uint32_t sessions)
{
	for (uint32_t i = 0; i < sim->host_count; i++) {
		for (const struct sim_session *s = sim->hosts[i]->sessions; s; s = s->next) {
			if (!s->up)
				return false;
			sessions--;
		}
	}
	return sessions == 0;
}

/* Three hosts, each connected to the next, started in every order with 700 ms between them. */
static void test_A09_any_order_of_starting(void **state)
{
	static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct sim *sim = &world.sim;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		pair_init(&world, i);
		world.a_cfg.endpoint.accept = 1;
		pair_start(&world, &link_5ms);
		sim_host_add(sim, &world.b_cfg);
		for (uint32_t k = 0; k < 3; k++)
			sim_host_crash(sim->hosts[k]);
		for (uint32_t k = 0; k < 3; k++) {
			uint32_t host = orders[i][k];
			flux_ts when = sim->now + k * FLUX_MS(700);

			sim_at(sim, when, start_later, sim->hosts[host], 0);
			sim_at(sim, when + 1, connect_later, sim->hosts[host], (host + 1) % 3);
		}
		/* The last one starts after 1.4 s; within a second all three are connected. */
		pair_run(&world, 2 * FLUX_MS(700) + FLUX_S(1));
		assert_true(all_up(sim, 6));
		pair_run_done(&world, FLUX_S(5));
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U04_each_packet_lost),
		cmocka_unit_test(test_U04_each_packet_copied),
		cmocka_unit_test(test_U04_each_packet_overtaken),
		cmocka_unit_test(test_U04_a_welcome_that_is_heard_late),
		cmocka_unit_test(test_U22_the_server_may_be_mute_at_first),
		cmocka_unit_test(test_U22_unproven_peers_get_little),
		cmocka_unit_test(test_A09_any_order_of_starting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
