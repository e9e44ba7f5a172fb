/* SPDX-License-Identifier: MIT */
/*
 * The transmit window against a plain list of datagrams: random claims, closings, sendings, acks and pins
 * over many laps of both rings. No byte of a datagram changes while anybody may still need it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/error.h>

#include "core/base/rng.h"
#include "core/rudp/txwin.h"
#include "core/wire/packet.h"

#define DATAGRAM 600u
#define BARE     (FLUX_HEADER_LEN + FLUX_TRAILER_LEN)
#define FIRST    0xFFFFFFC0ull

static struct flux_txwin w;

static void open_window(uint32_t bytes)
{
	assert_int_equal(flux_txwin_init(&w, &flux_mem_libc, FIRST, DATAGRAM, bytes), 0);
}

static int setup(void **state)
{
	(void)state;
	open_window(8 * DATAGRAM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_null(flux_txwin_check(&w));
	flux_txwin_fini(&w);
	flux_txwin_fini(&w);
	return 0;
}

static bool put(uint32_t len)
{
	uint8_t *at = flux_txwin_reserve(&w, len);

	if (!at)
		return false;
	memset(at, 0x11, len);
	flux_txwin_extend(&w, len, 1);
	return true;
}

/* As the stream does: what leaves is sealed, counted and lent. */
static void send_next(void)
{
	struct flux_tx_slot *slot = flux_txwin_slot(&w, w.next++);

	slot->sealed = 1;
	slot->tx_count = 1;
	slot->pins++;
}

static void rooms(void **state)
{
	(void)state;
	assert_int_equal(flux_txwin_room_max(&w), DATAGRAM - BARE);
	assert_int_equal(flux_txwin_room(&w), 0);
	assert_null(flux_txwin_reserve(&w, DATAGRAM - BARE + 1));
	assert_null(flux_txwin_reserve(&w, UINT32_MAX));
	assert_int_equal(w.open_len, 0); /* nothing was changed by that */
	assert_true(put(10));
	assert_int_equal(flux_txwin_room(&w), DATAGRAM - BARE - 10);
	assert_true(put(DATAGRAM - BARE - 10));
	assert_int_equal(flux_txwin_room(&w), 0);
	assert_int_equal(w.end, FIRST);
	assert_true(put(1)); /* closes the full one */
	assert_int_equal(w.end, FIRST + 1);
	flux_txwin_close_open(&w);
	flux_txwin_close_open(&w);
	assert_int_equal(w.end, FIRST + 2);
	assert_int_equal(flux_txwin_slot(&w, FIRST)->len, DATAGRAM);
	assert_int_equal(flux_txwin_slot(&w, FIRST)->messages, 2);
	assert_int_equal(flux_txwin_slot(&w, FIRST + 1)->len, BARE + 1);
	/* Back to back: a run of equal ones can be one iovec. */
	assert_int_equal(flux_txwin_slot(&w, FIRST + 1)->off, DATAGRAM);
}

/* A reservation that is not used leaves nothing behind. */
static void reserve_alone(void **state)
{
	(void)state;
	assert_non_null(flux_txwin_reserve(&w, 100));
	flux_txwin_close_open(&w);
	assert_int_equal(w.end, FIRST);
	assert_non_null(flux_txwin_reserve(&w, 1));
	assert_true(put(100));
	flux_txwin_close_open(&w);
	assert_int_equal(w.end, FIRST + 1);
	assert_int_equal(flux_txwin_slot(&w, FIRST)->len, BARE + 100);
}

/* Full: refused without a change, also when a datagram is open. */
static void full(void **state)
{
	struct flux_txwin before;
	uint32_t n = 0;

	(void)state;
	while (put(DATAGRAM - BARE))
		n++;
	assert_in_range(n, 6, 8);
	before = w;
	assert_null(flux_txwin_reserve(&w, 1));
	assert_memory_equal(&before, &w, sizeof(w));
	assert_false(flux_txwin_fits(&w, 1));
	assert_false(flux_txwin_half_free(&w));
	flux_txwin_close_open(&w);
	while (w.next < w.end)
		send_next();
	assert_int_equal(flux_txwin_ack(&w, w.next), n);
	assert_null(flux_txwin_reserve(&w, 1)); /* all lent */
	flux_txwin_unpin(&w, FIRST + 1);        /* not the oldest */
	assert_null(flux_txwin_reserve(&w, 1));
	flux_txwin_unpin(&w, FIRST);
	assert_int_equal(w.tail, FIRST + 2);
	assert_true(put(DATAGRAM - BARE));
}

/* Tiny datagrams run out of slots before bytes. */
static void slots_run_out(void **state)
{
	uint32_t n = 0;

	(void)state;
	for (; put(1); n++)
		flux_txwin_close_open(&w);
	assert_int_equal(n, w.mask + 1);
	assert_false(flux_txwin_half_free(&w));
	while (w.next < w.end)
		send_next();
	for (uint32_t i = 0; i < n; i++)
		flux_txwin_unpin(&w, FIRST + i);
	flux_txwin_ack(&w, FIRST + 1);
	assert_true(put(1));
	flux_txwin_close_open(&w);
	assert_false(put(1));
	flux_txwin_ack(&w, FIRST + n / 2 + 1);
	assert_true(flux_txwin_half_free(&w));
}

/* ---- The model ---- */

#define KEPT 4096u

struct datagram {
	uint8_t bytes[DATAGRAM];
	uint32_t len;
	uint32_t messages;
	uint32_t pins;
};

static struct datagram model[KEPT]; /* by sequence, [tail, end] */
static uint32_t padded;             /* datagrams that were */

static struct datagram *at(uint64_t seq)
{
	return &model[seq % KEPT];
}

static void fill(struct flux_rng *rng, uint8_t *out, uint32_t len)
{
	if (len)
		flux_rng_bytes(rng, out, len);
}

/* The body of every datagram that anybody may read is what was written into it. */
static void compare(void)
{
	const char *bad = flux_txwin_check(&w);

	if (bad)
		fail_msg("%s", bad);
	for (uint64_t s = w.tail; s < w.end; s++) {
		const struct flux_tx_slot *slot = flux_txwin_slot(&w, s);
		const struct datagram *m = at(s);

		assert_int_equal(slot->len, m->len + BARE);
		assert_int_equal(slot->messages, m->messages);
		assert_int_equal(slot->pins, m->pins);
		assert_memory_equal(flux_txwin_image(&w, slot) + FLUX_HEADER_LEN, m->bytes, m->len);
	}
	if (w.open_len)
		assert_memory_equal(w.bytes + w.head + FLUX_HEADER_LEN, at(w.end)->bytes, at(w.end)->len);
}

/* Model of flux_txwin_fits(): whoever is told so gets the room. */
static void burst_of_full_ones(struct flux_rng *rng, uint32_t n)
{
	flux_txwin_close_open(&w);
	while (n-- > 0) {
		uint32_t len = flux_txwin_room_max(&w);
		uint8_t *out = flux_txwin_reserve(&w, len);
		struct datagram *m = at(w.end);

		assert_non_null(out);
		*m = (struct datagram){ .len = len };
		fill(rng, m->bytes, len);
		memcpy(out, m->bytes, len);
		flux_txwin_extend(&w, len, 0);
		flux_txwin_close_open(&w);
		*at(w.end) = (struct datagram){ 0 };
	}
}

/* A full datagram may have grown when it was closed: what it grew by stays the same from then on. */
static void note_padding(uint64_t seq)
{
	const struct flux_tx_slot *slot = flux_txwin_slot(&w, seq);
	struct datagram *m = at(seq);
	uint32_t len = slot->len - BARE;

	assert_true(len >= m->len);
	memcpy(m->bytes + m->len, flux_txwin_image(&w, slot) + FLUX_HEADER_LEN + m->len, len - m->len);
	padded += len > m->len;
	m->len = len;
}

static void write_some(struct flux_rng *rng, uint32_t x)
{
	uint32_t len = 1 + x % (x & 4 ? 40 : DATAGRAM - BARE);
	uint64_t end = w.end;
	uint32_t open = w.open_len;
	uint8_t *out = flux_txwin_reserve(&w, len);
	struct datagram *m;

	if (!out) {
		assert_true(w.end == end && w.open_len == open);
		return;
	}
	m = at(w.end);
	if (w.end != end)
		note_padding(end);
	if (w.end != end || open <= FLUX_HEADER_LEN)
		*m = (struct datagram){ 0 };
	if ((x >> 20 & 7) == 0) { /* reserved and given up: whatever was written there */
		memset(out, 0x77, len);
		return;
	}
	assert_true(m->len + len <= DATAGRAM - BARE);
	fill(rng, m->bytes + m->len, len);
	memcpy(out, m->bytes + m->len, len);
	m->len += len;
	m->messages += x >> 16 & 1;
	flux_txwin_extend(&w, len, x >> 16 & 1);
}

static void acknowledge(uint32_t x)
{
	uint64_t ack = w.una + x % (w.next - w.una + 1), expected = 0;

	for (uint64_t s = w.una; s < ack; s++)
		expected += at(s)->messages;
	assert_int_equal(flux_txwin_ack(&w, ack), expected);
	assert_int_equal(w.una, ack);
}

static void unpin(uint32_t x)
{
	uint64_t s = w.tail + x % (w.end - w.tail + 1);

	for (; s < w.next; s++)
		if (at(s)->pins) {
			at(s)->pins--;
			flux_txwin_unpin(&w, s);
			return;
		}
}

static void step(struct flux_rng *rng)
{
	uint32_t x = flux_rng_u32(rng);

	switch (x % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		write_some(rng, x >> 4);
		break;
	case 5:
		if (w.open_len > FLUX_HEADER_LEN && flux_txwin_slot(&w, w.end))
			flux_txwin_close_open(&w);
		break;
	case 6:
	case 7:
	case 8:
		if (w.next < w.end) {
			at(w.next)->pins++;
			send_next();
		}
		break;
	case 9: /* sent again */
		if (w.una < w.next && at(w.una)->pins < 5) {
			at(w.una)->pins++;
			flux_txwin_slot(&w, w.una)->pins++;
		}
		break;
	case 10:
	case 11:
		acknowledge(x >> 4);
		break;
	case 12:
		if (flux_txwin_fits(&w, 1 + (x >> 4) % 8))
			burst_of_full_ones(rng, 1 + (x >> 4) % 8);
		break;
	default:
		unpin(x >> 4);
		break;
	}
	compare();
}

static void random_steps(void **state)
{
	static const uint32_t sizes[] = { 1, 4 * DATAGRAM, 5 * DATAGRAM + 37, 16 * DATAGRAM, 50 * DATAGRAM + 1 };
	static const uint8_t seed[32] = { 9 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		flux_txwin_fini(&w);
		open_window(sizes[i]);
		memset(model, 0, sizeof(model));
		for (int j = 0; j < 30000; j++)
			step(&rng);
		assert_true(w.end > FIRST + 1000);
		/* Everything goes: nothing stays in use. */
		flux_txwin_close_open(&w);
		while (w.next < w.end) {
			at(w.next)->pins++;
			send_next();
		}
		flux_txwin_ack(&w, w.next);
		for (uint64_t s = w.tail; s < w.next; s++)
			for (uint32_t n = at(s)->pins; n > 0; n--)
				flux_txwin_unpin(&w, s);
		assert_true(w.tail == w.end && w.used == 0);
		assert_true(flux_txwin_half_free(&w));
	}
	assert_true(padded > 100);
}

/* What was promised as the largest message of a queue fits an empty one, wherever its head stands. */
static void fits_when_empty(void **state)
{
	static const uint8_t seed[32] = { 10 };
	struct flux_rng rng;

	(void)state;
	flux_rng_init(&rng, seed);
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 2000; i++) {
		write_some(&rng, flux_rng_u32(&rng));
		if (w.open_len <= FLUX_HEADER_LEN)
			continue;
		while (w.next < w.end)
			send_next();
		flux_txwin_ack(&w, w.next);
		while (w.tail < w.next)
			flux_txwin_unpin(&w, w.tail);
		assert_true(flux_txwin_fits(&w, 6));
		burst_of_full_ones(&rng, 6);
		while (w.next < w.end)
			send_next();
		flux_txwin_ack(&w, w.next);
		while (w.tail < w.next)
			flux_txwin_unpin(&w, w.tail);
		assert_int_equal(w.used, 0);
	}
}

/* Full datagrams become as long as the longest full one before; what is sent for want of more does not. */
static void full_ones_grow_alike(void **state)
{
	static const uint32_t lens[] = { 300, 200, 300, 100, 250, 280 };
	uint16_t want[] = { BARE + 500, BARE + 500, BARE + 530 };

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		assert_true(put(lens[i]));
	assert_int_equal(w.end, FIRST + 2);
	flux_txwin_close_open(&w);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(flux_txwin_slot(&w, FIRST + i)->len, want[i]);
	assert_true(put(10));
	assert_true(put(575));
	assert_int_equal(flux_txwin_slot(&w, FIRST + 3)->len, BARE + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rooms, setup, teardown),
		cmocka_unit_test_setup_teardown(reserve_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_run_out, setup, teardown),
		cmocka_unit_test_setup_teardown(random_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(fits_when_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(full_ones_grow_alike, setup, teardown),
	};

	return cmocka_run_group_tests_name("rudp/txwin", tests, NULL, NULL);
}
