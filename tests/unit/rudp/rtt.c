/* SPDX-License-Identifier: MIT */
/*
 * Round-trip times: RFC 6298 by hand, samples that lie, the minimum of 10 to 20 s, and what follows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/rudp/rtt.h"

static void before_any_sample(void **state)
{
	struct flux_rtt r;

	(void)state;
	flux_rtt_init(&r, FLUX_MS(1));
	assert_false(flux_rtt_known(&r));
	assert_int_equal(r.srtt, FLUX_MS(100));
	assert_int_equal(flux_rtt_min(&r), FLUX_MS(100));
	assert_int_equal(flux_rtt_rto(&r), FLUX_MS(300));
	assert_int_equal(flux_rtt_hold(&r), FLUX_MS(50));
}

static void smoothing(void **state)
{
	struct flux_rtt r;

	(void)state;
	flux_rtt_init(&r, 0);
	flux_rtt_sample(&r, 5, 8000);
	assert_true(flux_rtt_known(&r));
	assert_int_equal(r.srtt, FLUX_MS(8));
	assert_int_equal(r.rttvar, FLUX_MS(4));
	flux_rtt_sample(&r, 6, 16000); /* err 8: var 4 - 1 + 2, srtt 8 - 1 + 2 */
	assert_int_equal(r.rttvar, FLUX_MS(5));
	assert_int_equal(r.srtt, FLUX_MS(9));
	flux_rtt_sample(&r, 7, 1000); /* err 8 again, downwards */
	assert_int_equal(r.rttvar, FLUX_US(5750));
	assert_int_equal(r.srtt, FLUX_MS(8));
	assert_int_equal(flux_rtt_min(&r), FLUX_MS(1));
	for (int i = 0; i < 1000; i++)
		flux_rtt_sample(&r, 8, 2000);
	assert_in_range(r.srtt, FLUX_MS(2) - 100, FLUX_MS(2) + 100);
	assert_in_range(r.rttvar, 0, 200);
}

/* The first sample may come at time 0; it is known all the same. */
static void sample_at_zero(void **state)
{
	struct flux_rtt r;

	(void)state;
	flux_rtt_init(&r, 0);
	flux_rtt_sample(&r, 0, 10);
	assert_true(flux_rtt_known(&r));
}

static void lies(void **state)
{
	struct flux_rtt r;

	(void)state;
	flux_rtt_init(&r, 0);
	flux_rtt_sample(&r, 1, -1);
	flux_rtt_sample(&r, 1, INT32_MIN);
	assert_false(flux_rtt_known(&r));
	flux_rtt_sample(&r, 1, 0);
	assert_int_equal(r.srtt, FLUX_US(1));
	flux_rtt_init(&r, 0);
	flux_rtt_sample(&r, 1, INT32_MAX); /* 35 minutes: a process that was stopped */
	assert_int_equal(r.srtt, FLUX_S(3));
	assert_int_equal(flux_rtt_rto(&r), FLUX_S(1));
	for (int i = 0; i < 10000; i++)
		flux_rtt_sample(&r, 1, i % 2 ? INT32_MAX : 0);
	assert_true(r.srtt <= FLUX_S(3) && r.rttvar <= FLUX_S(3));
}

static void minimum(void **state)
{
	struct flux_rtt r;
	flux_ts t = FLUX_S(1000);

	(void)state;
	flux_rtt_init(&r, 0);
	flux_rtt_sample(&r, t, 500);
	for (int i = 1; i < 10; i++)
		flux_rtt_sample(&r, t + FLUX_S(i), 700);
	assert_int_equal(flux_rtt_min(&r), FLUX_US(500));
	flux_rtt_sample(&r, t + FLUX_S(10), 700);
	flux_rtt_sample(&r, t + FLUX_S(19), 600);
	assert_int_equal(flux_rtt_min(&r), FLUX_US(500));
	flux_rtt_sample(&r, t + FLUX_S(20), 900);
	assert_int_equal(flux_rtt_min(&r), FLUX_US(600));
	flux_rtt_sample(&r, t + FLUX_S(100), 900); /* all older ones are too old */
	assert_int_equal(flux_rtt_min(&r), FLUX_US(900));
}

static void derived(void **state)
{
	struct flux_rtt r;

	(void)state;
	flux_rtt_init(&r, FLUX_MS(2));
	r.srtt = FLUX_US(100);
	r.rttvar = FLUX_US(10);
	assert_int_equal(flux_rtt_late(&r), FLUX_US(2100)); /* timers are later than the path varies */
	assert_int_equal(flux_rtt_rto(&r), FLUX_US(2100));
	assert_int_equal(flux_rtt_hold(&r), FLUX_US(60));
	r.rttvar = FLUX_US(20);
	assert_int_equal(flux_rtt_hold(&r), FLUX_US(50));
	r.rttvar = FLUX_MS(1); /* 4 rttvar above srtt: nothing below zero */
	assert_int_equal(flux_rtt_hold(&r), FLUX_US(50));
	r.granularity = 0;
	r.rttvar = 0;
	assert_int_equal(flux_rtt_late(&r), FLUX_US(100));
	assert_int_equal(flux_rtt_rto(&r), FLUX_MS(1));
	r.srtt = FLUX_S(3);
	assert_int_equal(flux_rtt_rto(&r), FLUX_S(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_any_sample),
		cmocka_unit_test(smoothing),
		cmocka_unit_test(sample_at_zero),
		cmocka_unit_test(lies),
		cmocka_unit_test(minimum),
		cmocka_unit_test(derived),
	};

	return cmocka_run_group_tests_name("rudp/rtt", tests, NULL, NULL);
}
