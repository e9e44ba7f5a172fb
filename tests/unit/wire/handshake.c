/* SPDX-License-Identifier: MIT */
/* Handshake datagrams: rules that a right checksum does not excuse, other versions, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "core/wire/handshake.h"

#define NONCE 0x8877665544332211u
#define BIG   1400u

static const uint8_t nonce_bytes[8] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };

static size_t make_hello(uint8_t *out)
{
	const struct flux_hello h = {
		.mode = FLUX_MODE_PLAIN,
		.cid = 0x00100005,
		.ts = 77,
		.version_min = 1,
		.version_max = 1,
		.suites = 1,
		.nonce = NONCE,
		.boot = 3,
		.params.has = 1u << FLUX_PARAM_WINDOW | 1u << FLUX_PARAM_FIRST_SEQ,
		.params.window = 64,
		.params.first_seq = 9,
	};

	memset(out, 0x5a, BIG);
	assert_int_equal(flux_hello_encode(&h, out, BIG), FLUX_HELLO_LEN);
	assert_int_equal(out[FLUX_HELLO_LEN], 0x5a);
	return FLUX_HELLO_LEN;
}

static size_t make_welcome(uint8_t *out)
{
	const struct flux_welcome w = { .cid = 1, .version = 1, .server_cid = 2, .nonce = 3 };

	assert_int_equal(flux_welcome_encode(&w, NONCE, out, BIG), FLUX_HELLO_LEN);
	return FLUX_HELLO_LEN;
}

/* Decode a HELLO after one byte of it was changed and the checksum made right again. */
static enum flux_hello_result hello_with(size_t at, uint8_t value)
{
	uint8_t out[BIG];
	size_t len = make_hello(out);
	struct flux_hello h;

	out[at] = value;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, 0);
	return flux_hello_decode(&h, out, len);
}

static bool welcome_with(size_t at, uint8_t value)
{
	uint8_t out[BIG];
	size_t len = make_welcome(out);
	struct flux_welcome w;

	out[at] = value;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, flux_crc32c(0, nonce_bytes, 8));
	return flux_welcome_decode(&w, out, len, NONCE);
}

static void hello_rules(void **state)
{
	(void)state;
	assert_int_equal(hello_with(0, 0x09), FLUX_HELLO_OK);
	assert_int_equal(hello_with(0, 0x08), FLUX_HELLO_BAD);
	assert_int_equal(hello_with(0, 0x19), FLUX_HELLO_BAD);
	assert_int_equal(hello_with(1, FLUX_PKT_WELCOME), FLUX_HELLO_BAD);
	assert_int_equal(hello_with(2, 1), FLUX_HELLO_BAD);   /* a mode that is not PLAIN */
	assert_int_equal(hello_with(16, 2), FLUX_HELLO_BAD);  /* ver_min above ver_max */
	assert_int_equal(hello_with(17, 255), FLUX_HELLO_OK); /* may speak versions to come */
	assert_int_equal(hello_with(56, 1), FLUX_HELLO_BAD);  /* a Noise message in PLAIN */
	assert_int_equal(hello_with(57, 1), FLUX_HELLO_BAD);
	assert_int_equal(hello_with(58, 15), FLUX_HELLO_BAD);   /* the list is cut */
	assert_int_equal(hello_with(58, 17), FLUX_HELLO_BAD);   /* padding is no parameter */
	assert_int_equal(hello_with(59, 0xff), FLUX_HELLO_BAD); /* beyond the end */
	assert_int_equal(hello_with(64, 3), FLUX_HELLO_OK);     /* another parameter of 4 bytes */
	assert_int_equal(hello_with(64, 1), FLUX_HELLO_BAD);    /* one that has 2 */
	assert_int_equal(hello_with(100, 1), FLUX_HELLO_OK);    /* padding is not looked at */
}

/* The parameters may fill a HELLO to the last byte before its trailer, and no more. */
static void hello_full_list(void **state)
{
	uint8_t out[BIG];
	struct flux_hello h;
	size_t len = make_hello(out);
	size_t room = len - FLUX_TRAILER_LEN - 64;

	(void)state;
	out[64] = 8; /* user data, which is skipped */
	out[65] = (uint8_t)((room - 3) | 0x80);
	out[66] = (uint8_t)((room - 3) >> 7);
	for (size_t more = 0; more < 2; more++) {
		out[58] = (uint8_t)(room + more);
		out[59] = (uint8_t)((room + more) >> 8);
		flux_trailer_seal(out, len - FLUX_TRAILER_LEN, 0);
		assert_int_equal(flux_hello_decode(&h, out, len),
				 more ? FLUX_HELLO_BAD : FLUX_HELLO_OK);
	}
}

static void hello_longer(void **state)
{
	uint8_t out[BIG] = { 0 };
	struct flux_hello h;
	size_t len = make_hello(out);

	(void)state;
	assert_int_equal(flux_hello_decode(&h, out, len), FLUX_HELLO_OK);
	assert_int_equal(h.params.window, 64);
	assert_int_equal(h.params.first_seq, 9);
	flux_trailer_seal(out, BIG - FLUX_TRAILER_LEN, 0);
	assert_int_equal(flux_hello_decode(&h, out, BIG), FLUX_HELLO_OK);
	assert_int_equal(h.params.first_seq, 9);
	/* Shorter than the base datagram, well sealed or not. */
	flux_trailer_seal(out, FLUX_HELLO_LEN - 1 - FLUX_TRAILER_LEN, 0);
	assert_int_equal(flux_hello_decode(&h, out, FLUX_HELLO_LEN - 1), FLUX_HELLO_BAD);
}

/* Without its flag a cookie is no cookie. */
static void hello_without_cookie(void **state)
{
	static const uint8_t none[FLUX_COOKIE_LEN];
	uint8_t out[BIG];
	struct flux_hello h;
	size_t len = make_hello(out);

	(void)state;
	assert_memory_equal(out + 40, none, sizeof(none));
	memset(out + 40, 0xcc, FLUX_COOKIE_LEN);
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, 0);
	assert_int_equal(flux_hello_decode(&h, out, len), FLUX_HELLO_OK);
	assert_false(h.has_cookie);
	assert_memory_equal(h.cookie, none, sizeof(none));
	out[3] = 1;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, 0);
	assert_int_equal(flux_hello_decode(&h, out, len), FLUX_HELLO_OK);
	assert_true(h.has_cookie);
	assert_int_equal(h.cookie[15], 0xcc);
}

/* What a server needs for its VERSIONS, whatever else that version has in its HELLO. */
static void hello_other_version(void **state)
{
	uint8_t out[BIG];
	struct flux_hello h;
	size_t len = make_hello(out);

	(void)state;
	memset(out + 16, 0xff, 8);
	memset(out + 32, 0xff, len - 32);
	for (uint8_t version = 2; version <= 7; version++) {
		out[0] = (uint8_t)(FLUX_WIRE_MAGIC | version);
		assert_int_equal(flux_hello_decode(&h, out, len), FLUX_HELLO_OTHER_VERSION);
		assert_int_equal(h.version, version);
		assert_int_equal(h.cid, 0x00100005);
		assert_int_equal(h.attempt, 0);
		assert_int_equal(h.ts, 77);
		assert_int_equal(h.nonce, NONCE);
		assert_int_equal(flux_hello_decode(&h, out, FLUX_HELLO_LEN - 1), FLUX_HELLO_BAD);
	}
	out[1] = FLUX_PKT_COOKIE;
	assert_int_equal(flux_hello_decode(&h, out, len), FLUX_HELLO_BAD);
}

static void welcome_rules(void **state)
{
	uint8_t out[BIG];
	struct flux_welcome w;
	size_t len = make_welcome(out);
	uint32_t start = flux_crc32c(0, nonce_bytes, 8);

	(void)state;
	assert_true(flux_welcome_decode(&w, out, len, NONCE));
	assert_true(welcome_with(100, 1));   /* padding is not looked at */
	assert_false(welcome_with(0, 0x0a)); /* another version's */
	assert_false(welcome_with(18, 1));   /* a Noise message in PLAIN */
	assert_false(welcome_with(48, 1));   /* half a parameter */
	assert_false(welcome_with(49, 0xff));
	flux_trailer_seal(out, FLUX_HELLO_LEN - 1 - FLUX_TRAILER_LEN, start);
	assert_false(flux_welcome_decode(&w, out, FLUX_HELLO_LEN - 1, NONCE));
}

/* The nonce stands in the body as well: right in the checksum and wrong there is refused. */
static void answers_name_the_nonce(void **state)
{
	const struct flux_cookie_packet c = { .cid = 1, .attempt = 2, .ts = 3 };
	const struct flux_versions v = { .cid = 1, .version_min = 1, .version_max = 1 };
	struct flux_cookie_packet c_got;
	struct flux_versions v_got;
	uint32_t start = flux_crc32c(0, nonce_bytes, 8);
	uint8_t out[64];
	size_t len;

	(void)state;
	len = flux_cookie_encode(&c, NONCE, out, sizeof(out));
	assert_int_equal(len, 52);
	assert_true(flux_cookie_decode(&c_got, out, len, NONCE));
	out[32] ^= 1;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, start);
	assert_false(flux_cookie_decode(&c_got, out, len, NONCE));

	len = flux_versions_encode(&v, NONCE, out, sizeof(out));
	assert_int_equal(len, 32);
	assert_true(flux_versions_decode(&v_got, out, len, NONCE));
	out[20] ^= 1;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, start);
	assert_false(flux_versions_decode(&v_got, out, len, NONCE));
}

/*
 * A COOKIE of another version is none; VERSIONS comes in the server's own, and its range is
 * one.
 */
static void versions_of_answers(void **state)
{
	const struct flux_cookie_packet c = { .cid = 1 };
	const struct flux_versions v = { .cid = 1, .version_min = 2, .version_max = 3 };
	struct flux_cookie_packet c_got;
	struct flux_versions v_got;
	uint32_t start = flux_crc32c(0, nonce_bytes, 8);
	uint8_t out[64];
	size_t len;

	(void)state;
	len = flux_cookie_encode(&c, NONCE, out, sizeof(out));
	out[0]++;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, start);
	assert_false(flux_cookie_decode(&c_got, out, len, NONCE));

	len = flux_versions_encode(&v, NONCE, out, sizeof(out));
	out[0]++;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, start);
	assert_true(flux_versions_decode(&v_got, out, len, NONCE));
	assert_int_equal(v_got.version_min, 2);
	assert_int_equal(v_got.version_max, 3);
	out[16] = 4;
	flux_trailer_seal(out, len - FLUX_TRAILER_LEN, start);
	assert_false(flux_versions_decode(&v_got, out, len, NONCE));
}

/* Later versions may append to the short answers too. */
static void longer_answers(void **state)
{
	const struct flux_cookie_packet c = { .cid = 1 };
	struct flux_cookie_packet c_got;
	uint8_t out[64] = { 0 };

	(void)state;
	assert_int_equal(flux_cookie_encode(&c, NONCE, out, sizeof(out)), 52);
	flux_trailer_seal(out, 60, flux_crc32c(0, nonce_bytes, 8));
	assert_true(flux_cookie_decode(&c_got, out, 64, NONCE));
}

static void reset_sizes(void **state)
{
	static const uint8_t token[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	uint8_t out[200], got[16];
	uint32_t cid;

	(void)state;
	for (size_t len = 0; len < 150; len++) {
		size_t n;

		memset(out, 0x5a, sizeof(out));
		n = flux_reset_encode(0x12345678, token, len, out, sizeof(out));
		assert_int_equal(n, len < 40 ? 0 : len);
		assert_int_equal(out[len], 0x5a);
		if (n == 0)
			continue;
		assert_true(flux_reset_decode(&cid, got, out, n));
		assert_int_equal(cid, 0x12345678);
		assert_memory_equal(got, token, sizeof(token));
		assert_false(flux_reset_decode(&cid, got, out, 39));
	}
	out[0] = FLUX_WIRE_MAGIC | 2;
	assert_false(flux_reset_decode(&cid, got, out, 100));
}

/* Every encoder says 0 for every room that is too small, and stays inside it. */
static void no_room(void **state)
{
	const struct flux_hello h = { .params = { .has = 1u << FLUX_PARAM_RESET_TOKEN } };
	const struct flux_cookie_packet c = { .cid = 1 };
	const struct flux_welcome w = { .params = { .has = 1u << FLUX_PARAM_RESET_TOKEN } };
	const struct flux_versions v = { .cid = 1 };
	static const uint8_t token[16];

	(void)state;
	for (size_t cap = 0; cap < FLUX_HELLO_LEN; cap += cap < 130 ? 1 : 89) {
		uint8_t *out = malloc(cap > 0 ? cap : 1);

		assert_non_null(out);
		assert_int_equal(flux_hello_encode(&h, out, cap), 0);
		assert_int_equal(flux_welcome_encode(&w, NONCE, out, cap), 0);
		assert_int_equal(flux_cookie_encode(&c, NONCE, out, cap), cap < 52 ? 0 : 52);
		assert_int_equal(flux_versions_encode(&v, NONCE, out, cap), cap < 32 ? 0 : 32);
		assert_int_equal(flux_reset_encode(1, token, 40, out, cap), cap < 40 ? 0 : 40);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_rules),
		cmocka_unit_test(hello_full_list),
		cmocka_unit_test(hello_longer),
		cmocka_unit_test(hello_without_cookie),
		cmocka_unit_test(hello_other_version),
		cmocka_unit_test(welcome_rules),
		cmocka_unit_test(answers_name_the_nonce),
		cmocka_unit_test(versions_of_answers),
		cmocka_unit_test(longer_answers),
		cmocka_unit_test(reset_sizes),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
