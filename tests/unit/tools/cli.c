/* SPDX-License-Identifier: MIT */
/* Numbers and addresses as the tools read them from a command line. */
#include "common/cli.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct cli_uint count = { "--count", "things", 10, 1u << 30 };
static const struct cli_real share = { "--share", "a probability", 0, 1 };

static void test_whole_numbers(void **state)
{
	static const char *const wrong[] = { "", "-1", "+12", " 12", "12 ", "12x", "1.5",
					     "0x10", "12K", "9", "abc", "1e3",
					     "99999999999999999999999" };
	uint64_t value = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(cli_parse_uint(&count, wrong[i], &value), CLI_USAGE);
	assert_int_equal(value, 1);
	assert_int_equal(cli_parse_uint(&count, "10", &value), CLI_OK);
	assert_int_equal(value, 10);
	assert_int_equal(cli_parse_uint(&count, "1073741824", &value), CLI_OK);
	assert_int_equal(value, 1u << 30);
	assert_int_equal(cli_parse_uint(&count, "1073741825", &value), CLI_USAGE);
}

static void test_sizes(void **state)
{
	static const char *const wrong[] = { "K", "1KK", "1 K", "1 ", "1T", "2G", "1", "1.5M",
					     "99999999999999999G" };
	uint64_t value = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(cli_parse_size(&count, wrong[i], &value), CLI_USAGE);
	assert_int_equal(value, 1);
	assert_int_equal(cli_parse_size(&count, "100", &value), CLI_OK);
	assert_int_equal(value, 100);
	assert_int_equal(cli_parse_size(&count, "3k", &value), CLI_OK);
	assert_int_equal(value, 3072);
	assert_int_equal(cli_parse_size(&count, "64M", &value), CLI_OK);
	assert_int_equal(value, 64u << 20);
	assert_int_equal(cli_parse_size(&count, "1G", &value), CLI_OK);
	assert_int_equal(value, 1u << 30);
}

static void test_real_numbers(void **state)
{
	static const char *const wrong[] = { "", "-0.1", "+0.1", "1.01", "nan", "inf", "0x1p-3",
					     "2 %", "0,5", " 0.5", "0.5 ", ".", "1e-", "e" };
	double value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(cli_parse_real(&share, wrong[i], &value), CLI_USAGE);
	assert_true(value == 7);
	assert_int_equal(cli_parse_real(&share, "0.5", &value), CLI_OK);
	assert_true(value == 0.5);
	assert_int_equal(cli_parse_real(&share, ".25", &value), CLI_OK);
	assert_true(value == 0.25);
	assert_int_equal(cli_parse_real(&share, "1e-3", &value), CLI_OK);
	assert_true(value == 0.001);
	assert_int_equal(cli_parse_real(&share, "1", &value), CLI_OK);
	assert_true(value == 1);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		enum cli_addr_use use;
		const char *read;
	} cases[] = {
		{ "127.0.0.1:9000", CLI_ADDR_CONNECT, "127.0.0.1:9000" },
		{ "[::1]:9000", CLI_ADDR_CONNECT, "[::1]:9000" },
		{ ":9000", CLI_ADDR_CONNECT, "127.0.0.1:9000" },
		{ ":9000", CLI_ADDR_LISTEN, "0.0.0.0:9000" },
		{ "[::]:0", CLI_ADDR_LISTEN, "[::]:0" },
		{ "127.0.0.1:0", CLI_ADDR_LISTEN, "127.0.0.1:0" },
		{ "127.0.0.1:65535", CLI_ADDR_LISTEN, "127.0.0.1:65535" },
	};
	char text[CLI_ADDR_TEXT];
	struct cli_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cli_addr_parse("ADDRESS", cases[i].text, cases[i].use, &addr),
				 CLI_OK);
		assert_string_equal(cli_addr_format(&addr, text), cases[i].read);
	}
}

static void test_addresses_that_are_none(void **state)
{
	static const char *const wrong[] = { "", "9000", "127.0.0.1", "127.0.0.1:",
					     "::1:9000", "[::1]", "[::1:9000", "127.0.0.1:x",
					     "127.0.0.1:65536", "127.0.0.1:-1", "::", "[" };
	struct cli_addr addr;
	char host[300];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(cli_addr_parse("ADDRESS", wrong[i], CLI_ADDR_LISTEN, &addr),
				 CLI_USAGE);
	assert_int_equal(cli_addr_parse("ADDRESS", "127.0.0.1:0", CLI_ADDR_CONNECT, &addr),
			 CLI_USAGE);
	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = 'a';
	host[290] = ':';
	host[291] = '1';
	host[292] = '\0';
	assert_int_equal(cli_addr_parse("ADDRESS", host, CLI_ADDR_LISTEN, &addr), CLI_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_real_numbers),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_addresses_that_are_none),
	};

	cli_init("cli-test");
	return cmocka_run_group_tests_name("command lines of the tools", tests, NULL, NULL);
}
