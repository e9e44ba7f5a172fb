/* SPDX-License-Identifier: MIT */
/*
 * Pacing: never more than the rate and a burst, never less than the rate, at any rate and size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/rudp/pace.h"

#define MSS 1200u

static void no_limit(void **state)
{
	struct flux_pace p = { 0 };

	(void)state;
	flux_pace_set(&p, 0, MSS);
	for (int i = 0; i < 1000; i++) {
		assert_true(flux_pace_ready(&p, 5));
		flux_pace_sent(&p, 5, MSS);
	}
}

static void burst_sizes(void **state)
{
	struct flux_pace p = { 0 };

	(void)state;
	flux_pace_set(&p, 1, MSS);
	assert_int_equal(p.burst, 2 * MSS);
	flux_pace_set(&p, 4000ull * 5 * MSS, MSS); /* 250 us are five datagrams */
	assert_int_equal(p.burst, 5 * MSS);
	flux_pace_set(&p, UINT64_MAX, MSS);
	assert_int_equal(p.burst, 10 * MSS);
	flux_pace_set(&p, UINT64_MAX, 65472);
	assert_int_equal(p.burst, 10 * 65472);
}

/* Send whenever it is ready, for a while, with pauses: what leaves in any span fits the rate. */
static void run(uint64_t rate, uint32_t len, struct flux_rng *rng)
{
	struct flux_pace p = { 0 };
	flux_ts now = FLUX_S(50), start = now;
	uint64_t bytes = 0, idle = 0;

	flux_pace_set(&p, rate, MSS);
	for (int i = 0; i < 2000; i++) {
		if (!flux_pace_ready(&p, now))
			now = p.t_next;
		flux_pace_sent(&p, now, len);
		bytes += len;
		assert_true((double)(bytes - len) <=
			    (double)rate * (double)(now - start) / 1e9 + p.burst + (double)i * (double)rate / 1e9 + 1);
		if (flux_rng_u32(rng) % 100 == 0) {
			flux_ts pause = flux_rng_u32(rng) % FLUX_S(1);

			now = flux_ts_max(now, p.t_next) + pause;
			idle += pause;
		}
	}
	/* Nothing but the rate held it back. */
	assert_true((double)(now - start - idle) * (double)rate / 1e9 <= (double)bytes + 1);
}

static void rates(void **state)
{
	static const uint8_t seed[32] = { 6 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (uint64_t rate = 1000; rate < 100000000000; rate *= 10)
		for (uint32_t len = 40; len <= MSS; len += 580)
			run(rate, len, &rng);
}

/* A pause saves up one burst and no more; the clock's beginning is no special time. */
static void pauses(void **state)
{
	struct flux_pace p = { 0 };
	int n = 0;

	(void)state;
	flux_pace_set(&p, 1000000, MSS);
	for (; flux_pace_ready(&p, 0); n++)
		flux_pace_sent(&p, 0, MSS);
	assert_in_range(n, 1, 3);
	for (n = 0; flux_pace_ready(&p, FLUX_S(1000)); n++)
		flux_pace_sent(&p, FLUX_S(1000), MSS);
	assert_int_equal(n, 3); /* what is in the bucket, and the one that finds it empty */
	assert_true(p.t_next > FLUX_S(1000) && p.t_next <= FLUX_S(1000) + FLUX_US(1200));
}

/* The slowest rate and the largest datagram do not overflow. */
static void extremes(void **state)
{
	struct flux_pace p = { 0 };

	(void)state;
	flux_pace_set(&p, 1, 65472);
	flux_pace_sent(&p, FLUX_S(1), 65472);
	assert_true(p.t_next == FLUX_S(65472));
	for (int i = 0; i < 400000; i++)
		flux_pace_sent(&p, FLUX_S(1), 65472);
	assert_true(p.t_next == FLUX_NEVER);
	assert_false(flux_pace_ready(&p, FLUX_S(1) << 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit),
		cmocka_unit_test(burst_sizes),
		cmocka_unit_test(rates),
		cmocka_unit_test(pauses),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests_name("rudp/pace", tests, NULL, NULL);
}
