/* SPDX-License-Identifier: MIT */
/*
 * The writer's lower half: what FEEDBACK may and may not do to it, what is due when, and that it never
 * wedges: not by a lost tail, a shut window, an aborted claim, or silence.
 */
#include "tests/unit/rudp/txstream.h"

/* ---- FEEDBACK ---- */

/* U14: each is refused and changes nothing at all. */
static void absurd_feedback(void **state)
{
	static const struct {
		const char *what;
		uint64_t ack, high;
		uint32_t window;
		uint8_t n;
		uint8_t ranges[12];
		size_t len;
	} table[] = {
		{ "ack beyond next", FIRST + 11, FIRST + 11, 10, 0, { 0 }, 0 },
		{ "ack far beyond next", FIRST + 1010, FIRST + 10, 10, 0, { 0 }, 0 },
		{ "ack of all ones", UINT64_MAX, FIRST + 10, 10, 0, { 0 }, 0 },
		{ "ack 2^32 too high", FIRST + 5 + (1ull << 32), FIRST + 10, 10, 0, { 0 }, 0 },
		{ "high beyond next", FIRST + 5, FIRST + 11, 10, 0, { 0 }, 0 },
		{ "high of half a circle", FIRST + 5, FIRST + (1u << 31), 10, 0, { 0 }, 0 },
		{ "high below ack", FIRST + 5, FIRST + 4, 10, 0, { 0 }, 0 },
		{ "window of 2^31", FIRST + 5, FIRST + 10, 1u << 31, 0, { 0 }, 0 },
		{ "window of all ones", FIRST + 5, FIRST + 10, UINT32_MAX, 0, { 0 }, 0 },
		{ "window above the largest", FIRST + 5, FIRST + 10, (1u << 20) + 1, 0, { 0 }, 0 },
		{ "range at high", FIRST + 5, FIRST + 10, 10, 1, { 5, 0 }, 2 },
		{ "range over high", FIRST + 5, FIRST + 10, 10, 1, { 0, 5 }, 2 },
		{ "range of 2^31", FIRST + 5, FIRST + 10, 10, 1, { 0, 0xFF, 0xFF, 0xFF, 0xFF, 7 }, 6 },
		{ "range that wraps", FIRST + 5, FIRST + 10, 10, 1, { 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1 }, 11 },
		{ "second range back", FIRST + 5, FIRST + 10, 10, 2, { 2, 2, 0, 0 }, 4 },
		{ "list cut", FIRST + 5, FIRST + 10, 10, 2, { 0, 0, 0 }, 3 },
		{ "list missing", FIRST + 5, FIRST + 10, 10, 64, { 0 }, 0 },
		{ "range without anything outstanding", FIRST + 10, FIRST + 10, 10, 1, { 0, 0 }, 2 },
	};
	struct flux_txstream before;

	(void)state;
	send_full(20);
	tx.limit = FIRST + 10;
	assert_int_equal(run(), 10);
	now += RTT;
	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct flux_feedback fb = {
			.ack = table[i].ack,
			.window = table[i].window,
			.high = (uint32_t)table[i].high,
			.n = table[i].n,
		};

		before = tx;
		if (feed_raw(&fb, table[i].ranges, table[i].len))
			fail_msg("%s: taken", table[i].what);
		if (memcmp(&before, &tx, sizeof(tx)))
			fail_msg("%s: changed something", table[i].what);
	}
	assert_int_equal(tx.rtx.count, 0);
	assert_true(feed(10, 54, 10, 0, 0));
	assert_int_equal(run(), 10);
}

/* What was sent earlier and comes later: taken, but nothing goes back. */
static void old_feedback(void **state)
{
	(void)state;
	send_full(20);
	assert_int_equal(run(), 20);
	assert_true(feed(15, 60, 20, 0, 0));
	assert_int_equal(tx.limit, FIRST + 75);
	now += RTT;
	assert_true(feed(3, 10, 12, 4, 5)); /* names 4 to 8, all acknowledged since */
	assert_int_equal(tx.win.una, FIRST + 15);
	assert_int_equal(tx.limit, FIRST + 75);
	assert_int_equal(tx.rtx.count, 0);
	assert_true(feed(0, 0, 0, 0, 0));
	assert_int_equal(tx.limit, FIRST + 75);
	assert_int_equal(run(), 0);
}

static void acks_count_messages(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		send_one(10); /* all in one datagram */
	send_one(5 * DATAGRAM);
	assert_int_equal(flux_txstream_undelivered(&tx), 11);
	assert_int_equal(run(), 7);
	assert_true(feed(1, 60, 7, 0, 0));
	assert_int_equal(flux_txstream_undelivered(&tx), 1);
	assert_true(feed(6, 60, 7, 0, 0));
	assert_int_equal(flux_txstream_undelivered(&tx), 1);
	assert_true(feed(7, 60, 7, 0, 0));
	assert_int_equal(flux_txstream_undelivered(&tx), 0);
	assert_int_equal(tx.win.used, 0);
}

/* Nothing is sent again before about a round trip has passed since it was sent. */
static void hold_off(void **state)
{
	flux_ts hold = flux_rtt_hold(&rtt);

	(void)state;
	send_full(10);
	assert_int_equal(run(), 10);
	assert_true(hold > RTT / 2 && hold <= RTT);
	now += hold - 1;
	assert_true(feed(2, 60, 10, 3, 2));
	assert_int_equal(run(), 0);
	now += 1;
	assert_true(feed(2, 60, 10, 3, 2));
	assert_true(feed(2, 60, 10, 3, 2)); /* wanted already */
	assert_int_equal(run(), 2);
	assert_int_equal(sent[0], FIRST + 3);
	assert_int_equal(sent[1], FIRST + 4);
	assert_true(sent_rtx[0] && sent_rtx[1]);
	assert_true(feed(2, 60, 10, 3, 2));
	assert_int_equal(run(), 0);
	now += hold;
	assert_true(feed(2, 60, 10, 3, 1));
	assert_int_equal(run(), 1);
	assert_int_equal(tx.retransmitted, 3);
	assert_int_equal(tx.naks, 5);
}

/* Repairs first, the lowest first; what is acknowledged meanwhile is not sent again. */
static void repairs_first(void **state)
{
	(void)state;
	send_full(10);
	assert_int_equal(run(), 10);
	now += RTT;
	send_full(3);
	assert_true(feed(1, 60, 10, 7, 2));
	assert_true(feed(1, 60, 10, 1, 3));
	assert_true(feed(3, 60, 10, 0, 0));
	assert_int_equal(run(), 6);
	assert_int_equal(sent[0], FIRST + 3);
	assert_int_equal(sent[1], FIRST + 7);
	assert_int_equal(sent[2], FIRST + 8);
	assert_int_equal(sent[3], FIRST + 10);
	assert_true(sent_rtx[2] && !sent_rtx[3]);
}

/* ---- The end, SYNC, claims ---- */

static void sync_content(void **state)
{
	struct flux_sync s;

	(void)state;
	send_full(5);
	run();
	assert_true(feed(2, 60, 5, 0, 0));
	now = flux_txstream_deadline(&tx);
	s = sync_now();
	assert_int_equal(s.next, FIRST + 5);
	assert_int_equal(s.floor, FIRST + 2);
	assert_in_range(s.srtt, 19000, 20000);
	assert_int_equal(s.rttvar, flux_ts_us(rtt.rttvar));
	assert_int_equal(s.gsize, 1);
	assert_int_equal(s.flags, FLUX_SYNC_WANT_FEEDBACK);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.hb, flux_ts_us(flux_txstream_deadline(&tx) - now));
	flux_rtt_init(&rtt, 0);
	assert_int_equal(sync_now().srtt, 0);
	assert_int_equal(tx.syncs, 2);
}

/* A finished stream beats until the reader's application has seen the end. */
static void end_of_stream(void **state)
{
	struct flux_feedback fb = { .window = 60, .flags = FLUX_FB_EOS, .echo_dly = FLUX_NO_ECHO };

	(void)state;
	send_one(10);
	run();
	send_one(10);
	assert_true(flux_txstream_finish(&tx));
	assert_true(flux_txstream_finish(&tx));
	/* A liar says that EOS is consumed while it has not even left. */
	fb.ack = FIRST + 1;
	fb.high = (uint32_t)(FIRST + 1);
	assert_true(feed_raw(&fb, NULL, 0));
	assert_false(tx.confirmed);
	assert_int_equal(sync_now().flags & FLUX_SYNC_EOS, 0);

	assert_int_equal(run(), 1); /* behind the message, in its datagram */
	assert_true(sync_now().flags & FLUX_SYNC_EOS);
	fb.ack = FIRST + 2;
	fb.high = (uint32_t)(FIRST + 2);
	fb.flags = 0;
	assert_true(feed_raw(&fb, NULL, 0));
	assert_false(tx.confirmed);
	assert_true(flux_txstream_deadline(&tx) != FLUX_NEVER);
	fb.flags = FLUX_FB_EOS;
	assert_true(feed_raw(&fb, NULL, 0));
	assert_true(tx.confirmed);
	assert_true(flux_txstream_deadline(&tx) == FLUX_NEVER);
	assert_int_equal(flux_txstream_undelivered(&tx), 0);
}

/* Nothing to say: no beat, no deadline, whatever was claimed and given up before. */
static void aborted_claim_leaves_nothing(void **state)
{
	void *data;

	(void)state;
	flux_txstream_fini(&tx);
	open_stream(UINT32_MAX, 1000000);
	assert_int_equal(flux_txstream_claim(&tx, 100, &data), 0);
	assert_int_equal(run(), 0);
	assert_true(flux_txstream_deadline(&tx) == FLUX_NEVER);
	flux_txstream_abort(&tx);
	assert_int_equal(run(), 0);
	assert_true(flux_txstream_deadline(&tx) == FLUX_NEVER);
	assert_false(flux_txstream_sync_due(&tx, now + FLUX_S(100)));

	/* The same behind something. */
	send_full(1);
	assert_int_equal(run(), 1);
	assert_int_equal(flux_txstream_claim(&tx, 100, &data), 0);
	flux_txstream_abort(&tx);
	now += RTT;
	assert_true(feed(1, 60, 1, 0, 0));
	assert_int_equal(run(), 0);
	assert_true(flux_txstream_deadline(&tx) == FLUX_NEVER);
}

static void claim_holds_back(void **state)
{
	void *data;

	(void)state;
	send_full(2);
	assert_int_equal(flux_txstream_claim(&tx, 10, &data), 0);
	assert_int_equal(flux_txstream_send(&tx, "", 0), FLUX_EBUSY);
	assert_int_equal(run(), 2);
	assert_int_equal(flux_txstream_publish(&tx, 11), FLUX_EINVAL);
	assert_int_equal(flux_txstream_publish(&tx, 0), 0);
	assert_int_equal(flux_txstream_publish(&tx, 0), FLUX_EINVAL);
	assert_int_equal(run(), 1);
	assert_int_equal(flux_txstream_claim(&tx, 10, &data), 0);
	assert_true(flux_txstream_finish(&tx)); /* drops the claim */
	assert_false(tx.claimed);
	assert_int_equal(run(), 1);
}

static void writable_after_refusal(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_false(flux_txstream_take_writable(&tx));
	tx.limit = FIRST + 10000;
	while (flux_txstream_send(&tx, "x", 1) == 0 && flux_txstream_max_claim(&tx) > 0) {
		run();
		n++;
	}
	assert_int_equal(tx.refusals, 1);
	assert_false(flux_txstream_take_writable(&tx));
	assert_true(feed(n / 4, 100, n, 0, 0));
	assert_false(flux_txstream_take_writable(&tx));
	assert_true(feed(n / 2 + 1, 100, n, 0, 0));
	assert_true(flux_txstream_take_writable(&tx));
	assert_false(flux_txstream_take_writable(&tx));
}

/* ---- Silence ---- */

static void silence_trips_the_breaker(void **state)
{
	flux_ts rto = flux_rtt_rto(&rtt), t;

	(void)state;
	assert_true(tx.breaker.t_silence == FLUX_NEVER);
	send_full(3);
	run();
	t = tx.breaker.t_silence;
	assert_true(t == now + 5 * rto);
	flux_txstream_expire(&tx, t - 1, &rtt);
	assert_int_equal(tx.breaker.trips, 0);
	for (int i = 0; i < 40; i++) {
		now = tx.breaker.t_silence;
		flux_txstream_expire(&tx, now, &rtt);
	}
	assert_int_equal(tx.breaker.trips, 40);
	/* Down to a datagram each rto, and no lower. */
	assert_true(tx.pace.rate_bps >= (uint64_t)DATAGRAM * FLUX_S(1) / rto);
	assert_true(tx.pace.rate_bps <= 2 * (uint64_t)DATAGRAM * FLUX_S(1) / rto);
	assert_true(feed(3, 60, 3, 0, 0));
	assert_true(tx.breaker.t_silence == FLUX_NEVER);
	for (uint64_t i = 3; tx.pace.rate_bps; i++) {
		assert_true(i < 60);
		send_full(1);
		now += RTT;
		assert_int_equal(run(), 1);
		assert_true(feed(i + 1, 60, i + 1, 0, 0));
	}
}

/* Everything is lost for a while, then heard again: a beat that doubles up to a second. */
static void beats_double(void **state)
{
	flux_ts last = now, interval = 0;

	(void)state;
	send_full(1);
	run();
	for (int i = 0; i < 20; i++) {
		while (!flux_txstream_sync_due(&tx, now)) {
			flux_ts t = flux_txstream_deadline(&tx);

			assert_true(t > now);
			now = t;
			flux_txstream_expire(&tx, now, &rtt);
		}
		assert_true(now - last >= interval && now - last <= FLUX_S(1));
		interval = now - last;
		last = now;
		sync_now();
	}
	assert_true(interval == FLUX_S(1));
}

static void no_memory_is_told(void **state)
{
	struct flux_txstream_cfg cfg = { .max_datagram = DATAGRAM, .queue_bytes = 1 << 16, .mem = &flux_mem_libc };
	struct flux_txstream w;

	(void)state;
	cfg.first_seq = 1;
	cfg.limit = 1;
	assert_int_equal(flux_txstream_init(&w, &cfg), 0);
	flux_txstream_fini(&w);
	flux_txstream_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(absurd_feedback),
		CASE(old_feedback),
		CASE(acks_count_messages),
		CASE(hold_off),
		CASE(repairs_first),
		CASE(sync_content),
		CASE(end_of_stream),
		CASE(aborted_claim_leaves_nothing),
		CASE(claim_holds_back),
		CASE(writable_after_refusal),
		CASE(silence_trips_the_breaker),
		CASE(beats_double),
		cmocka_unit_test(no_memory_is_told),
	};

	return cmocka_run_group_tests_name("rudp/txstream", tests, NULL, NULL);
}
