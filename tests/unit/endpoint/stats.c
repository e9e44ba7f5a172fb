/* SPDX-License-Identifier: MIT */
/*
 * Counters: each counts what its comment says, both ends agree, and they outlive a session up to its CLOSED.
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

static struct flux_session_stats of(int side)
{
	struct flux_session_stats s = { .size = sizeof(s) };

	assert_int_equal(flux_session_get_stats(p.ep[side], p.sid[side], &s), 0);
	return s;
}

static void a_quiet_transfer(void **state)
{
	static const uint8_t zeros[5000];
	struct flux_session_stats c, s;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, 5000), 0);
	c = of(CLIENT);
	assert_int_equal(c.tx_messages, 10);
	assert_true(c.queued_bytes >= 50000);
	assert_int_equal(c.queue_limit, 2u << 20);
	assert_int_equal(c.window, 64);
	assert_int_equal(c.tx_datagrams, 0);
	pair_run(&p, FLUX_S(1));
	c = of(CLIENT);
	s = of(SERVER);
	assert_int_equal(c.tx_acked_messages, 10);
	assert_int_equal(s.rx_messages, 10);
	assert_int_equal(c.queued_bytes, 0);
	assert_int_equal(c.tx_datagrams, s.rx_datagrams);
	assert_int_equal(c.tx_bytes, s.rx_bytes);
	assert_int_equal(c.feedback_received, s.feedback_sent);
	assert_true(c.feedback_received > 0);
	assert_int_equal(c.retransmitted + c.naks_received + s.naks_sent + s.lost + s.duplicates + s.gaps, 0);
	assert_int_equal(c.tx_refused, 0);
	assert_in_range(c.srtt, FLUX_MS(2), FLUX_MS(4));
	assert_in_range(c.min_rtt, FLUX_MS(2), FLUX_MS(4));
	assert_true(c.rttvar > 0 && c.reorder_wait > 0);
}

static void losses_and_copies(void **state)
{
	struct flux_session_stats c, s;
	uint8_t copy[PAIR_DATAGRAM];
	uint32_t len;

	(void)state;
	pair_run(&p, FLUX_S(2));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "x", 1), 0);
		p.lose[SERVER] = i == 2;
		pair_flush(&p, CLIENT);
	}
	p.lose[SERVER] = false;
	len = p.wire[p.n_wire - 1].len;
	memcpy(copy, p.wire[p.n_wire - 1].data, len);
	pair_run(&p, FLUX_S(1));
	pair_inject(&p, SERVER, copy, len);
	c = of(CLIENT);
	s = of(SERVER);
	assert_int_equal(c.tx_datagrams, 5);
	assert_int_equal(c.retransmitted, 1);
	assert_int_equal(s.lost, 1);
	assert_int_equal(s.naks_sent, 1);
	assert_int_equal(c.naks_received, 1);
	assert_int_equal(s.duplicates, 1);
	assert_int_equal(s.rx_datagrams, 5);
	assert_int_equal(s.late_originals + s.spurious_repairs, 0);
}

static void both_ends_agree(void **state)
{
	struct flux_endpoint_stats c, s;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(flux_session_send(p.ep[i % 2], p.sid[i % 2], "abc", 3), 0);
		pair_run(&p, FLUX_MS(7));
	}
	pair_run(&p, FLUX_MS(100));
	c = pair_stats(&p, CLIENT);
	s = pair_stats(&p, SERVER);
	assert_int_equal(c.tx_datagrams, s.rx_datagrams);
	assert_int_equal(c.tx_bytes, s.rx_bytes);
	assert_int_equal(s.tx_datagrams, c.rx_datagrams);
	assert_int_equal(s.tx_bytes, c.rx_bytes);
	assert_int_equal(c.sessions, 1);
	assert_int_equal(s.hello_received, 2);
	assert_int_equal(s.cookies_sent, 1);
	assert_int_equal(c.rx_malformed + c.rx_bad_checksum + c.rx_unknown + c.rx_replayed + c.rx_out_of_range, 0);
}

static void unknown_rtt_is_zero(void **state)
{
	struct flux_session_stats s = { .size = sizeof(s) };
	flux_sid sid;

	(void)state;
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &sid), 0);
	assert_int_equal(flux_session_get_stats(p.ep[CLIENT], sid, &s), 0);
	assert_int_equal(s.srtt + s.rttvar + s.min_rtt, 0);
	assert_int_equal(s.queue_limit, 0); /* nothing is reserved yet */
}

/* Whoever pulls CLOSED may still ask how it went. */
static void readable_until_closed_is_pulled(void **state)
{
	struct flux_event e;

	(void)state;
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "abc", 3), 0);
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 300, ""), 0);
	pair_flush(&p, CLIENT);
	assert_int_equal(flux_endpoint_event(p.ep[CLIENT], &e), 1);
	assert_int_equal(e.type, FLUX_EVENT_CLOSED);
	assert_int_equal(of(CLIENT).tx_acked_messages, 1);
	pair_run(&p, FLUX_S(5));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_quiet_transfer),
		CASE(losses_and_copies),
		CASE(both_ends_agree),
		CASE(unknown_rtt_is_zero),
		CASE(readable_until_closed_is_pulled),
	};

	return cmocka_run_group_tests_name("endpoint/stats", tests, NULL, NULL);
}
