/* SPDX-License-Identifier: MIT */
/*
 * Numbers with a unit: what is read in which unit, what is none, where 64 bits end, and that what is written reads as
 * the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/number.h"

#define COUNT FLUX_UNIT_COUNT
#define SIZE  FLUX_UNIT_SIZE
#define TIME  FLUX_UNIT_TIME

static void reads(enum flux_unit unit, const char *text, uint64_t wanted)
{
	uint64_t value = 77;

	if (flux_number_read(text, strlen(text), unit, &value) != FLUX_NUMBER_OK || value != wanted)
		fail_msg("\"%s\" should be %llu, is %llu", text, (unsigned long long)wanted,
			 (unsigned long long)value);
}

static void refuses(enum flux_unit unit, const char *text, enum flux_number wanted)
{
	uint64_t value = 77;

	if (flux_number_read(text, strlen(text), unit, &value) != wanted)
		fail_msg("\"%s\" is taken, or refused for another reason", text);
	assert_int_equal(value, 77);
}

static void units(void **state)
{
	(void)state;
	reads(COUNT, "0", 0);
	reads(COUNT, "007", 7);
	reads(COUNT, "4K", 4096);
	reads(SIZE, "64k", 65536);
	reads(SIZE, "3M", 3u << 20);
	reads(SIZE, "2G", 2147483648);
	reads(TIME, "5ns", 5);
	reads(TIME, "5us", 5000);
	reads(TIME, "5ms", 5000000);
	reads(TIME, "5s", 5000000000);
	reads(TIME, "0s", 0);
}

static void no_number(void **state)
{
	static const char *const bad[] = { "", "K", "x", "-1", "+1", " 1", "1 ", "1KB", "1KK", "1T",
					   "1.5", "0x10", "1e3", "1K ", "ms", "s", "1m", "1min", "1\x0b" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refuses(TIME, bad[i], FLUX_NUMBER_NONE);
		if (strcmp(bad[i], "1m") != 0) /* a mebi */
			refuses(SIZE, bad[i], FLUX_NUMBER_NONE);
	}
	refuses(TIME, "15", FLUX_NUMBER_NONE);
	refuses(TIME, "15K", FLUX_NUMBER_NONE);
	refuses(SIZE, "15s", FLUX_NUMBER_NONE);
	/* Not a byte behind the given length is looked at. */
	assert_int_equal(flux_number_read("12", 0, COUNT, &(uint64_t){ 0 }), FLUX_NUMBER_NONE);
}

static void ends_at_64_bits(void **state)
{
	(void)state;
	reads(COUNT, "18446744073709551615", UINT64_MAX);
	refuses(COUNT, "18446744073709551616", FLUX_NUMBER_HUGE);
	refuses(COUNT, "18446744073709551620", FLUX_NUMBER_HUGE);
	refuses(COUNT, "99999999999999999999999999999999999999999", FLUX_NUMBER_HUGE);
	reads(SIZE, "17179869183G", UINT64_MAX - (1u << 30) + 1);
	refuses(SIZE, "17179869184G", FLUX_NUMBER_HUGE);
	refuses(TIME, "18446744074s", FLUX_NUMBER_HUGE);
	refuses(COUNT, "99999999999999999999x", FLUX_NUMBER_NONE);
}

static void writes(enum flux_unit unit, uint64_t value, const char *wanted)
{
	char buf[32];
	struct flux_text t;

	flux_text_init(&t, buf, sizeof(buf));
	flux_number_write(&t, unit, value);
	assert_string_equal(buf, wanted);
	reads(unit, buf, value);
}

static void written(void **state)
{
	(void)state;
	writes(COUNT, 0, "0");
	writes(COUNT, 1024, "1024");
	writes(SIZE, 0, "0");
	writes(SIZE, 1023, "1023");
	writes(SIZE, 1024, "1K");
	writes(SIZE, 1025, "1025");
	writes(SIZE, 3u << 20, "3M");
	writes(SIZE, 1u << 30, "1G");
	writes(SIZE, UINT64_MAX, "18446744073709551615");
	writes(TIME, 0, "0ns");
	writes(TIME, 1, "1ns");
	writes(TIME, 1500, "1500ns");
	writes(TIME, 20000, "20us");
	writes(TIME, 2500000000, "2500ms");
	writes(TIME, 60000000000, "60s");
	writes(TIME, UINT64_MAX, "18446744073709551615ns");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units),
		cmocka_unit_test(no_number),
		cmocka_unit_test(ends_at_64_bits),
		cmocka_unit_test(written),
	};

	return cmocka_run_group_tests_name("base/number", tests, NULL, NULL);
}
