/* SPDX-License-Identifier: MIT */
/* U14 and single bits: absurd words of an authentic peer, and every packet with one bit wrong. */
#include <stdlib.h>
#include <string.h>

#include "core/wire/cursor.h"
#include "tests/scenario/common.h"

static struct pair world;

/* ---- U14 ---- */

/* Newest control number and FEEDBACK of B, newest SYNC and DATA of A. */
struct ear {
	uint32_t num;
	struct flux_feedback feedback;
	uint64_t next;
};

static struct ear ear;

static struct sim_fate listen_to_reader(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct sim_view view;

	(void)ctx;
	(void)now;
	sim_view_decode(&view, packet->data, packet->len);
	if (view.header.type != FLUX_PKT_DATA && view.header.type < FLUX_PKT_RESET)
		ear.num = view.header.num;
	if (view.header.type == FLUX_PKT_FEEDBACK)
		ear.feedback = view.feedback;
	return (struct sim_fate){ 0 };
}

static struct sim_fate listen_to_writer(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct sim_view view;

	(void)ctx;
	(void)now;
	sim_view_decode(&view, packet->data, packet->len);
	if (view.header.type != FLUX_PKT_DATA && view.header.type < FLUX_PKT_RESET)
		ear.num = view.header.num;
	if (view.header.type == FLUX_PKT_SYNC && view.sync.next > ear.next)
		ear.next = view.sync.next;
	return (struct sim_fate){ 0 };
}

static void put_ranges(struct flux_writer *w, uint64_t skip, uint64_t run)
{
	flux_write_varint(w, skip);
	flux_write_varint(w, run);
}

/* One absurdity of FEEDBACK after the other. */
static void lie_to_writer(void *ctx, uint64_t kind)
{
	struct flux_header header = { .type = FLUX_PKT_FEEDBACK, .num = ear.num + 300 };
	struct flux_feedback fb = ear.feedback;
	uint8_t body[128];
	struct flux_writer w;

	(void)ctx;
	fb.n = 0;
	fb.echo_dly = FLUX_NO_ECHO;
	flux_writer_init(&w, body, sizeof(body));
	switch (kind) {
	case 0:
		fb.ack = UINT64_MAX;
		break;
	case 1:
		fb.ack += 100000;
		fb.high = (uint32_t)fb.ack;
		break;
	case 2:
		fb.high += 50000;
		break;
	case 3:
		fb.high = (uint32_t)fb.ack - 5000;
		break;
	case 4:
		fb.window = UINT32_MAX;
		break;
	default:
		break;
	}
	flux_feedback_encode(&fb, &w);
	if (kind >= 5) {
		body[35] = 1;
		/* A range of 2^31, one that runs round the numbers, one beyond high. */
		put_ranges(&w, kind == 7 ? 1000000 : 0, kind == 5 ? 1u << 31 : kind == 6 ? UINT64_MAX :
											   1);
	}
	sim_inject(&world.sim, world.a,
		   forge(&world.sim, world.b, world.a, &header, body, (uint32_t)(w.pos - body)), 0);
}

#define LIES 8u

static void test_U14_absurd_feedback(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5), .loss = 0.01 };
	struct sim_plan plan = plan_steady(10000, 200, FLUX_MS(1));
	struct sim_session *session;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		uint64_t resent;

		pair_open(&world, seed, &link);
		sim_link(&world.sim, world.b, world.a)->cfg.script = listen_to_reader;
		session = sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_MS(500));
		for (uint32_t i = 0; i < LIES; i++)
			sim_at(&world.sim, world.sim.now + (i + 1) * FLUX_S(1), lie_to_writer, NULL, i);
		pair_run_done(&world, FLUX_S(20));
		assert_int_equal(host_stats(world.a).rx_out_of_range, LIES);
		resent = sim_session_stats(session).retransmitted;
		assert_true(resent <= pair_out(&world)->data_missed);
		assert_false(session->closed);
		pair_close(&world);
	}
}

static void lie_to_reader(void *ctx, uint64_t kind)
{
	struct flux_header header = { .type = FLUX_PKT_SYNC, .num = ear.num + 300 };
	struct flux_sync sync = { .next = ear.next, .floor = ear.next, .gsize = 1 };
	uint8_t body[128];
	struct flux_writer w;

	(void)ctx;
	if (kind == 0)
		sync.next += 1u << 20;
	else if (kind == 1)
		sync.floor = sync.next + 1;
	else if (kind == 2)
		sync.next = sync.floor = UINT64_MAX;
	else
		sync.flags = FLUX_SYNC_REPAIRING | FLUX_SYNC_SKIPPED;
	flux_writer_init(&w, body, sizeof(body));
	flux_sync_encode(&sync, &w);
	if (kind == 3) {
		body[35] = 1;
		put_ranges(&w, 0, UINT64_MAX);
	}
	sim_inject(&world.sim, world.b,
		   forge(&world.sim, world.a, world.b, &header, body, (uint32_t)(w.pos - body)), 0);
}

static void test_U14_absurd_sync(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(5) };
	struct sim_plan plan = plan_steady(500, 200, FLUX_MS(10));
	struct flux_endpoint_stats stats;

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		pair_open(&world, seed, &link);
		sim_link(&world.sim, world.a, world.b)->cfg.script = listen_to_writer;
		ear.next = 0;
		sim_connect(world.a, world.b, &plan, NULL);
		pair_run(&world, FLUX_MS(500));
		for (uint32_t i = 0; i < 4; i++)
			sim_at(&world.sim, world.sim.now + (i + 1) * FLUX_S(1), lie_to_reader, NULL, i);
		pair_run_done(&world, FLUX_S(20));
		stats = host_stats(world.b);
		assert_int_equal(stats.rx_out_of_range + stats.rx_malformed, 4);
		pair_close(&world);
	}
}

/* ---- every bit ---- */

#define TYPES   16u
#define SAMPLES 2u /* packets of each type and direction that are tried */

struct flipper {
	struct sim_host *to;
	uint32_t seen[TYPES];
	uint64_t harmful; /* clones that no checksum lets pass */
};

/* Hand the receiver every variant of the packet with one bit wrong, then let the packet itself go its way. */
static struct sim_fate flip_each_bit(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct flipper *flipper = ctx;
	uint8_t type = packet->data[1] & 15;

	(void)now;
	if (flipper->seen[type]++ >= SAMPLES)
		return (struct sim_fate){ 0 };
	for (uint32_t bit = 0; bit < packet->len * 8; bit++) {
		struct sim_packet *twin = sim_packet_clone(packet);

		twin->data[bit / 8] = (uint8_t)(twin->data[bit / 8] ^ 1u << bit % 8);
		twin->damaged = bit != 15; /* the RTX bit is not covered: the packet is authentic without */
		flipper->harmful += twin->damaged;
		sim_inject(&world.sim, flipper->to, twin, bit);
	}
	return (struct sim_fate){ 0 };
}

static void arm(struct flipper *flipper, struct sim_host *from, struct sim_host *to)
{
	memset(flipper, 0, sizeof(*flipper));
	flipper->to = to;
	sim_link(&world.sim, from, to)->cfg.script = flip_each_bit;
	sim_link(&world.sim, from, to)->cfg.script_ctx = flipper;
}

static uint64_t refused(const struct sim_host *host)
{
	struct flux_endpoint_stats stats = host_stats(host);

	return stats.rx_malformed + stats.rx_bad_checksum + stats.rx_unknown + stats.rx_out_of_state +
	       stats.rx_out_of_range + stats.rx_replayed + stats.sessions_refused;
}

static void test_every_single_bit_is_harmless(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(2), .loss = 0.05 };
	struct sim_plan plan = plan_steady(200, 30, FLUX_MS(1));
	static const uint8_t expected[] = { FLUX_PKT_DATA, FLUX_PKT_FEEDBACK, FLUX_PKT_SYNC, FLUX_PKT_PING, FLUX_PKT_PONG };
	struct flipper out, back;

	(void)state;
	for (uint64_t seed = 0; seed < 3; seed++) {
		struct sim_session *a, *b;

		pair_open(&world, seed, &link);
		arm(&out, world.a, world.b);
		arm(&back, world.b, world.a);
		world.a->app = (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
		a = sim_connect(world.a, world.b, &plan, &plan);
		pair_run_done(&world, FLUX_S(20));
		b = sim_session_with(world.b, world.a);
		assert_int_equal(a->reason, 0);
		assert_null(b->next);
		for (size_t i = 0; i < sizeof(expected); i++)
			assert_true(out.seen[expected[i]] > 0 && back.seen[expected[i]] > 0);
		assert_true(out.seen[FLUX_PKT_HELLO] > 0 && out.seen[FLUX_PKT_CLOSE] > 0);
		assert_true(back.seen[FLUX_PKT_COOKIE] > 0 && back.seen[FLUX_PKT_WELCOME] > 0);
		/* A wrong number can look like an old one: such DATA is a duplicate, told by no checksum. */
		assert_true(refused(world.b) > out.harmful * 9 / 10);
		assert_true(refused(world.a) > back.harmful * 9 / 10);
		pair_close(&world);
	}
}

/* Noise of every length at both ports, before, during and after a session. */
static void test_noise_is_counted(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(2) };
	struct sim_plan plan = plan_steady(300, 100, FLUX_MS(1));
	struct sim_pcg chance;

	(void)state;
	pair_open(&world, 5, &link);
	sim_pcg_init(&chance, 5, 5);
	for (uint32_t i = 0; i < 20000; i++) {
		struct sim_host *to = world.sim.hosts[i % 2];
		struct sim_packet *packet = sim_packet_new(NULL, (uint32_t)sim_pcg_below(&chance, 1500));

		for (uint32_t k = 0; k < packet->len; k++)
			packet->data[k] = (uint8_t)sim_pcg_u32(&chance);
		/* Half of them begin as ours do. */
		if (packet->len > 16 && i % 4 < 2)
			packet->data[0] = 9;
		packet->from = world.sim.hosts[!(i % 2)]->addr;
		packet->to = to->addr;
		packet->damaged = true;
		sim_inject(&world.sim, to, packet, i * FLUX_US(25));
	}
	sim_connect(world.a, world.b, &plan, &plan);
	pair_run_done(&world, FLUX_S(5));
	pair_run(&world, FLUX_S(1));
	assert_true(refused(world.a) >= 9990 && refused(world.b) >= 9990);
	pair_close(&world);
}

/* Packets of the session from another address: what is authentic in them does not move the session there. */
static void test_an_address_that_changes_is_not_followed(void **state)
{
	const struct sim_link_cfg link = { .delay = FLUX_MS(2) };
	struct sim_plan plan = plan_steady(3000, 100, FLUX_MS(1));

	(void)state;
	for (uint64_t seed = 0; seed < 9; seed++) {
		struct sim_host *third;
		uint64_t heard;

		pair_open(&world, seed, &link);
		third = sim_host_add(&world.sim, &world.a_cfg);
		sim_connect(world.a, world.b, &plan, &plan);
		pair_run(&world, FLUX_MS(500));
		heard = world.b->fed;
		sim_link(&world.sim, world.a, world.b)->cfg.rewrite = third->addr;
		pair_run(&world, FLUX_S(1));
		assert_true(world.b->fed > heard + 50);
		assert_true(host_stats(world.b).rx_unknown > 50);
		/* Answers to a stranger: no more than a few RESETs, each shorter than its question. */
		assert_in_range(third->fed, 0, 30);
		sim_link(&world.sim, world.a, world.b)->cfg.rewrite.family = 0;
		pair_run_done(&world, FLUX_S(20));
		pair_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U14_absurd_feedback),
		cmocka_unit_test(test_U14_absurd_sync),
		cmocka_unit_test(test_every_single_bit_is_harmless),
		cmocka_unit_test(test_noise_is_counted),
		cmocka_unit_test(test_an_address_that_changes_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
