/* SPDX-License-Identifier: MIT */
/*
 * One incoming stream: when FEEDBACK is due and what it says, what a SYNC may and may not do, windows that
 * shut and open, learning from duplicates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/error.h>

#include "core/base/time.h"
#include "core/rudp/rxstream.h"
#include "core/wire/packet.h"

#define FIRST  0xFFFFFFF8ull
#define WINDOW 64u
#define RTT    FLUX_MS(20)
#define BYTES  100u /* of a datagram */

static struct flux_pool pool;
static struct flux_rxstream rx;
static struct flux_rtt rtt;
static flux_ts now;
static uint8_t datagram[BYTES]; /* header, one record of 2 + 78, trailer */
static struct flux_msg msgs[256];

static void open_stream(uint32_t size, uint32_t window)
{
	const struct flux_rxstream_cfg cfg = {
		.mem = &flux_mem_libc,
		.pool = &pool,
		.first_seq = FIRST,
		.size = size,
		.window = window,
		.max_message = 5000,
	};

	now = FLUX_S(100);
	memset(datagram, 0, sizeof(datagram));
	datagram[FLUX_HEADER_LEN] = BYTES - FLUX_HEADER_LEN - FLUX_TRAILER_LEN - 2;
	flux_rtt_init(&rtt, FLUX_MS(1));
	for (int i = 0; i < 100; i++)
		flux_rtt_sample(&rtt, now, (int32_t)(RTT / 1000));
	assert_int_equal(flux_pool_init(&pool, &flux_mem_libc, 2 * size, BYTES), 0);
	pool.owed = 1;
	assert_int_equal(flux_rxstream_init(&rx, &cfg), 0);
	flux_reorder_update(&rx.reorder, &rtt);
}

static int setup(void **state)
{
	(void)state;
	open_stream(WINDOW, WINDOW);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_null(flux_rxstream_check(&rx));
	flux_rxstream_fini(&rx);
	flux_rxstream_fini(&rx);
	assert_int_equal(pool.n_free, pool.n);
	flux_pool_fini(&pool);
	return 0;
}

static bool arrive_as(uint64_t n, uint32_t ts, bool rtx)
{
	const struct flux_rx_data data = { .datagram = datagram, .seq = FIRST + n, .ts = ts, .len = BYTES, .rtx = rtx };
	bool ok;

	assert_int_equal(flux_rxwin_judge(&rx.win, data.seq), FLUX_RX_NEW);
	ok = flux_rxstream_data(&rx, now, &rtt, &data);
	assert_null(flux_rxstream_check(&rx));
	return ok;
}

static void arrive(uint64_t n)
{
	assert_true(arrive_as(n, flux_ts_us(now), false));
}

static bool due(void)
{
	return flux_rxstream_feedback_due(&rx, now, &rtt);
}

static flux_ts deadline(void)
{
	return flux_rxstream_deadline(&rx, now, &rtt);
}

static struct flux_feedback feedback(void)
{
	struct flux_feedback fb;

	flux_rxstream_build_feedback(&rx, now, &rtt, &fb);
	assert_null(flux_rxstream_check(&rx));
	assert_int_equal(fb.fixed, 0);
	return fb;
}

/* Read and release up to `n` messages. */
static uint32_t consume(uint32_t n)
{
	uint32_t got = flux_delivery_read(&rx.delivery, &rx.win, msgs, n);

	flux_delivery_release(&rx.delivery, &rx.win, got);
	assert_null(flux_rxstream_check(&rx));
	return got;
}

static bool sync_raw(const struct flux_sync *s, const uint8_t *ranges, size_t len)
{
	struct flux_reader r;
	bool ok;

	flux_reader_init(&r, ranges, len);
	ok = flux_rxstream_sync(&rx, now, &rtt, flux_ts_us(now), s, &r);
	assert_null(flux_rxstream_check(&rx));
	return ok;
}

static bool sync_to(uint64_t next, uint64_t floor, uint8_t flags)
{
	const struct flux_sync s = { .next = FIRST + next, .floor = FIRST + floor, .gsize = 1, .flags = flags };

	return sync_raw(&s, NULL, 0);
}

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

/* ---- SYNC ---- */

/* Each is refused and changes nothing at all. */
static void absurd_sync(void **state)
{
	static const struct {
		const char *what;
		uint64_t next, floor;
		uint8_t flags, n;
		uint8_t ranges[12];
		size_t len;
	} table[] = {
		{ "next beyond what was allowed", FIRST + WINDOW + 1, FIRST, 0, 0, { 0 }, 0 },
		{ "next of all ones", UINT64_MAX, FIRST, 0, 0, { 0 }, 0 },
		{ "floor above next", FIRST + 5, FIRST + 6, 0, 0, { 0 }, 0 },
		{ "floor of all ones", FIRST + 5, UINT64_MAX, 0, 0, { 0 }, 0 },
		{ "both beyond", FIRST + WINDOW + 9, FIRST + WINDOW + 9, 0, 0, { 0 }, 0 },
		{ "ranges of no kind", FIRST + 9, FIRST, 0, 1, { 0, 0 }, 2 },
		{ "ranges of both kinds", FIRST + 9, FIRST, 12, 1, { 0, 0 }, 2 },
		{ "range up to next", FIRST + 9, FIRST, 8, 1, { 9, 0 }, 2 },
		{ "range over next", FIRST + 9, FIRST, 8, 1, { 0, 9 }, 2 },
		{ "range that wraps", FIRST + 9, FIRST, 8, 1, { 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1 }, 11 },
		{ "list cut", FIRST + 9, FIRST, 8, 2, { 0, 0 }, 2 },
		{ "more than a window", FIRST + WINDOW, FIRST - 100, 8, 1, { 0, 100 }, 2 },
	};
	struct flux_rxstream before;
	struct flux_rtt rtt_before = rtt;

	(void)state;
	arrive(0);
	arrive(2);
	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct flux_sync s = {
			.next = table[i].next,
			.floor = table[i].floor,
			.srtt = 5,
			.flags = table[i].flags,
			.n = table[i].n,
		};

		before = rx;
		if (sync_raw(&s, table[i].ranges, table[i].len))
			fail_msg("%s: taken", table[i].what);
		if (memcmp(&before, &rx, sizeof(rx)))
			fail_msg("%s: changed something", table[i].what);
	}
	assert_memory_equal(&rtt_before, &rtt, sizeof(rtt));
	assert_true(sync_to(WINDOW, 0, 0));
}

/* The tail is lost: a SYNC shows it, and asks. */
static void tail(void **state)
{
	struct flux_feedback fb;

	(void)state;
	arrive(0);
	feedback();
	assert_true(sync_to(4, 1, FLUX_SYNC_WANT_FEEDBACK));
	assert_true(due());
	fb = feedback();
	assert_int_equal(fb.n, 0); /* not before the tolerance is over */
	assert_int_equal(fb.high, (uint32_t)(FIRST + 4));
	assert_int_equal(fb.echo_dly, 0);
	now += rx.reorder.wait;
	assert_true(due());
	fb = feedback();
	assert_int_equal(fb.n, 1);
	assert_int_equal(fb.ranges[0].first, FIRST + 1);
	assert_int_equal(fb.ranges[0].count, 3);
	assert_true(sync_to(2, 1, 0)); /* an older one: nothing goes back */
	assert_int_equal(rx.win.high, FIRST + 4);
}

/* An old SYNC, a repeated SYNC, and one that asks nothing, cause nothing. */
static void no_answer_unless_asked(void **state)
{
	(void)state;
	arrive(0);
	feedback();
	assert_true(sync_to(1, 0, 0));
	assert_false(due());
	assert_true(sync_to(0, 0, 0));
	assert_false(due());
	assert_true(sync_to(1, 1, FLUX_SYNC_EOS));
	assert_false(due());
}

static void floor_gives_up(void **state)
{
	uint64_t first, last;

	(void)state;
	arrive(0);
	arrive(3);
	arrive(6);
	assert_true(sync_to(8, 5, FLUX_SYNC_WANT_FEEDBACK)); /* 1, 2, 4 are gone; 5 and 7 may come */
	assert_int_equal(rx.win.ack, FIRST + 5);
	assert_int_equal(rx.nak.missing, 2);
	assert_int_equal(consume(9), 1);
	assert_int_equal(consume(9), 0);
	assert_true(flux_delivery_take_gap(&rx.delivery, &first, &last));
	assert_int_equal(first, FIRST + 1);
	assert_int_equal(last, FIRST + 2);
	assert_int_equal(consume(9), 1);
	assert_int_equal(consume(9), 0);
	assert_true(flux_delivery_take_gap(&rx.delivery, &first, &last));
	assert_int_equal(first, FIRST + 4);
	arrive(5);
	assert_int_equal(consume(9), 2);
	/* What was given up and comes all the same is a duplicate. */
	assert_int_equal(flux_rxwin_judge(&rx.win, FIRST + 4), FLUX_RX_DUPLICATE);
	assert_true(sync_to(WINDOW, WINDOW, 0)); /* all of it */
	assert_int_equal(rx.nak.missing, 0);
	assert_int_equal(rx.win.ack, FIRST + WINDOW);
	assert_true(deadline() == FLUX_NEVER || rx.since);
}

static void skipped_ranges(void **state)
{
	const struct flux_sync s = { .next = FIRST + 20, .floor = FIRST, .flags = FLUX_SYNC_SKIPPED, .n = 2 };
	const uint8_t ranges[] = { 1, 2, 2, 0 }; /* 1 to 3, and 6 */

	(void)state;
	arrive(2);
	assert_true(sync_raw(&s, ranges, sizeof(ranges)));
	assert_int_equal(rx.win.ack, FIRST);
	assert_int_equal(rx.nak.missing, 20 - 4);
	arrive(0);
	assert_int_equal(rx.win.ack, FIRST + 4);
	assert_true(sync_raw(&s, ranges, sizeof(ranges))); /* again: no harm */
}

/* The writer's RTT serves until there is one of our own. */
static void rtt_from_sync(void **state)
{
	struct flux_sync s = { .next = FIRST, .floor = FIRST, .srtt = 7000 };

	(void)state;
	assert_true(sync_raw(&s, NULL, 0));
	assert_int_equal(rtt.srtt, RTT);
	flux_rtt_init(&rtt, 0);
	assert_true(sync_raw(&s, NULL, 0));
	assert_int_equal(rtt.srtt, FLUX_MS(7));
	flux_rtt_init(&rtt, 0);
	s.srtt = UINT32_MAX;
	assert_true(sync_raw(&s, NULL, 0));
	assert_int_equal(rtt.srtt, FLUX_S(3));
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		CASE(absurd_sync),
		CASE(tail),
		CASE(no_answer_unless_asked),
		CASE(floor_gives_up),
		CASE(skipped_ranges),
		CASE(rtt_from_sync),
		CASE(learns_from_duplicates),
		CASE(old_duplicates_say_nothing),
		CASE(late_original_is_learned),
		CASE(end_is_told),
		CASE(no_buffer),
		CASE(no_memory),
	};

	return cmocka_run_group_tests_name("rudp/rxstream", tests, NULL, NULL);
}
