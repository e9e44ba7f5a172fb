/* SPDX-License-Identifier: MIT */
/*
 * Time: when PINGs go, when silence is believed, clocks that jump, and deadlines that never make a loop spin.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;

static int setup(void **state)
{
	(void)state;
	pair_up(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static void open_with(flux_ts idle, flux_ts delay_before)
{
	pair_close(&p);
	pair_init(&p);
	p.cfg[CLIENT].idle_timeout = p.cfg[SERVER].idle_timeout = idle;
	pair_open(&p);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	pair_run(&p, delay_before);
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_UP));
	pair_forget(&p);
}

/* An idle session says a word each fifth of its idle time, and no more. */
static void keep_alive(void **state)
{
	uint64_t before, after;

	(void)state;
	pair_run(&p, FLUX_S(5));
	before = pair_stats(&p, CLIENT).tx_datagrams + pair_stats(&p, SERVER).tx_datagrams;
	pair_run(&p, FLUX_S(300));
	after = pair_stats(&p, CLIENT).tx_datagrams + pair_stats(&p, SERVER).tx_datagrams;
	/* PING and PONG each 3 s, by whichever end is first. */
	assert_in_range(after - before, 150, 230);
	assert_int_equal(p.n_events[CLIENT] + p.n_events[SERVER], 0);
	assert_true(flux_endpoint_deadline(p.ep[CLIENT]) > p.now);
}

/* Whatever the idle time: it fires, and in time. */
static void silence_is_believed(void **state)
{
	static const flux_ts idles[] = { FLUX_MS(500), FLUX_MS(700), FLUX_S(1), FLUX_S(2), FLUX_S(15), FLUX_S(600) };

	(void)state;
	for (uint32_t i = 0; i < sizeof(idles) / sizeof(*idles); i++) {
		flux_ts start;

		open_with(idles[i], FLUX_MS(50));
		p.lose[SERVER] = p.lose[CLIENT] = true;
		start = pair_session(&p, CLIENT)->t_heard;
		while (!pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)) {
			pair_run(&p, idles[i] / 50);
			assert_true(p.now - start <= idles[i] + idles[i] / 5 + FLUX_MS(400));
		}
		assert_true(p.now - start >= idles[i]);
		assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_ETIMEDOUT);
	}
}

/* Three hours in a drawer: both are still there, and nobody is judged by what he could not hear. */
static void suspended(void **state)
{
	(void)state;
	p.now += FLUX_S(3 * 3600);
	pair_run(&p, FLUX_S(5));
	assert_int_equal(p.n_events[CLIENT] + p.n_events[SERVER], 0);
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "x", 1), 0);
	pair_run(&p, FLUX_S(1));
	assert_int_equal(p.n_messages[SERVER], 1);
}

/* The clock steps back: held, counted, and nothing fires twice or never. */
static void clock_steps_back(void **state)
{
	flux_ts before = p.now, held = p.ep[CLIENT]->now;

	(void)state;
	p.now -= FLUX_S(500);
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "x", 1), 0);
	pair_flush(&p, CLIENT);
	p.wire[0].t_arrive = 0;
	pair_deliver(&p, SERVER);
	assert_int_equal(p.n_messages[SERVER], 1);
	assert_true(pair_stats(&p, CLIENT).clock_steps_back > 0);
	assert_true(p.ep[CLIENT]->now == held);
	p.now = before;
	pair_run(&p, FLUX_S(2));
	assert_int_equal(p.n_events[CLIENT] + p.n_events[SERVER], 0);
	assert_int_equal(pair_session(&p, CLIENT)->tx.win.una, pair_session(&p, CLIENT)->tx.win.next);
}

/* expire() early, late and often is harmless. */
static void expire_any_time(void **state)
{
	uint64_t sent = pair_stats(&p, CLIENT).tx_datagrams;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		flux_endpoint_expire(p.ep[CLIENT], p.now);
		pair_flush(&p, CLIENT);
	}
	assert_true(pair_stats(&p, CLIENT).tx_datagrams <= sent + 1);
	for (int i = 0; i < 40; i++) { /* a driver that sleeps two seconds each time */
		p.now += FLUX_S(2);
		for (int k = 0; k < 2; k++) {
			pair_deliver(&p, k);
			flux_endpoint_expire(p.ep[k], p.now);
			pair_drain(&p, k);
			pair_flush(&p, k);
		}
	}
	assert_int_equal(p.n_events[CLIENT] + p.n_events[SERVER], 0);
}

/* A kernel that takes nothing, while nothing is heard: no spinning, and an end in time. */
static void kernel_refuses(void **state)
{
	const struct flux_tx *tx;
	flux_ts end = p.now + FLUX_S(40);
	int turns = 0;

	(void)state;
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "x", 1), 0);
	while (p.now < end) {
		flux_ts t;

		flux_endpoint_peek(p.ep[CLIENT], p.now, &tx); /* and nothing is committed */
		flux_endpoint_peek(p.ep[CLIENT], p.now, &tx);
		pair_check(&p);
		t = flux_endpoint_deadline(p.ep[CLIENT]);
		assert_true(++turns < 5000);
		p.now = flux_ts_max(t, p.now);
		flux_endpoint_expire(p.ep[CLIENT], p.now);
	}
	pair_drain(&p, CLIENT);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_ETIMEDOUT);
}

/* The deadline moves on at each call, under load, loss and rates; pair_run() fails if it does not. */
static void no_spinning(void **state)
{
	static const uint8_t zeros[20000];

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		pair_close(&p);
		pair_init(&p);
		p.cfg[CLIENT].cwnd = kind & 1 ? 2500 : 0;
		p.cfg[CLIENT].rate_bps = kind & 2 ? 100000 : 0;
		pair_open(&p);
		assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
		pair_run(&p, FLUX_MS(50));
		for (int i = 0; i < 30; i++) {
			struct flux_claim claim;

			assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, 20000u / (uint32_t)(1 + i % 7)), 0);
			if (flux_session_claim(p.ep[CLIENT], p.sid[CLIENT], 10, &claim) == 0)
				flux_session_abort_claim(p.ep[CLIENT], p.sid[CLIENT]);
			p.lose[SERVER] = i % 5 == 1;
			p.lose[CLIENT] = i % 7 == 2;
			pair_run(&p, FLUX_MS(30));
		}
		p.lose[SERVER] = p.lose[CLIENT] = false;
		pair_run(&p, FLUX_S(20));
		assert_int_equal(p.n_messages[SERVER], 30);
	}
}

/* At rest a session costs a look at the clock each few seconds. */
static void at_rest(void **state)
{
	uint32_t wakes = 0;

	(void)state;
	pair_run(&p, FLUX_S(10));
	for (flux_ts end = p.now + FLUX_S(60); p.now < end; wakes++) {
		flux_ts t = flux_ts_min(flux_endpoint_deadline(p.ep[0]), flux_endpoint_deadline(p.ep[1]));

		pair_run(&p, flux_ts_max(t, p.now + FLUX_MS(3)) - p.now);
	}
	assert_true(wakes < 100);
}

/* A session that nobody reads hears of its end too: its unread messages hold CLOSED back for a while only. */
static void unread_is_told(void **state)
{
	(void)state;
	open_with(FLUX_S(1), FLUX_MS(50));
	p.unread[SERVER] = true;
	flux_session_pause(p.ep[SERVER], p.sid[SERVER], 1);
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "lost", 4), 0);
	pair_run(&p, FLUX_MS(50));
	p.lose[SERVER] = p.lose[CLIENT] = true;
	pair_run(&p, FLUX_MS(1500));
	assert_null(pair_event(&p, SERVER, FLUX_EVENT_CLOSED));
	pair_run(&p, FLUX_MS(1500));
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_CLOSED));
	assert_int_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->reason, FLUX_ETIMEDOUT);
	pair_check(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(keep_alive),
		CASE(silence_is_believed),
		CASE(suspended),
		CASE(clock_steps_back),
		CASE(expire_any_time),
		CASE(kernel_refuses),
		CASE(no_spinning),
		CASE(at_rest),
		CASE(unread_is_told),
	};

	return cmocka_run_group_tests_name("endpoint/timers", tests, NULL, NULL);
}
