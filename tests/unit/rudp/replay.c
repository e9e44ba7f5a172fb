/* SPDX-License-Identifier: MIT */
/*
 * Control numbers are taken once: random ones against a set, and every border of the bitmap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/rng.h"
#include "core/rudp/replay.h"

/* As many of the newest are always remembered. */
#define KEPT (FLUX_REPLAY_WINDOW - 64)

static struct flux_replay r;

static int setup(void **state)
{
	(void)state;
	flux_replay_init(&r);
	return 0;
}

static void in_order(void **state)
{
	(void)state;
	assert_false(flux_replay_take(&r, 0)); /* numbers begin at 1 */
	for (uint64_t n = 1; n < 5000; n++) {
		assert_true(flux_replay_take(&r, n));
		assert_false(flux_replay_take(&r, n));
	}
	assert_false(flux_replay_take(&r, 0));
}

static void borders(void **state)
{
	(void)state;
	for (uint64_t next = KEPT + 1; next < 3 * KEPT; next++) {
		flux_replay_init(&r);
		assert_true(flux_replay_take(&r, next - 1));
		assert_false(flux_replay_take(&r, next - KEPT - 1)); /* too old to know */
		assert_true(flux_replay_take(&r, next - KEPT));
		assert_false(flux_replay_take(&r, next - KEPT));
	}
}

/* Jumps forward forget nothing that is still inside, and take over nothing from a lap before. */
static void jumps(void **state)
{
	static const uint64_t steps[] = { 1, 63, 64, 65, 127, 128, 895, 896, 959, 960, 961, 1023, 1024, 1025, 4096 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		for (uint64_t from = 1000; from < 1130; from++) {
			flux_replay_init(&r);
			for (uint64_t n = 1; n <= from; n++)
				assert_true(flux_replay_take(&r, n));
			assert_true(flux_replay_take(&r, from + steps[i]));
			for (uint64_t n = from + 1; n < from + steps[i]; n++)
				if (n + KEPT > from + steps[i])
					assert_true(flux_replay_take(&r, n));
			for (uint64_t n = 1; n <= from + steps[i]; n++)
				assert_false(flux_replay_take(&r, n) && n + KEPT > from + steps[i]);
		}
}

#define NUMBERS (1u << 20)

static void against_a_set(void **state)
{
	static const uint8_t seed[32] = { 8 };
	static uint8_t taken[NUMBERS];
	struct flux_rng rng;
	uint64_t high = 0;

	(void)state;
	flux_rng_init(&rng, seed);
	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < 300000; i++) {
		uint32_t x = flux_rng_u32(&rng), jump = x % 64 ? x % 1200 : x % 5000;
		uint64_t num = high + jump > 1100 ? high + jump - 1100 : jump;
		bool got;

		if (num >= NUMBERS)
			break;
		got = flux_replay_take(&r, num);
		if (num == 0 || taken[num])
			assert_false(got);
		else if (num + KEPT > high)
			assert_true(got);
		taken[num] |= got;
		if (num > high && got)
			high = num;
		assert_int_equal(r.next, high + 1);
	}
}

static void rebuild(void **state)
{
	(void)state;
	assert_int_equal(flux_replay_rebuild(&r, 1), 1);
	assert_true(flux_replay_take(&r, 0xFFFFFFF0));
	assert_int_equal(flux_replay_rebuild(&r, 0xFFFFFFF1), 0xFFFFFFF1);
	assert_int_equal(flux_replay_rebuild(&r, 5), 0x100000005);
	assert_true(flux_replay_take(&r, 0x100000005));
	assert_int_equal(flux_replay_rebuild(&r, 0xFFFFFFF1), 0xFFFFFFF1);
	assert_true(flux_replay_take(&r, 0xFFFFFFF1));
	assert_false(flux_replay_take(&r, 0xFFFFFFF0));
	assert_false(flux_replay_take(&r, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_order, setup),
		cmocka_unit_test_setup(borders, setup),
		cmocka_unit_test_setup(jumps, setup),
		cmocka_unit_test_setup(against_a_set, setup),
		cmocka_unit_test_setup(rebuild, setup),
	};

	return cmocka_run_group_tests_name("rudp/replay", tests, NULL, NULL);
}
