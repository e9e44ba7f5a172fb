/* SPDX-License-Identifier: MIT */
/* The books of fluxperf over the network: which messages are timed, what is right, whose command line it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "perf/net_stage.h"

#define SIZE 100u

static void test_whose_command_line(void **state)
{
	static const char *const net[][4] = {
		{ "x", "udp" },
		{ "x", "rudp", "--size", "7" },
		{ "x", "rtt", "--over", "udp" },
		{ "x", "rtt", "--over=rudp" },
		{ "x", "rtt", "--ov=udp" },
		{ "x", "--json", "rudp" },
	};
	static const char *const rings[][4] = {
		{ "x" },
		{ "x", "ring" },
		{ "x", "rtt", "--over", "ipc" },
		{ "x", "rtt", "--over=ring" },
		{ "x", "rtt" },
		{ "x", "--help" },
		{ "x", "--kind=udp" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(net) / sizeof(net[0]); i++) {
		int argc = net[i][2] ? net[i][3] ? 4 : 3 : 2;

		assert_true(net_options_meant(argc, (char *const *)(uintptr_t)net[i]));
	}
	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		int argc = rings[i][1] ? rings[i][2] ? rings[i][3] ? 4 : 3 : 2 : 1;

		assert_false(net_options_meant(argc, (char *const *)(uintptr_t)rings[i]));
	}
}

static struct net_stage *stage_at(uint64_t rate, bool rtt)
{
	static struct net_options options;
	struct net_stage *stage;

	options = (struct net_options){ .size = SIZE, .rate = rate, .rtt = rtt };
	stage = net_stage_open(&options);
	assert_non_null(stage);
	return stage;
}

static uint32_t sample_at(uint64_t rate, bool rtt)
{
	struct net_stage *stage = stage_at(rate, rtt);
	uint32_t sample = stage->sample;

	net_stage_close(stage);
	return sample;
}

/* All where that is cheap; never more in a second than there are stamps for. */
static void test_which_are_timed(void **state)
{
	(void)state;
	assert_int_equal(sample_at(0, false), NET_SAMPLE);
	assert_int_equal(sample_at(0, true), 1);
	assert_int_equal(sample_at(1000, false), 1);
	assert_int_equal(sample_at(NET_STAMPS_RATE, false), 1);
	assert_int_equal(sample_at(NET_STAMPS_RATE * 2, false), 2);
	assert_int_equal(sample_at(1u << 30, false), NET_SAMPLE);
	for (uint64_t rate = 1; rate < 16 * 1000 * 1000; rate = rate * 3 + 1)
		assert_true(rate / sample_at(rate, false) <= NET_STAMPS_RATE);
}

static void test_what_was_written_is_right(void **state)
{
	struct net_stage *stage = stage_at(0, false);
	struct net_party *from = &stage->parties[NET_SENDER], *to = &stage->parties[NET_RECEIVER];
	uint8_t message[SIZE];

	(void)state;
	for (uint64_t seq = 0; seq < 3 * NET_SAMPLE; seq++) {
		net_item_write(stage, from, message);
		assert_int_equal(net_item_take(stage, to, message, SIZE), seq);
	}
	assert_int_equal(from->written, 3 * NET_SAMPLE);
	assert_int_equal(to->check.received, 3 * NET_SAMPLE);
	assert_int_equal(to->check.bytes, 3 * NET_SAMPLE * SIZE);
	assert_int_equal(to->check.damaged + to->check.disordered, 0);
	assert_int_equal(to->hist.count, 3);
	assert_true(to->hist.max < UINT64_C(60000000000));
	assert_true(to->end_ns > 0);
	net_stage_close(stage);
}

static void test_what_is_wrong_is_counted(void **state)
{
	struct net_stage *stage = stage_at(0, false);
	struct net_party *from = &stage->parties[NET_SENDER], *to = &stage->parties[NET_RECEIVER];
	uint8_t first[SIZE], second[SIZE];

	(void)state;
	net_item_write(stage, from, first);
	net_item_write(stage, from, second);
	/* Cut, or nothing at all: what is left would be right for its own length. */
	assert_int_equal(net_item_take(stage, to, first, SIZE - 1), ITEM_MOST_SEQ);
	assert_int_equal(net_item_take(stage, to, first, 8), ITEM_MOST_SEQ);
	assert_int_equal(net_item_take(stage, to, first, 0), ITEM_MOST_SEQ);
	assert_int_equal(to->check.damaged, 3);
	/* The later one first, and then twice. */
	assert_int_equal(net_item_take(stage, to, second, SIZE), 1);
	assert_int_equal(net_item_take(stage, to, first, SIZE), ITEM_MOST_SEQ);
	assert_int_equal(net_item_take(stage, to, second, SIZE), ITEM_MOST_SEQ);
	assert_int_equal(to->check.disordered, 2);
	for (uint32_t i = 0; i < SIZE; i++) {
		uint8_t damaged[SIZE];

		memcpy(damaged, second, SIZE);
		damaged[i] ^= 0x40;
		assert_int_equal(net_item_take(stage, to, damaged, SIZE), ITEM_MOST_SEQ);
	}
	assert_int_equal(to->check.damaged, 3 + SIZE);
	assert_int_equal(to->check.received, 1);
	net_stage_close(stage);
}

/* From the first sign to the first end, and once. */
static void test_processor_time(void **state)
{
	struct net_cpu cpu = { .msgs = 0 };
	uint64_t ns;

	(void)state;
	net_cpu_end(&cpu, 7);
	assert_int_equal(cpu.msgs, 0);
	net_cpu_begin(&cpu);
	net_cpu_end(&cpu, 7);
	assert_int_equal(cpu.msgs, 7);
	ns = cpu.ns;
	net_cpu_begin(&cpu);
	net_cpu_end(&cpu, 8);
	assert_int_equal(cpu.msgs, 7);
	assert_int_equal(cpu.ns, ns);
}

static void test_places_are_told(void **state)
{
	struct net_stage *stage = stage_at(0, false);

	(void)state;
	assert_false(net_place_known(&stage->receiver));
	net_place_tell(&stage->receiver, "127.0.0.1:7000");
	assert_true(net_place_known(&stage->receiver));
	assert_string_equal(stage->receiver.addr, "127.0.0.1:7000");
	assert_false(net_place_known(&stage->relay));
	net_stage_close(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_command_line),
		cmocka_unit_test(test_which_are_timed),
		cmocka_unit_test(test_what_was_written_is_right),
		cmocka_unit_test(test_what_is_wrong_is_counted),
		cmocka_unit_test(test_processor_time),
		cmocka_unit_test(test_places_are_told),
	};

	return cmocka_run_group_tests_name("fluxperf over the network", tests, NULL, NULL);
}
