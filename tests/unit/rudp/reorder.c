/* SPDX-License-Identifier: MIT */
/*
 * The tolerance for reordering: learned upwards at once, forgotten slowly, always within its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "core/rudp/reorder.h"

static struct flux_rtt rtt;
static struct flux_reorder r;

static int setup(void **state)
{
	(void)state;
	flux_rtt_init(&rtt, FLUX_MS(1));
	for (int i = 0; i < 100; i++)
		flux_rtt_sample(&rtt, FLUX_S(1), 20000);
	flux_reorder_init(&r);
	flux_reorder_update(&r, &rtt);
	return 0;
}

static void initial(void **state)
{
	struct flux_rtt other;

	(void)state;
	assert_false(r.seen);
	assert_int_equal(r.wait, FLUX_MS(5));
	flux_rtt_init(&other, 0);
	flux_rtt_sample(&other, 1, 40); /* the floor */
	flux_reorder_update(&r, &other);
	assert_int_equal(r.wait, FLUX_US(50));
	flux_rtt_init(&other, 0);
	flux_rtt_sample(&other, 1, 300000); /* the ceiling of what was not learned */
	flux_reorder_update(&r, &other);
	assert_int_equal(r.wait, FLUX_MS(10));
}

static void late_originals(void **state)
{
	(void)state;
	flux_reorder_late_original(&r, &rtt, FLUX_MS(8));
	assert_true(r.seen);
	assert_int_equal(r.wait, FLUX_MS(10));
	flux_reorder_late_original(&r, &rtt, FLUX_MS(2)); /* never down by it */
	assert_int_equal(r.wait, FLUX_MS(10));
	flux_reorder_late_original(&r, &rtt, FLUX_S(4000)); /* srtt is the cap */
	assert_int_equal(r.wait, rtt.srtt);
	assert_int_equal(r.late_originals, 3);
}

static void spurious_repairs(void **state)
{
	(void)state;
	flux_reorder_spurious(&r, &rtt);
	assert_true(r.seen);
	assert_int_equal(r.wait, FLUX_MS(10));
	for (int i = 0; i < 10; i++)
		flux_reorder_spurious(&r, &rtt);
	assert_int_equal(r.wait, rtt.srtt);
	assert_int_equal(r.spurious, 11);
}

/* Sixteen clean repairs make a step down, to the initial wait and no further; one late original starts again. */
static void forgetting(void **state)
{
	(void)state;
	flux_reorder_spurious(&r, &rtt);
	for (int i = 0; i < 15; i++)
		flux_reorder_repaired(&r, &rtt);
	assert_int_equal(r.wait, FLUX_MS(10));
	flux_reorder_late_original(&r, &rtt, 0);
	for (int i = 0; i < 15; i++)
		flux_reorder_repaired(&r, &rtt);
	assert_int_equal(r.wait, FLUX_MS(10));
	flux_reorder_repaired(&r, &rtt);
	assert_int_equal(r.wait, FLUX_US(7500));
	for (int i = 0; i < 64; i++)
		flux_reorder_repaired(&r, &rtt);
	assert_int_equal(r.wait, FLUX_MS(5));
	assert_true(r.seen);
	flux_reorder_update(&r, &rtt);
	assert_int_equal(r.wait, FLUX_MS(5));
}

/* What was learned stays while the RTT moves, within its bounds. */
static void bounds(void **state)
{
	static const uint8_t seed[32] = { 7 };
	struct flux_rng rng;
	flux_ts now = FLUX_S(1);

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 20000; i++) {
		uint32_t x = flux_rng_u32(&rng);
		flux_ts least;

		now += x % FLUX_MS(10);
		switch (x % 5) {
		case 0:
			flux_reorder_late_original(&r, &rtt, x % FLUX_MS(50));
			break;
		case 1:
			flux_reorder_spurious(&r, &rtt);
			break;
		case 2:
			flux_rtt_sample(&rtt, now, (int32_t)(x % 100000));
			flux_reorder_update(&r, &rtt);
			break;
		default:
			flux_reorder_repaired(&r, &rtt);
			break;
		}
		if (x % 5 != 2)
			flux_reorder_update(&r, &rtt);
		least = flux_rtt_min(&rtt) / 4;
		if (least < FLUX_US(50))
			least = FLUX_US(50);
		if (least > FLUX_MS(10))
			least = FLUX_MS(10);
		assert_true(r.wait >= least);
		assert_true(r.wait <= (rtt.srtt > least ? rtt.srtt : least));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(initial, setup),
		cmocka_unit_test_setup(late_originals, setup),
		cmocka_unit_test_setup(spurious_repairs, setup),
		cmocka_unit_test_setup(forgetting, setup),
		cmocka_unit_test_setup(bounds, setup),
	};

	return cmocka_run_group_tests_name("rudp/reorder", tests, NULL, NULL);
}
