/* SPDX-License-Identifier: MIT */
/* One incoming stream, its clock and its datagrams, for the tests of core/rudp/rxstream.c. */
#ifndef FLUX_TESTS_UNIT_RUDP_RXSTREAM_H
#define FLUX_TESTS_UNIT_RUDP_RXSTREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/error.h>

#include "core/base/time.h"
#include "core/rudp/rxstream.h"
#include "core/wire/packet.h"

#define FIRST  0xFFFFFFF8ull
#define WINDOW 64u
#define RTT    FLUX_MS(20)
#define BYTES  100u /* of a datagram */

static struct flux_pool pool;
static struct flux_rxstream rx;
static struct flux_rtt rtt;
static flux_ts now;
static uint8_t datagram[BYTES]; /* header, one record of 2 + 78, trailer */
static struct flux_msg msgs[256];

static inline void open_stream(uint32_t size, uint32_t window)
{
	const struct flux_rxstream_cfg cfg = {
		.mem = &flux_mem_libc,
		.pool = &pool,
		.first_seq = FIRST,
		.size = size,
		.window = window,
		.max_message = 5000,
	};

	now = FLUX_S(100);
	memset(datagram, 0, sizeof(datagram));
	datagram[FLUX_HEADER_LEN] = BYTES - FLUX_HEADER_LEN - FLUX_TRAILER_LEN - 2;
	flux_rtt_init(&rtt, FLUX_MS(1));
	for (int i = 0; i < 100; i++)
		flux_rtt_sample(&rtt, now, (int32_t)(RTT / 1000));
	assert_int_equal(flux_pool_init(&pool, &flux_mem_libc, 2 * size, BYTES), 0);
	pool.owed = 1;
	assert_int_equal(flux_rxstream_init(&rx, &cfg), 0);
	flux_reorder_update(&rx.reorder, &rtt);
}

static inline int setup(void **state)
{
	(void)state;
	open_stream(WINDOW, WINDOW);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_null(flux_rxstream_check(&rx));
	flux_rxstream_fini(&rx);
	flux_rxstream_fini(&rx);
	assert_int_equal(pool.n_free, pool.n);
	flux_pool_fini(&pool);
	return 0;
}

static inline bool arrive_as(uint64_t n, uint32_t ts, bool rtx)
{
	const struct flux_rx_data data = { .datagram = datagram, .seq = FIRST + n, .ts = ts, .len = BYTES, .rtx = rtx };
	bool ok;

	assert_int_equal(flux_rxwin_judge(&rx.win, data.seq), FLUX_RX_NEW);
	ok = flux_rxstream_data(&rx, now, &rtt, &data);
	assert_null(flux_rxstream_check(&rx));
	return ok;
}

static inline void arrive(uint64_t n)
{
	assert_true(arrive_as(n, flux_ts_us(now), false));
}

static inline bool due(void)
{
	return flux_rxstream_feedback_due(&rx, now, &rtt);
}

static inline flux_ts deadline(void)
{
	return flux_rxstream_deadline(&rx, now, &rtt);
}

static inline struct flux_feedback feedback(void)
{
	struct flux_feedback fb;

	flux_rxstream_build_feedback(&rx, now, &rtt, &fb);
	assert_null(flux_rxstream_check(&rx));
	assert_int_equal(fb.fixed, 0);
	return fb;
}

/* Read and release up to `n` messages. */
static inline uint32_t consume(uint32_t n)
{
	uint32_t got = flux_delivery_read(&rx.delivery, &rx.win, msgs, n);

	flux_delivery_release(&rx.delivery, &rx.win, got);
	assert_null(flux_rxstream_check(&rx));
	return got;
}

static inline bool sync_raw(const struct flux_sync *s, const uint8_t *ranges, size_t len)
{
	struct flux_reader r;
	bool ok;

	flux_reader_init(&r, ranges, len);
	ok = flux_rxstream_sync(&rx, now, &rtt, flux_ts_us(now), s, &r);
	assert_null(flux_rxstream_check(&rx));
	return ok;
}

static inline bool sync_to(uint64_t next, uint64_t floor, uint8_t flags)
{
	const struct flux_sync s = { .next = FIRST + next, .floor = FIRST + floor, .gsize = 1, .flags = flags };

	return sync_raw(&s, NULL, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
