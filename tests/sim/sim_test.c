/* SPDX-License-Identifier: MIT */
/* Tests of the simulator's own parts, with a node that only echoes in the place of an endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/heap.h"
#include "tests/sim/link.h"
#include "tests/sim/memory.h"
#include "tests/sim/stream.h"
#include "tests/sim/view.h"

#define PACKETS 20000u

/* What came out of a link. */
struct sink {
	uint64_t count, copies, damaged, resized;
	flux_ts last, min_delay, max_delay;
	flux_ts now; /* when the packet that is under way was sent */
	uint64_t overtaken;
	uint64_t order;
	uint64_t hash;
	uint32_t len;
	struct flux_addr from;
};

static void sink_out(void *ctx, flux_ts when, struct sim_packet *packet)
{
	struct sink *sink = ctx;
	flux_ts delay = when - sink->now;

	if (!sink->count || delay < sink->min_delay)
		sink->min_delay = delay;
	if (delay > sink->max_delay)
		sink->max_delay = delay;
	sink->overtaken += when < sink->last;
	sink->last = when;
	sink->count++;
	sink->copies += packet->copy;
	sink->damaged += packet->damaged;
	sink->resized += packet->len != sink->len;
	sink->from = packet->from;
	sink->hash = sim_hash(sim_mix(sink->hash, when), packet->data, packet->len);
	free(packet);
}

static struct sim_packet *data_packet(uint32_t len, uint32_t num)
{
	struct sim_packet *packet = sim_packet_new(NULL, len);
	struct flux_header header = { .version = 1, .type = FLUX_PKT_DATA, .cid = 7, .num = num };

	flux_header_encode(&header, packet->data);
	for (uint32_t i = FLUX_HEADER_LEN; i < len; i++)
		packet->data[i] = (uint8_t)(num + i * 31);
	return packet;
}

/* Send `n` packets of 1000 bytes, one each `gap`, through a link so configured. */
static struct sim_link_stats pass(struct sink *sink, const struct sim_link_cfg *cfg, uint32_t n, flux_ts gap)
{
	struct sim_link link;

	memset(sink, 0, sizeof(*sink));
	sink->len = 1000;
	sim_link_init(&link, 1, 1, sink_out, sink);
	link.cfg = *cfg;
	for (uint32_t i = 0; i < n; i++) {
		sink->now = FLUX_S(1) + i * gap;
		sim_link_send(&link, sink->now, data_packet(1000, i));
	}
	sim_link_fini(&link);
	return link.stats;
}

static void assert_share(uint64_t part, uint64_t all, double expected)
{
	double share = (double)part / (double)all;

	assert_true(share > expected * 0.9 - 0.001 && share < expected * 1.1 + 0.001);
}

static void test_pcg_streams_differ_and_repeat(void **state)
{
	struct sim_pcg a, b, c;
	uint64_t equal = 0;

	(void)state;
	sim_pcg_init(&a, 5, 1);
	sim_pcg_init(&b, 5, 1);
	sim_pcg_init(&c, 5, 2);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t x = sim_pcg_u32(&a);

		assert_int_equal(x, sim_pcg_u32(&b));
		equal += x == sim_pcg_u32(&c);
	}
	assert_true(equal < 2);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t x = sim_pcg_range(&a, 10, 12);

		assert_in_range(x, 10, 12);
		assert_int_equal(sim_pcg_below(&a, 0), 0);
	}
}

static void test_heap_keeps_time_then_order(void **state)
{
	struct sim_heap heap;
	struct sim_pcg pcg;
	flux_ts time = 0;
	uint64_t serial = 0;

	(void)state;
	sim_pcg_init(&pcg, 1, 1);
	sim_heap_init(&heap);
	assert_true(sim_heap_first(&heap) == FLUX_NEVER);
	for (uint64_t i = 0; i < 5000; i++)
		sim_heap_push(&heap, sim_pcg_below(&pcg, 300), NULL, NULL, i);
	for (uint64_t i = 0; i < 5000; i++) {
		struct sim_call call = sim_heap_pop(&heap);

		assert_true(call.time > time || (call.time == time && (i == 0 || call.arg > serial)));
		time = call.time;
		serial = call.arg;
	}
	assert_int_equal(heap.count, 0);
	sim_heap_fini(&heap);
}

static void test_link_without_faults_is_a_wire(void **state)
{
	const struct sim_link_cfg cfg = { .delay = FLUX_MS(3) };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, 1000, 1000);

	(void)state;
	assert_int_equal(sink.count, 1000);
	assert_int_equal(sink.min_delay, FLUX_MS(3));
	assert_int_equal(sink.max_delay, FLUX_MS(3));
	assert_int_equal(sink.damaged + sink.resized + sink.copies + sink.overtaken, 0);
	assert_int_equal(stats.data_sent, 1000);
	assert_int_equal(stats.data_missed, 0);
}

static void test_link_loss_iid(void **state)
{
	const struct sim_link_cfg cfg = { .loss = 0.05 };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, PACKETS, 1000);

	(void)state;
	assert_share(stats.lost, PACKETS, 0.05);
	assert_int_equal(stats.lost + sink.count, PACKETS);
	assert_int_equal(stats.data_missed, stats.lost);
}

static void test_link_loss_in_bursts(void **state)
{
	/* In the bad state for 20 packets on average, a twentieth of the time. */
	const struct sim_link_cfg cfg = { .burst = { 1.0 / 380, 1.0 / 20, 1.0, 0.0 } };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, 10 * PACKETS, 1000);
	double share = (double)stats.lost / (10 * PACKETS);

	(void)state;
	assert_true(share > 0.04 && share < 0.06);
}

static void test_link_rate_and_queue(void **state)
{
	/* 1 ms a packet, and room for four of them. */
	struct sim_link_cfg cfg = { .rate_bps = 1000000, .queue_bytes = 4000 };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, 1000, FLUX_US(500));

	(void)state;
	assert_share(stats.queue_full, 1000, 0.5);
	assert_int_equal(sink.overtaken, 0);
	assert_in_range(sink.max_delay, FLUX_MS(3), FLUX_MS(4));
	stats = pass(&sink, &cfg, 1000, FLUX_MS(1));
	assert_int_equal(stats.queue_full, 0);
	assert_int_equal(sink.max_delay, FLUX_MS(1));
}

static void test_link_jitter_and_reorder(void **state)
{
	struct sim_link_cfg cfg = { .delay = FLUX_MS(50), .jitter = FLUX_MS(2) };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, PACKETS, FLUX_US(100));

	(void)state;
	assert_in_range(sink.min_delay, FLUX_MS(50), FLUX_MS(50) + FLUX_US(20));
	assert_in_range(sink.max_delay, FLUX_MS(52) - FLUX_US(20), FLUX_MS(52));
	assert_true(sink.overtaken > PACKETS / 4);
	cfg = (struct sim_link_cfg){ .reorder = 0.02, .reorder_delay = FLUX_MS(5) };
	stats = pass(&sink, &cfg, PACKETS, FLUX_MS(1));
	assert_share(stats.reordered, PACKETS, 0.02);
	assert_true(sink.overtaken > 0 && sink.overtaken <= stats.reordered);
}

static void test_link_duplicates(void **state)
{
	const struct sim_link_cfg cfg = { .duplicate = 0.2, .duplicate_delay = FLUX_MS(1) };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, PACKETS, 1000);

	(void)state;
	assert_share(sink.copies, PACKETS, 0.2);
	assert_int_equal(stats.duplicated, sink.copies);
	assert_int_equal(sink.count, PACKETS + sink.copies);
	assert_int_equal(stats.data_missed, 0);
}

static void test_link_corrupts_and_says_so(void **state)
{
	const struct sim_link_cfg cfg = { .corrupt = 0.1 };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, PACKETS, 1000);

	(void)state;
	assert_share(sink.damaged, PACKETS, 0.1);
	assert_share(sink.resized, PACKETS, 0.05);
	/* A splice from the first byte is an older packet, whole. */
	assert_in_range(sink.damaged, stats.corrupted - 10, stats.corrupted);
	assert_int_equal(stats.data_missed, stats.corrupted);
}

static struct sim_fate third_and_fifth(void *ctx, flux_ts now, struct sim_packet *packet)
{
	struct sim_view view;

	(void)ctx;
	(void)now;
	sim_view_decode(&view, packet->data, packet->len);
	return (struct sim_fate){ .drop = view.header.num == 2, .copies = view.header.num == 4 ? 2 : 0 };
}

static void test_link_mtu_partition_script_rewrite(void **state)
{
	struct sim_link_cfg cfg = { .mtu = 999 };
	struct sink sink;
	struct sim_link_stats stats = pass(&sink, &cfg, 10, 1000);

	(void)state;
	assert_int_equal(stats.too_big, 10);
	cfg = (struct sim_link_cfg){ .down = { { FLUX_S(1) + 2000, FLUX_S(1) + 5000 } } };
	stats = pass(&sink, &cfg, 10, 1000);
	assert_int_equal(stats.cut, 3);
	cfg = (struct sim_link_cfg){ .script = third_and_fifth };
	cfg.rewrite.family = 4;
	cfg.rewrite.port = 99;
	stats = pass(&sink, &cfg, 10, 1000);
	assert_int_equal(stats.scripted, 1);
	assert_int_equal(sink.count, 11);
	assert_int_equal(sink.from.port, 99);
}

static void test_link_chances_do_not_shift_each_other(void **state)
{
	const struct sim_link_cfg plain = { .jitter = FLUX_MS(1) };
	struct sim_link_cfg copies = { .jitter = FLUX_MS(1), .reorder = 0.5, .loss = 0 };
	struct sink a, b;

	(void)state;
	pass(&a, &plain, 1000, 1000);
	pass(&b, &copies, 1000, 1000);
	assert_true(a.hash == b.hash);
}

/* ---- two nodes that echo ---- */

struct echo {
	struct sim_heap heap;
	flux_ts now;
	struct sim_link link[2]; /* link[i] leads to node i */
	struct echo_node {
		struct echo *world;
		uint32_t index;
		uint64_t heard;
	} node[2];
	uint64_t hash;
};

static void echo_hear(void *ctx, uint64_t arg)
{
	struct echo_node *node = ctx;
	struct echo *world = node->world;
	struct sim_packet *packet = (struct sim_packet *)(uintptr_t)arg;

	node->heard++;
	world->hash = sim_mix(sim_hash(world->hash, packet->data, packet->len), world->now);
	packet->data[20]++;
	sim_link_send(&world->link[!node->index], world->now, packet);
}

static void echo_out(void *ctx, flux_ts when, struct sim_packet *packet)
{
	struct echo_node *node = ctx;

	sim_heap_push(&node->world->heap, when, echo_hear, node, (uintptr_t)packet);
}

static uint64_t echo_run(uint64_t seed)
{
	struct echo world = { .now = 0 };

	sim_heap_init(&world.heap);
	for (uint32_t i = 0; i < 2; i++) {
		world.node[i].world = &world;
		world.node[i].index = i;
		sim_link_init(&world.link[i], seed, i, echo_out, &world.node[i]);
		world.link[i].cfg = (struct sim_link_cfg){ .delay = 1000, .jitter = 500, .loss = 0.01, .corrupt = 0.01 };
	}
	for (uint32_t i = 0; i < 50; i++)
		sim_link_send(&world.link[0], 0, data_packet(100, i));
	while (world.heap.count) {
		struct sim_call call = sim_heap_pop(&world.heap);

		world.now = call.time;
		if (((struct sim_packet *)(uintptr_t)call.arg)->len > 20)
			call.fn(call.ctx, call.arg);
		else
			free((void *)(uintptr_t)call.arg);
	}
	assert_true(world.node[0].heard > 500 && world.node[1].heard > 500);
	sim_link_fini(&world.link[0]);
	sim_link_fini(&world.link[1]);
	sim_heap_fini(&world.heap);
	return world.hash;
}

static void test_equal_seeds_equal_runs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++) {
		assert_true(echo_run(seed) == echo_run(seed));
		assert_true(echo_run(seed) != echo_run(seed + 1));
	}
}

/* ---- messages ---- */

static void test_messages_follow_from_seed_and_index(void **state)
{
	const struct sim_plan plan = { .count = 500, .sizes = SIM_SIZE_MIX, .size_min = 0, .size_max = 5000 };
	struct sim_stream *stream = sim_stream_new(3, 9, &plan);
	uint8_t bytes[6000];

	(void)state;
	for (uint64_t i = 0; i < sim_stream_total(stream); i++) {
		uint32_t len = sim_stream_len(stream, i);

		assert_in_range(len, 0, 5000);
		sim_stream_fill(stream, i, bytes);
		assert_true(sim_stream_equal(stream, i, bytes, len));
		assert_false(sim_stream_equal(stream, i, bytes, len + 1));
		if (!len)
			continue;
		bytes[len / 2] ^= 4;
		assert_false(sim_stream_equal(stream, i, bytes, len));
		bytes[len / 2] ^= 4;
		if (len > 8)
			assert_false(sim_stream_equal(stream, i + 1, bytes, len));
	}
	sim_stream_fill(stream, 0, bytes);
	assert_int_equal(sim_preamble_id(bytes, SIM_PREAMBLE_LEN), 3);
	assert_int_equal(sim_preamble_id(bytes, SIM_PREAMBLE_LEN - 1), 0);
	sim_stream_free(stream);
}

static void test_powers_of_two_and_neighbours(void **state)
{
	const struct sim_plan plan = { .count = 63, .sizes = SIM_SIZE_POWERS, .size_max = 1u << 20 };
	const uint32_t first[] = { 0, 1, 2, 1, 2, 3, 3, 4, 5, 7, 8, 9 };
	struct sim_stream *stream = sim_stream_new(1, 1, &plan);

	(void)state;
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(sim_stream_len(stream, i + 1), first[i]);
	assert_int_equal(sim_stream_len(stream, 61), (1u << 20) - 1);
	assert_int_equal(sim_stream_len(stream, 62), 1u << 20);
	sim_stream_free(stream);
}

static void test_memory_is_counted(void **state)
{
	struct sim_memory memory;
	void *a, *b;

	(void)state;
	sim_memory_init(&memory);
	a = memory.mem.alloc(memory.mem.ctx, 100);
	b = memory.mem.alloc(memory.mem.ctx, 50);
	assert_int_equal(memory.bytes, 150);
	memory.mem.free(memory.mem.ctx, a, 100);
	assert_int_equal(memory.wrong, 0);
	memory.mem.free(memory.mem.ctx, b, 51);
	assert_int_equal(memory.wrong, 1);
	assert_int_equal(memory.blocks, 0);
	assert_int_equal(memory.peak, 150);
	memory.refuse_at = 3;
	assert_null(memory.mem.alloc(memory.mem.ctx, 1));
}

static void test_view_of_a_feedback(void **state)
{
	struct flux_feedback fb = { .ack = 1000, .window = 64, .high = 1010, .n = 2 };
	struct flux_header header = { .version = 1, .type = FLUX_PKT_FEEDBACK, .cid = 0xAB, .num = 5 };
	uint8_t bytes[128];
	char text[256];
	struct flux_writer w;
	struct sim_view view;

	(void)state;
	fb.ranges[0] = (struct flux_range){ 1000, 1 };
	fb.ranges[1] = (struct flux_range){ 1004, 3 };
	flux_header_encode(&header, bytes);
	flux_writer_init(&w, bytes + FLUX_HEADER_LEN, sizeof(bytes) - FLUX_HEADER_LEN);
	flux_feedback_encode(&fb, &w);
	flux_write_zeros(&w, FLUX_TRAILER_LEN);
	sim_view_decode(&view, bytes, (uint32_t)(w.pos - bytes));
	assert_true(view.ok);
	assert_int_equal(sim_view_high(&view.feedback), 1010);
	sim_view_format(&view, 60, text, sizeof(text));
	assert_string_equal(text, "FEEDBACK 60 cid=000000ab num=5 ack=1000 window=64 high=1010 flags=0"
				  " nak=1000+1,1004+3");
	sim_view_decode(&view, bytes, 30);
	assert_false(view.ok);
	sim_view_decode(&view, bytes, 3);
	assert_false(view.ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcg_streams_differ_and_repeat),
		cmocka_unit_test(test_heap_keeps_time_then_order),
		cmocka_unit_test(test_link_without_faults_is_a_wire),
		cmocka_unit_test(test_link_loss_iid),
		cmocka_unit_test(test_link_loss_in_bursts),
		cmocka_unit_test(test_link_rate_and_queue),
		cmocka_unit_test(test_link_jitter_and_reorder),
		cmocka_unit_test(test_link_duplicates),
		cmocka_unit_test(test_link_corrupts_and_says_so),
		cmocka_unit_test(test_link_mtu_partition_script_rewrite),
		cmocka_unit_test(test_link_chances_do_not_shift_each_other),
		cmocka_unit_test(test_equal_seeds_equal_runs),
		cmocka_unit_test(test_messages_follow_from_seed_and_index),
		cmocka_unit_test(test_powers_of_two_and_neighbours),
		cmocka_unit_test(test_memory_is_counted),
		cmocka_unit_test(test_view_of_a_feedback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
