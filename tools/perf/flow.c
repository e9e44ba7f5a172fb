/* SPDX-License-Identifier: MIT */
/* One way: what writers and readers do. By the checked forms of the library only. */
#include "perf/flow.h"

#include "perf/wait.h"

/* ---- Slots ---- */

ITEM_INLINE void fill_run(void *at, uint32_t n, uint32_t slot, uint64_t id)
{
	for (uint32_t i = 0; i < n; i++)
		item_fill((uint8_t *)at + (size_t)i * slot, slot, id + i);
}

/* `single` is for batches of one: the shortest way, as for a program that has one item at a time. */
ITEM_INLINE int write_slots(struct perf_stage *stage, struct perf_party *party,
			    struct flux_ring_writer *writer, uint64_t count, uint32_t slot, bool single)
{
	uint32_t batch = stage->options->batch;
	uint64_t first = item_id(party->me, 0);
	struct flux_ring_span span = { { NULL, NULL }, { 1, 0 }, 0 };
	uint64_t seq = 0;
	int rc = 0;

	while (seq < count && !perf_stage_stops(stage)) {
		uint32_t n = single ? 1 : batch < count - seq ? batch :
								(uint32_t)(count - seq);

		if (single && (span.at[0] = flux_ring_claim_one(writer)) == NULL)
			rc = perf_wait_room(writer, 1, &span);
		else if (!single && (rc = flux_ring_claim(writer, n, &span)) == FLUX_EAGAIN)
			rc = perf_wait_room(writer, n, &span);
		if (rc < 0)
			break;
		if (perf_samples(seq, n))
			perf_stage_stamp(stage, party->me, seq, n);
		fill_run(span.at[0], single ? 1 : span.n[0], slot, first + seq);
		if (!single)
			fill_run(span.at[1], span.n[1], slot, first + seq + span.n[0]);
		rc = flux_ring_publish(writer, n);
		if (rc < 0)
			break;
		seq += n;
	}
	party->written = seq;
	return rc;
}

/* What comes when there is one writer and nobody else takes of it: the next ones, all right. */
ITEM_INLINE bool run_is_right(const void *at, uint32_t n, uint32_t slot, uint64_t next)
{
	uint64_t wrong = 0, sum = 0, expect = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *item = (const uint8_t *)at + (size_t)i * slot;

		wrong |= item_read_id(item) ^ (next + i);
		sum += item_sum(item, slot);
		expect += item_expect(slot, next + i);
	}
	return !wrong && sum == expect;
}

/* One by one: with several writers, and to find out what is wrong. */
static void take_singly(struct perf_stage *stage, struct perf_party *party, const void *at, uint32_t n,
			uint32_t slot)
{
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *item = (const uint8_t *)at + (size_t)i * slot;
		uint64_t id = item_read_id(item), received = party->check.received;

		check_item(&party->check, id, slot, item_sum(item, slot));
		if (perf_samples(ITEM_SEQ(id), 1) && party->check.received > received)
			perf_stage_take(stage, &party->hist, ITEM_WRITER(id), ITEM_SEQ(id), 1);
	}
}

ITEM_INLINE void take_run(struct perf_stage *stage, struct perf_party *party, const void *at, uint32_t n,
			  uint32_t slot, bool in_turn)
{
	uint64_t next = party->check.next[0];

	if (!in_turn || !run_is_right(at, n, slot, next)) {
		take_singly(stage, party, at, n, slot);
		return;
	}
	if (perf_samples(next, n))
		perf_stage_take(stage, &party->hist, 0, next, n);
	check_run(&party->check, n, slot);
}

ITEM_INLINE int read_slots(struct perf_stage *stage, struct perf_party *party,
			   struct flux_ring_reader *reader, uint32_t slot, bool single)
{
	const struct perf_options *options = stage->options;
	bool in_turn = options->writers == 1 && !perf_kind_shares(options->kind);
	struct flux_ring_span span = { { NULL, NULL }, { 1, 0 }, 0 };
	int n = 1;

	for (;;) {
		if (single && (span.at[0] = flux_ring_peek_one(reader)) == NULL)
			n = perf_wait_items(reader, 1, &span);
		else if (!single && (n = flux_ring_peek(reader, options->batch, &span)) == 0)
			n = perf_wait_items(reader, options->batch, &span);
		if (n == FLUX_EBADMSG && flux_ring_skip(reader) == 0) {
			party->check.damaged++;
			n = 1;
			continue;
		}
		if (n < 0)
			return n == FLUX_ECLOSED ? 0 : n;
		take_run(stage, party, span.at[0], single ? 1 : span.n[0], slot, in_turn);
		if (!single && span.n[1])
			take_run(stage, party, span.at[1], span.n[1], slot, in_turn);
		n = flux_ring_release(reader, single ? 1 : (uint32_t)n);
		if (n < 0)
			return n;
		n = 1;
	}
}

/* ---- Records ---- */

static int write_records(struct perf_stage *stage, struct perf_party *party,
			 struct flux_ring_writer *writer, uint64_t count)
{
	uint64_t seq = 0;
	int rc = 0;

	while (seq < count && !perf_stage_stops(stage)) {
		uint64_t id = item_id(party->me, seq);
		uint32_t len = item_len(id, stage->options->slot);
		struct flux_ring_record record;

		rc = flux_ring_record_claim(writer, len, &record);
		if (rc == FLUX_EAGAIN)
			rc = perf_wait_record_room(writer, len, &record);
		if (rc < 0)
			break;
		if (perf_samples(seq, 1))
			perf_stage_stamp(stage, party->me, seq, 1);
		item_fill(record.data, len, id);
		rc = flux_ring_record_publish(writer, len);
		if (rc < 0)
			break;
		seq++;
	}
	party->written = seq;
	return rc;
}

static void take_record(struct perf_stage *stage, struct perf_party *party,
			const struct flux_ring_record *record)
{
	uint64_t id;

	if (record->len < ITEM_LEAST) {
		party->check.damaged++;
		return;
	}
	id = item_read_id(record->data);
	if (record->len != item_len(id, stage->options->slot)) {
		party->check.damaged++;
		return;
	}
	take_singly(stage, party, record->data, 1, record->len);
}

static int read_records(struct perf_stage *stage, struct perf_party *party,
			struct flux_ring_reader *reader)
{
	const struct perf_options *options = stage->options;
	/* Of a shared ring a reader holds one record at a time. */
	uint32_t most = perf_kind_shares(options->kind) ? 1 : options->batch;
	struct flux_ring_record record;
	uint32_t held = 0;
	int rc;

	for (;;) {
		rc = flux_ring_record_read(reader, &record);
		if (rc == 0 && !held)
			rc = perf_wait_record(reader, &record);
		if (rc == FLUX_EBADMSG && flux_ring_skip(reader) == 0) {
			party->check.damaged++;
			continue;
		}
		if (rc < 0 && (rc != FLUX_ECLOSED || !held))
			return rc == FLUX_ECLOSED ? 0 : rc;
		if (rc > 0) {
			take_record(stage, party, &record);
			held++;
		}
		if (held == most || rc <= 0) {
			rc = flux_ring_record_release(reader);
			if (rc < 0)
				return rc;
			held = 0;
		}
	}
}

/* ---- Which of them ---- */

static uint64_t share_of(const struct perf_options *options, uint32_t writer)
{
	return options->count / options->writers + (writer < options->count % options->writers);
}

int perf_flow_write(struct perf_stage *stage, struct perf_party *party, struct flux_ring_writer *writer)
{
	const struct perf_options *options = stage->options;
	uint64_t count = share_of(options, party->me);

#define ONE(size)  write_slots(stage, party, writer, count, size, true)
#define MANY(size) write_slots(stage, party, writer, count, size, false)
	if (options->records)
		return write_records(stage, party, writer, count);
	if (options->batch == 1)
		ITEM_BY_SIZE(ONE, options->slot)
	ITEM_BY_SIZE(MANY, options->slot)
#undef ONE
#undef MANY
}

int perf_flow_read(struct perf_stage *stage, struct perf_party *party, struct flux_ring_reader *reader)
{
	const struct perf_options *options = stage->options;

#define ONE(size)  read_slots(stage, party, reader, size, true)
#define MANY(size) read_slots(stage, party, reader, size, false)
	if (options->records)
		return read_records(stage, party, reader);
	if (options->batch == 1)
		ITEM_BY_SIZE(ONE, options->slot)
	ITEM_BY_SIZE(MANY, options->slot)
#undef ONE
#undef MANY
}
