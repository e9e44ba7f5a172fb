/* SPDX-License-Identifier: MIT */
/* What SYNC tells an incoming stream: tails, floors, skipped ranges, and absurdities. */
#include "tests/unit/rudp/rxstream.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(absurd_sync),
		CASE(tail),
		CASE(no_answer_unless_asked),
		CASE(floor_gives_up),
		CASE(skipped_ranges),
		CASE(rtt_from_sync),
	};

	return cmocka_run_group_tests_name("rudp/rxsync", tests, NULL, NULL);
}
