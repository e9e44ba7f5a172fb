/* SPDX-License-Identifier: MIT */
/*
 * The receive window against a plain list: random arrivals, skips, releases and settlings over many laps; the
 * pool gets everything back, and the slot that is owed lets the oldest one in when all others are taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/error.h>

#include "core/base/rng.h"
#include "core/rudp/rxwin.h"

#define FIRST 0xFFFFFFE0ull
#define SIZE  64u
#define BYTES 32u

static struct flux_pool pool;
static struct flux_rxwin w;
static uint8_t driver[4 * SIZE][BYTES];
static uint32_t window;

static void open_window(uint32_t slots, uint32_t allowed)
{
	window = allowed;
	assert_int_equal(flux_pool_init(&pool, &flux_mem_libc, slots, BYTES), 0);
	pool.owed = 1;
	assert_int_equal(flux_rxwin_init(&w, &flux_mem_libc, &pool, FIRST, SIZE, allowed), 0);
}

static int setup(void **state)
{
	(void)state;
	open_window(SIZE, SIZE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_null(flux_rxwin_check(&w));
	flux_rxwin_fini(&w);
	flux_rxwin_fini(&w);
	assert_int_equal(pool.n_free, pool.n);
	assert_int_equal(pool.owed, 1);
	flux_pool_fini(&pool);
	return 0;
}

/* The bytes of datagram `seq`. */
static const uint8_t *bytes_of(uint64_t seq)
{
	uint8_t *out = driver[seq % (4 * SIZE)];

	memset(out, (int)(seq * 7 % 251), BYTES);
	return out;
}

/* As the stream does it: what lies between becomes missing, then the datagram is put. */
static bool arrive(uint64_t seq, bool rtx)
{
	uint32_t buf = flux_rxwin_take(&w, seq);

	if (buf == FLUX_POOL_NONE)
		return false;
	for (uint64_t s = w.high; s < seq; s++)
		*flux_rxwin_slot(&w, s) = (struct flux_rx_slot){ .state = FLUX_RX_MISSING };
	flux_rxwin_put(&w, seq, buf, bytes_of(seq), BYTES, rtx);
	flux_rxwin_advance(&w);
	return true;
}

static void present_everywhere(void)
{
	for (uint64_t s = w.consumed; s < w.high; s++) {
		const struct flux_rx_slot *slot = flux_rxwin_slot(&w, s);

		if (slot->state != FLUX_RX_PRESENT)
			continue;
		assert_int_equal(slot->data[0], s * 7 % 251);
		assert_int_equal(slot->data[BYTES - 1], s * 7 % 251);
	}
}

static void verdicts(void **state)
{
	(void)state;
	teardown(state);
	open_window(SIZE, 40);
	assert_int_equal(flux_rxwin_judge(&w, FIRST), FLUX_RX_NEW);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 39), FLUX_RX_NEW);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 40), FLUX_RX_FAR);
	assert_int_equal(flux_rxwin_judge(&w, UINT64_MAX), FLUX_RX_FAR);
	assert_int_equal(flux_rxwin_judge(&w, FIRST - 1), FLUX_RX_DUPLICATE);
	assert_int_equal(flux_rxwin_judge(&w, 0), FLUX_RX_DUPLICATE);
	assert_true(arrive(FIRST + 2, false));
	assert_int_equal(flux_rxwin_judge(&w, FIRST), FLUX_RX_NEW);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 2), FLUX_RX_DUPLICATE);
	assert_true(arrive(FIRST, false));
	assert_true(arrive(FIRST + 1, true));
	assert_int_equal(w.ack, FIRST + 3);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 1), FLUX_RX_DUPLICATE);
	flux_rxwin_release(&w, FIRST + 2);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 41), FLUX_RX_NEW);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 42), FLUX_RX_FAR);
	assert_int_equal(flux_rxwin_judge(&w, FIRST + 1), FLUX_RX_DUPLICATE);
	assert_true(flux_rxwin_slot(&w, FIRST + 1)->by_rtx); /* remembered after its release */
}

/* Others have taken all of the pool: what everybody waits for gets in all the same, one after another. */
static void the_slot_that_is_owed(void **state)
{
	uint32_t others = 0;

	(void)state;
	while (flux_pool_take(&pool) != FLUX_POOL_NONE)
		others++;
	assert_int_equal(others, SIZE - 1);
	assert_false(arrive(FIRST + 1, false));
	for (uint64_t s = FIRST; s < FIRST + 200; s++) {
		assert_true(arrive(s, false));
		assert_false(arrive(s + 1, false)); /* the one slot is in use */
		assert_true(w.promise_used);
		flux_rxwin_release(&w, s + 1);
		assert_false(w.promise_used);
	}
	for (uint32_t i = 0; i < others; i++)
		flux_pool_give(&pool, i);
}

static void settle_moves_bytes(void **state)
{
	(void)state;
	for (uint64_t s = FIRST + 10; s-- > FIRST;)
		assert_true(arrive(s, false));
	flux_rxwin_release(&w, FIRST + 3);
	assert_ptr_equal(flux_rxwin_slot(&w, FIRST + 5)->data, driver[(FIRST + 5) % (4 * SIZE)]);
	flux_rxwin_settle(&w);
	memset(driver, 0, sizeof(driver));
	present_everywhere();
	flux_rxwin_settle(&w);
	assert_true(arrive(FIRST + 12, false));
	present_everywhere();
	flux_rxwin_release(&w, FIRST + 10);
	flux_rxwin_settle(&w);
	memset(driver, 0, sizeof(driver));
	present_everywhere();
}

/* All is released before it is settled: nothing is copied, nothing is forgotten. */
static void settle_after_release(void **state)
{
	(void)state;
	for (int lap = 0; lap < 200; lap++) {
		uint64_t s = w.high;

		assert_true(arrive(s, false));
		flux_rxwin_release(&w, s + 1);
		if (lap % 3 == 0)
			flux_rxwin_settle(&w);
		assert_true(arrive(s + 2, false));
		if (lap % 5 == 0)
			flux_rxwin_settle(&w);
		assert_true(arrive(s + 1, true));
		flux_rxwin_settle(&w);
		memset(driver, 0, sizeof(driver));
		present_everywhere();
		flux_rxwin_release(&w, s + 3);
	}
}

/* ---- The model ---- */

enum fate {
	UNKNOWN,
	MISSING,
	PRESENT,
	SKIPPED
};

static enum fate model[1u << 20];

static enum fate *fate(uint64_t seq)
{
	return &model[seq - FIRST];
}

static void compare(uint64_t ack, uint64_t high)
{
	const char *bad = flux_rxwin_check(&w);

	if (bad)
		fail_msg("%s", bad);
	assert_int_equal(w.ack, ack);
	assert_int_equal(w.high, high);
	for (uint64_t s = w.consumed; s < high; s++)
		assert_int_equal(flux_rxwin_slot(&w, s)->state, (int)*fate(s));
	present_everywhere();
}

static void run(struct flux_rng *rng, uint32_t slots, uint32_t allowed)
{
	uint64_t ack = FIRST, high = FIRST;

	open_window(slots, allowed);
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 30000; i++) {
		uint32_t x = flux_rng_u32(rng);
		uint64_t seq = w.consumed + (x >> 8) % (x & 8 ? allowed + 5 : 6);

		if (seq >= FIRST + sizeof(model) / sizeof(*model) - 2 * SIZE)
			break;
		switch (x % 8) {
		case 0: /* the application reads */
			if (ack > w.consumed)
				flux_rxwin_release(&w, w.consumed + (x >> 8) % (ack - w.consumed + 1));
			break;
		case 1: /* the driver wants its buffers back */
			flux_rxwin_settle(&w);
			memset(driver, 0, sizeof(driver));
			break;
		case 2: /* the writer gives one up */
			if (seq < high && *fate(seq) == MISSING) {
				*fate(seq) = SKIPPED;
				*flux_rxwin_slot(&w, seq) = (struct flux_rx_slot){ .state = FLUX_RX_SKIPPED };
				flux_rxwin_advance(&w);
			}
			break;
		default:
			if (seq >= w.consumed + allowed) {
				assert_int_equal(flux_rxwin_judge(&w, seq), FLUX_RX_FAR);
			} else if (*fate(seq) == PRESENT || *fate(seq) == SKIPPED) {
				assert_int_equal(flux_rxwin_judge(&w, seq), FLUX_RX_DUPLICATE);
			} else if (arrive(seq, x >> 31)) {
				for (; high <= seq; high++)
					*fate(high) = MISSING;
				*fate(seq) = PRESENT;
			} else {
				assert_true(seq != ack || w.promise_used);
			}
			break;
		}
		while (ack < high && *fate(ack) != MISSING)
			ack++;
		compare(ack, high);
	}
	assert_true(ack > FIRST + 500);
}

static void random_steps(void **state)
{
	static const uint8_t seed[32] = { 12 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	teardown(state);
	run(&rng, SIZE, SIZE);
	teardown(state);
	run(&rng, SIZE / 4, SIZE); /* the pool is often empty */
	teardown(state);
	run(&rng, 1, 16); /* nothing but what is owed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(the_slot_that_is_owed, setup, teardown),
		cmocka_unit_test_setup_teardown(settle_moves_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(settle_after_release, setup, teardown),
		cmocka_unit_test_setup_teardown(random_steps, setup, teardown),
	};

	return cmocka_run_group_tests_name("rudp/rxwin", tests, NULL, NULL);
}
