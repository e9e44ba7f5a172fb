/* SPDX-License-Identifier: MIT */
/*
 * Records: each form read and written, every way to break the table, and the rules of a body.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/wire/record.h"

#define FIRST      "\x01\x80\x09\x00\x00\x00z" /* a first fragment of 1 byte, of 9 */
#define LITERAL(s) ((const uint8_t *)(s)), (uint32_t)(sizeof(s) - 1)

static enum flux_record_result first_of(const uint8_t *body, uint32_t len,
					struct flux_record *rec)
{
	uint32_t off = 0;
	enum flux_record_result result = flux_record_next(body, len, &off, rec);

	if (result != FLUX_RECORD_OK)
		assert_int_equal(off, 0);
	return result;
}

/* One record put, read again from a block of exactly its size, and cut at every length. */
static void one(enum flux_record_kind kind, uint32_t len, uint32_t total)
{
	uint32_t head = flux_record_header_len(kind, len);
	uint8_t *body = malloc(head + len);
	struct flux_record rec;
	uint32_t off = 0;

	assert_non_null(body);
	assert_int_equal(flux_record_put_header(body, kind, len, total), head);
	memset(body + head, 'x', len);
	assert_int_equal(flux_record_next(body, head + len, &off, &rec), FLUX_RECORD_OK);
	assert_int_equal(off, head + len);
	assert_int_equal(rec.kind, kind);
	assert_int_equal(rec.len, len);
	assert_ptr_equal(rec.data, body + head);
	if (kind == FLUX_REC_FIRST)
		assert_int_equal(rec.total, total);
	assert_int_equal(flux_record_next(body, head + len, &off, &rec), FLUX_RECORD_END);
	for (uint32_t cut = 2; cut < head + len; cut++)
		assert_int_equal(first_of(body, cut, &rec), FLUX_RECORD_BAD);
	free(body);
}

static void every_form(void **state)
{
	static const uint32_t lens[] = { 0, 1, 2, 255, 256, 1400, 16382, 16383, 16384, 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		one(FLUX_REC_WHOLE, lens[i], 0);
		one(FLUX_REC_FIRST, lens[i], lens[i] + 1);
		one(FLUX_REC_FIRST, lens[i], UINT32_MAX);
		if (lens[i] == 0)
			continue;
		one(FLUX_REC_MIDDLE, lens[i], 0);
		one(FLUX_REC_LAST, lens[i], 0);
	}
}

static void header_lengths(void **state)
{
	(void)state;
	assert_int_equal(flux_record_header_len(FLUX_REC_WHOLE, 0), 2);
	assert_int_equal(flux_record_header_len(FLUX_REC_WHOLE, 16382), 2);
	assert_int_equal(flux_record_header_len(FLUX_REC_WHOLE, 16383), 4);
	assert_int_equal(flux_record_header_len(FLUX_REC_FIRST, 1), 6);
	assert_int_equal(flux_record_header_len(FLUX_REC_FIRST, 16383), 8);
	assert_int_equal(flux_record_header_len(FLUX_REC_LAST, 1), 2);
}

/* The long form byte for byte: head, length, total. */
static void long_form(void **state)
{
	uint8_t out[8];

	(void)state;
	assert_int_equal(flux_record_put_header(out, FLUX_REC_WHOLE, 16383, 0), 4);
	assert_memory_equal(out, "\xff\x3f\xff\x3f", 4);
	assert_int_equal(flux_record_put_header(out, FLUX_REC_MIDDLE, 16384, 0), 4);
	assert_memory_equal(out, "\xff\xff\x00\x40", 4);
	assert_int_equal(flux_record_put_header(out, FLUX_REC_LAST, 65535, 0), 4);
	assert_memory_equal(out, "\xff\x7f\xff\xff", 4);
	assert_int_equal(flux_record_put_header(out, FLUX_REC_FIRST, 20000, 0x01020304), 8);
	assert_memory_equal(out, "\xff\xbf\x20\x4e\x04\x03\x02\x01", 8);
}

static void meta(void **state)
{
	uint8_t out[300], value[255];
	struct flux_record rec;

	(void)state;
	memset(value, 0x77, sizeof(value));
	for (uint32_t len = 0; len <= 255; len++) {
		uint32_t n = flux_record_put_meta(out, 64, value, (uint8_t)len);

		assert_int_equal(n, 4 + len);
		assert_int_equal(first_of(out, n, &rec), FLUX_RECORD_OK);
		assert_int_equal(rec.kind, FLUX_REC_META);
		assert_int_equal(rec.meta, 64);
		assert_int_equal(rec.len, len);
		assert_ptr_equal(rec.data, out + 4);
		for (uint32_t cut = 2; cut < n; cut++)
			assert_int_equal(first_of(out, cut, &rec), FLUX_RECORD_BAD);
	}
}

/* Padding of any length ends a body; a single byte does so whatever it is. */
static void padding(void **state)
{
	uint8_t out[20];
	struct flux_record rec;

	(void)state;
	for (uint32_t len = 0; len <= sizeof(out); len++) {
		memset(out, 0xee, sizeof(out));
		flux_record_put_padding(out, len);
		if (len < sizeof(out))
			assert_int_equal(out[len], 0xee);
		assert_int_equal(first_of(out, len, &rec), FLUX_RECORD_END);
	}
	for (unsigned int b = 0; b < 256; b++) {
		out[0] = (uint8_t)b;
		assert_int_equal(first_of(out, 1, &rec), FLUX_RECORD_END);
	}
}

static void broken(void **state)
{
	struct flux_record rec;

	(void)state;
	/* The long form for what the short one can say. */
	assert_int_equal(first_of(LITERAL("\xff\x3f\x00\x00"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\xff\x3f\x01\x00x"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\xff\xff\x00\x00"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\xff\x7f\x00\x00"), &rec), FLUX_RECORD_BAD);
	/* A first fragment that leaves nothing for the last. */
	assert_int_equal(first_of(LITERAL("\x00\x80\x00\x00\x00\x00"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\x02\x80\x02\x00\x00\x00hi"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\x02\x80\x01\x00\x00\x00hi"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\x02\x80\x03\x00\x00\x00hi"), &rec), FLUX_RECORD_OK);
	/* A meta record without its two bytes, or longer than the body. */
	assert_int_equal(first_of(LITERAL("\x00\x40"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\x00\x40\x00"), &rec), FLUX_RECORD_BAD);
	assert_int_equal(first_of(LITERAL("\x00\x40\x00\x01"), &rec), FLUX_RECORD_BAD);
}

static void bodies(void **state)
{
	(void)state;
	assert_true(flux_record_check_body(LITERAL("\x00\x00")));
	assert_true(flux_record_check_body(LITERAL("\x01\x00x\x01\x00y")));
	assert_true(flux_record_check_body(LITERAL("\x01\x00x\xee")));
	assert_true(flux_record_check_body(LITERAL("\x00\xc0")));
	assert_true(flux_record_check_body(LITERAL("\x00\x40\x01\x00")));
	/* No record at all. */
	assert_false(flux_record_check_body(LITERAL("")));
	assert_false(flux_record_check_body(LITERAL("\x00")));
	/* Broken behind a good one. */
	assert_false(flux_record_check_body(LITERAL("\x01\x00x\x02\x00y")));
	/* F2: continuations come first only. */
	assert_true(flux_record_check_body(LITERAL("\x01\xc0x")));
	assert_true(flux_record_check_body(LITERAL("\x01\x40x\x01\x00y")));
	assert_false(flux_record_check_body(LITERAL("\x01\x00x\x01\xc0y")));
	assert_false(flux_record_check_body(LITERAL("\x01\x00x\x01\x40y")));
	assert_false(flux_record_check_body(LITERAL("\x00\x40\x00\x00\x01\x40y")));
	/* F3: after the last fragment more may follow, a new first fragment too. */
	assert_true(flux_record_check_body(LITERAL("\x01\x40x\x01\x00y" FIRST)));
	/* F1: what goes on in the next datagram ends this one, but for meta records. */
	assert_true(flux_record_check_body(LITERAL(FIRST "\x00\x40\x00\x00\x00\xc0")));
	assert_false(flux_record_check_body(LITERAL(FIRST "\x01\x00y")));
	assert_false(flux_record_check_body(LITERAL(FIRST FIRST)));
	assert_true(flux_record_check_body(LITERAL("\x01\xc0x\x00\xc0yyyy")));
	assert_false(flux_record_check_body(LITERAL("\x01\xc0x\x01\x00y")));
}

/* The longest run of the smallest records. */
static void many(void **state)
{
	static uint8_t body[65452];
	struct flux_record rec;
	uint32_t off = 0;
	uint32_t n = 0;

	(void)state;
	while (flux_record_next(body, sizeof(body), &off, &rec) == FLUX_RECORD_OK) {
		assert_int_equal(rec.kind, FLUX_REC_WHOLE);
		assert_int_equal(rec.len, 0);
		n++;
	}
	assert_int_equal(n, sizeof(body) / 2);
	assert_true(flux_record_check_body(body, sizeof(body)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form),
		cmocka_unit_test(header_lengths),
		cmocka_unit_test(long_form),
		cmocka_unit_test(meta),
		cmocka_unit_test(padding),
		cmocka_unit_test(broken),
		cmocka_unit_test(bodies),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
