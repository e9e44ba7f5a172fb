/* SPDX-License-Identifier: MIT */
/*
 * The parameter list: every subset both ways, every prefix, unknown types, and the broken
 * lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/wire/params.h"

#define DECODE(p, s) decode(p, (const uint8_t *)(s), sizeof(s) - 1)

static const uint32_t known[] = {
	FLUX_PARAM_MAX_DATAGRAM, FLUX_PARAM_IDLE_TIMEOUT, FLUX_PARAM_MAX_MESSAGE,
	FLUX_PARAM_WINDOW, FLUX_PARAM_RESET_TOKEN, FLUX_PARAM_FIRST_SEQ
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* From a block of exactly its size. */
static bool decode(struct flux_params *p, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct flux_reader r;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	memset(p, 0x5a, sizeof(*p));
	flux_reader_init(&r, copy, len);
	ok = flux_params_decode(p, &r);
	free(copy);
	return ok;
}

static void fill(struct flux_params *p, uint32_t has)
{
	memset(p, 0, sizeof(*p));
	p->has = has;
	if (has & 1u << FLUX_PARAM_MAX_DATAGRAM)
		p->max_datagram = UINT16_MAX;
	if (has & 1u << FLUX_PARAM_IDLE_TIMEOUT)
		p->idle_timeout_ms = 0x01020304;
	if (has & 1u << FLUX_PARAM_MAX_MESSAGE)
		p->max_message = UINT32_MAX;
	if (has & 1u << FLUX_PARAM_WINDOW)
		p->window = 0x05060708;
	if (has & 1u << FLUX_PARAM_RESET_TOKEN)
		memcpy(p->reset_token, "0123456789abcdef", 16);
	if (has & 1u << FLUX_PARAM_FIRST_SEQ)
		p->first_seq = UINT64_MAX - 1;
}

static void every_subset(void **state)
{
	(void)state;
	for (uint32_t subset = 0; subset < 1u << KNOWN; subset++) {
		struct flux_params want, got;
		struct flux_writer w;
		uint8_t out[100];
		uint32_t has = 0;
		size_t len;

		for (size_t i = 0; i < KNOWN; i++)
			if (subset >> i & 1)
				has |= 1u << known[i];
		fill(&want, has);
		flux_writer_init(&w, out, sizeof(out));
		flux_params_encode(&want, &w);
		assert_false(w.bad);
		len = (size_t)(w.pos - out);
		assert_true(decode(&got, out, len));
		assert_memory_equal(&got, &want, sizeof(got));

		/* A prefix either ends between two members, or is refused. */
		for (size_t cut = 0; cut < len; cut++)
			if (decode(&got, out, cut))
				assert_int_equal(got.has & ~has, 0);
		/* And room that is one byte short is noticed. */
		if (len > 0) {
			flux_writer_init(&w, out, len - 1);
			flux_params_encode(&want, &w);
			assert_true(w.bad);
		}
	}
}

static void any_order(void **state)
{
	struct flux_params p;

	(void)state;
	assert_true(DECODE(&p, "\x05\x04\x01\x00\x00\x00\x01\x02\x02\x00"));
	assert_int_equal(p.has, 1u << 5 | 1u << 1);
	assert_int_equal(p.window, 1);
	assert_int_equal(p.max_datagram, 2);
	assert_int_equal(p.unknown_critical, 0);
}

static void unknown_types(void **state)
{
	struct flux_params p;

	(void)state;
	/* Even: skipped. 4 and 8 are given to others, 0 and 100 to nobody. */
	assert_true(DECODE(&p, "\x04\x03"
			       "abc\x08\x00\x00\x01x\x64\x00\x01\x02\x09\x00"));
	assert_int_equal(p.has, 1u << 1);
	assert_int_equal(p.max_datagram, 9);
	assert_int_equal(p.unknown_critical, 0);
	/* Odd: the first is named, the rest is read all the same. */
	assert_true(DECODE(&p, "\x07\x01\x02\x0d\x01\x00\x01\x02\x09\x00"));
	assert_int_equal(p.unknown_critical, 7);
	assert_int_equal(p.max_datagram, 9);
	/* Types beyond 32 bits. */
	assert_true(DECODE(&p, "\x81\x80\x80\x80\x80\x01\x00"));
	assert_int_equal(p.unknown_critical, UINT32_MAX);
	assert_true(DECODE(&p, "\x80\x80\x80\x80\x80\x01\x00"));
	assert_int_equal(p.unknown_critical, 0);
	/* 33 and 49 are not 1 and 17. */
	assert_true(DECODE(&p, "\x21\x02\x01\x00\x31\x00"));
	assert_int_equal(p.has, 0);
	assert_int_equal(p.unknown_critical, 33);
}

static void broken(void **state)
{
	struct flux_params p;

	(void)state;
	assert_false(DECODE(&p, "\x01\x01\x02"));         /* shorter than its type */
	assert_false(DECODE(&p, "\x01\x03\x02\x00\x00")); /* longer */
	assert_false(DECODE(&p, "\x01\x00"));
	assert_false(DECODE(&p, "\x06\x0f"
				"0123456789abcde"));
	assert_false(DECODE(&p, "\x11\x04\x00\x00\x00\x00"));
	assert_false(DECODE(&p, "\x04\x04"
				"abc")); /* beyond the end */
	assert_false(DECODE(&p, "\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	assert_false(DECODE(&p, "\x04"));
	assert_false(DECODE(&p, "\x84"));
	assert_false(DECODE(&p, "\x84\x00\x00"));                      /* a varint too long */
	assert_false(DECODE(&p, "\x01\x02\x01\x00\x01\x02\x01\x00"));  /* twice */
	assert_false(DECODE(&p, "\x04\x00\x01\x02\x01\x00\x04\x01x")); /* twice, unknown */
	assert_false(DECODE(&p, "\x07\x00\x07\x00"));
}

/* A reader that was bad before stays so. */
static void bad_reader(void **state)
{
	struct flux_params p;
	struct flux_reader r;

	(void)state;
	flux_reader_init(&r, "", 0);
	assert_true(flux_params_decode(&p, &r));
	flux_read_u8(&r);
	assert_false(flux_params_decode(&p, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_subset),
		cmocka_unit_test(any_order),
		cmocka_unit_test(unknown_types),
		cmocka_unit_test(broken),
		cmocka_unit_test(bad_reader),
	};

	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
