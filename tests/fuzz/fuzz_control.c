/* SPDX-License-Identifier: MIT */
/*
 * The first byte picks a control packet, the rest is its body. What is read and written again
 * reads as the same, and ranges keep their limits.
 */
#include <string.h>

#include "core/wire/control.h"
#include "core/wire/packet.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 65536u

static uint8_t again[BODY_MAX];

/* The reader of what was written to `again`. */
static struct flux_reader reread(const struct flux_writer *w)
{
	struct flux_reader r;

	FUZZ_CHECK(!w->bad);
	flux_reader_init(&r, again, (size_t)(w->pos - again));
	return r;
}

static void check_ranges(const struct flux_range *ranges, uint8_t n, uint64_t base,
			 uint64_t high, uint64_t limit)
{
	uint64_t pos = base;
	uint64_t sum = 0;

	for (uint8_t i = 0; i < n; i++) {
		FUZZ_CHECK(ranges[i].count >= 1 && ranges[i].count <= limit - sum);
		FUZZ_CHECK(ranges[i].first >= pos && ranges[i].first < high);
		FUZZ_CHECK(ranges[i].count <= high - ranges[i].first);
		pos = ranges[i].first + ranges[i].count;
		sum += ranges[i].count;
	}
}

static void feedback(struct flux_reader r, struct flux_writer w)
{
	struct flux_feedback first, second;
	uint64_t high;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_feedback_decode(&first, &r))
		return;
	high = first.ack + (uint32_t)(first.high - (uint32_t)first.ack);
	if (!flux_ranges_decode(first.ranges, first.n, &r, first.ack, high, first.window))
		return;
	check_ranges(first.ranges, first.n, first.ack, high, first.window);
	flux_feedback_encode(&first, &w);
	r = reread(&w);
	FUZZ_CHECK(flux_feedback_decode(&second, &r));
	FUZZ_CHECK(flux_ranges_decode(second.ranges, second.n, &r, second.ack, high,
				      second.window));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void sync(struct flux_reader r, struct flux_writer w)
{
	struct flux_sync first, second;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_sync_decode(&first, &r) ||
	    !flux_ranges_decode(first.ranges, first.n, &r, first.floor, first.next, UINT64_MAX))
		return;
	check_ranges(first.ranges, first.n, first.floor, first.next, UINT64_MAX);
	flux_sync_encode(&first, &w);
	r = reread(&w);
	FUZZ_CHECK(flux_sync_decode(&second, &r));
	FUZZ_CHECK(flux_ranges_decode(second.ranges, second.n, &r, second.floor, second.next,
				      UINT64_MAX));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void open_stream(struct flux_reader r, struct flux_writer w)
{
	struct flux_open first, second;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_open_decode(&first, &r))
		return;
	flux_open_encode(&first, &w);
	r = reread(&w);
	FUZZ_CHECK(flux_open_decode(&second, &r));
	first.params.unknown_critical = 0;
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void ping(struct flux_reader r, struct flux_writer w)
{
	struct flux_ping first, second;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_ping_decode(&first, &r))
		return;
	flux_ping_encode(&first, &w);
	if (w.bad) {
		FUZZ_CHECK(first.size < FLUX_HEADER_LEN + FLUX_PING_LEN + FLUX_TRAILER_LEN);
		return;
	}
	r = reread(&w);
	FUZZ_CHECK(flux_reader_left(&r) + FLUX_HEADER_LEN + FLUX_TRAILER_LEN == first.size);
	FUZZ_CHECK(flux_ping_decode(&second, &r));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void pong(struct flux_reader r, struct flux_writer w)
{
	struct flux_pong first, second;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_pong_decode(&first, &r))
		return;
	flux_pong_encode(&first, &w);
	r = reread(&w);
	FUZZ_CHECK(flux_pong_decode(&second, &r));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void close_session(struct flux_reader r, struct flux_writer w)
{
	struct flux_close first, second;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_close_decode(&first, &r))
		return;
	FUZZ_CHECK(first.text_len <= FLUX_CLOSE_TEXT_MAX);
	flux_close_encode(&first, &w);
	r = reread(&w);
	FUZZ_CHECK(flux_close_decode(&second, &r));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(struct flux_reader, struct flux_writer) = {
		feedback, sync, open_stream, ping, pong, close_session
	};
	struct flux_reader r;
	struct flux_writer w;

	if (size < 1)
		return 0;
	flux_reader_init(&r, data + 1, size - 1);
	flux_writer_init(&w, again, sizeof(again));
	targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](r, w);
	return 0;
}
