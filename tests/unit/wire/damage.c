/* SPDX-License-Identifier: MIT */
/*
 * What a bad path does to the golden packets: cut at every length, every bit flipped, every
 * header type, random bytes in every body. Nothing of it is accepted, and no byte outside is
 * touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/wire/control.h"
#include "core/wire/handshake.h"
#include "core/wire/packet.h"
#include "core/wire/record.h"
#include "tests/lib/hexfile.h"

#define PACKET_MAX  1200u
#define NONCE_C     0x0807060504030201u
#define START_NONCE 0x46891f81u
#define START_C2S   0xd37dd970u
#define START_S2C   0xc085b983u

struct golden {
	const char *path;
	uint8_t type;
	uint32_t start;
};

static const struct golden all[] = {
	{ "tests/golden/hello.hex", FLUX_PKT_HELLO, 0 },
	{ "tests/golden/cookie.hex", FLUX_PKT_COOKIE, START_NONCE },
	{ "tests/golden/welcome.hex", FLUX_PKT_WELCOME, START_NONCE },
	{ "tests/golden/versions.hex", FLUX_PKT_VERSIONS, START_NONCE },
	{ "tests/golden/reset.hex", FLUX_PKT_RESET, 0 },
	{ "tests/golden/data_whole.hex", FLUX_PKT_DATA, START_C2S },
	{ "tests/golden/data_first.hex", FLUX_PKT_DATA, START_C2S },
	{ "tests/golden/data_middle.hex", FLUX_PKT_DATA, START_C2S },
	{ "tests/golden/data_last.hex", FLUX_PKT_DATA, START_C2S },
	{ "tests/golden/feedback.hex", FLUX_PKT_FEEDBACK, START_S2C },
	{ "tests/golden/sync.hex", FLUX_PKT_SYNC, START_C2S },
	{ "tests/golden/open.hex", FLUX_PKT_OPEN, START_C2S },
	{ "tests/golden/ping.hex", FLUX_PKT_PING, START_C2S },
	{ "tests/golden/pong.hex", FLUX_PKT_PONG, START_S2C },
	{ "tests/golden/close.hex", FLUX_PKT_CLOSE, START_S2C },
};
#define ALL (sizeof(all) / sizeof(all[0]))

static bool decode_data(struct flux_reader *r)
{
	uint32_t len = (uint32_t)flux_reader_left(r);
	struct flux_record rec;
	uint32_t off = 0;
	volatile uint8_t sink = 0;

	while (flux_record_next(r->pos, len, &off, &rec) == FLUX_RECORD_OK) {
		assert_true(off <= len);
		for (uint32_t i = 0; i < rec.len; i++)
			sink = (uint8_t)(sink + rec.data[i]);
	}
	return flux_record_check_body(r->pos, len);
}

static bool decode_body(uint8_t type, struct flux_reader *r)
{
	union {
		struct flux_feedback feedback;
		struct flux_sync sync;
		struct flux_open open;
		struct flux_ping ping;
		struct flux_pong pong;
		struct flux_close close;
	} u;

	switch (type) {
	case FLUX_PKT_DATA:
		return decode_data(r);
	case FLUX_PKT_FEEDBACK:
		return flux_feedback_decode(&u.feedback, r) &&
		       flux_ranges_decode(u.feedback.ranges, u.feedback.n, r, u.feedback.ack,
					  u.feedback.high, u.feedback.window);
	case FLUX_PKT_SYNC:
		return flux_sync_decode(&u.sync, r) &&
		       flux_ranges_decode(u.sync.ranges, u.sync.n, r, u.sync.floor, u.sync.next,
					  1024);
	case FLUX_PKT_OPEN:
		return flux_open_decode(&u.open, r);
	case FLUX_PKT_PING:
		return flux_ping_decode(&u.ping, r);
	case FLUX_PKT_PONG:
		return flux_pong_decode(&u.pong, r);
	case FLUX_PKT_CLOSE:
		return flux_close_decode(&u.close, r);
	default:
		return false;
	}
}

/* Take a datagram as an endpoint would: header, checksum, body. */
static bool accept(const uint8_t *data, size_t len, uint8_t type, uint32_t start)
{
	struct flux_cookie_packet cookie;
	struct flux_versions versions;
	struct flux_welcome welcome;
	struct flux_header head;
	struct flux_hello hello;
	struct flux_reader r;
	uint8_t token[16];
	uint32_t cid;

	switch (type) {
	case FLUX_PKT_HELLO:
		return flux_hello_decode(&hello, data, len) == FLUX_HELLO_OK;
	case FLUX_PKT_COOKIE:
		return flux_cookie_decode(&cookie, data, len, NONCE_C);
	case FLUX_PKT_WELCOME:
		return flux_welcome_decode(&welcome, data, len, NONCE_C);
	case FLUX_PKT_VERSIONS:
		return flux_versions_decode(&versions, data, len, NONCE_C);
	case FLUX_PKT_RESET:
		return flux_reset_decode(&cid, token, data, len);
	default:
		if (!flux_header_decode(&head, data, len) || head.version != FLUX_WIRE_VERSION ||
		    head.type != type || !flux_trailer_check(data, len, start))
			return false;
		flux_reader_init(&r, data + FLUX_HEADER_LEN,
				 len - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
		return decode_body(type, &r);
	}
}

/* A copy in a block of exactly its size, so that an address sanitizer sees one byte too far. */
static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

static void whole(void **state)
{
	uint8_t bytes[PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < ALL; i++) {
		size_t len = hexfile_read(all[i].path, bytes, sizeof(bytes));

		assert_true(accept(bytes, len, all[i].type, all[i].start));
	}
}

/*
 * A prefix fails by its checksum or length; where no checksum looks first, its body is
 * harmless.
 */
static void every_prefix(void **state)
{
	uint8_t bytes[PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < ALL; i++) {
		size_t len = hexfile_read(all[i].path, bytes, sizeof(bytes));

		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = copy_of(bytes, n);
			struct flux_reader r;

			assert_false(accept(cut, n, all[i].type, all[i].start));
			if (n >= FLUX_HEADER_LEN) {
				flux_reader_init(&r, cut + FLUX_HEADER_LEN, n - FLUX_HEADER_LEN);
				decode_body(all[i].type, &r);
			}
			free(cut);
		}
	}
}

/*
 * DATA may end after any record; what follows the fixed part of the others is a list or a text.
 */
static bool has_open_end(uint8_t type)
{
	return type == FLUX_PKT_DATA || type == FLUX_PKT_OPEN || type == FLUX_PKT_PING ||
	       type == FLUX_PKT_CLOSE;
}

/* As every_prefix, but with a right checksum: what is left must break the table, or be one. */
static void every_prefix_sealed(void **state)
{
	uint8_t bytes[PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < ALL; i++) {
		size_t len = hexfile_read(all[i].path, bytes, sizeof(bytes)) - FLUX_TRAILER_LEN;

		for (size_t n = FLUX_HEADER_LEN; n < len; n++) {
			uint8_t *cut = malloc(n + FLUX_TRAILER_LEN);

			assert_non_null(cut);
			memcpy(cut, bytes, n);
			flux_trailer_seal(cut, n, all[i].start);
			if (accept(cut, n + FLUX_TRAILER_LEN, all[i].type, all[i].start))
				assert_true(has_open_end(all[i].type));
			free(cut);
		}
	}
}

static void every_bit(void **state)
{
	uint8_t bytes[PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < ALL; i++) {
		size_t len = hexfile_read(all[i].path, bytes, sizeof(bytes));

		if (all[i].type == FLUX_PKT_RESET)
			continue;
		for (size_t bit = 0; bit < 8 * len; bit++) {
			bool rtx = bit == 15;

			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(flux_trailer_check(bytes, len, all[i].start), rtx);
			assert_int_equal(accept(bytes, len, all[i].type, all[i].start), rtx);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* RESET has no checksum: a flip breaks it, changes what it names, or is in an unused part. */
static void every_bit_of_reset(void **state)
{
	uint8_t bytes[PACKET_MAX];
	size_t len = hexfile_read("tests/golden/reset.hex", bytes, sizeof(bytes));
	uint8_t want_token[16], token[16];
	uint32_t want_cid, cid;

	(void)state;
	assert_true(flux_reset_decode(&want_cid, want_token, bytes, len));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		size_t at = bit / 8;
		bool unused = bit >= 12 && (at < 4 || (at >= 8 && at < 16) || at >= 32);
		bool same;

		bytes[at] ^= (uint8_t)(1u << bit % 8);
		same = flux_reset_decode(&cid, token, bytes, len) && cid == want_cid &&
		       memcmp(token, want_token, sizeof(token)) == 0;
		assert_int_equal(same, unused);
		bytes[at] ^= (uint8_t)(1u << bit % 8);
	}
}

/* No decoder takes a packet of another type, however well it is sealed. */
static void other_types(void **state)
{
	uint8_t bytes[PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < ALL; i++) {
		size_t len = hexfile_read(all[i].path, bytes, sizeof(bytes));

		for (uint8_t type = 0; type < 16; type++) {
			if (type == all[i].type)
				continue;
			bytes[1] = (uint8_t)((bytes[1] & 0xf0) | type);
			if (all[i].type != FLUX_PKT_RESET)
				flux_trailer_seal(bytes, len - FLUX_TRAILER_LEN, all[i].start);
			assert_false(accept(bytes, len, all[i].type, all[i].start));
		}
	}
}

/* Well sealed nonsense: no decoder leaves its bytes. */
static void noise(void **state)
{
	const uint8_t seed[32] = { 1 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (int i = 0; i < 200000; i++) {
		size_t len = FLUX_HEADER_LEN + flux_rng_u32(&rng) % 100 + FLUX_TRAILER_LEN;
		uint8_t *bytes = malloc(len);
		const struct golden *g = &all[flux_rng_u32(&rng) % ALL];

		assert_non_null(bytes);
		flux_rng_bytes(&rng, bytes, (uint32_t)len);
		bytes[0] = FLUX_WIRE_MAGIC | FLUX_WIRE_VERSION;
		bytes[1] = g->type;
		flux_trailer_seal(bytes, len - FLUX_TRAILER_LEN, g->start);
		accept(bytes, len, g->type, g->start);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(every_prefix_sealed),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(every_bit_of_reset),
		cmocka_unit_test(other_types),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("damaged packets", tests, NULL, NULL);
}
