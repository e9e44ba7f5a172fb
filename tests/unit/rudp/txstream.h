/* SPDX-License-Identifier: MIT */
/* One outgoing stream, its clock and what it sent, for the tests of core/rudp/txstream.c. */
#ifndef FLUX_TESTS_UNIT_RUDP_TXSTREAM_H
#define FLUX_TESTS_UNIT_RUDP_TXSTREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/error.h>

#include "core/base/time.h"
#include "core/rudp/txstream.h"
#include "core/wire/packet.h"

#define FIRST    0xFFFFFFF0ull /* the low halves wrap early */
#define DATAGRAM 1200u
#define WINDOW   64u
#define RTT      FLUX_MS(20)

static struct flux_txstream tx;
static struct flux_rtt rtt;
static flux_ts now;
static uint64_t sent[256]; /* by the last run() */
static bool sent_rtx[256];

static inline void open_stream(uint32_t cwnd, uint64_t rate_bps)
{
	const struct flux_txstream_cfg cfg = {
		.mem = &flux_mem_libc,
		.first_seq = FIRST,
		.limit = FIRST + WINDOW,
		.max_datagram = DATAGRAM,
		.max_message = 1u << 20,
		.queue_bytes = 1u << 20,
		.cwnd = cwnd,
		.rate_bps = rate_bps,
	};

	now = FLUX_S(100);
	flux_rtt_init(&rtt, FLUX_MS(1));
	for (int i = 0; i < 50; i++)
		flux_rtt_sample(&rtt, now, (int32_t)(RTT / 1000));
	assert_int_equal(flux_txstream_init(&tx, &cfg), 0);
}

static inline int setup(void **state)
{
	(void)state;
	open_stream(UINT32_MAX, 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_null(flux_txstream_check(&tx));
	flux_txstream_fini(&tx);
	return 0;
}

static inline void send_one(uint32_t len)
{
	static const uint8_t zeros[1u << 20];

	assert_int_equal(flux_txstream_send(&tx, zeros, len), 0);
}

/* Messages that fill one datagram each. */
static inline void send_full(uint32_t n)
{
	while (n-- > 0)
		send_one(flux_txstream_max_claim(&tx));
}

/* Send all that is due now, as the endpoint does; returns how many datagrams left. */
static inline uint32_t run(void)
{
	struct flux_tx_scan scan;
	enum flux_tx_due due;
	uint32_t n = 0;
	uint64_t seq;

	flux_txstream_scan(&tx, &scan);
	while ((due = flux_txstream_due(&tx, &scan, now, &rtt, &seq)) != FLUX_DUE_NOTHING) {
		flux_txwin_slot(&tx.win, seq)->sealed = 1;
		flux_txstream_sent(&tx, now, &rtt, seq, due == FLUX_DUE_RTX);
		flux_txwin_unpin(&tx.win, seq);
		assert_true(n < 256);
		sent[n] = seq;
		sent_rtx[n++] = due == FLUX_DUE_RTX;
	}
	assert_null(flux_txstream_check(&tx));
	return n;
}

/* FEEDBACK whose ranges are these raw bytes. */
static inline bool feed_raw(struct flux_feedback *fb, const uint8_t *ranges, size_t len)
{
	struct flux_reader r;
	bool ok;

	flux_reader_init(&r, ranges, len);
	ok = flux_txstream_on_feedback(&tx, now, fb, &r, &rtt);
	assert_null(flux_txstream_check(&tx));
	return ok;
}

/* ack and high as distances from the first sequence; one range of `n` from `from` on, if n. */
static inline bool feed(uint64_t ack, uint32_t window, uint64_t high, uint64_t from, uint8_t n)
{
	struct flux_feedback fb = {
		.ack = FIRST + ack,
		.window = window,
		.high = (uint32_t)(FIRST + high),
		.echo_dly = FLUX_NO_ECHO,
		.n = n > 0,
	};
	const uint8_t range[] = { (uint8_t)(from - ack), (uint8_t)(n - 1) };

	return feed_raw(&fb, range, sizeof(range));
}

static inline struct flux_sync sync_now(void)
{
	struct flux_sync s;

	flux_txstream_build_sync(&tx, now, &rtt, &s);
	return s;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
