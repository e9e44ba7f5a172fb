/* SPDX-License-Identifier: MIT */
/*
 * The writer's upper half: records byte for byte, fragments at every length around a boundary, and messages
 * that are refused whole or taken whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/rng.h"
#include "core/rudp/txstream.h"
#include "core/wire/packet.h"
#include "core/wire/record.h"

#define FIRST       1000u
#define BARE        (FLUX_HEADER_LEN + FLUX_TRAILER_LEN)
#define MESSAGE_MAX (4u << 20)

static struct flux_txstream tx;
static uint8_t message[MESSAGE_MAX];
static uint8_t again[MESSAGE_MAX];

static void open_stream(uint32_t max_datagram, uint32_t queue, uint32_t max_message)
{
	const struct flux_txstream_cfg cfg = {
		.mem = &flux_mem_libc,
		.first_seq = FIRST,
		.limit = FIRST + 100000,
		.max_datagram = max_datagram,
		.max_message = max_message,
		.queue_bytes = queue,
		.cwnd = UINT32_MAX,
	};

	assert_int_equal(flux_txstream_init(&tx, &cfg), 0);
}

static int setup(void **state)
{
	static const uint8_t seed[32] = { 11 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	flux_rng_bytes(&rng, message, sizeof(message));
	open_stream(1200, 1u << 20, 100000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_null(flux_txwin_check(&tx.win));
	flux_txstream_fini(&tx);
	return 0;
}

/* The body of a closed datagram. */
static const uint8_t *body(uint64_t seq, uint32_t *len)
{
	const struct flux_tx_slot *slot = flux_txwin_slot(&tx.win, seq);

	*len = slot->len - BARE;
	return flux_txwin_image(&tx.win, slot) + FLUX_HEADER_LEN;
}

/* Close the open datagram and compare its body with a literal. */
static void expect_body(const char *bytes, uint32_t n)
{
	const uint8_t *got;
	uint32_t len;

	flux_txwin_close_open(&tx.win);
	got = body(tx.win.end - 1, &len);
	assert_int_equal(len, n);
	assert_memory_equal(got, bytes, n);
}

#define EXPECT(bytes) expect_body(bytes, sizeof(bytes) - 1)

static int send_bytes(const char *text)
{
	return flux_txstream_send(&tx, text, (uint32_t)strlen(text));
}

static void exact_bytes(void **state)
{
	void *data;

	(void)state;
	assert_int_equal(send_bytes("abc"), 0);
	assert_int_equal(flux_txstream_send(&tx, NULL, 0), 0);
	assert_int_equal(flux_txstream_claim(&tx, 5, &data), 0);
	memcpy(data, "defgh", 5);
	assert_int_equal(flux_txstream_publish(&tx, 2), 0);
	assert_int_equal(send_bytes("i"), 0);
	EXPECT("\x03\x00"
	       "abc"
	       "\x00\x00"
	       "\x02\x00"
	       "de"
	       "\x01\x00"
	       "i");
	assert_int_equal(flux_txwin_slot(&tx.win, FIRST)->messages, 4);
	assert_int_equal(tx.messages, 4);
	assert_true(flux_txstream_finish(&tx));
	EXPECT("\x00\x40\x01\x00");
	assert_int_equal(flux_txwin_slot(&tx.win, FIRST + 1)->messages, 0);
}

/* An aborted claim is overwritten by what comes next. */
static void aborted_claims(void **state)
{
	void *data;

	(void)state;
	assert_int_equal(send_bytes("abc"), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(flux_txstream_claim(&tx, 100, &data), 0);
		memset(data, 'z', 100);
		flux_txstream_abort(&tx);
		flux_txstream_abort(&tx);
	}
	assert_int_equal(flux_txstream_publish(&tx, 0), FLUX_EINVAL);
	assert_int_equal(send_bytes("d"), 0);
	EXPECT("\x03\x00"
	       "abc"
	       "\x01\x00"
	       "d");
	assert_int_equal(tx.messages, 2);
}

/* A claim of more than 16382 bytes has a longer header, of which less may be needed in the end. */
static void long_claims(void **state)
{
	static const uint32_t lens[] = { 16381, 16382, 16383, 16384, 20000, 65000 };
	const uint8_t *b;
	uint32_t n;

	(void)state;
	teardown(state);
	open_stream(65472, 4u << 20, 100000);
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		for (uint32_t j = 0; j <= i; j++) {
			struct flux_record rec;
			uint32_t off = 0;
			void *data;

			assert_int_equal(flux_txstream_claim(&tx, lens[i], &data), 0);
			memcpy(data, message, lens[i]);
			assert_int_equal(flux_txstream_publish(&tx, lens[j]), 0);
			flux_txwin_close_open(&tx.win);
			b = body(tx.win.end - 1, &n);
			assert_int_equal(flux_record_next(b, n, &off, &rec), FLUX_RECORD_OK);
			assert_int_equal(rec.kind, FLUX_REC_WHOLE);
			assert_int_equal(rec.len, lens[j]);
			assert_memory_equal(rec.data, message, lens[j]);
			assert_int_equal(off, n);
		}
}

static void limits(void **state)
{
	uint32_t max = flux_txstream_max_claim(&tx);
	void *data;

	(void)state;
	assert_int_equal(max, 1200 - BARE - 2);
	assert_int_equal(flux_txstream_claim(&tx, max + 1, &data), FLUX_EMSGSIZE);
	assert_int_equal(flux_txstream_claim(&tx, UINT32_MAX, &data), FLUX_EMSGSIZE);
	assert_int_equal(flux_txstream_send(&tx, message, 100001), FLUX_EMSGSIZE);
	assert_int_equal(flux_txstream_send(&tx, message, UINT32_MAX), FLUX_EMSGSIZE);
	assert_int_equal(tx.win.open_len, 0);
	assert_int_equal(flux_txstream_claim(&tx, max, &data), 0);
	assert_int_equal(flux_txstream_claim(&tx, 0, &data), FLUX_EBUSY);
	assert_int_equal(flux_txstream_publish(&tx, max + 1), FLUX_EINVAL);
	assert_int_equal(flux_txstream_publish(&tx, max), 0);
	assert_int_equal(flux_txwin_room(&tx.win), 0);
	assert_int_equal(flux_txstream_send(&tx, message, 100000), 0);
	assert_int_equal(tx.refusals, 0);

	teardown(state);
	open_stream(1200, 1u << 20, 10); /* a reader that takes less than a datagram */
	assert_int_equal(flux_txstream_max_claim(&tx), 10);
	assert_int_equal(flux_txstream_claim(&tx, 11, &data), FLUX_EMSGSIZE);
	assert_int_equal(flux_txstream_send(&tx, message, 11), FLUX_EMSGSIZE);
	assert_int_equal(flux_txstream_send(&tx, message, 10), 0);
}

/* ---- Fragments ---- */

/*
 * Read [from, end) as a reader would: the rules of each body hold, and the last message in it is `len` bytes
 * of `message`, in `lead` smaller messages' company.
 */
static void reassemble(uint64_t from, uint32_t len, uint32_t lead)
{
	uint32_t have = 0, seen = 0, messages = 0, total = 0;

	for (uint64_t s = from; s < tx.win.end; s++) {
		struct flux_record rec;
		uint32_t n, off = 0;
		const uint8_t *b = body(s, &n);

		messages += flux_txwin_slot(&tx.win, s)->messages;
		assert_true(flux_record_check_body(b, n));
		while (flux_record_next(b, n, &off, &rec) == FLUX_RECORD_OK) {
			if (rec.kind == FLUX_REC_FIRST)
				total = rec.total;
			if (rec.kind == FLUX_REC_WHOLE && ++seen <= lead)
				continue;
			assert_true(have + rec.len <= MESSAGE_MAX);
			memcpy(again + have, rec.data, rec.len);
			have += rec.len;
			if (rec.kind == FLUX_REC_WHOLE)
				total = rec.len;
		}
	}
	assert_int_equal(messages, lead + 1);
	assert_int_equal(have, len);
	assert_int_equal(total, len);
	assert_memory_equal(again, message, len);
}

static void free_all(void)
{
	flux_txwin_close_open(&tx.win);
	while (tx.win.next < tx.win.end) {
		flux_txwin_slot(&tx.win, tx.win.next)->sealed = 1;
		flux_txwin_slot(&tx.win, tx.win.next++)->tx_count = 1;
	}
	flux_txwin_ack(&tx.win, tx.win.next);
}

static void round_trip(uint32_t len, uint32_t lead)
{
	uint64_t from = tx.win.end;

	for (uint32_t i = 0; i < lead; i++)
		assert_int_equal(flux_txstream_send(&tx, "lead", 4), 0);
	assert_int_equal(flux_txstream_send(&tx, message, len), 0);
	flux_txwin_close_open(&tx.win);
	reassemble(from, len, lead);
	free_all();
}

/* Every length around each place where one more datagram is needed, for several sizes of datagram. */
static void every_boundary(void **state)
{
	static const uint32_t datagrams[] = { 576, 577, 1200, 1452, 9000, 16383 + BARE, 16384 + BARE,
					      16390 + BARE, 16391 + BARE, 16400 + BARE, 65472 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(datagrams) / sizeof(*datagrams); i++) {
		uint32_t room = datagrams[i] - BARE;

		teardown(state);
		open_stream(datagrams[i], 2u << 20, MESSAGE_MAX);
		for (uint32_t n = 1; n <= 4; n++)
			for (uint32_t len = n * room - 24; len <= n * room + 8; len++)
				round_trip(len, len % 3);
		for (uint32_t len = 0; len < 40; len++)
			round_trip(len, 0);
	}
}

/* Small datagrams, all lengths up to a few of them. */
static void every_length(void **state)
{
	(void)state;
	teardown(state);
	open_stream(576, 64 * 576, MESSAGE_MAX);
	for (uint32_t len = 0; len < 3000; len++)
		round_trip(len, 1);
}

/* A message follows the last fragment in its datagram, and fragments do not share one. */
static void fragments_and_neighbours(void **state)
{
	uint32_t len;
	const uint8_t *b;

	(void)state;
	assert_int_equal(send_bytes("abc"), 0);
	assert_int_equal(flux_txstream_send(&tx, message, 2000), 0);
	assert_int_equal(send_bytes("def"), 0);
	flux_txwin_close_open(&tx.win);
	assert_int_equal(tx.win.end, FIRST + 3);
	b = body(FIRST, &len);
	assert_int_equal(len, 5);
	b = body(FIRST + 1, &len);
	assert_int_equal(len, 1180);
	assert_memory_equal(b, "\x96\x84\xd0\x07\x00\x00", 6); /* 1174 | M, of 2000 */
	b = body(FIRST + 2, &len);
	assert_int_equal(len, 2 + 826 + 5);
	assert_memory_equal(b, "\x3a\x43", 2); /* 826 | C */
	assert_memory_equal(b + 2 + 826, "\x03\x00"
					 "def",
			    5);
	assert_int_equal(flux_txwin_slot(&tx.win, FIRST + 1)->messages, 0);
	assert_int_equal(flux_txwin_slot(&tx.win, FIRST + 2)->messages, 2);
}

/* All or nothing: what does not fit now changes nothing but the count, and fits later. */
static void refused_whole(void **state)
{
	uint32_t n = 0, big = 20000;
	struct flux_txwin before;

	(void)state;
	teardown(state);
	open_stream(1200, 64 * 1200, 50000);
	while (flux_txstream_send(&tx, message, big) == 0)
		n++;
	assert_true(n >= 2);
	assert_int_equal(tx.refusals, 1);
	assert_true(tx.refused);
	before = tx.win;
	assert_int_equal(flux_txstream_send(&tx, message, big), FLUX_EAGAIN);
	assert_memory_equal(&before, &tx.win, sizeof(before));
	assert_int_equal(tx.messages, n);
	assert_int_equal(flux_txstream_send(&tx, message, 100), 0); /* a smaller one still fits */
	free_all();
	assert_true(flux_txstream_take_writable(&tx));
	round_trip(big, 0);
	round_trip(50000, 1);
}

/* Over many laps of the ring, at every offset, the largest message fits an empty queue. */
static void largest_fits_empty(void **state)
{
	uint32_t largest = (64 - 5) * (1200 - BARE - 8); /* as the session counts it */

	(void)state;
	teardown(state);
	open_stream(1200, 64 * 1200, MESSAGE_MAX);
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(flux_txstream_send(&tx, message, 37 * i % 1100), 0);
		free_all();
		assert_int_equal(flux_txstream_send(&tx, message, i * 13 % 900), 0); /* stays open */
		assert_int_equal(flux_txstream_send(&tx, message, largest), 0);
		free_all();
	}
}

/* The end finds no room: later. */
static void end_waits_for_room(void **state)
{
	(void)state;
	teardown(state);
	open_stream(1200, 4800, 50000);
	while (flux_txstream_send(&tx, message, flux_txstream_max_claim(&tx)) == 0)
		;
	assert_false(flux_txstream_finish(&tx));
	assert_false(tx.finished);
	free_all();
	assert_true(flux_txstream_finish(&tx));
	EXPECT("\x00\x40\x01\x00");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(exact_bytes),
		CASE(aborted_claims),
		CASE(long_claims),
		CASE(limits),
		CASE(every_boundary),
		CASE(every_length),
		CASE(fragments_and_neighbours),
		CASE(refused_whole),
		CASE(largest_fits_empty),
		CASE(end_waits_for_room),
	};

	return cmocka_run_group_tests_name("rudp/pack", tests, NULL, NULL);
}
