/* SPDX-License-Identifier: MIT */
/*
 * Bodies of the control packets: what their decoders refuse, what they ignore, and the ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "core/base/rng.h"
#include "core/wire/control.h"

/* Encode ranges as a FEEDBACK at `base` and leave `r` in front of the list. */
static void put_ranges(const struct flux_range *ranges, uint8_t n, uint64_t base, uint8_t *out,
		       struct flux_reader *r)
{
	struct flux_feedback fb = { .ack = base, .n = n };
	struct flux_writer w;

	memcpy(fb.ranges, ranges, n * sizeof(ranges[0]));
	flux_writer_init(&w, out, 2000);
	flux_feedback_encode(&fb, &w);
	assert_false(w.bad);
	flux_reader_init(r, out, (size_t)(w.pos - out));
	assert_true(flux_feedback_decode(&fb, r));
	assert_int_equal(fb.n, n);
}

static bool decode_ranges(const char *bytes, size_t len, uint8_t n, uint64_t base, uint64_t high,
			  uint64_t limit)
{
	struct flux_range out[FLUX_RANGES_MAX];
	struct flux_reader r;

	flux_reader_init(&r, bytes, len);
	return flux_ranges_decode(out, n, &r, base, high, limit);
}

#define RANGES(s, n, base, high, limit) decode_ranges(s, sizeof(s) - 1, n, base, high, limit)

static void ranges_round_trip(void **state)
{
	const uint8_t seed[32] = { 9 };
	struct flux_range in[FLUX_RANGES_MAX], got[FLUX_RANGES_MAX];
	uint8_t out[2000];
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (int round = 0; round < 2000; round++) {
		uint8_t n = (uint8_t)(flux_rng_u32(&rng) % (FLUX_RANGES_MAX + 1));
		uint64_t base = flux_rng_u64(&rng) >> 1;
		uint64_t pos = base;
		uint64_t sum = 0;
		struct flux_reader r;

		for (uint8_t i = 0; i < n; i++) {
			in[i].first = pos + flux_rng_u32(&rng) % 300;
			in[i].count = 1 + (flux_rng_u32(&rng) >> flux_rng_u32(&rng) % 32);
			pos = in[i].first + in[i].count;
			sum += in[i].count;
		}
		put_ranges(in, n, base, out, &r);
		assert_true(flux_ranges_decode(got, n, &r, base, pos, sum));
		assert_int_equal(flux_reader_left(&r), 0);
		assert_memory_equal(got, in, n * sizeof(in[0]));
		if (n == 0)
			continue;
		put_ranges(in, n, base, out, &r);
		assert_false(flux_ranges_decode(got, n, &r, base, pos - 1, sum));
		put_ranges(in, n, base, out, &r);
		assert_false(flux_ranges_decode(got, n, &r, base, pos, sum - 1));
		put_ranges(in, n, base, out, &r);
		r.end--;
		assert_false(flux_ranges_decode(got, n, &r, base, pos, sum));
	}
}

static void ranges_limits(void **state)
{
	(void)state;
	assert_true(RANGES("", 0, 5, 5, 0));
	assert_false(RANGES("", 0, 6, 5, 9)); /* a base beyond its end */
	assert_true(RANGES("\x00\x00", 1, 5, 6, 1));
	assert_false(RANGES("\x00\x00", 1, 5, 5, 1)); /* 5 was not sent yet */
	assert_false(RANGES("\x00\x00", 1, 5, 6, 0)); /* one is more than none */
	assert_false(RANGES("\x01\x00", 1, 5, 6, 9));
	assert_false(RANGES("\x00\x01", 1, 5, 6, 9));
	assert_false(RANGES("\x00\x00\x00\x00", 2, 5, 7, 1)); /* two in all */
	assert_true(RANGES("\x00\x00\x00\x00", 2, 5, 7, 2));  /* neighbours are legal */
	assert_false(RANGES("\x00", 1, 5, 99, 9));            /* cut */
	assert_false(RANGES("", 1, 5, 99, 9));
	assert_false(RANGES("\x80\x00\x00", 1, 5, 99, 9)); /* a varint too long */
}

/* Nothing wraps, at either end of 64 bits. */
static void ranges_overflow(void **state)
{
#define ALL_ONES "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* 2^64 - 1 */
	(void)state;
	assert_false(RANGES(ALL_ONES "\x00", 1, 5, UINT64_MAX, UINT64_MAX));
	assert_false(RANGES("\x00" ALL_ONES, 1, 5, UINT64_MAX, UINT64_MAX));
	assert_false(RANGES("\x00" ALL_ONES, 1, 0, UINT64_MAX, UINT64_MAX));
	assert_false(RANGES(ALL_ONES ALL_ONES, 1, 0, UINT64_MAX, UINT64_MAX));
	assert_false(RANGES("\x02\x00", 1, UINT64_MAX - 2, UINT64_MAX, UINT64_MAX));
	assert_true(RANGES("\x01\x00", 1, UINT64_MAX - 2, UINT64_MAX, UINT64_MAX));
	assert_true(RANGES("\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1, 0, UINT64_MAX,
			   UINT64_MAX));
#undef ALL_ONES
}

static void feedback_refuses(void **state)
{
	uint8_t body[FLUX_FEEDBACK_LEN] = { 0 };
	struct flux_feedback fb;
	struct flux_reader r;

	(void)state;
	for (unsigned int n = 0; n < 256; n++) {
		body[35] = (uint8_t)n;
		flux_reader_init(&r, body, sizeof(body));
		assert_int_equal(flux_feedback_decode(&fb, &r), n <= FLUX_RANGES_MAX);
	}
	body[35] = 0;
	for (size_t len = 0; len < sizeof(body); len++) {
		flux_reader_init(&r, body, len);
		assert_false(flux_feedback_decode(&fb, &r));
	}
}

/* With ranges exactly one of the two flags says what they are; without, neither matters. */
static void sync_refuses(void **state)
{
	uint8_t body[FLUX_SYNC_LEN] = { 0 };
	struct flux_reader r;
	struct flux_sync s;

	(void)state;
	for (unsigned int all = 0; all < 256; all++) {
		unsigned int flags = all & (FLUX_SYNC_REPAIRING | FLUX_SYNC_SKIPPED);

		body[34] = (uint8_t)all;
		body[35] = 0;
		flux_reader_init(&r, body, sizeof(body));
		assert_true(flux_sync_decode(&s, &r));
		body[35] = 1;
		flux_reader_init(&r, body, sizeof(body));
		assert_int_equal(flux_sync_decode(&s, &r), flags == 4 || flags == 8);
	}
	body[34] = FLUX_SYNC_SKIPPED;
	body[35] = FLUX_RANGES_MAX + 1;
	flux_reader_init(&r, body, sizeof(body));
	assert_false(flux_sync_decode(&s, &r));
	body[35] = 0;
	for (size_t len = 0; len < sizeof(body); len++) {
		flux_reader_init(&r, body, len);
		assert_false(flux_sync_decode(&s, &r));
	}
}

static void open_refuses(void **state)
{
	uint8_t body[13] = { 0 };
	struct flux_reader r;
	struct flux_open o;

	(void)state;
	for (unsigned int op = 0; op < 256; op++) {
		body[0] = (uint8_t)op;
		flux_reader_init(&r, body, 12);
		assert_int_equal(flux_open_decode(&o, &r), op >= 1 && op <= 4);
	}
	body[0] = FLUX_OPEN_OPEN;
	for (size_t len = 0; len < 12; len++) {
		flux_reader_init(&r, body, len);
		assert_false(flux_open_decode(&o, &r));
	}
	flux_reader_init(&r, body, 13); /* half a parameter */
	assert_false(flux_open_decode(&o, &r));
}

/* What a later version appends to a body is ignored. */
static void longer_bodies(void **state)
{
	uint8_t body[100];
	struct flux_feedback fb;
	struct flux_reader r;
	struct flux_sync s;
	struct flux_ping ping;
	struct flux_pong pong;

	(void)state;
	memset(body, 0xff, sizeof(body));
	body[35] = 0;
	flux_reader_init(&r, body, sizeof(body));
	assert_true(flux_feedback_decode(&fb, &r));
	flux_reader_init(&r, body, sizeof(body));
	assert_true(flux_sync_decode(&s, &r));
	flux_reader_init(&r, body, sizeof(body));
	assert_true(flux_ping_decode(&ping, &r));
	assert_int_equal(ping.size, UINT16_MAX);
	flux_reader_init(&r, body, sizeof(body));
	assert_true(flux_pong_decode(&pong, &r));
}

static void ping_and_pong(void **state)
{
	uint8_t out[1500];
	struct flux_ping ping = { .data = UINT64_MAX, .flags = 7, .path = 255 };
	struct flux_ping ping_got;
	struct flux_pong pong = { .data = 1, .size = 2, .flags = 3, .path = 4 };
	struct flux_pong pong_got;
	struct flux_reader r;
	struct flux_writer w;

	(void)state;
	for (uint16_t size = 36; size < 1500; size++) {
		ping.size = size;
		flux_writer_init(&w, out, sizeof(out));
		flux_ping_encode(&ping, &w);
		assert_false(w.bad);
		assert_int_equal(w.pos - out, size - 20);
		flux_reader_init(&r, out, (size_t)(w.pos - out));
		memset(&ping_got, 0, sizeof(ping_got));
		assert_true(flux_ping_decode(&ping_got, &r));
		assert_memory_equal(&ping_got, &ping, sizeof(ping));
	}
	for (ping.size = 0; ping.size < 36; ping.size++) {
		flux_writer_init(&w, out, sizeof(out));
		flux_ping_encode(&ping, &w);
		assert_true(w.bad);
	}
	for (size_t len = 0; len < FLUX_PING_LEN; len++) {
		flux_reader_init(&r, out, len);
		assert_false(flux_ping_decode(&ping_got, &r));
	}

	flux_writer_init(&w, out, sizeof(out));
	flux_pong_encode(&pong, &w);
	assert_int_equal(w.pos - out, FLUX_PONG_LEN);
	for (size_t len = 0; len < FLUX_PONG_LEN; len++) {
		flux_reader_init(&r, out, len);
		assert_false(flux_pong_decode(&pong_got, &r));
	}
}

static void close_texts(void **state)
{
	uint8_t out[300];
	struct flux_close c = { .kind = FLUX_CLOSE_GRACEFUL, .code = FLUX_CODE_BUSY };
	struct flux_close got;
	struct flux_reader r;
	struct flux_writer w;

	(void)state;
	memset(c.text, 'x', sizeof(c.text));
	for (unsigned int len = 0; len < 256; len++) {
		c.text_len = (uint8_t)len;
		flux_writer_init(&w, out, sizeof(out));
		flux_close_encode(&c, &w);
		assert_int_equal(w.bad, len > FLUX_CLOSE_TEXT_MAX);
		if (w.bad)
			continue;
		flux_reader_init(&r, out, (size_t)(w.pos - out));
		assert_true(flux_close_decode(&got, &r));
		assert_int_equal(got.kind, FLUX_CLOSE_GRACEFUL);
		assert_int_equal(got.code, FLUX_CODE_BUSY);
		assert_int_equal(got.text_len, len);
		assert_memory_equal(got.text, c.text, len);
	}
	flux_reader_init(&r, out, FLUX_CLOSE_LEN + FLUX_CLOSE_TEXT_MAX + 1);
	assert_false(flux_close_decode(&got, &r));
	for (size_t len = 0; len < FLUX_CLOSE_LEN; len++) {
		flux_reader_init(&r, out, len);
		assert_false(flux_close_decode(&got, &r));
	}
	for (unsigned int kind = 0; kind < 256; kind++) {
		out[0] = (uint8_t)kind;
		flux_reader_init(&r, out, FLUX_CLOSE_LEN);
		assert_int_equal(flux_close_decode(&got, &r), kind >= 1 && kind <= 3);
	}
}

/* Encoders that run out of room say so. */
static void no_room(void **state)
{
	uint8_t out[FLUX_FEEDBACK_LEN + 4];
	struct flux_feedback fb = { .n = 1, .ranges = { { 300, 300 } } };
	struct flux_sync s = { .n = 1, .flags = FLUX_SYNC_SKIPPED, .ranges = { { 300, 300 } } };
	struct flux_open o = { .op = FLUX_OPEN_OPEN, .params.has = 1u << FLUX_PARAM_WINDOW };
	struct flux_writer w;

	(void)state;
	for (size_t room = 0; room <= sizeof(out); room++) {
		flux_writer_init(&w, out, room);
		flux_feedback_encode(&fb, &w);
		assert_int_equal(w.bad, room < 40);
		flux_writer_init(&w, out, room);
		flux_sync_encode(&s, &w);
		assert_int_equal(w.bad, room < 40);
		flux_writer_init(&w, out, room);
		flux_open_encode(&o, &w);
		assert_int_equal(w.bad, room < 18);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_round_trip),
		cmocka_unit_test(ranges_limits),
		cmocka_unit_test(ranges_overflow),
		cmocka_unit_test(feedback_refuses),
		cmocka_unit_test(sync_refuses),
		cmocka_unit_test(open_refuses),
		cmocka_unit_test(longer_bodies),
		cmocka_unit_test(ping_and_pong),
		cmocka_unit_test(close_texts),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
