/* SPDX-License-Identifier: MIT */
/* Every code of the list has a name, a text and a value of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/error.h>

#define ROW(name, value, text) { name, value, #name, text },

static const struct {
	int code, value;
	const char *name, *text;
} rows[] = { FLUX_ERRORS(ROW) };

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void names_and_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		assert_int_equal(rows[i].code, rows[i].value);
		assert_true(rows[i].code < 0);
		assert_string_equal(flux_strerror(rows[i].code), rows[i].text);
		assert_string_equal(flux_errname(rows[i].code), rows[i].name);
		assert_true(strlen(rows[i].text) > 0);
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(rows[i].code, rows[j].code);
			assert_string_not_equal(rows[i].text, rows[j].text);
		}
	}
}

/* Our own codes start where the kernel's cannot reach and leave no hole. */
static void own_codes(void **state)
{
	int lowest = 0;
	int own = 0;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].code < -4095)
			own++;
		if (rows[i].code < lowest)
			lowest = rows[i].code;
	}
	assert_int_equal(lowest, FLUX_ERROR_LAST_);
	assert_int_equal(own, -4095 - lowest);
}

static void others(void **state)
{
	(void)state;
	assert_string_equal(flux_strerror(0), "success");
	assert_string_equal(flux_errname(0), "OK");
	assert_string_equal(flux_strerror(-EACCES), "system error");
	assert_string_equal(flux_errname(-EACCES), "errno");
	assert_string_equal(flux_errname(-4095), "errno");
	assert_string_equal(flux_strerror(FLUX_ERROR_LAST_ - 1), "system error");
	assert_string_equal(flux_errname(FLUX_ERROR_LAST_ - 1), "unknown");
	assert_string_equal(flux_errname(1), "unknown");
}

static void version(void **state)
{
	(void)state;
	assert_string_equal(flux_version(), FLUX_VERSION);
#ifdef PACKAGE_VERSION
	assert_string_equal(flux_version(), PACKAGE_VERSION);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_texts),
		cmocka_unit_test(own_codes),
		cmocka_unit_test(others),
		cmocka_unit_test(version),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
