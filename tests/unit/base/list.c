/* SPDX-License-Identifier: MIT */
/*
 * The intrusive list: order, and that linking and unlinking twice does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>

#include "core/base/list.h"

struct item {
	int value;
	struct flux_node node;
};

static struct flux_list list;
static struct item items[4];

static int setup(void **state)
{
	(void)state;
	flux_list_init(&list);
	for (int i = 0; i < 4; i++)
		items[i] = (struct item){ .value = i };
	return 0;
}

/* The values from first to last must be the digits of `text`, forwards and backwards. */
static void expect(const char *text)
{
	const struct flux_node *node = list.head.next, *prev = &list.head;

	for (; *text; text++, prev = node, node = node->next) {
		assert_ptr_not_equal(node, &list.head);
		assert_ptr_equal(node->prev, prev);
		assert_int_equal(FLUX_CONTAINER(node, struct item, node)->value, *text - '0');
	}
	assert_ptr_equal(node, &list.head);
	assert_ptr_equal(list.head.prev, prev);
}

static void order(void **state)
{
	(void)state;
	assert_true(flux_list_empty(&list));
	assert_null(flux_list_first(&list));
	for (int i = 0; i < 4; i++) {
		assert_false(flux_node_linked(&items[i].node));
		flux_list_append(&list, &items[i].node);
		assert_true(flux_node_linked(&items[i].node));
	}
	expect("0123");
	assert_ptr_equal(flux_list_first(&list), &items[0].node);
	flux_list_remove(&items[1].node);
	expect("023");
	flux_list_remove(&items[0].node);
	expect("23");
	flux_list_append(&list, &items[0].node);
	expect("230");
	flux_list_remove(&items[0].node);
	expect("23");
	flux_list_remove(&items[2].node);
	flux_list_remove(&items[3].node);
	assert_true(flux_list_empty(&list));
}

static void twice(void **state)
{
	(void)state;
	flux_list_append(&list, &items[0].node);
	flux_list_append(&list, &items[1].node);
	flux_list_append(&list, &items[0].node);
	expect("01");
	flux_list_remove(&items[0].node);
	flux_list_remove(&items[0].node);
	assert_false(flux_node_linked(&items[0].node));
	expect("1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(order, setup),
		cmocka_unit_test_setup(twice, setup),
	};

	return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
