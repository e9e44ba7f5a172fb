/* SPDX-License-Identifier: MIT */
/* fluxrelay's impairment model under fixed seeds: rates, runs, times, queue, independence. */
#include "relay/impair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW     1000000000u
#define PAYLOAD 1100u
#define MS      RELAY_NS_PER_MS

struct tally {
	uint32_t lost;
	uint32_t burst_lost;
	uint32_t bursts;
	uint32_t duplicated;
	uint32_t corrupted;
	uint32_t late; /* held back beyond delay and jitter */
};

static struct relay_impairments settings(void)
{
	return (struct relay_impairments){ .burst_leave = 1, .header_bytes = 28 };
}

/* Decide about `n` datagrams that all arrive at NOW. */
static struct tally run(const struct relay_impairments *set, uint64_t seed, uint32_t n)
{
	struct relay_impair impair;
	struct relay_fate fate;
	struct tally tally = { 0 };
	bool was_burst = false;

	relay_impair_init(&impair, set, seed, 0);
	for (uint32_t i = 0; i < n; i++) {
		bool is_burst;

		relay_impair_decide(&impair, NOW, PAYLOAD, &fate);
		is_burst = fate.verdict == RELAY_BURST_LOST;
		tally.lost += fate.verdict == RELAY_LOST;
		tally.burst_lost += is_burst;
		tally.bursts += is_burst && !was_burst;
		was_burst = is_burst;
		tally.duplicated += fate.passages == 2;
		if (fate.passages == 0)
			continue;
		tally.corrupted += fate.passage[0].flip_bit != RELAY_NO_FLIP;
		tally.late += fate.passage[0].due > NOW + set->delay_ns + set->jitter_ns;
	}
	return tally;
}

static void test_nothing_asked_nothing_done(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair impair;
	struct relay_fate fate;

	(void)state;
	relay_impair_init(&impair, &set, 1, 0);
	for (uint64_t now = NOW; now < NOW + 10000; now++) {
		relay_impair_decide(&impair, now, PAYLOAD, &fate);
		assert_int_equal(fate.verdict, RELAY_PASSED);
		assert_int_equal(fate.passages, 1);
		assert_int_equal(fate.passage[0].due, now);
		assert_int_equal(fate.passage[0].flip_bit, RELAY_NO_FLIP);
		assert_false(fate.passage[0].queue_dropped);
	}
}

/* 200,000 draws: the bounds are four standard deviations wide. */
static void test_rates(void **state)
{
	struct relay_impairments set = settings();
	struct tally tally;

	(void)state;
	set.loss = 0.02;
	tally = run(&set, 1, 200000);
	assert_in_range(tally.lost, 3750, 4250);
	assert_int_equal(tally.burst_lost + tally.duplicated + tally.corrupted + tally.late, 0);

	set.loss = 0;
	set.dup = 0.01;
	set.corrupt = 0.001;
	set.reorder = 0.05;
	tally = run(&set, 2, 200000);
	assert_in_range(tally.duplicated, 1822, 2178);
	assert_in_range(tally.corrupted, 144, 256);
	assert_in_range(tally.late, 9610, 10390);
	assert_int_equal(tally.lost, 0);
}

static void test_certain_and_impossible(void **state)
{
	struct relay_impairments set = settings();

	(void)state;
	set.loss = 1;
	assert_int_equal(run(&set, 1, 1000).lost, 1000);
	set.loss = 0;
	set.dup = set.corrupt = set.reorder = 1;
	assert_int_equal(run(&set, 1, 1000).duplicated, 1000);
	assert_int_equal(run(&set, 1, 1000).corrupted, 1000);
	assert_int_equal(run(&set, 1, 1000).late, 1000);
}

/* Gilbert-Elliott: P / (P + R) is lost, in runs of 1 / R. */
static void test_bursts(void **state)
{
	struct relay_impairments set = settings();
	struct tally tally;

	(void)state;
	set.burst_enter = 0.005;
	set.burst_leave = 0.2;
	tally = run(&set, 3, 1000000);
	assert_in_range(tally.burst_lost, 23000, 25800); /* 24,390 */
	assert_in_range(tally.burst_lost * 100 / tally.bursts, 480, 520);
	assert_int_equal(tally.lost, 0);
}

static void test_jitter_and_hold_have_bounds(void **state)
{
	static const struct {
		uint32_t delay_ms;
		uint32_t hold_ms;
	} cases[] = { { 0, 1 }, { 5, 1 }, { 100, 10 } };
	struct relay_impair impair;
	struct relay_fate fate;

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct relay_impairments set = settings();
		uint64_t low = UINT64_MAX;
		uint64_t high = 0;

		set.delay_ns = (uint64_t)cases[c].delay_ms * MS;
		set.jitter_ns = 2 * MS;
		set.reorder = 1;
		relay_impair_init(&impair, &set, 4, 0);
		for (int i = 0; i < 20000; i++) {
			relay_impair_decide(&impair, NOW, PAYLOAD, &fate);
			low = fate.passage[0].due < low ? fate.passage[0].due : low;
			high = fate.passage[0].due > high ? fate.passage[0].due : high;
		}
		low -= NOW + set.delay_ns;
		high -= NOW + set.delay_ns;
		assert_in_range(low, 1, (2 + cases[c].hold_ms) * MS / 50);
		assert_in_range(high, (2 + cases[c].hold_ms) * MS / 50 * 49,
				(2 + cases[c].hold_ms) * MS);
	}
}

static void test_jitter_is_uniform(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair impair;
	struct relay_fate fate;
	uint32_t tenth[10] = { 0 };

	(void)state;
	set.jitter_ns = 10 * MS - 1;
	relay_impair_init(&impair, &set, 5, 0);
	for (int i = 0; i < 100000; i++) {
		relay_impair_decide(&impair, NOW, PAYLOAD, &fate);
		tenth[(fate.passage[0].due - NOW) / MS]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenth[i], 9620, 10380);
}

static void test_flipped_bits_are_everywhere(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair impair;
	struct relay_fate fate;
	uint8_t seen[16] = { 0 };

	(void)state;
	set.corrupt = 1;
	relay_impair_init(&impair, &set, 6, 0);
	for (int i = 0; i < 1000; i++) {
		relay_impair_decide(&impair, NOW, 2, &fate);
		assert_in_range(fate.passage[0].flip_bit, 0, 15);
		seen[fate.passage[0].flip_bit] = 1;
	}
	assert_null(memchr(seen, 0, sizeof(seen)));
	relay_impair_decide(&impair, NOW, 0, &fate);
	assert_int_equal(fate.passage[0].flip_bit, RELAY_NO_FLIP);
}

/* 8 Mbit/s are 1,000 ns a byte; 972 bytes of payload make an IP packet of 1,000. */
static void test_queue(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair impair;
	struct relay_fate fate;

	(void)state;
	set.ns_per_byte = 1000;
	set.queue_bytes = 3000;
	set.delay_ns = 5 * MS;
	relay_impair_init(&impair, &set, 7, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		relay_impair_decide(&impair, NOW, 972, &fate);
		assert_false(fate.passage[0].queue_dropped);
		assert_int_equal(fate.passage[0].due, NOW + (5 + i) * MS);
	}
	relay_impair_decide(&impair, NOW, 972, &fate);
	assert_true(fate.passage[0].queue_dropped);
	relay_impair_decide(&impair, NOW + MS - 1, 972, &fate);
	assert_true(fate.passage[0].queue_dropped);
	relay_impair_decide(&impair, NOW + MS, 972, &fate);
	assert_false(fate.passage[0].queue_dropped);
	assert_int_equal(fate.passage[0].due, NOW + 9 * MS);

	/* An idle link takes a datagram of any size; the idle time is not saved up. */
	relay_impair_decide(&impair, NOW + 100 * MS, 9972, &fate);
	assert_false(fate.passage[0].queue_dropped);
	assert_int_equal(fate.passage[0].due, NOW + 115 * MS);
}

static void test_a_copy_queues_behind_its_original(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair impair;
	struct relay_fate fate;

	(void)state;
	set.dup = 1;
	set.ns_per_byte = 1000;
	set.queue_bytes = 1500;
	relay_impair_init(&impair, &set, 8, 0);
	relay_impair_decide(&impair, NOW, 72, &fate);
	assert_int_equal(fate.passages, 2);
	assert_int_equal(fate.passage[0].due, NOW + MS / 10);
	assert_int_equal(fate.passage[1].due, NOW + MS / 5);
	relay_impair_decide(&impair, NOW + MS, 972, &fate);
	assert_false(fate.passage[0].queue_dropped);
	assert_true(fate.passage[1].queue_dropped);
}

static void test_mtu_counts_headers(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair impair;
	struct relay_fate fate;

	(void)state;
	set.mtu_bytes = 1500;
	relay_impair_init(&impair, &set, 9, 0);
	relay_impair_decide(&impair, NOW, 1472, &fate);
	assert_int_equal(fate.verdict, RELAY_PASSED);
	relay_impair_decide(&impair, NOW, 1473, &fate);
	assert_int_equal(fate.verdict, RELAY_MTU_DROPPED);
	assert_int_equal(fate.passages, 0);
}

static void test_a_seed_repeats_a_run(void **state)
{
	struct relay_impairments set = settings();
	struct relay_impair same[2];
	struct relay_impair other_seed;
	struct relay_impair other_direction;
	struct relay_fate fate[4];
	uint32_t differs[2] = { 0 };

	(void)state;
	set.loss = set.dup = set.corrupt = set.reorder = 0.5;
	set.jitter_ns = MS;
	relay_impair_init(&same[0], &set, 10, 0);
	relay_impair_init(&same[1], &set, 10, 0);
	relay_impair_init(&other_seed, &set, 11, 0);
	relay_impair_init(&other_direction, &set, 10, 1);
	for (int i = 0; i < 1000; i++) {
		memset(fate, 0, sizeof(fate));
		relay_impair_decide(&same[0], NOW, PAYLOAD, &fate[0]);
		relay_impair_decide(&same[1], NOW, PAYLOAD, &fate[1]);
		relay_impair_decide(&other_seed, NOW, PAYLOAD, &fate[2]);
		relay_impair_decide(&other_direction, NOW, PAYLOAD, &fate[3]);
		assert_memory_equal(&fate[0], &fate[1], sizeof(fate[0]));
		differs[0] += fate[0].verdict != fate[2].verdict;
		differs[1] += fate[0].verdict != fate[3].verdict;
	}
	assert_in_range(differs[0], 437, 563);
	assert_in_range(differs[1], 437, 563);
}

/* Switching one impairment on leaves the choices of all the others where they were. */
static void test_impairments_do_not_shift_each_other(void **state)
{
	struct relay_impairments plain = settings();
	struct relay_impairments harsh;
	struct relay_impair impair[2];
	struct relay_fate fate[2];
	uint32_t both = 0;

	(void)state;
	plain.dup = plain.corrupt = plain.reorder = 0.3;
	plain.jitter_ns = MS;
	harsh = plain;
	harsh.loss = harsh.burst_enter = 0.2;
	harsh.burst_leave = 0.5;
	harsh.mtu_bytes = 500;
	relay_impair_init(&impair[0], &plain, 12, 0);
	relay_impair_init(&impair[1], &harsh, 12, 0);
	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t payload = i % 3 ? 400 : 600;

		memset(fate, 0, sizeof(fate));
		relay_impair_decide(&impair[0], NOW, payload, &fate[0]);
		relay_impair_decide(&impair[1], NOW, payload, &fate[1]);
		assert_int_equal(fate[0].verdict, RELAY_PASSED);
		if (fate[1].verdict != RELAY_PASSED)
			continue;
		both++;
		assert_memory_equal(&fate[0], &fate[1], sizeof(fate[0]));
	}
	assert_in_range(both, 3000, 4600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked_nothing_done),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_certain_and_impossible),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_jitter_and_hold_have_bounds),
		cmocka_unit_test(test_jitter_is_uniform),
		cmocka_unit_test(test_flipped_bits_are_everywhere),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_a_copy_queues_behind_its_original),
		cmocka_unit_test(test_mtu_counts_headers),
		cmocka_unit_test(test_a_seed_repeats_a_run),
		cmocka_unit_test(test_impairments_do_not_shift_each_other),
	};

	return cmocka_run_group_tests_name("fluxrelay impairments", tests, NULL, NULL);
}
