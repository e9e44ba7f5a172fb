/* SPDX-License-Identifier: MIT */
/* Forth and back: every batch is written, read, answered with new items and read again. */
#include "perf/echo.h"

#include "perf/wait.h"

static int put_items(struct perf_stage *stage, struct flux_ring_writer *writer, uint64_t seq, uint32_t n)
{
	uint32_t slot = stage->options->slot;
	struct flux_ring_span span;
	int rc = flux_ring_claim(writer, n, &span);

	if (rc == FLUX_EAGAIN)
		rc = perf_wait_room(writer, n, &span);
	if (rc < 0)
		return rc;
	for (int part = 0; part < 2; part++)
		for (uint32_t i = 0; i < span.n[part]; i++)
			item_fill((uint8_t *)span.at[part] + (size_t)i * slot, slot, item_id(0, seq++));
	return flux_ring_publish(writer, n);
}

/* Take up to `n` items. Returns how many came, or an error. */
static int take_items(struct perf_stage *stage, struct perf_party *party, struct flux_ring_reader *reader,
		      uint32_t n)
{
	uint32_t slot = stage->options->slot;
	struct flux_ring_span span;
	int rc, came = flux_ring_peek(reader, n, &span);

	if (came == 0)
		came = perf_wait_items(reader, n, &span);
	if (came == FLUX_EBADMSG && flux_ring_skip(reader) == 0) {
		party->check.damaged++;
		return 1;
	}
	for (int part = 0; part < 2; part++)
		for (uint32_t i = 0; i < span.n[part]; i++) {
			const uint8_t *item = (const uint8_t *)span.at[part] + (size_t)i * slot;

			check_item(&party->check, item_read_id(item), slot, item_sum(item, slot));
		}
	if (came <= 0)
		return came;
	rc = flux_ring_release(reader, (uint32_t)came);
	return rc < 0 ? rc : came;
}

int perf_echo_ask(struct perf_stage *stage, struct perf_party *party, struct flux_ring_writer *there,
		  struct flux_ring_reader *back)
{
	const struct perf_options *options = stage->options;
	uint64_t last = clock_now();
	int rc = 0;

	while (party->written < options->count && !perf_stage_stops(stage)) {
		uint64_t left = options->count - party->written;
		uint32_t n = options->batch < left ? options->batch : (uint32_t)left;
		uint64_t now;

		rc = put_items(stage, there, party->written, n);
		if (rc < 0)
			return rc;
		party->written += n;
		while (n && (rc = take_items(stage, party, back, n)) > 0)
			n -= (uint32_t)rc;
		if (rc < 0)
			return rc;
		/* From one look at the clock to the next, less what the look takes. */
		now = clock_now();
		hist_add(&party->hist, now - last > stage->clock_ns ? now - last - stage->clock_ns : 0);
		last = now;
	}
	return 0;
}

int perf_echo_answer(struct perf_stage *stage, struct perf_party *party, struct flux_ring_reader *there,
		     struct flux_ring_writer *back)
{
	int rc, came;

	for (;;) {
		came = take_items(stage, party, there, stage->options->batch);
		if (came < 0)
			return came == FLUX_ECLOSED ? 0 : came;
		rc = put_items(stage, back, party->written, (uint32_t)came);
		if (rc < 0)
			return rc == FLUX_ECLOSED ? 0 : rc;
		party->written += (uint64_t)came;
	}
}
