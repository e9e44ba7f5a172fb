/* SPDX-License-Identifier: MIT */
/*
 * The heap of deadlines: against a plain array under random sets, and its order when emptied.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <flux/error.h>

#include "core/base/heap.h"
#include "core/base/rng.h"

#define NODES 64u

static struct flux_heap_node nodes[NODES];
static struct flux_heap heap;

static int setup(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NODES; i++)
		nodes[i] = (struct flux_heap_node){ .key = FLUX_NEVER };
	return flux_heap_init(&heap, &flux_mem_libc, NODES);
}

static int teardown(void **state)
{
	(void)state;
	flux_heap_fini(&heap);
	flux_heap_fini(&heap); /* once more does no harm */
	return 0;
}

/* Each node knows its place, no parent is later than its child, and the first is the least. */
static void check(void)
{
	flux_ts least = FLUX_NEVER;
	uint32_t in = 0;

	for (uint32_t i = 1; i <= heap.n; i++) {
		assert_int_equal(heap.nodes[i]->pos, i);
		assert_true(i == 1 || heap.nodes[i / 2]->key <= heap.nodes[i]->key);
	}
	for (uint32_t i = 0; i < NODES; i++) {
		assert_int_equal(nodes[i].pos != 0, nodes[i].key != FLUX_NEVER);
		in += nodes[i].pos != 0;
		if (nodes[i].key < least)
			least = nodes[i].key;
	}
	assert_int_equal(in, heap.n);
	if (least == FLUX_NEVER)
		assert_null(flux_heap_first(&heap));
	else
		assert_true(flux_heap_first(&heap)->key == least);
}

static void random_sets(void **state)
{
	static const uint8_t seed[32] = { 1 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 20000; i++) {
		uint32_t r = flux_rng_u32(&rng);
		flux_ts key = r >> 29 == 0 ? FLUX_NEVER : r >> 8 & 0xff;

		flux_heap_set(&heap, &nodes[r % NODES], key);
		assert_true(nodes[r % NODES].key == key);
		check();
	}
}

static void emptied_in_order(void **state)
{
	struct flux_heap_node *node;
	flux_ts last = 0;
	uint32_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < NODES; i++)
		flux_heap_set(&heap, &nodes[i], i * 37 % NODES);
	for (; (node = flux_heap_first(&heap)); n++) {
		assert_true(node->key >= last);
		last = node->key;
		flux_heap_set(&heap, node, FLUX_NEVER);
		check();
	}
	assert_int_equal(n, NODES);
}

static void borders(void **state)
{
	(void)state;
	flux_heap_set(&heap, &nodes[0], FLUX_NEVER); /* was not in */
	check();
	flux_heap_set(&heap, &nodes[0], 0);
	flux_heap_set(&heap, &nodes[1], FLUX_NEVER - 1);
	flux_heap_set(&heap, &nodes[0], 0);
	check();
	assert_ptr_equal(flux_heap_first(&heap), &nodes[0]);
	flux_heap_set(&heap, &nodes[0], FLUX_NEVER);
	flux_heap_set(&heap, &nodes[0], FLUX_NEVER);
	check();
	assert_ptr_equal(flux_heap_first(&heap), &nodes[1]);
}

static void *refuse(void *ctx, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	return NULL;
}

static void no_memory(void **state)
{
	static const struct flux_mem none = { .alloc = refuse };
	struct flux_heap h;

	(void)state;
	assert_int_equal(flux_heap_init(&h, &none, 4), FLUX_ENOMEM);
	flux_heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(emptied_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(borders, setup, teardown),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("base/heap", tests, NULL, NULL);
}
