/* SPDX-License-Identifier: MIT */
/* Small files of the kernel: read whole or cut, numbers, and the words about a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

#include "sys/kernel_info.h"
#include "tests/lib/child.h"

/* A file with this text; its path until the next call. */
static const char *file_of(const char *text)
{
	static char path[64];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "/tmp/flux-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void texts(void **state)
{
	const char *path = file_of("0-3,8\n");
	char text[16];

	(void)state;
	assert_int_equal(flux_kernel_read(path, text, sizeof(text)), 6);
	assert_string_equal(text, "0-3,8\n");
	assert_int_equal(flux_kernel_read(path, text, 4), 3);
	assert_string_equal(text, "0-3");
	unlink(path);
	assert_int_equal(flux_kernel_read(path, text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");
	assert_true(flux_kernel_read("/", text, sizeof(text)) < 0);
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} cases[] = {
		{ "0\n", true, 0 },
		{ "9223372036854771712\n", true, 9223372036854771712u },
		{ "42 17 3\n", true, 42 },
		{ "max\n", true, UINT64_MAX },
		{ "", false, 0 },
		{ "none\n", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = file_of(cases[i].text);
		uint64_t value = 1;

		assert_int_equal(flux_kernel_number(path, &value), cases[i].good);
		if (cases[i].good)
			assert_int_equal(value, cases[i].value);
		unlink(path);
	}
}

static void memory(void **state)
{
	uint64_t limit, room;

	(void)state;
	flux_kernel_memory(&limit, &room);
	assert_true(room <= limit);
}

static int with_limit(void *arg)
{
	struct rlimit lim = { *(rlim_t *)arg, *(rlim_t *)arg };
	char words[256];

	if (setrlimit(RLIMIT_MEMLOCK, &lim) < 0)
		return CHILD_SKIP;
	flux_kernel_memlock_words(1 << 20, words, sizeof(words));
	CHECK(strstr(words, "1048576 bytes"));
	if (lim.rlim_cur == RLIM_INFINITY)
		CHECK(strstr(words, "no limit"));
	else
		CHECK(strstr(words, "may lock 65536 in all") && strstr(words, "ulimit -l 2048"));
	return 0;
}

static void words_about_locking(void **state)
{
	rlim_t some = 65536, none = RLIM_INFINITY;
	int status;

	(void)state;
	assert_int_equal(child_run(with_limit, &some), 0);
	status = child_run(with_limit, &none);
	if (status == CHILD_SKIP) {
		print_message("# the limit cannot be taken away without CAP_SYS_RESOURCE\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(numbers),
		cmocka_unit_test(memory),
		cmocka_unit_test(words_about_locking),
	};

	return cmocka_run_group_tests_name("sys/kernel_info", tests, NULL, NULL);
}
