/* SPDX-License-Identifier: MIT */
/* The arithmetic of fluxperf: histogram, items, a reader's books, which items are timed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/hist.h"
#include "perf/check.h"
#include "perf/stage.h"

static void test_histogram_of_nothing(void **state)
{
	static struct hist hist;

	(void)state;
	assert_int_equal(hist_percentile(&hist, 0.5), 0);
	assert_int_equal(hist_percentile(&hist, 1), 0);
}

static void test_histogram_is_exact_while_small(void **state)
{
	static struct hist hist;

	(void)state;
	for (uint64_t ns = 0; ns < 64; ns++)
		hist_add(&hist, ns);
	assert_int_equal(hist.count, 64);
	assert_int_equal(hist_percentile(&hist, 0), 0);
	assert_int_equal(hist_percentile(&hist, 0.5), 32);
	assert_int_equal(hist_percentile(&hist, 1), 63);
}

/* Whatever the size, a value is told as itself or up to 1.6 % more. */
static void test_histogram_resolution(void **state)
{
	static struct hist hist;

	(void)state;
	for (uint32_t shift = 0; shift < 63; shift++) {
		uint64_t value = (UINT64_C(1) << shift) + (UINT64_C(1) << shift) / 3;
		uint64_t told;

		memset(&hist, 0, sizeof(hist));
		hist_add(&hist, value);
		hist_add(&hist, UINT64_MAX / 2);
		told = hist_percentile(&hist, 0.25);
		assert_true(told >= value);
		assert_true(told - value <= value / 64);
		assert_int_equal(hist_percentile(&hist, 1), UINT64_MAX / 2);
	}
}

static void test_histograms_merge(void **state)
{
	static struct hist one, two;

	(void)state;
	for (uint64_t ns = 1; ns <= 1000; ns++)
		hist_add(ns % 2 ? &one : &two, ns);
	hist_merge(&one, &two);
	assert_int_equal(one.count, 1000);
	assert_int_equal(one.max, 1000);
	assert_in_range(hist_percentile(&one, 0.5), 500, 510);
	assert_in_range(hist_percentile(&one, 0.99), 990, 1000);
}

static void test_items(void **state)
{
	uint8_t item[72];

	(void)state;
	for (uint32_t len = ITEM_LEAST; len <= 64; len++)
		for (uint32_t writer = 0; writer < 64; writer += 21) {
			uint64_t id = item_id(writer, len * UINT64_C(1000003));

			memset(item, 0xa5, sizeof(item));
			item_fill(item, len, id);
			assert_int_equal(item_read_id(item), id);
			assert_int_equal(ITEM_WRITER(id), writer);
			assert_int_equal(ITEM_SEQ(id), len * UINT64_C(1000003));
			assert_int_equal(item_sum(item, len), item_expect(len, id));
			assert_int_equal(item[len], 0xa5);
			for (uint32_t i = 0; i < len; i++) {
				item[i] ^= 0x10;
				assert_int_not_equal(item_sum(item, len), item_expect(len, id));
				item[i] ^= 0x10;
			}
		}
}

static void test_lengths(void **state)
{
	uint32_t least = UINT32_MAX, most = 0;

	(void)state;
	assert_int_equal(item_len(123, ITEM_LEAST), ITEM_LEAST);
	for (uint64_t id = 0; id < 10000; id++) {
		uint32_t len = item_len(id, 100);

		assert_int_equal(len, item_len(id, 100));
		least = len < least ? len : least;
		most = len > most ? len : most;
	}
	assert_int_equal(least, ITEM_LEAST);
	assert_int_equal(most, 100);
}

/* ---- Books ---- */

static void come(struct check *check, uint32_t writer, uint64_t seq)
{
	uint64_t id = item_id(writer, seq);

	check_item(check, id, 64, item_expect(64, id));
}

static bool verdict(const struct check *check, uint64_t items, uint64_t *lost)
{
	struct check_total total = { 0, 0 };

	check_expect(&total, 0, items, 1);
	return check_verdict(check, &total, lost);
}

static void test_all_came(void **state)
{
	struct check check = { .received = 0 };
	struct check_total total = { 0, 0 };
	uint64_t lost;

	(void)state;
	for (uint64_t seq = 0; seq < 100; seq++) {
		come(&check, 3, seq);
		come(&check, 63, 2 * seq);
		come(&check, 63, 2 * seq + 1);
	}
	check_expect(&total, 3, 100, 1);
	check_expect(&total, 63, 200, 1);
	assert_true(check_verdict(&check, &total, &lost));
	assert_int_equal(lost, 0);
	assert_int_equal(check.bytes, 300 * 64);
}

static void test_a_run_is_many_single_ones(void **state)
{
	struct check runs = { .received = 0 }, singles = { .received = 0 };
	uint64_t lost;

	(void)state;
	for (uint64_t seq = 0; seq < 77; seq++)
		come(&singles, 0, seq);
	check_run(&runs, 1, 64);
	check_run(&runs, 70, 64);
	check_run(&runs, 6, 64);
	assert_memory_equal(&runs, &singles, sizeof(runs));
	assert_true(verdict(&runs, 77, &lost));
}

static void test_lost_ones(void **state)
{
	struct check check = { .received = 0 };
	uint64_t lost;

	(void)state;
	come(&check, 0, 0);
	come(&check, 0, 2);
	come(&check, 0, 5);
	assert_false(verdict(&check, 7, &lost));
	assert_int_equal(lost, 4);
	assert_int_equal(check.disordered + check.damaged, 0);
}

static void test_repeated_and_late_ones(void **state)
{
	struct check check = { .received = 0 };
	uint64_t lost;

	(void)state;
	come(&check, 0, 0);
	come(&check, 0, 0);
	come(&check, 0, 2);
	come(&check, 0, 1);
	assert_int_equal(check.received, 2);
	assert_int_equal(check.disordered, 2);
	assert_false(verdict(&check, 3, &lost));
	assert_int_equal(lost, 0);
}

static void test_damaged_ones(void **state)
{
	struct check check = { .received = 0 };
	uint64_t lost;

	(void)state;
	come(&check, 0, 0);
	check_item(&check, 1, 64, item_expect(64, 1) + 1);
	check_item(&check, UINT64_MAX, 64, item_expect(64, UINT64_MAX));
	assert_int_equal(check.received, 1);
	assert_int_equal(check.damaged, 2);
	assert_false(verdict(&check, 3, &lost));
	assert_int_equal(lost, 0);
}

/* Two readers share; one has twice what the other lacks, in order for each: the numbers agree. */
static void test_one_twice_and_one_never(void **state)
{
	struct check one = { .received = 0 }, two = { .received = 0 };
	uint64_t lost;

	(void)state;
	come(&one, 0, 0);
	come(&one, 0, 1);
	come(&two, 0, 1);
	come(&two, 0, 3);
	check_merge(&one, &two);
	assert_int_equal(one.received, 4);
	assert_false(verdict(&one, 4, &lost));
}

static void test_copies(void **state)
{
	struct check one = { .received = 0 }, two = { .received = 0 };
	struct check_total total = { 0, 0 };
	uint64_t lost;

	(void)state;
	check_run(&one, 1000, 8);
	check_run(&two, 1000, 8);
	check_merge(&one, &two);
	check_expect(&total, 0, 1000, 2);
	assert_true(check_verdict(&one, &total, &lost));
}

/* ---- Stamps ---- */

static void test_which_are_timed(void **state)
{
	(void)state;
	assert_true(perf_samples(0, 1));
	assert_false(perf_samples(1, PERF_SAMPLE - 1));
	assert_true(perf_samples(1, PERF_SAMPLE));
	assert_true(perf_samples(PERF_SAMPLE, 1));
	assert_false(perf_samples(PERF_SAMPLE + 1, 1));
	assert_false(perf_samples(PERF_SAMPLE, 0));
	assert_true(perf_samples(5, 10 * PERF_SAMPLE));
}

static void test_each_stamp_is_taken_once(void **state)
{
	const struct perf_options options = { .capacity = 4 * PERF_SAMPLE, .writers = 2, .readers = 1 };
	struct perf_stage *stage = perf_stage_open(&options);
	static struct hist hist;
	uint64_t seq = 0;

	(void)state;
	assert_non_null(stage);
	assert_int_equal(stage->count, 3);
	assert_true(stage->row_mask + 1 >= 6);
	for (int lap = 0; lap < 10; lap++) {
		/* Written at once, read in other pieces. */
		perf_stage_stamp(stage, 1, seq, 4 * PERF_SAMPLE);
		for (uint32_t i = 0; i < 4 * PERF_SAMPLE; i += 64, seq += 64)
			if (perf_samples(seq, 64))
				perf_stage_take(stage, &hist, 1, seq, 64);
	}
	assert_int_equal(hist.count, 40);
	assert_true(hist.max < 60 * UINT64_C(1000000000));
	perf_stage_close(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histogram_of_nothing),
		cmocka_unit_test(test_histogram_is_exact_while_small),
		cmocka_unit_test(test_histogram_resolution),
		cmocka_unit_test(test_histograms_merge),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_all_came),
		cmocka_unit_test(test_a_run_is_many_single_ones),
		cmocka_unit_test(test_lost_ones),
		cmocka_unit_test(test_repeated_and_late_ones),
		cmocka_unit_test(test_damaged_ones),
		cmocka_unit_test(test_one_twice_and_one_never),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_which_are_timed),
		cmocka_unit_test(test_each_stamp_is_taken_once),
	};

	return cmocka_run_group_tests_name("arithmetic of fluxperf", tests, NULL, NULL);
}
