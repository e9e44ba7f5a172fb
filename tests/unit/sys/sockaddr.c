/* SPDX-License-Identifier: MIT */
/* Addresses of the library and of the kernel say the same, IPv4 inside IPv6 sockets too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "sys/sockaddr.h"

static struct flux_addr parse(const char *text)
{
	struct flux_addr addr;

	assert_int_equal(flux_addr_parse(text, &addr), 0);
	return addr;
}

static void there_and_back(void **state)
{
	static const struct {
		const char *text;
		uint8_t family;
		socklen_t len;
	} cases[] = {
		{ "192.0.2.1:7000", 4, sizeof(struct sockaddr_in) },
		{ "192.0.2.1:7000", 6, sizeof(struct sockaddr_in6) },
		{ "[2001:db8::1]:65535", 6, sizeof(struct sockaddr_in6) },
		{ "[fe80::1%3]:1", 6, sizeof(struct sockaddr_in6) },
		{ "0.0.0.0:0", 4, sizeof(struct sockaddr_in) },
		{ "[::]:0", 6, sizeof(struct sockaddr_in6) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flux_addr addr = parse(cases[i].text), back;
		union flux_sockaddr sa;
		socklen_t len = flux_sockaddr_from(&sa, &addr, cases[i].family);

		assert_int_equal(len, cases[i].len);
		flux_sockaddr_to(&back, &sa, len);
		assert_true(flux_addr_equal(&addr, &back));
	}
}

static void kernel_form(void **state)
{
	struct flux_addr addr = parse("192.0.2.1:7000");
	union flux_sockaddr sa;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	flux_sockaddr_from(&sa, &addr, 4);
	assert_int_equal(sa.in.sin_family, AF_INET);
	assert_int_equal(sa.in.sin_port, htons(7000));
	assert_int_equal(sa.in.sin_addr.s_addr, inet_addr("192.0.2.1"));

	flux_sockaddr_from(&sa, &addr, 6);
	assert_int_equal(sa.in6.sin6_family, AF_INET6);
	assert_string_equal(inet_ntop(AF_INET6, &sa.in6.sin6_addr, text, sizeof(text)), "::ffff:192.0.2.1");
}

static void unreachable(void **state)
{
	struct flux_addr six = parse("[2001:db8::1]:1"), none = { 0 };
	union flux_sockaddr sa;

	(void)state;
	assert_int_equal(flux_sockaddr_from(&sa, &six, 4), 0);
	assert_int_equal(flux_sockaddr_from(&sa, &none, 4), 0);
	assert_int_equal(flux_sockaddr_from(&sa, &none, 6), 0);
}

static void no_name_given(void **state)
{
	struct flux_addr addr = parse("192.0.2.1:7000");
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, &addr, 4);

	(void)state;
	flux_sockaddr_to(&addr, &sa, 0);
	assert_int_equal(addr.family, 0);
	addr.family = 4;
	flux_sockaddr_to(&addr, &sa, len - 1);
	assert_int_equal(addr.family, 0);
	sa.any.sa_family = AF_UNIX;
	addr.family = 4;
	flux_sockaddr_to(&addr, &sa, sizeof(sa));
	assert_int_equal(addr.family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(kernel_form),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(no_name_given),
	};

	return cmocka_run_group_tests_name("sys/sockaddr", tests, NULL, NULL);
}
