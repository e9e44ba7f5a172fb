/* SPDX-License-Identifier: MIT */
/*
 * The circuit breaker: when it trips, how far down it goes, and that it lets go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/rudp/breaker.h"

#define SRTT FLUX_MS(20)
#define RTO  FLUX_MS(40)
#define BASE 1000000u
#define LOW  30000u

static struct flux_breaker b;
static struct flux_breaker_path path;
static flux_ts now;

static int setup(void **state)
{
	(void)state;
	path = (struct flux_breaker_path){
		.srtt = SRTT, .rto = RTO, .base_bps = BASE, .floor_bps = LOW, .outstanding = true
	};
	now = FLUX_S(10);
	flux_breaker_init(&b);
	return 0;
}

/* A round trip in which `sent` datagrams left and `lost` of them were missed. */
static bool round_trip(uint32_t sent, uint32_t lost)
{
	while (sent-- > 0)
		flux_breaker_sent(&b, now, RTO);
	while (lost-- > 0)
		flux_breaker_lost(&b, now);
	now += SRTT;
	return flux_breaker_heard(&b, now, &path);
}

static void quiet(void **state)
{
	(void)state;
	assert_true(b.t_silence == FLUX_NEVER);
	assert_false(flux_breaker_expire(&b, now, &path));
	for (int i = 0; i < 100; i++)
		assert_false(round_trip(100, 40)); /* bad, but below a half */
	assert_int_equal(b.trips, 0);
	assert_int_equal(b.rate_bps, 0);
}

/* Half of it is not more than half; one more is. */
static void loss_border(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_false(round_trip(10, 5));
	for (int i = 0; i < 9; i++)
		round_trip(10, 0);
	setup(state);
	for (int i = 0; i < 9; i++)
		assert_false(round_trip(10, 6));
	assert_true(round_trip(10, 6));
	assert_int_equal(b.rate_bps, BASE / 2);
	assert_int_equal(b.trips, 1);
}

/* Loss goes on: halved each ten rounds, down to the floor and not below. */
static void loss_goes_on(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++)
		round_trip(10, 8);
	assert_int_equal(b.rate_bps, LOW);
	assert_true(b.trips >= 10);
	for (int i = 0; b.rate_bps; i++) {
		assert_true(i < 10);
		round_trip(10, 0);
	}
	for (int i = 0; i < 20; i++)
		assert_false(round_trip(10, 0));
}

/* Losses of what was sent before a trip do not count again. */
static void judged_once(void **state)
{
	flux_ts before = now;

	(void)state;
	for (int i = 0; i < 10; i++)
		round_trip(10, 10);
	assert_int_equal(b.trips, 1);
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 10; j++)
			flux_breaker_lost(&b, before);
		round_trip(2, 0);
	}
	assert_int_equal(b.trips, 1);
	assert_int_equal(b.rate_bps, 0);
}

/* Many FEEDBACKs in one round trip are one round. */
static void rounds_by_time(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		round_trip(10, 10);
	assert_int_equal(b.rate_bps, BASE / 2);
	for (int i = 0; i < 100; i++)
		assert_false(flux_breaker_heard(&b, now + SRTT - 1, &path));
	assert_true(flux_breaker_heard(&b, now + SRTT, &path));
}

static void silence(void **state)
{
	flux_ts t;
	uint64_t last = BASE;

	(void)state;
	flux_breaker_sent(&b, now, RTO);
	t = b.t_silence;
	assert_true(t == now + 5 * RTO);
	flux_breaker_sent(&b, now + RTO, RTO); /* sending more does not put it off */
	assert_true(b.t_silence == t);
	assert_false(flux_breaker_expire(&b, t - 1, &path));
	while (flux_breaker_expire(&b, b.t_silence, &path)) {
		assert_true(b.rate_bps == (last / 2 > LOW ? last / 2 : LOW));
		last = b.rate_bps;
		assert_true(b.t_silence > t);
		t = b.t_silence;
	}
	assert_int_equal(b.rate_bps, LOW);
	path.outstanding = false;
	flux_breaker_heard(&b, t, &path);
	assert_true(b.t_silence == FLUX_NEVER);
}

/* On a path of microseconds a process that waits for its turn is no reason. */
static void short_paths_have_patience(void **state)
{
	(void)state;
	flux_breaker_sent(&b, now, FLUX_MS(1));
	assert_true(b.t_silence == now + FLUX_MS(25));
}

/* A base below the floor, and no base at all: a limit that can be lived with. */
static void small_bases(void **state)
{
	(void)state;
	path.base_bps = 10;
	flux_breaker_sent(&b, now, RTO);
	flux_breaker_expire(&b, b.t_silence, &path);
	assert_int_equal(b.rate_bps, LOW);
	now = b.t_silence;
	round_trip(1, 0);
	assert_int_equal(b.rate_bps, 0);
	setup(state);
	path.base_bps = path.floor_bps = 0;
	flux_breaker_sent(&b, now, RTO);
	flux_breaker_expire(&b, b.t_silence, &path);
	assert_int_equal(b.rate_bps, 1);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(quiet),
		CASE(loss_border),
		CASE(loss_goes_on),
		CASE(judged_once),
		CASE(rounds_by_time),
		CASE(silence),
		CASE(short_paths_have_patience),
		CASE(small_bases),
	};

	return cmocka_run_group_tests_name("rudp/breaker", tests, NULL, NULL);
}
