/* SPDX-License-Identifier: MIT */
/* "host:port": what is understood, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netdb.h>
#include <string.h>

#include <flux/error.h>

#include "sys/resolve.h"

static void understood(void **state)
{
	static const struct {
		const char *text, *same_as;
		uint8_t family;
	} cases[] = {
		{ "127.0.0.1:7000", "127.0.0.1:7000", 0 },
		{ "127.0.0.1:0", "127.0.0.1:0", 4 },
		{ "[::1]:65535", "[::1]:65535", 0 },
		{ "[::1]:7000", "[::1]:7000", 6 },
		{ "[::ffff:192.0.2.1]:7", "192.0.2.1:7", 0 },
	};
	char why[256], text[FLUX_ADDR_TEXT];
	struct flux_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(flux_resolve(cases[i].text, cases[i].family, &addr, why, sizeof(why)), 0);
		assert_string_equal(flux_addr_format(&addr, text), cases[i].same_as);
	}
}

/* A bare build root knows no name at all, not even this one. */
static void name(void **state)
{
	char why[256], text[FLUX_ADDR_TEXT];
	struct addrinfo *list;
	struct flux_addr addr;

	(void)state;
	if (getaddrinfo("localhost", NULL, NULL, &list))
		skip();
	freeaddrinfo(list);
	assert_int_equal(flux_resolve("localhost:7000", 4, &addr, why, sizeof(why)), 0);
	assert_string_equal(flux_addr_format(&addr, text), "127.0.0.1:7000");
}

static void no_host(void **state)
{
	struct flux_addr addr;
	char why[256];

	(void)state;
	assert_int_equal(flux_resolve(":7000", 0, &addr, why, sizeof(why)), 0);
	assert_int_equal(addr.family, 0);
	assert_int_equal(addr.port, 7000);
}

static void refused(void **state)
{
	static const char *const cases[] = {
		"",
		"localhost",
		"localhost:",
		"localhost:x",
		"localhost:-1",
		"localhost:65536",
		"localhost:123456",
		"::1:7000",
		"[::1]",
		"[::1:7000",
		"[::1]7000",
		"[:7000",
		"127.0.0.1:7000 ",
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flux_addr addr = { .family = 99 };

		why[0] = '\0';
		assert_int_equal(flux_resolve(cases[i], 0, &addr, why, sizeof(why)), FLUX_EINVAL);
		assert_int_equal(addr.family, 99);
		assert_non_null(strstr(why, "HOST:PORT"));
		assert_non_null(strstr(why, cases[i]));
	}
	assert_int_equal(flux_resolve(NULL, 0, &(struct flux_addr){ 0 }, why, sizeof(why)), FLUX_EINVAL);
}

static void words_name_the_host(void **state)
{
	char why[256], longer[400];
	struct flux_addr addr;

	(void)state;
	/* No name server is asked for a name with an empty label. */
	assert_int_equal(flux_resolve("flux..invalid:1", 0, &addr, why, sizeof(why)), FLUX_EINVAL);
	assert_non_null(strstr(why, "flux..invalid"));
	assert_int_equal(flux_resolve("127.0.0.1:1", 6, &addr, why, sizeof(why)), FLUX_EINVAL);
	assert_non_null(strstr(why, "IPv6"));
	memset(longer, 'a', sizeof(longer));
	memcpy(longer + sizeof(longer) - 3, ":1", 3);
	assert_int_equal(flux_resolve(longer, 0, &addr, why, sizeof(why)), FLUX_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understood),
		cmocka_unit_test(name),
		cmocka_unit_test(no_host),
		cmocka_unit_test(refused),
		cmocka_unit_test(words_name_the_host),
	};

	return cmocka_run_group_tests_name("sys/resolve", tests, NULL, NULL);
}
