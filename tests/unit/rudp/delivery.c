/* SPDX-License-Identifier: MIT */
/*
 * The reader's upper half: whole messages out of records, every record rule broken in turn, gaps, partial
 * releases, and random packings against what was packed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/rng.h"
#include "core/rudp/delivery.h"
#include "core/wire/packet.h"

#define FIRST       0xFFFFFFFAull
#define WINDOW      16u
#define DATAGRAM    1200u
#define MAX_MESSAGE 5000u

static struct flux_pool pool;
static struct flux_rxwin win;
static struct flux_delivery d;
static uint8_t driver[WINDOW][DATAGRAM]; /* what the driver lends until settled */
static struct flux_msg msgs[64];

static int setup(void **state)
{
	(void)state;
	assert_int_equal(flux_pool_init(&pool, &flux_mem_libc, 2 * WINDOW, DATAGRAM), 0);
	pool.owed = 1;
	assert_int_equal(flux_rxwin_init(&win, &flux_mem_libc, &pool, FIRST, WINDOW, WINDOW), 0);
	return flux_delivery_init(&d, &flux_mem_libc, FIRST, MAX_MESSAGE);
}

static int teardown(void **state)
{
	(void)state;
	assert_null(flux_rxwin_check(&win));
	assert_int_equal(win.consumed, d.at.seq);
	flux_delivery_fini(&d);
	flux_rxwin_fini(&win);
	assert_int_equal(pool.n_free, pool.n);
	flux_pool_fini(&pool);
	return 0;
}

/* The next datagram in order, with this body. */
static void arrive(const void *body, uint32_t len)
{
	uint64_t seq = win.high;
	uint8_t *datagram = driver[seq % WINDOW];

	assert_true(len <= DATAGRAM - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
	assert_int_equal(flux_rxwin_judge(&win, seq), FLUX_RX_NEW);
	memset(datagram, 0xEE, DATAGRAM);
	memcpy(datagram + FLUX_HEADER_LEN, body, len);
	flux_rxwin_put(&win, seq, flux_rxwin_take(&win, seq), datagram,
		       (uint16_t)(FLUX_HEADER_LEN + len + FLUX_TRAILER_LEN), false);
	flux_rxwin_advance(&win);
}

/* A body written as a literal. */
#define ARRIVE(body) arrive(body, sizeof(body) - 1)

/* The next `n` sequences are given up by the writer. */
static void give_up(uint32_t n)
{
	while (n-- > 0)
		*flux_rxwin_slot(&win, win.high++) = (struct flux_rx_slot){ .state = FLUX_RX_SKIPPED };
	flux_rxwin_advance(&win);
}

/* Records as literals. */
#define WHOLE3(text)  "\x03\x00" text
#define FIRST2(total) "\x02\x80" total "\x00\x00\x00" /* and two bytes of it */
#define MIDDLE2(text) "\x02\xC0" text
#define LAST2(text)   "\x02\x40" text
#define PAD_META      "\x00\x40\x00\x01z"
#define EOS           "\x00\x40\x01\x00"
#define REST          "\x00\xC0"

static void expect(const struct flux_msg *m, const char *text)
{
	assert_non_null(m->data);
	assert_int_equal(m->len, strlen(text));
	assert_memory_equal(m->data, text, m->len);
}

static uint32_t read_all(void)
{
	return flux_delivery_read(&d, &win, msgs, 64);
}

/* Read one message after another and put them together, each followed by a bar. */
static const char *read_text(void)
{
	static char text[4096];
	char *p = text;
	uint32_t n;

	for (int idle = 0; idle < 3 && !d.broken;) { /* a read may pass something and give nothing */
		n = flux_delivery_read(&d, &win, msgs, 64);
		idle = n ? 0 : idle + 1;
		for (uint32_t i = 0; i < n; i++) {
			memcpy(p, msgs[i].data, msgs[i].len);
			p += msgs[i].len;
			*p++ = '|';
		}
		flux_delivery_release(&d, &win, n);
	}
	*p = '\0';
	return text;
}

/* ---- Messages ---- */

static void in_place(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") WHOLE3("def") "\x00\x00" WHOLE3("ghi"));
	assert_true(flux_delivery_ready(&d, &win));
	assert_int_equal(read_all(), 4);
	expect(&msgs[0], "abc");
	expect(&msgs[1], "def");
	expect(&msgs[2], "");
	expect(&msgs[3], "ghi");
	assert_ptr_equal(msgs[0].data, driver[FIRST % WINDOW] + FLUX_HEADER_LEN + 2);
	flux_delivery_release(&d, &win, 4);
	assert_int_equal(d.messages, 4);
	assert_int_equal(read_all(), 0);
	assert_false(flux_delivery_ready(&d, &win));
	assert_int_equal(win.consumed, win.ack);
	assert_int_equal(d.messages, 4);
}

static void at_most_max(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") WHOLE3("def"));
	ARRIVE(WHOLE3("ghi"));
	assert_int_equal(flux_delivery_read(&d, &win, msgs, 0), 0);
	assert_int_equal(flux_delivery_read(&d, &win, msgs, 1), 1);
	expect(&msgs[0], "abc");
	assert_int_equal(flux_delivery_read(&d, &win, msgs, 2), 2);
	expect(&msgs[1], "def");
	assert_int_equal(flux_delivery_read(&d, &win, msgs, 3), 3);
	expect(&msgs[2], "ghi");
	assert_int_equal(d.messages, 0);
}

/* Release a part: the rest is there again, also by a later release without a new read. */
static void partial_release(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") WHOLE3("def"));
	ARRIVE(WHOLE3("ghi") WHOLE3("jkl"));
	assert_int_equal(read_all(), 4);
	flux_delivery_release(&d, &win, 1);
	assert_int_equal(win.consumed, FIRST);
	flux_delivery_release(&d, &win, 2);
	assert_int_equal(win.consumed, FIRST + 1);
	assert_int_equal(read_all(), 1);
	expect(&msgs[0], "jkl");
	ARRIVE(WHOLE3("mno"));
	assert_int_equal(read_all(), 2);
	flux_delivery_release(&d, &win, 0);
	assert_int_equal(d.messages, 3);
	flux_delivery_release(&d, &win, 99); /* cut to what was read */
	assert_int_equal(d.messages, 5);
	flux_delivery_release(&d, &win, 1); /* nothing was read since */
	assert_int_equal(d.messages, 5);
	assert_string_equal(read_text(), "");
}

static void settled_between(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") WHOLE3("def") WHOLE3("ghi"));
	assert_int_equal(read_all(), 3);
	flux_delivery_release(&d, &win, 1);
	flux_rxwin_settle(&win);
	memset(driver, 0xAA, sizeof(driver));
	assert_int_equal(read_all(), 2);
	expect(&msgs[0], "def");
	expect(&msgs[1], "ghi");
	flux_delivery_release(&d, &win, 2);
}

static void fragments(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") FIRST2("\x06") "de" PAD_META REST "anything");
	assert_int_equal(read_all(), 1);
	flux_delivery_release(&d, &win, 1);
	assert_int_equal(read_all(), 0);
	assert_true(d.assembling);
	assert_int_equal(win.consumed, win.ack); /* the window is free, the part is ours */
	ARRIVE(MIDDLE2("fg") PAD_META);
	assert_int_equal(read_all(), 0);
	ARRIVE(LAST2("hi") WHOLE3("jkl"));
	assert_int_equal(read_all(), 1); /* comes alone */
	expect(&msgs[0], "defghi");
	assert_int_equal(read_all(), 1);
	expect(&msgs[0], "defghi");
	flux_rxwin_settle(&win);
	expect(&msgs[0], "defghi");
	flux_delivery_release(&d, &win, 1);
	assert_string_equal(read_text(), "jkl|");
	assert_int_equal(d.messages, 3);
}

/* A first fragment may carry nothing yet; longest message that is taken. */
static void fragment_borders(void **state)
{
	uint8_t body[DATAGRAM];
	uint32_t left = MAX_MESSAGE, n;

	(void)state;
	n = flux_record_put_header(body, FLUX_REC_FIRST, 0, MAX_MESSAGE);
	arrive(body, n);
	while (left) {
		uint32_t len = flux_min_u32(left, 1000);

		assert_int_equal(read_all(), 0);
		left -= len;
		n = flux_record_put_header(body, left ? FLUX_REC_MIDDLE : FLUX_REC_LAST, len, 0);
		memset(body + n, 'x', len);
		arrive(body, n + len);
	}
	assert_int_equal(read_all(), 1);
	assert_int_equal(msgs[0].len, MAX_MESSAGE);
	flux_delivery_release(&d, &win, 1);
}

static void metas_and_padding(void **state)
{
	(void)state;
	ARRIVE(PAD_META WHOLE3("abc") "\x00\x40\x63\x00" WHOLE3("def") PAD_META);
	ARRIVE("z"); /* one left-over byte */
	ARRIVE(REST "\xFF\xFF\xFF");
	ARRIVE(PAD_META PAD_META);
	ARRIVE("\x00\x00" /* an empty message */);
	ARRIVE(WHOLE3("ghi") "z");
	assert_string_equal(read_text(), "abc|def||ghi|");
	assert_int_equal(win.consumed, win.ack);
	assert_false(d.eos);
}

static void end_of_stream(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") EOS REST);
	assert_int_equal(read_all(), 1);
	assert_false(d.eos);
	flux_delivery_release(&d, &win, 1);
	assert_false(d.eos); /* known when it is reached, not before */
	assert_int_equal(read_all(), 0);
	assert_true(d.eos);
	assert_false(d.broken);
	assert_int_equal(win.consumed, win.ack);
}

/* ---- Rules ---- */

/* What stands before the fault is delivered, nothing behind it, and nothing is ever read again. */
static void breaks(const char *what, const char *before)
{
	const char *text = read_text();

	if (!d.broken)
		fail_msg("%s: taken", what);
	if (strcmp(text, before))
		fail_msg("%s: \"%s\" was delivered, not \"%s\"", what, text, before);
	assert_int_equal(read_all(), 0);
	assert_false(flux_delivery_ready(&d, &win));
	assert_int_equal(win.consumed, d.at.seq);
}

struct fault {
	const char *what;
	const char *before; /* delivered before it */
	struct {
		const char *body;
		uint32_t len;
	} datagrams[3];
};

#define BODY(b)                  \
	{                        \
		b, sizeof(b) - 1 \
	}

static void broken_rules(void **state)
{
	static const struct fault table[] = {
		{ "F1: a message behind a first fragment", "abc|", { BODY(WHOLE3("abc") FIRST2("\x06") "de" WHOLE3("xyz")) } },
		{ "F1: two first fragments", "", { BODY(FIRST2("\x06") "de"), BODY(FIRST2("\x06") "de") } },
		{ "F1: a message in the middle", "", { BODY(FIRST2("\x06") "de"), BODY(WHOLE3("xyz")), BODY(LAST2("gh")) } },
		{ "F1: two fragments in one datagram", "", { BODY(FIRST2("\x04") "de" LAST2("fg")) } },
		{ "F1: two middles in one datagram", "", { BODY(FIRST2("\x08") "de"), BODY(MIDDLE2("fg") MIDDLE2("hi")), BODY(LAST2("jk")) } },
		{ "F1: sequences not in a row", "", { BODY(FIRST2("\x04") "de"), BODY(PAD_META), BODY(LAST2("fg")) } },
		{ "F1: an empty datagram between", "", { BODY(FIRST2("\x04") "de"), BODY("z"), BODY(LAST2("fg")) } },
		{ "F2: a continuation behind a meta record", "", { BODY(FIRST2("\x04") "de"), BODY(PAD_META LAST2("fg")) } },
		{ "F2: a continuation behind a message", "abc|", { BODY(WHOLE3("abc") LAST2("fg")) } },
		{ "a continuation without a start", "abc|", { BODY(WHOLE3("abc")), BODY(MIDDLE2("fg")) } },
		{ "a last fragment without a start", "", { BODY(LAST2("fg")) } },
		{ "F4: too short", "", { BODY(FIRST2("\x05") "de"), BODY(LAST2("fg")) } },
		{ "F4: too long", "", { BODY(FIRST2("\x03") "de"), BODY(LAST2("fg")) } },
		{ "F4: too long in the middle", "", { BODY(FIRST2("\x03") "de"), BODY(MIDDLE2("fg")) } },
		{ "F4: the middle has it all", "", { BODY(FIRST2("\x04") "de"), BODY(MIDDLE2("fg")), BODY(LAST2("hi")) } },
		{ "F5: announced too long", "abc|", { BODY(WHOLE3("abc") "\x02\x80\x89\x13\x00\x00"
									 "de") } },
		{ "F5: announced 4 GiB", "", { BODY("\x02\x80\xFF\xFF\xFF\xFF"
						    "de") } },
		{ "the end inside a message", "", { BODY(FIRST2("\x04") "de"), BODY(EOS) } },
		{ "a message behind the end", "abc|", { BODY(WHOLE3("abc")), BODY(EOS WHOLE3("xyz")) } },
		{ "a message after the end", "", { BODY(EOS), BODY(WHOLE3("xyz")) } },
		{ "a second end", "", { BODY(EOS EOS) } },
		{ "a record that runs out of its datagram", "abc|", { BODY(WHOLE3("abc") "\x04\x00xyz") } },
		{ "a meta record that does", "", { BODY("\x00\x40\x00\x05z") } },
		{ "a first fragment that is all", "", { BODY(FIRST2("\x02") "de") } },
	};

	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (uint32_t j = 0; j < 3 && table[i].datagrams[j].len; j++)
			arrive(table[i].datagrams[j].body, table[i].datagrams[j].len);
		breaks(table[i].what, table[i].before);
		teardown(state);
		setup(state);
	}
}

/* A whole message longer than we take: it fits a datagram, and is refused all the same. */
static void whole_over_the_limit(void **state)
{
	(void)state;
	flux_delivery_fini(&d);
	assert_int_equal(flux_delivery_init(&d, &flux_mem_libc, FIRST, 2), 0);
	ARRIVE("\x02\x00"
	       "ab" WHOLE3("abc"));
	assert_int_equal(read_all(), 1);
	assert_false(d.broken);
	flux_delivery_release(&d, &win, 1);
	breaks("a whole message over the limit", "");
}

/* What stands before a broken record in the same read is still lent and can be released. */
static void broken_behind_messages(void **state)
{
	(void)state;
	ARRIVE(WHOLE3("abc") WHOLE3("def") "\x09\x00zz");
	assert_int_equal(read_all(), 2);
	assert_true(d.broken);
	expect(&msgs[1], "def");
	flux_delivery_release(&d, &win, 1);
	flux_delivery_release(&d, &win, 1);
	assert_int_equal(d.messages, 2);
}

/* ---- Gaps ---- */

static void gap(uint64_t first, uint64_t last)
{
	uint64_t a, b;

	assert_true(flux_delivery_take_gap(&d, &a, &b));
	assert_int_equal(a, FIRST + first);
	assert_int_equal(b, FIRST + last);
	assert_false(flux_delivery_take_gap(&d, &a, &b));
}

static void gaps_in_order(void **state)
{
	uint64_t a, b;

	(void)state;
	give_up(2);
	ARRIVE(WHOLE3("abc"));
	give_up(1);
	ARRIVE(WHOLE3("def"));
	assert_int_equal(read_all(), 0);
	assert_int_equal(read_all(), 0); /* until it was told */
	assert_false(flux_delivery_ready(&d, &win));
	gap(0, 1);
	assert_true(flux_delivery_ready(&d, &win));
	assert_int_equal(read_all(), 1); /* not over the next gap */
	assert_false(flux_delivery_take_gap(&d, &a, &b));
	flux_delivery_release(&d, &win, 1);
	assert_string_equal(read_text(), "");
	gap(3, 3);
	assert_string_equal(read_text(), "def|");
	assert_int_equal(d.skipped, 3);
}

/* A message that lost its middle is dropped; what is left of it is passed up to the next start. */
static void gap_inside_a_message(void **state)
{
	(void)state;
	ARRIVE(FIRST2("\x08") "ab");
	give_up(1);
	ARRIVE(MIDDLE2("ef"));
	ARRIVE(LAST2("gh") WHOLE3("ijk"));
	assert_string_equal(read_text(), "");
	gap(1, 1);
	assert_string_equal(read_text(), "ijk|");
	assert_false(d.broken);
	/* In step again: now a stray continuation is a fault. */
	ARRIVE(LAST2("gh"));
	breaks("a stray continuation after resync", "");
}

/* The start is lost: all of its continuations are passed. */
static void gap_at_a_start(void **state)
{
	(void)state;
	give_up(1);
	ARRIVE(MIDDLE2("cd") PAD_META);
	ARRIVE(LAST2("ef"));
	ARRIVE(FIRST2("\x04") "gh");
	ARRIVE(LAST2("ij"));
	assert_string_equal(read_text(), "");
	gap(0, 0);
	assert_string_equal(read_text(), "ghij|");
}

/* The end of a message is lost. */
static void gap_at_an_end(void **state)
{
	(void)state;
	ARRIVE(FIRST2("\x04") "gh");
	give_up(3);
	assert_string_equal(read_text(), "");
	gap(1, 3);
	ARRIVE(EOS);
	assert_string_equal(read_text(), "");
	assert_true(d.eos);
	assert_false(d.broken);
	assert_int_equal(d.messages, 0);
}

/* ---- Random ---- */

#define STREAM 200000u

static uint8_t stream[STREAM]; /* all messages, back to back */
static uint32_t lens[STREAM];  /* of each message */

/* A writer that packs as it likes, but by the rules. */
struct packer {
	struct flux_rng *rng;
	uint8_t body[DATAGRAM];
	uint32_t len;
	uint32_t made, at; /* messages; bytes of `stream` */
};

static void put(struct packer *w, enum flux_record_kind kind, uint32_t len, uint32_t total)
{
	w->len += flux_record_put_header(w->body + w->len, kind, len, total);
	memcpy(w->body + w->len, stream + w->at, len);
	w->len += len;
	w->at += len;
}

static void flush(struct packer *w)
{
	if (!w->len)
		return;
	if (flux_rng_u32(w->rng) % 4 == 0) {
		uint32_t rest = flux_rng_u32(w->rng) % 9;

		flux_record_put_padding(w->body + w->len, rest);
		w->len += rest;
	}
	arrive(w->body, w->len);
	w->len = 0;
}

static bool has_room(void)
{
	return win.high < win.consumed + WINDOW - 1;
}

/* One message more: whole, or in fragments of random size while the window has room for them. */
static void pack_one(struct packer *w)
{
	uint32_t most = flux_rng_u32(w->rng) % 4 ? 60 : 1000;
	uint32_t len = flux_rng_u32(w->rng) % most, left = len;

	if (w->at + len > STREAM || !has_room())
		return;
	lens[w->made++] = len;
	if (flux_rng_u32(w->rng) % 5 == 0) {
		w->len += flux_record_put_meta(w->body + w->len, 77, "meta", 4);
		if (w->len > 100)
			flush(w);
	}
	if (len < 3 || flux_rng_u32(w->rng) % 3 || win.high + 4 > win.consumed + WINDOW) {
		if (w->len + len + 16 > 1100)
			flush(w);
		put(w, FLUX_REC_WHOLE, len, 0);
		return;
	}
	left -= len / 3;
	if (w->len + len / 3 + 16 > 1100)
		flush(w);
	put(w, FLUX_REC_FIRST, len / 3, len);
	flush(w);
	if (left > 1 && flux_rng_u32(w->rng) % 2) {
		put(w, FLUX_REC_MIDDLE, left / 2, 0);
		left -= left / 2;
		flush(w);
	}
	put(w, FLUX_REC_LAST, left, 0);
}

static void random_packings(void **state)
{
	static const uint8_t seed[32] = { 5 };
	struct flux_rng rng;
	struct packer w = { .rng = &rng };
	uint32_t got = 0, got_at = 0;

	(void)state;
	flux_rng_init(&rng, seed);
	flux_rng_bytes(&rng, stream, sizeof(stream));
	while (w.at + 1000 < STREAM || got < w.made) {
		uint32_t n, keep;

		for (uint32_t i = flux_rng_u32(&rng) % 20; i > 0 && w.at + 1000 < STREAM; i--)
			pack_one(&w);
		if (has_room())
			flush(&w);
		n = flux_delivery_read(&d, &win, msgs, 1 + flux_rng_u32(&rng) % 8);
		assert_false(d.broken);
		keep = n ? flux_rng_u32(&rng) % (n + 1) : 0;
		for (uint32_t i = 0, at = got_at; i < n; at += msgs[i++].len) {
			assert_int_equal(msgs[i].len, lens[got + i]);
			assert_memory_equal(msgs[i].data, stream + at, msgs[i].len);
		}
		for (uint32_t i = 0; i < n - keep; i++)
			got_at += lens[got + i];
		got += n - keep;
		flux_delivery_release(&d, &win, n - keep);
		if (flux_rng_u32(&rng) % 2) {
			flux_rxwin_settle(&win);
			memset(driver, 0x55, sizeof(driver));
		}
		assert_int_equal(d.messages, got);
		assert_int_equal(win.consumed, d.at.seq);
		assert_null(flux_rxwin_check(&win));
	}
	assert_int_equal(got_at, w.at);
	assert_string_equal(read_text(), "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(in_place),
		CASE(at_most_max),
		CASE(partial_release),
		CASE(settled_between),
		CASE(fragments),
		CASE(fragment_borders),
		CASE(metas_and_padding),
		CASE(end_of_stream),
		CASE(broken_rules),
		CASE(whole_over_the_limit),
		CASE(broken_behind_messages),
		CASE(gaps_in_order),
		CASE(gap_inside_a_message),
		CASE(gap_at_a_start),
		CASE(gap_at_an_end),
		CASE(random_packings),
	};

	return cmocka_run_group_tests_name("rudp/delivery", tests, NULL, NULL);
}
