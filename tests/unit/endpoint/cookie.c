/* SPDX-License-Identifier: MIT */
/*
 * Cookies: good for whom they were made, for one to two minutes. Reset tokens: each address has its own.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;

static int setup(void **state)
{
	(void)state;
	pair_init(&p);
	pair_open(&p);
	ep = p.ep[SERVER];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static struct flux_hello hello_with_cookie(void)
{
	struct flux_hello h = { .cid = 0x12345, .nonce = 0x1122334455667788, .has_cookie = true };

	flux_cookie_make(ep, h.cookie, &p.addr[CLIENT], &h);
	return h;
}

static void bound_to_its_hello(void **state)
{
	struct flux_hello h = hello_with_cookie(), other;
	struct flux_addr addr = p.addr[CLIENT];

	(void)state;
	assert_true(flux_cookie_good(ep, &addr, &h));
	other = h;
	other.has_cookie = false;
	assert_false(flux_cookie_good(ep, &addr, &other));
	other = h;
	other.nonce++;
	assert_false(flux_cookie_good(ep, &addr, &other));
	other = h;
	other.cid++;
	assert_false(flux_cookie_good(ep, &addr, &other));
	other = h;
	other.mode++;
	assert_false(flux_cookie_good(ep, &addr, &other));
	for (uint32_t i = 0; i < FLUX_COOKIE_LEN * 8; i++) {
		other = h;
		other.cookie[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(flux_cookie_good(ep, &addr, &other));
	}
	addr.port++;
	assert_false(flux_cookie_good(ep, &addr, &h));
	addr = p.addr[CLIENT];
	addr.ip[3]++;
	assert_false(flux_cookie_good(ep, &addr, &h));
	addr = p.addr[CLIENT];
	addr.scope = 1;
	assert_false(flux_cookie_good(ep, &addr, &h));
	assert_false(flux_cookie_good(p.ep[CLIENT], &p.addr[CLIENT], &h));
}

/* However often the server is asked meanwhile. */
static void lives_one_to_two_minutes(void **state)
{
	static const flux_ts steps[] = { FLUX_MS(500), FLUX_S(7), FLUX_S(59) };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		for (flux_ts born = 0; born < FLUX_S(60); born += FLUX_S(13)) {
			flux_ts start = p.now += FLUX_S(200) + born, last = 0;
			struct flux_hello h;

			flux_endpoint_clock(ep, start);
			h = hello_with_cookie();
			for (flux_ts age = 0; age <= FLUX_S(180); age += steps[i]) {
				p.now = start + age;
				flux_endpoint_clock(ep, p.now);
				if (flux_cookie_good(ep, &p.addr[CLIENT], &h))
					last = age;
			}
			assert_true(last + steps[i] >= FLUX_S(60));
			assert_true(last < FLUX_S(120));
		}
	}
}

/* A key that nobody asked for in two minutes is worth nothing, the one before it too. */
static void after_a_long_silence(void **state)
{
	struct flux_hello h;

	(void)state;
	flux_endpoint_clock(ep, p.now);
	h = hello_with_cookie();
	flux_endpoint_clock(ep, p.now + FLUX_S(120));
	assert_false(flux_cookie_good(ep, &p.addr[CLIENT], &h));
}

static void tokens(void **state)
{
	uint8_t a[FLUX_RESET_TOKEN_LEN], b[FLUX_RESET_TOKEN_LEN];

	(void)state;
	flux_reset_token(ep, 0x100001, &p.addr[CLIENT], a);
	flux_reset_token(ep, 0x100001, &p.addr[CLIENT], b);
	assert_memory_equal(a, b, sizeof(a));
	flux_reset_token(ep, 0x100002, &p.addr[CLIENT], b);
	assert_memory_not_equal(a, b, sizeof(a));
	flux_reset_token(ep, 0x100001, &p.addr[SERVER], b);
	assert_memory_not_equal(a, b, sizeof(a));
	flux_reset_token(p.ep[CLIENT], 0x100001, &p.addr[CLIENT], b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* With a key of its own an endpoint knows its tokens again after a restart; seeds do not matter. */
static void kept_key(void **state)
{
	uint8_t a[FLUX_RESET_TOKEN_LEN], b[FLUX_RESET_TOKEN_LEN];
	struct flux_endpoint *again;

	(void)state;
	p.cfg[SERVER].reset_key[5] = 9;
	assert_int_equal(flux_endpoint_create(&again, &p.cfg[SERVER], NULL), 0);
	flux_reset_token(again, 0x100001, &p.addr[CLIENT], a);
	flux_endpoint_destroy(again);
	p.cfg[SERVER].seed[7] = 77;
	assert_int_equal(flux_endpoint_create(&again, &p.cfg[SERVER], NULL), 0);
	flux_reset_token(again, 0x100001, &p.addr[CLIENT], b);
	flux_endpoint_destroy(again);
	assert_memory_equal(a, b, sizeof(a));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(bound_to_its_hello),
		CASE(lives_one_to_two_minutes),
		CASE(after_a_long_silence),
		CASE(tokens),
		CASE(kept_key),
	};

	return cmocka_run_group_tests_name("endpoint/cookie", tests, NULL, NULL);
}
