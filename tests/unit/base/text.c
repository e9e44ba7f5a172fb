/* SPDX-License-Identifier: MIT */
/*
 * Texts put together in a buffer: cut where it ends, terminated always, and not a byte further.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static void pieces(void **state)
{
	char buf[64];
	struct flux_text t;

	(void)state;
	flux_text_init(&t, buf, sizeof(buf));
	assert_string_equal(buf, "");
	flux_text_str(&t, "at most ");
	flux_text_u64(&t, 0);
	flux_text_str(&t, "");
	flux_text_str(&t, "/");
	flux_text_u64(&t, UINT64_MAX);
	assert_string_equal(buf, "at most 0/18446744073709551615");
	assert_int_equal(t.len, strlen(buf));
}

static void bytes(void **state)
{
	char buf[8];
	struct flux_text t;

	(void)state;
	flux_text_init(&t, buf, sizeof(buf));
	flux_text_bytes(&t, "window=64", 6);
	assert_string_equal(buf, "window");
	flux_text_bytes(&t, "", 0);
	flux_text_bytes(&t, "=64", 3);
	assert_string_equal(buf, "window=");
}

static void cut(void **state)
{
	const char *whole = "limit 4294967296 bytes";

	(void)state;
	for (uint32_t cap = 1; cap <= 30; cap++) {
		char *buf = malloc(cap); /* of exactly this size, for the sanitizers */
		size_t len = strlen(whole) < cap ? strlen(whole) : cap - 1;
		struct flux_text t;

		assert_non_null(buf);
		flux_text_init(&t, buf, cap);
		flux_text_str(&t, "limit ");
		flux_text_u64(&t, 1ull << 32);
		flux_text_str(&t, " bytes");
		assert_int_equal(strlen(buf), len);
		assert_memory_equal(buf, whole, len);
		free(buf);
	}
}

static void no_room(void **state)
{
	struct flux_text t;

	(void)state;
	flux_text_init(&t, NULL, 0);
	flux_text_str(&t, "into nothing");
	flux_text_u64(&t, 7);
	assert_int_equal(t.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(bytes),
		cmocka_unit_test(cut),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
