/* SPDX-License-Identifier: MIT */
/* Addresses as text: what is read, what is refused, and one way of writing each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include <flux/error.h>

#include "core/base/rng.h"

/* Read, written in the one form of RFC 5952. */
static const struct {
	const char *in, *out;
} good[] = {
	{ "192.0.2.1:7000", "192.0.2.1:7000" },
	{ "0.0.0.0:0", "0.0.0.0:0" },
	{ "255.255.255.255:65535", "255.255.255.255:65535" },
	{ "[2001:db8::1]:7000", "[2001:db8::1]:7000" },
	{ "[::]:1", "[::]:1" },
	{ "[::1]:1", "[::1]:1" },
	{ "[1::]:1", "[1::]:1" },
	{ "[2001:DB8:0:0:8:800:200C:417A]:80", "[2001:db8::8:800:200c:417a]:80" },
	{ "[2001:0db8:0000:0000:0000:0000:0000:0001]:1", "[2001:db8::1]:1" },
	{ "[2001:db8:0:1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1" }, /* one group stays */
	{ "[2001:db8::1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1" },
	{ "[2001:0:0:1:0:0:0:1]:1", "[2001:0:0:1::1]:1" },       /* the longest run */
	{ "[2001:db8:0:0:1:0:0:1]:1", "[2001:db8::1:0:0:1]:1" }, /* the first of equal ones */
	{ "[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1" },
	{ "[1:2:3:4:5:6:7::]:1", "[1:2:3:4:5:6:7:0]:1" },
	{ "[::2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1" },
	{ "[0:0:3:4:5:6:0:0]:1", "[::3:4:5:6:0:0]:1" },
	{ "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1" },
	{ "[::ffff:c000:201]:1", "[::ffff:192.0.2.1]:1" },
	{ "[64:ff9b::192.0.2.33]:1", "[64:ff9b::c000:221]:1" },
	{ "[1:2:3:4:5:6:1.2.3.4]:1", "[1:2:3:4:5:6:102:304]:1" },
	{ "[fe80::1%2]:7000", "[fe80::1%2]:7000" },
	{ "[fe80::1%4294967295]:65535", "[fe80::1%4294967295]:65535" },
	{ "[fe80::1%0]:1", "[fe80::1]:1" },
};

static const char *const bad[] = {
	"",
	":",
	"7000",
	":7000",
	"192.0.2.1",
	"192.0.2.1:",
	"192.0.2.1:65536",
	"192.0.2.1:-1",
	"192.0.2.1:+1",
	"192.0.2.1: 1",
	" 192.0.2.1:1",
	"192.0.2.1:1 ",
	"192.0.2.1:01",
	"192.0.2.1:x",
	"192.0.2.1:99999999999999999999",
	"192.0.2:1",
	"192.0.2.1.1:1",
	"192.0.2.256:1",
	"192.0.02.1:1",
	"192.0.2.:1",
	"192..2.1:1",
	"0x7f.0.0.1:1",
	"localhost:1",
	"none",
	"::1:1",
	"2001:db8::1:7000",
	"[]:1",
	"[:]:1",
	"[:::]:1",
	"[::1]",
	"[::1]1",
	"[::1:1",
	"[::1]:",
	"[::1]:65536",
	"[::1]:1]",
	"[1:2:3:4:5:6:7]:1",
	"[1:2:3:4:5:6:7:8:9]:1",
	"[1:2:3:4:5:6:7:8::]:1",
	"[::1:2:3:4:5:6:7:8]:1",
	"[1::2::3]:1",
	"[1:2:3:4:5:6:7:]:1",
	"[:1:2:3:4:5:6:7]:1",
	"[12345::]:1",
	"[g::]:1",
	"[1:2:3:4:5:6:7:1.2.3.4]:1",
	"[::1.2.3]:1",
	"[::1.2.3.4:5]:1",
	"[1.2.3.4]:1",
	"[::1.2.3.256]:1",
	"[fe80::1%]:1",
	"[fe80::1%eth0]:1",
	"[fe80::1%4294967296]:1",
	"[fe80::1%-1]:1",
	"[fe80::1%01]:1",
	"192.0.2.1%1:1",
	"[192.0.2.1]:1",
};

static void good_forms(void **state)
{
	char text[FLUX_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct flux_addr a, b;

		assert_int_equal(flux_addr_parse(good[i].in, &a), 0);
		assert_ptr_equal(flux_addr_format(&a, text), text);
		assert_string_equal(text, good[i].out);
		assert_int_equal(flux_addr_parse(text, &b), 0);
		assert_true(flux_addr_equal(&a, &b));
	}
}

static void bad_forms(void **state)
{
	struct flux_addr a, untouched;

	(void)state;
	memset(&a, 0x5a, sizeof(a));
	untouched = a;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (flux_addr_parse(bad[i], &a) != FLUX_EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_memory_equal(&a, &untouched, sizeof(a));
	}
	assert_int_equal(flux_addr_parse(NULL, &a), FLUX_EINVAL);
	assert_int_equal(flux_addr_parse("192.0.2.1:1", NULL), FLUX_EINVAL);
}

static void fields(void **state)
{
	struct flux_addr a;

	(void)state;
	assert_int_equal(flux_addr_parse("192.0.2.1:7000", &a), 0);
	assert_int_equal(a.family, 4);
	assert_int_equal(a.port, 7000);
	assert_int_equal(a.scope, 0);
	assert_memory_equal(a.ip, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(flux_addr_parse("[fe80::12%3]:1", &a), 0);
	assert_int_equal(a.family, 6);
	assert_int_equal(a.scope, 3);
	assert_memory_equal(a.ip, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x12", 16);
}

/* Against the C library, on addresses with many zeros. */
static void as_the_c_library(void **state)
{
	const uint8_t seed[32] = { 3 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 20000; i++) {
		struct flux_addr a = { .family = 6, .port = 1 };
		struct flux_addr b;
		char want[INET6_ADDRSTRLEN], text[FLUX_ADDR_TEXT], port[8];
		uint32_t zeros = flux_rng_u32(&rng);

		flux_rng_bytes(&rng, a.ip, sizeof(a.ip));
		for (int g = 0; g < 8; g++)
			if (zeros >> g & 1)
				memset(a.ip + 2 * g, 0, 2);
		flux_addr_format(&a, text);
		assert_int_equal(flux_addr_parse(text, &b), 0);
		assert_true(flux_addr_equal(&a, &b));
		/* Behind 96 zeros the C library still writes an IPv4 address. */
		if ((zeros & 0x3f) == 0x3f)
			continue;
		assert_non_null(inet_ntop(AF_INET6, a.ip, want, sizeof(want)));
		strcpy(port, "]:1");
		assert_memory_equal(text + 1, want, strlen(want));
		assert_string_equal(text + 1 + strlen(want), port);
	}
}

static void equality(void **state)
{
	struct flux_addr a, b;
	char text[FLUX_ADDR_TEXT];

	(void)state;
	assert_int_equal(flux_addr_parse("192.0.2.1:7000", &a), 0);
	b = a;
	b.ip[15] = 1; /* not part of an IPv4 address */
	b.scope = 1;
	assert_true(flux_addr_equal(&a, &b));
	b.port++;
	assert_false(flux_addr_equal(&a, &b));
	b = a;
	b.ip[3]++;
	assert_false(flux_addr_equal(&a, &b));

	assert_int_equal(flux_addr_parse("[fe80::1%1]:7000", &a), 0);
	b = a;
	assert_true(flux_addr_equal(&a, &b));
	b.scope = 2;
	assert_false(flux_addr_equal(&a, &b));
	b = a;
	b.ip[15]++;
	assert_false(flux_addr_equal(&a, &b));
	b = a;
	b.port = 1;
	assert_false(flux_addr_equal(&a, &b));

	memset(&b, 0, sizeof(b));
	assert_false(flux_addr_equal(&a, &b));
	assert_string_equal(flux_addr_format(&b, text), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_forms),
		cmocka_unit_test(bad_forms),
		cmocka_unit_test(fields),
		cmocka_unit_test(as_the_c_library),
		cmocka_unit_test(equality),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
