/* SPDX-License-Identifier: MIT */
/*
 * One incoming stream: when FEEDBACK is due and what it says, what a SYNC may and may not do, windows that
 * shut and open, learning from duplicates.
 */
#include "tests/unit/rudp/rxstream.h"

/* ---- FEEDBACK ---- */

static void silent_while_idle(void **state)
{
	(void)state;
	assert_false(due());
	assert_true(deadline() == FLUX_NEVER);
	now += FLUX_S(1000);
	assert_false(due());
}

static void by_time(void **state)
{
	flux_ts interval = rtt.srtt / 4;

	(void)state;
	arrive(0);
	assert_true(due()); /* the first one at once */
	feedback();
	assert_true(deadline() == FLUX_NEVER);
	arrive(1);
	assert_false(due());
	assert_true(deadline() == now + interval);
	now += interval - 1;
	assert_false(due());
	now += 1;
	assert_true(due());
	feedback();
	assert_false(due());
}

static void by_count(void **state)
{
	(void)state;
	arrive(0);
	feedback();
	for (uint64_t i = 1; i < WINDOW / 2; i++)
		arrive(i);
	assert_false(due());
	arrive(WINDOW / 2);
	assert_true(due());
}

static void by_bytes(void **state)
{
	(void)state;
	arrive(0);
	feedback();
	rx.since_bytes = 128 * 1024 - BYTES;
	arrive(1);
	assert_true(due());
}

static void content(void **state)
{
	struct flux_feedback fb;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		arrive(i);
	assert_true(arrive_as(8, 12345, false));
	assert_true(arrive_as(5, 777, true)); /* a repair is no echo */
	now += FLUX_MS(3);
	fb = feedback();
	assert_int_equal(fb.ack, FIRST + 6);
	assert_int_equal(fb.window, WINDOW - 6);
	assert_int_equal(fb.high, (uint32_t)(FIRST + 9));
	assert_int_equal(fb.rx_bytes, 7 * BYTES);
	assert_int_equal(fb.lost, 0);
	assert_int_equal(fb.echo_ts, 12345);
	assert_int_equal(fb.echo_dly, 3000);
	assert_int_equal(fb.flags, 0);
	assert_int_equal(fb.n, 0);
	fb = feedback();
	assert_int_equal(fb.echo_dly, FLUX_NO_ECHO); /* once */
	now += rx.reorder.wait;
	assert_true(due());
	fb = feedback();
	assert_int_equal(fb.n, 1);
	assert_int_equal(fb.ranges[0].first, FIRST + 6);
	assert_int_equal(fb.ranges[0].count, 2);
	assert_int_equal(fb.lost, 2);
	assert_int_equal(rx.naks, 1);
}

/* The gap is shown by one later datagram, two more are enough to ask. */
static void three_later_datagrams(void **state)
{
	struct flux_feedback fb;

	(void)state;
	arrive(0);
	feedback();
	arrive(2);
	arrive(3);
	assert_false(due());
	arrive(4);
	assert_true(due());
	fb = feedback();
	assert_int_equal(fb.n, 1);
	assert_int_equal(fb.ranges[0].first, FIRST + 1);
}

/* ---- Windows ---- */

/* The promise is never taken back; it grows by what was released, when that is told. */
static void window_follows_the_application(void **state)
{
	struct flux_feedback fb;

	(void)state;
	for (uint64_t i = 0; i < 30; i++)
		arrive(i);
	fb = feedback();
	assert_int_equal(fb.ack + fb.window, FIRST + WINDOW);
	assert_int_equal(consume(10), 10);
	assert_false(due()); /* the writer has credit left */
	fb = feedback();
	assert_int_equal(fb.ack, FIRST + 30);
	assert_int_equal(fb.ack + fb.window, FIRST + 10 + WINDOW);
}

static void shut_and_reopened(void **state)
{
	struct flux_feedback fb;

	(void)state;
	for (uint64_t i = 0; i < WINDOW; i++)
		arrive(i);
	assert_int_equal(flux_rxwin_judge(&rx.win, FIRST + WINDOW), FLUX_RX_FAR);
	fb = feedback();
	assert_int_equal(fb.window, 0);
	assert_false(due());
	assert_int_equal(consume(WINDOW / 8 - 1), WINDOW / 8 - 1);
	assert_false(due()); /* not worth a word */
	assert_int_equal(consume(1), 1);
	assert_true(due());
	fb = feedback();
	assert_int_equal(fb.window, WINDOW / 8);
	/* Said again, three times, in case nobody hears. */
	for (int i = 0; i < 3; i++) {
		assert_false(due());
		assert_true(deadline() == now + rtt.srtt);
		now = deadline();
		assert_true(due());
		feedback();
	}
	assert_true(deadline() == FLUX_NEVER);
	/* Heard: no more of it. */
	assert_int_equal(consume(WINDOW), WINDOW - WINDOW / 8);
	for (uint64_t i = WINDOW; i < WINDOW + WINDOW / 8; i++)
		arrive(i);
	feedback();
	assert_true(rx.t_reopen != FLUX_NEVER);
	arrive(WINDOW + WINDOW / 8);
	assert_true(rx.t_reopen == FLUX_NEVER);
}

/* A window smaller than its ring of descriptors, clamped by a socket buffer. */
static void clamped(void **state)
{
	(void)state;
	teardown(state);
	open_stream(64, 17);
	for (uint64_t i = 0; i < 17; i++)
		arrive(i);
	assert_int_equal(flux_rxwin_judge(&rx.win, FIRST + 17), FLUX_RX_FAR);
	feedback();
	assert_false(sync_to(18, 0, 0));
	assert_int_equal(consume(2), 2);
	assert_true(due());
	assert_int_equal(feedback().window, 2);
	assert_true(sync_to(19, 0, 0));
}

/* ---- Learning, the end, buffers ---- */

static void learns_from_duplicates(void **state)
{
	flux_ts wait = rx.reorder.wait;

	(void)state;
	arrive(0);
	arrive(2);
	now += rx.reorder.wait;
	assert_int_equal(feedback().n, 1);
	assert_true(arrive_as(1, 0, true));
	flux_rxstream_duplicate(&rx, &rtt, FIRST + 1, true, BYTES);  /* a second repair says nothing */
	flux_rxstream_duplicate(&rx, &rtt, FIRST + 0, false, BYTES); /* a copy of what came by itself */
	assert_int_equal(rx.reorder.spurious, 0);
	flux_rxstream_duplicate(&rx, &rtt, FIRST + 1, false, BYTES); /* the original, after its repair */
	assert_int_equal(rx.reorder.spurious, 1);
	assert_true(rx.reorder.wait > wait);
	flux_rxstream_duplicate(&rx, &rtt, FIRST + 1, false, BYTES); /* once */
	flux_rxstream_duplicate(&rx, &rtt, FIRST - 1, false, BYTES); /* never was there */
	flux_rxstream_duplicate(&rx, &rtt, 0, false, BYTES);
	assert_int_equal(rx.reorder.spurious, 1);
	assert_int_equal(rx.duplicates, 6);
	assert_int_equal(rx.rx_bytes, 9 * BYTES);
}

/* The descriptor serves a later sequence: it tells nothing of the old one any more. */
static void old_duplicates_say_nothing(void **state)
{
	(void)state;
	arrive(1);
	now += rx.reorder.wait;
	feedback();
	assert_true(arrive_as(0, 0, true));
	for (uint64_t i = 2; i < WINDOW + 1; i++) {
		consume(255);
		feedback();
		assert_true(arrive_as(i, 0, i == WINDOW));
	}
	flux_rxstream_duplicate(&rx, &rtt, FIRST, false, BYTES);
	assert_int_equal(rx.reorder.spurious, 0);
}

static void late_original_is_learned(void **state)
{
	(void)state;
	arrive(1);
	now += FLUX_MS(2);
	arrive(0);
	assert_int_equal(rx.reorder.late_originals, 1);
	assert_true(rx.reorder.seen);
}

static void end_is_told(void **state)
{
	static uint8_t end[FLUX_HEADER_LEN + 4 + FLUX_TRAILER_LEN];
	const struct flux_rx_data data = { .datagram = end, .seq = FIRST + 1, .len = sizeof(end) };

	(void)state;
	memcpy(end + FLUX_HEADER_LEN, "\x00\x40\x01\x00", 4);
	arrive(0);
	assert_true(flux_rxstream_data(&rx, now, &rtt, &data));
	feedback();
	assert_false(due());
	assert_int_equal(consume(9), 1);
	assert_false(rx.delivery.eos);
	assert_int_equal(consume(9), 0);
	assert_true(rx.delivery.eos);
	assert_true(due());
	assert_int_equal(feedback().flags, FLUX_FB_EOS);
	assert_false(due());
	assert_true(sync_to(2, 1, FLUX_SYNC_WANT_FEEDBACK)); /* it was not heard */
	assert_int_equal(feedback().flags, FLUX_FB_EOS);
}

/* Without a buffer a datagram counts as not arrived, and is asked for when it is known to exist. */
static void no_buffer(void **state)
{
	uint32_t taken = 0;

	(void)state;
	while (flux_pool_take(&pool) != FLUX_POOL_NONE)
		taken++;
	assert_false(arrive_as(3, 0, false));
	assert_int_equal(rx.win.high, FIRST);
	arrive(0); /* by the slot that is owed */
	assert_false(arrive_as(1, 0, false));
	assert_int_equal(rx.rx_bytes, BYTES);
	assert_true(sync_to(2, 0, 0));
	assert_int_equal(rx.nak.missing, 1);
	assert_int_equal(consume(1), 1);
	arrive(1);
	for (uint32_t i = 0; i < taken; i++)
		flux_pool_give(&pool, i);
}

/* An allocator that refuses the n-th request. */
struct scarce {
	int left, open;
};

static void *scarce_alloc(void *ctx, size_t bytes)
{
	struct scarce *s = ctx;

	if (s->left-- <= 0)
		return NULL;
	s->open++;
	return flux_mem_libc.alloc(NULL, bytes);
}

static void scarce_free(void *ctx, void *ptr, size_t bytes)
{
	((struct scarce *)ctx)->open--;
	flux_mem_libc.free(NULL, ptr, bytes);
}

static void no_memory(void **state)
{
	(void)state;
	for (int n = 0; n < 3; n++) {
		struct scarce s = { .left = n };
		const struct flux_mem mem = { scarce_alloc, scarce_free, &s };
		const struct flux_rxstream_cfg cfg = {
			.mem = &mem, .pool = &pool, .first_seq = 1, .size = 64, .window = 64, .max_message = 100
		};
		struct flux_rxstream r;

		assert_int_equal(flux_rxstream_init(&r, &cfg), FLUX_ENOMEM);
		assert_int_equal(s.open, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(silent_while_idle),
		CASE(by_time),
		CASE(by_count),
		CASE(by_bytes),
		CASE(content),
		CASE(three_later_datagrams),
		CASE(window_follows_the_application),
		CASE(shut_and_reopened),
		CASE(clamped),
		CASE(learns_from_duplicates),
		CASE(old_duplicates_say_nothing),
		CASE(late_original_is_learned),
		CASE(end_is_told),
		CASE(no_buffer),
		CASE(no_memory),
	};

	return cmocka_run_group_tests_name("rudp/rxstream", tests, NULL, NULL);
}
