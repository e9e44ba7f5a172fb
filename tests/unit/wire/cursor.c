/* SPDX-License-Identifier: MIT */
/* The cursors: byte order, ends, what follows a bad access, and the limits of a varint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/wire/cursor.h"

static void integers(void **state)
{
	static const uint8_t bytes[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct flux_reader r;
	struct flux_writer w;
	uint8_t out[15];

	(void)state;
	flux_reader_init(&r, bytes, sizeof(bytes));
	assert_int_equal(flux_read_u8(&r), 0x01);
	assert_int_equal(flux_read_u16(&r), 0x0302);
	assert_int_equal(flux_read_u32(&r), 0x07060504);
	assert_int_equal(flux_reader_left(&r), 8);
	assert_int_equal(flux_read_u64(&r), 0x0f0e0d0c0b0a0908u);
	assert_int_equal(flux_reader_left(&r), 0);
	assert_false(r.bad);

	flux_writer_init(&w, out, sizeof(out));
	flux_write_u8(&w, 0x01);
	flux_write_u16(&w, 0x0302);
	flux_write_u32(&w, 0x07060504);
	assert_int_equal(flux_writer_left(&w), 8);
	flux_write_u64(&w, 0x0f0e0d0c0b0a0908u);
	assert_false(w.bad);
	assert_memory_equal(out, bytes, sizeof(out));
}

/* Each access, one byte too long: zero, bad, and nothing to be had after it. */
static void read_past_end(void **state)
{
	static const size_t sizes[] = { 1, 2, 4, 8, 5, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = sizes[i] - 1;
		uint8_t *bytes = malloc(len + 1);
		struct flux_reader r;

		assert_non_null(bytes);
		memset(bytes, 0xff, len + 1);
		flux_reader_init(&r, bytes, len);
		switch (i) {
		case 0:
			assert_int_equal(flux_read_u8(&r), 0);
			break;
		case 1:
			assert_int_equal(flux_read_u16(&r), 0);
			break;
		case 2:
			assert_int_equal(flux_read_u32(&r), 0);
			break;
		case 3:
			assert_int_equal(flux_read_u64(&r), 0);
			break;
		case 4:
			assert_null(flux_read_bytes(&r, 5));
			break;
		default:
			assert_int_equal(flux_read_varint(&r), 0);
			break;
		}
		assert_true(r.bad);
		assert_int_equal(flux_reader_left(&r), 0);
		assert_int_equal(flux_read_u8(&r), 0);
		assert_true(r.bad);
		free(bytes);
	}
}

static void huge_lengths(void **state)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 };
	struct flux_reader r;
	struct flux_writer w;

	(void)state;
	flux_reader_init(&r, bytes, sizeof(bytes));
	assert_null(flux_read_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
	flux_writer_init(&w, bytes, sizeof(bytes));
	flux_write_zeros(&w, SIZE_MAX);
	assert_true(w.bad);
	assert_memory_equal(bytes, "\x01\x02\x03\x04", 4);
}

static void views(void **state)
{
	static const uint8_t bytes[3] = { 1, 2, 3 };
	struct flux_reader r;

	(void)state;
	flux_reader_init(&r, bytes, sizeof(bytes));
	assert_ptr_equal(flux_read_bytes(&r, 2), bytes);
	assert_ptr_equal(flux_read_bytes(&r, 0), bytes + 2);
	assert_ptr_equal(flux_read_bytes(&r, 1), bytes + 2);
	assert_ptr_equal(flux_read_bytes(&r, 0), bytes + 3);
	assert_false(r.bad);
}

/* What does not fit is dropped whole, and nothing is written behind the hole. */
static void write_past_end(void **state)
{
	uint8_t out[8];
	struct flux_writer w;

	(void)state;
	memset(out, 0x5a, sizeof(out));
	flux_writer_init(&w, out, 4);
	flux_write_u16(&w, 0x0201);
	flux_write_u32(&w, 0xffffffff);
	flux_write_u8(&w, 0xff);
	flux_write_bytes(&w, "", 1);
	flux_write_bytes(&w, NULL, 0);
	flux_write_zeros(&w, 0);
	assert_true(w.bad);
	assert_int_equal(flux_writer_left(&w), 0);
	assert_memory_equal(out, "\x01\x02\x5a\x5a\x5a\x5a\x5a\x5a", 8);
}

static const struct {
	uint64_t value;
	size_t len;
	uint8_t bytes[10];
} varints[] = {
	{ 0, 1, { 0x00 } },
	{ 1, 1, { 0x01 } },
	{ 127, 1, { 0x7f } },
	{ 128, 2, { 0x80, 0x01 } },
	{ 299, 2, { 0xab, 0x02 } },
	{ 16383, 2, { 0xff, 0x7f } },
	{ 16384, 3, { 0x80, 0x80, 0x01 } },
	{ UINT32_MAX, 5, { 0xff, 0xff, 0xff, 0xff, 0x0f } },
	{ INT64_MAX, 9, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
	{ UINT64_MAX, 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 } },
};

static void varint_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(varints) / sizeof(varints[0]); i++) {
		struct flux_reader r;
		struct flux_writer w;
		uint8_t out[10];

		flux_writer_init(&w, out, varints[i].len);
		flux_write_varint(&w, varints[i].value);
		assert_false(w.bad);
		assert_int_equal(flux_writer_left(&w), 0);
		assert_memory_equal(out, varints[i].bytes, varints[i].len);
		flux_reader_init(&r, out, varints[i].len);
		assert_int_equal(flux_read_varint(&r), varints[i].value);
		assert_false(r.bad);
		assert_int_equal(flux_reader_left(&r), 0);

		for (size_t cut = 0; cut < varints[i].len; cut++) {
			flux_reader_init(&r, varints[i].bytes, cut);
			assert_int_equal(flux_read_varint(&r), 0);
			assert_true(r.bad);
			flux_writer_init(&w, out, cut);
			flux_write_varint(&w, varints[i].value);
			assert_true(w.bad);
		}
	}
}

static void varint_bad_forms(void **state)
{
	static const struct {
		size_t len;
		uint8_t bytes[11];
	} forms[] = {
		{ 2, { 0x80, 0x00 } },       /* 0 in two bytes */
		{ 3, { 0xff, 0x80, 0x00 } }, /* 127 in three */
		{ 10, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 } },
		{ 10, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02 } },
		{ 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
		{ 11, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x01 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct flux_reader r;

		flux_reader_init(&r, forms[i].bytes, forms[i].len);
		assert_int_equal(flux_read_varint(&r), 0);
		assert_true(r.bad);
		assert_int_equal(flux_reader_left(&r), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(read_past_end),
		cmocka_unit_test(huge_lengths),
		cmocka_unit_test(views),
		cmocka_unit_test(write_past_end),
		cmocka_unit_test(varint_both_ways),
		cmocka_unit_test(varint_bad_forms),
	};

	return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
