/* SPDX-License-Identifier: MIT */
/*
 * The pool of equal slots: what is owed stays there for its owner, whatever the others do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <flux/error.h>

#include "core/base/pool.h"
#include "core/base/rng.h"

#define SLOTS 16u

static struct flux_pool pool;

static int setup(void **state)
{
	(void)state;
	return flux_pool_init(&pool, &flux_mem_libc, SLOTS, 33);
}

static int teardown(void **state)
{
	(void)state;
	flux_pool_fini(&pool);
	flux_pool_fini(&pool);
	return 0;
}

/* Slots are apart, aligned, and low ones come first. */
static void slots(void **state)
{
	(void)state;
	assert_int_equal(pool.stride, 48);
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal(flux_pool_take(&pool), i);
		memset(flux_pool_at(&pool, i), (int)i, 33);
	}
	assert_int_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
	for (uint32_t i = 0; i < SLOTS; i++) {
		assert_int_equal((uintptr_t)flux_pool_at(&pool, i) % 16, 0);
		assert_int_equal(flux_pool_at(&pool, i)[0], i);
		assert_int_equal(flux_pool_at(&pool, i)[32], i);
		flux_pool_give(&pool, i);
	}
}

static void promises(void **state)
{
	uint32_t slot;

	(void)state;
	pool.owed++;
	pool.owed++;
	for (uint32_t i = 0; i < SLOTS - 2; i++)
		assert_int_not_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
	assert_int_equal(flux_pool_take(&pool), FLUX_POOL_NONE);

	slot = flux_pool_take_promised(&pool);
	assert_true(slot < SLOTS);
	assert_int_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
	pool.owed--;
	assert_int_not_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
	assert_int_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
	flux_pool_give(&pool, slot);
	pool.owed++;
	assert_int_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
}

static void all_promised(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++)
		pool.owed++;
	assert_int_equal(flux_pool_take(&pool), FLUX_POOL_NONE);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_true(flux_pool_take_promised(&pool) < SLOTS);
}

/* Nobody gets a slot twice, and a promise can always be redeemed. */
static void random_use(void **state)
{
	static const uint8_t seed[32] = { 2 };
	bool taken[SLOTS] = { false };
	uint32_t n_taken = 0, owed = 0;
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 50000; i++) {
		uint32_t r = flux_rng_u32(&rng), slot = FLUX_POOL_NONE;
		bool full = n_taken + owed == SLOTS;

		switch (r % 5) {
		case 0:
			slot = flux_pool_take(&pool);
			assert_int_equal(slot == FLUX_POOL_NONE, full);
			break;
		case 1:
			pool.owed += !full;
			owed += !full;
			break;
		case 2:
			if (owed) {
				pool.owed--;
				owed--;
			}
			break;
		case 3:
			if (owed) {
				slot = flux_pool_take_promised(&pool);
				assert_int_not_equal(slot, FLUX_POOL_NONE);
				owed--;
			}
			break;
		default:
			if (taken[r / 5 % SLOTS]) {
				taken[r / 5 % SLOTS] = false;
				n_taken--;
				flux_pool_give(&pool, r / 5 % SLOTS);
			}
			break;
		}
		if (slot != FLUX_POOL_NONE) {
			assert_true(slot < SLOTS && !taken[slot]);
			taken[slot] = true;
			n_taken++;
		}
		assert_int_equal(pool.n_free, SLOTS - n_taken);
		assert_int_equal(pool.owed, owed);
	}
}

/* An allocator that refuses the n-th request, and counts what was not given back. */
struct scarce {
	int left;
	int open;
};

static void *scarce_alloc(void *ctx, size_t bytes)
{
	struct scarce *s = ctx;

	if (s->left-- <= 0)
		return NULL;
	s->open++;
	return malloc(bytes);
}

static void scarce_free(void *ctx, void *ptr, size_t bytes)
{
	(void)bytes;
	((struct scarce *)ctx)->open--;
	free(ptr);
}

static void no_memory(void **state)
{
	(void)state;
	for (int n = 0; n < 2; n++) {
		struct scarce s = { .left = n };
		const struct flux_mem mem = { scarce_alloc, scarce_free, &s };
		struct flux_pool p;

		assert_int_equal(flux_pool_init(&p, &mem, 4, 100), FLUX_ENOMEM);
		assert_int_equal(s.open, 0);
		flux_pool_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slots, setup, teardown),
		cmocka_unit_test_setup_teardown(promises, setup, teardown),
		cmocka_unit_test_setup_teardown(all_promised, setup, teardown),
		cmocka_unit_test_setup_teardown(random_use, setup, teardown),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
