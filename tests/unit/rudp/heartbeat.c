/* SPDX-License-Identifier: MIT */
/*
 * Heartbeats: the first one soon, each later one twice as far, up to a second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/rudp/heartbeat.h"

static void first_beat(void **state)
{
	static const struct {
		flux_ts srtt, first;
	} table[] = {
		{ 0, FLUX_MS(1) },
		{ FLUX_US(20), FLUX_MS(1) },
		{ FLUX_MS(4), FLUX_MS(1) },
		{ FLUX_MS(8), FLUX_MS(2) },
		{ FLUX_MS(100), FLUX_MS(25) },
		{ FLUX_S(3), FLUX_MS(25) },
	};
	struct flux_heartbeat hb;

	(void)state;
	flux_heartbeat_init(&hb);
	assert_true(hb.t_next == FLUX_NEVER);
	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		flux_heartbeat_start(&hb, FLUX_S(7), table[i].srtt);
		assert_true(hb.t_next == FLUX_S(7) + table[i].first);
	}
}

static void doubling(void **state)
{
	struct flux_heartbeat hb;
	flux_ts now = FLUX_S(7), interval = FLUX_MS(1);

	(void)state;
	flux_heartbeat_init(&hb);
	flux_heartbeat_start(&hb, now, 0);
	for (int i = 0; i < 20; i++) {
		now = hb.t_next + 5; /* late, as timers are */
		flux_heartbeat_beat(&hb, now);
		interval = interval < FLUX_MS(500) ? interval * 2 : FLUX_S(1);
		assert_true(hb.t_next == now + interval);
	}
	flux_heartbeat_start(&hb, now, FLUX_MS(20));
	assert_true(hb.t_next == now + FLUX_MS(5));
	flux_heartbeat_stop(&hb);
	assert_true(hb.t_next == FLUX_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_beat),
		cmocka_unit_test(doubling),
	};

	return cmocka_run_group_tests_name("rudp/heartbeat", tests, NULL, NULL);
}
