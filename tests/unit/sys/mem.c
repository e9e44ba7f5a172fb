/* SPDX-License-Identifier: MIT */
/* The default allocator gives memory aligned for any type, and takes it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/base.h>

static void alloc_and_free(void **state)
{
	(void)state;
	for (size_t bytes = 1; bytes < 10000; bytes += 97) {
		void *p = flux_mem_libc.alloc(flux_mem_libc.ctx, bytes);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		memset(p, 0x5a, bytes);
		flux_mem_libc.free(flux_mem_libc.ctx, p, bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc_and_free),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
