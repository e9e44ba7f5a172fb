/* SPDX-License-Identifier: MIT */
/*
 * Missing datagrams: when each is asked for, how often, in which ranges, and that a random life of the queues
 * agrees with a plain list of what is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/rudp/nak.h"

#define FIRST 0xFFFFFF80ull
#define SIZE  1024u
#define RTT   FLUX_MS(20)

static struct flux_pool pool;
static struct flux_rxwin w;
static struct flux_nak nak;
static struct flux_rtt rtt;
static struct flux_reorder reorder;
static struct flux_range ranges[FLUX_RANGES_MAX];
static uint32_t received;
static flux_ts now;

static int setup(void **state)
{
	(void)state;
	now = FLUX_S(100);
	received = 0;
	flux_rtt_init(&rtt, FLUX_MS(1));
	for (int i = 0; i < 100; i++)
		flux_rtt_sample(&rtt, now, (int32_t)(RTT / 1000));
	flux_reorder_init(&reorder);
	flux_reorder_update(&reorder, &rtt);
	assert_int_equal(flux_pool_init(&pool, &flux_mem_libc, 2 * SIZE, 64), 0);
	pool.owed = 1;
	assert_int_equal(flux_rxwin_init(&w, &flux_mem_libc, &pool, FIRST, SIZE, SIZE), 0);
	return flux_nak_init(&nak, &flux_mem_libc, SIZE);
}

static int teardown(void **state)
{
	(void)state;
	assert_null(flux_nak_check(&nak, &w));
	assert_null(flux_rxwin_check(&w));
	flux_nak_fini(&nak, &flux_mem_libc);
	flux_nak_fini(&nak, &flux_mem_libc);
	flux_rxwin_fini(&w);
	flux_pool_fini(&pool);
	return 0;
}

/* The datagram `n` above the first one arrives. */
static void arrive(uint64_t n, bool rtx)
{
	static const uint8_t bytes[64];
	uint64_t seq = FIRST + n;
	flux_ts late;

	received++;
	if (seq < w.high)
		flux_nak_remove(&nak, &w, seq, now, &reorder, &late);
	else
		flux_nak_add(&nak, &w, w.high, seq, now, received - 1);
	flux_rxwin_put(&w, seq, flux_rxwin_take(&w, seq), bytes, 64, rtx);
	flux_rxwin_advance(&w);
}

static flux_ts deadline(void)
{
	return flux_nak_deadline(&nak, &w, now, &rtt, &reorder, received);
}

static uint8_t collect(void)
{
	uint8_t n = flux_nak_collect(&nak, &w, now, &rtt, &reorder, received, ranges);
	const char *bad = flux_nak_check(&nak, &w);

	if (bad)
		fail_msg("%s", bad);
	return n;
}

static void expect_range(uint8_t i, uint64_t first, uint64_t count)
{
	assert_int_equal(ranges[i].first - FIRST, first);
	assert_int_equal(ranges[i].count, count);
}

static void nothing_missing(void **state)
{
	(void)state;
	assert_true(deadline() == FLUX_NEVER);
	for (uint64_t i = 0; i < 10; i++)
		arrive(i, false);
	assert_true(deadline() == FLUX_NEVER);
	assert_int_equal(collect(), 0);
	assert_int_equal(nak.t_last, 0);
}

/* Until reordering was seen, three later datagrams are proof enough: the one that shows the gap and two more. */
static void three_datagrams(void **state)
{
	(void)state;
	arrive(1, false);
	assert_true(deadline() == now + reorder.wait);
	assert_int_equal(collect(), 0);
	arrive(2, false);
	assert_true(deadline() > now);
	arrive(3, false);
	assert_true(deadline() <= now);
	assert_int_equal(collect(), 1);
	expect_range(0, 0, 1);
	assert_int_equal(nak.lost, 1);
}

/* Where reordering was seen, only time counts. */
static void only_time_once_reordered(void **state)
{
	flux_ts start = now;

	(void)state;
	reorder.seen = true;
	arrive(1, false);
	for (uint64_t i = 2; i < 100; i++)
		arrive(i, false);
	assert_true(deadline() == start + reorder.wait);
	now = start + reorder.wait - 1000;
	assert_int_equal(collect(), 0);
	now += 1000;
	assert_int_equal(collect(), 1);
}

/* More datagrams than 16 bits count: still missing, still asked for at its time. */
static void many_datagrams(void **state)
{
	(void)state;
	reorder.seen = true;
	arrive(1, false);
	received += 65536;
	reorder.seen = false;
	assert_true(deadline() == now + reorder.wait);
	received += 2;
	assert_true(deadline() <= now);
}

/* The levels: no back-off for the first retries, then half as much again, never beyond 8 rto or 1 s. */
static void levels(void **state)
{
	flux_ts late = flux_rtt_late(&rtt), cap = 8 * late < FLUX_S(1) ? 8 * late : FLUX_S(1);
	flux_ts expected[12] = { 0, late, late, late, late * 3 / 2, late * 9 / 4, late * 27 / 8 };

	(void)state;
	for (int i = 7; i < 12; i++)
		expected[i] = expected[6] * 3 / 2; /* the top level repeats itself */
	arrive(1, false);
	now += reorder.wait;
	assert_int_equal(collect(), 1);
	for (int i = 1; i < 12; i++) {
		flux_ts want = expected[i] < cap ? expected[i] : cap, t = deadline();

		assert_in_range(t - now, want - FLUX_US(2), want + FLUX_US(2));
		now = t - FLUX_US(2);
		assert_int_equal(collect(), 0);
		now = t + FLUX_US(2);
		assert_int_equal(collect(), 1);
		expect_range(0, 0, 1);
		assert_int_equal(flux_rxwin_slot(&w, FIRST)->level, i + 1 < 8 ? i + 1 : 7);
	}
	assert_int_equal(nak.lost, 1); /* once, however often it was asked for */
}

/* Calling at the deadline always does something, or moves it; at any fraction of a microsecond. */
static void deadlines_move(void **state)
{
	(void)state;
	for (uint32_t frac = 0; frac < 3000; frac += 7) {
		int idle = 0;

		now = FLUX_S(200) + frac * 1001;
		rtt.srtt = RTT + frac; /* no whole microseconds */
		reorder.wait = RTT / 4 + frac;
		arrive(w.high - FIRST + 1, false);
		for (int i = 0; i < 20; i++) {
			flux_ts t = deadline();

			assert_true(t > now);
			now = t;
			idle = collect() ? 0 : idle + 1;
			assert_int_equal(idle, 0);
		}
		arrive(w.ack - FIRST, true);
		flux_rxwin_release(&w, w.ack);
		assert_true(deadline() == FLUX_NEVER);
	}
}

/* At most one NAK in each gap. */
static void gap_between_naks(void **state)
{
	flux_ts t;

	(void)state;
	arrive(1, false);
	arrive(3, false);
	arrive(5, false);
	assert_int_equal(collect(), 1); /* 0: four later ones; 2 and 4: fewer */
	arrive(6, false);
	assert_int_equal(flux_rxwin_slot(&w, FIRST + 2)->level, 0);
	t = deadline();
	assert_true(t == now + FLUX_US(250)); /* a quarter of the granularity caps srtt / 16 */
	now = t;
	assert_int_equal(collect(), 1);
	expect_range(0, 2, 1);
}

/* Runs are ranges; the lowest come first; what finds no room in one FEEDBACK is due for the next. */
static void more_ranges_than_fit(void **state)
{
	uint8_t n;

	(void)state;
	for (uint64_t i = 1; i <= 200; i += 2)
		arrive(i, false); /* 100 holes of one */
	arrive(400, false);       /* and one of 200 - 1 */
	now += reorder.wait + FLUX_US(1);
	n = collect();
	assert_int_equal(n, 64);
	for (uint8_t i = 0; i < n; i++)
		expect_range(i, 2u * i, 1);
	assert_int_equal(nak.lost, 100 + 200);
	assert_true(deadline() == now + FLUX_US(250));
	arrive(130, true); /* comes meanwhile: no need to ask */
	now += FLUX_US(250);
	n = collect();
	assert_int_equal(n, 36);
	expect_range(0, 128, 1);
	expect_range(1, 132, 1);
	expect_range(34, 198, 1);
	expect_range(35, 200, 200);
	assert_int_equal(nak.due.count, 0);
	assert_true(deadline() > now + FLUX_MS(1));
	assert_int_equal(nak.lost, 300);
}

static void what_remove_tells(void **state)
{
	flux_ts late;

	(void)state;
	arrive(3, false);
	now += FLUX_MS(2);
	received++;
	assert_false(flux_nak_remove(&nak, &w, FIRST + 1, now, &reorder, &late));
	assert_int_equal(late, FLUX_MS(2));
	flux_rxwin_slot(&w, FIRST + 1)->state = FLUX_RX_SKIPPED;
	now += reorder.wait;
	assert_int_equal(collect(), 2);
	now += FLUX_MS(7);
	assert_true(flux_nak_remove(&nak, &w, FIRST + 2, now, &reorder, &late));
	assert_int_equal(late, FLUX_MS(7) + reorder.wait);
	flux_rxwin_slot(&w, FIRST + 2)->state = FLUX_RX_SKIPPED;
	assert_int_equal(nak.missing, 1);
}

/* ---- The model ---- */

struct missing {
	bool is;
	uint32_t asked;
	flux_ts t_asked; /* or missed */
};

static struct missing model[1u << 16];

/* What was asked for was missing and due; what is overdue by far was asked for. */
static void judge_ranges(uint8_t n)
{
	uint64_t end = w.ack;

	for (uint8_t i = 0; i < n; i++) {
		assert_true(ranges[i].first >= end && ranges[i].count > 0);
		end = ranges[i].first + ranges[i].count;
		assert_true(end <= w.high);
		for (uint64_t s = ranges[i].first; s < end; s++) {
			struct missing *m = &model[s - FIRST];

			assert_true(m->is);
			if (m->asked)
				assert_true(now - m->t_asked >= flux_rtt_late(&rtt) - FLUX_MS(1));
			m->asked++;
			m->t_asked = now;
		}
		end++; /* two ranges never touch */
	}
}

static void random_life(void **state)
{
	static const uint8_t seed[32] = { 13 };
	struct flux_rng rng;
	uint64_t lost = 0;

	(void)state;
	flux_rng_init(&rng, seed);
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 40000 && w.high < FIRST + 60000; i++) {
		uint32_t x = flux_rng_u32(&rng);

		now += x % FLUX_US(300);
		if (x % 8 < 4 || w.ack == w.high) { /* a new one, some are lost */
			uint64_t seq = w.high + ((x >> 8) % 8 ? 0 : (x >> 16) % 4);

			if (seq < w.consumed + SIZE) {
				for (uint64_t s = w.high; s < seq; s++)
					model[s - FIRST] = (struct missing){ .is = true, .t_asked = now };
				arrive(seq - FIRST, false);
			}
		} else if (x % 8 < 6) { /* one of the missing */
			uint64_t span = w.high - w.ack, seq = w.ack + (x >> 8) % (x & 64 && span > 20 ? 20 : span);

			if (model[seq - FIRST].is) {
				lost += flux_rxwin_slot(&w, seq)->level > 0;
				model[seq - FIRST].is = false;
				arrive(seq - FIRST, true);
			}
		} else if (now >= deadline()) {
			judge_ranges(collect());
		}
		flux_rxwin_release(&w, w.ack);
		assert_null(flux_nak_check(&nak, &w));
		for (uint64_t s = w.ack; s < w.high && i % 64 == 0; s++)
			assert_int_equal(flux_rxwin_slot(&w, s)->state == FLUX_RX_MISSING, model[s - FIRST].is);
	}
	assert_true(w.ack > FIRST + 5000);
	for (uint64_t s = w.ack; s < w.high; s++)
		lost += model[s - FIRST].is && flux_rxwin_slot(&w, s)->level > 0;
	assert_int_equal(nak.lost, lost); /* each once */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_missing),
		CASE(three_datagrams),
		CASE(only_time_once_reordered),
		CASE(many_datagrams),
		CASE(levels),
		CASE(deadlines_move),
		CASE(gap_between_naks),
		CASE(more_ranges_than_fit),
		CASE(what_remove_tells),
		CASE(random_life),
	};

	return cmocka_run_group_tests_name("rudp/nak", tests, NULL, NULL);
}
