/* SPDX-License-Identifier: MIT */
/* What holds an outgoing stream back: the reader's window, the congestion window, the pace. */
#include "tests/unit/rudp/txstream.h"

static void window_shut(void **state)
{
	struct flux_sync s;

	(void)state;
	send_full(WINDOW + 5);
	assert_int_equal(run(), WINDOW);
	assert_true(feed(WINDOW, 0, WINDOW, 0, 0));
	assert_int_equal(run(), 0);
	/* All is acknowledged, but the beat goes on: it asks for the window. */
	now = flux_txstream_deadline(&tx);
	assert_true(flux_txstream_sync_due(&tx, now));
	s = sync_now();
	assert_int_equal(s.next, FIRST + WINDOW);
	assert_true(s.flags & FLUX_SYNC_WANT_FEEDBACK);
	assert_true(feed(WINDOW, 2, WINDOW, 0, 0));
	assert_int_equal(run(), 2);
}

/* A window that was shut from the start, and a message that was queued before anything else. */
static void window_never_open(void **state)
{
	(void)state;
	tx.limit = FIRST;
	assert_true(flux_txstream_deadline(&tx) == FLUX_NEVER);
	send_one(1);
	assert_int_equal(run(), 0);
	assert_true(flux_txstream_deadline(&tx) <= now + FLUX_MS(25));
	assert_true(feed(0, 1, 0, 0, 0));
	assert_int_equal(run(), 1);
}

static void congestion_window(void **state)
{
	(void)state;
	tx.cwnd = 3 * DATAGRAM;
	send_full(10);
	assert_int_equal(run(), 3);
	assert_int_equal(run(), 0);
	assert_true(feed(1, 60, 1, 0, 0));
	assert_int_equal(run(), 1);
	assert_true(feed(1, 60, 4, 1, 1)); /* the last one arrived: nothing is in flight */
	assert_int_equal(run(), 3);
}

/* One datagram may always be in flight, whatever its size. */
static void tiny_congestion_window(void **state)
{
	(void)state;
	tx.cwnd = 1;
	send_full(3);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(run(), 1);
		assert_true(feed(i + 1, 60, i + 1, 0, 0));
	}
	assert_int_equal(run(), 0);
}

/* The tail is lost, and repaired: what the repairs weighed must not stay in flight for ever. */
static void lost_tail_under_cwnd(void **state)
{
	(void)state;
	tx.cwnd = 2 * DATAGRAM;
	send_full(4);
	assert_int_equal(run(), 2);
	now += RTT;
	assert_true(feed(0, 60, 2, 0, 2));
	assert_int_equal(run(), 2);
	assert_true(sent_rtx[0] && sent_rtx[1]);
	now += RTT;
	assert_true(feed(2, 60, 2, 0, 0));
	assert_int_equal(run(), 2);
	assert_false(sent_rtx[0]);
}

/* The same, and the repairs are lost too: a SYNC and its answer find out. */
static void lost_repairs_under_cwnd(void **state)
{
	struct flux_feedback fb = { .ack = FIRST, .window = 60, .high = (uint32_t)(FIRST + 2), .n = 1 };
	const uint8_t both[] = { 0, 1 };

	(void)state;
	tx.cwnd = 2 * DATAGRAM;
	send_full(4);
	assert_int_equal(run(), 2);
	for (int i = 0; i < 5; i++) {
		flux_ts t = flux_txstream_deadline(&tx);

		assert_true(t <= now + FLUX_S(1));
		now = flux_ts_max(now, t);
		assert_true(flux_txstream_sync_due(&tx, now));
		sync_now();
		fb.echo_ts = flux_ts_us(now);
		now += RTT;
		fb.echo_dly = 0;
		assert_true(feed_raw(&fb, both, sizeof(both)));
		assert_int_equal(run(), 2);
		assert_true(sent_rtx[0] && sent_rtx[1]);
	}
	/* An echo of something else says nothing. */
	fb.echo_ts++;
	now += RTT;
	assert_true(feed_raw(&fb, both, sizeof(both)));
	assert_int_equal(run(), 0);
}

static void paced(void **state)
{
	uint32_t total = 0;
	flux_ts start;

	(void)state;
	flux_txstream_fini(&tx);
	open_stream(UINT32_MAX, DATAGRAM * 1000); /* a datagram each ms, two at once */
	start = now;
	send_full(40);
	while (total < 40) {
		uint32_t n = run();
		flux_ts t = flux_txstream_deadline(&tx);

		total += n;
		assert_true(n <= 3);
		assert_true(total * (uint64_t)DATAGRAM <=
			    (now - start) * DATAGRAM * 1000 / FLUX_S(1) + 3 * DATAGRAM);
		assert_true(t > now);
		if (flux_txstream_sync_due(&tx, t))
			sync_now();
		now = t;
	}
	assert_in_range(now - start, FLUX_MS(36), FLUX_MS(42));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(window_shut),
		CASE(window_never_open),
		CASE(congestion_window),
		CASE(tiny_congestion_window),
		CASE(lost_tail_under_cwnd),
		CASE(lost_repairs_under_cwnd),
		CASE(paced),
	};

	return cmocka_run_group_tests_name("rudp/txlimits", tests, NULL, NULL);
}
