/* SPDX-License-Identifier: MIT */
/* Rings of records: what the inline path leaves to a call. */
#include "core/base/bits.h"
#include "core/base/crc32c.h"
#include "core/ring/ring.h"

static struct flux_ring_record_head_ *head_at(const struct flux_ring *ring, uint64_t seq)
{
	return (struct flux_ring_record_head_ *)(void *)(ring->data + (seq & ring->mask) * ring->slot);
}

/* The head counts: a length that was damaged must not pass. */
uint32_t flux_ring_record_sum(uint32_t len, uint32_t slots, const void *data)
{
	const uint32_t head[2] = { len, slots };

	return flux_crc32c(flux_crc32c(0, head, sizeof(head)), data, len);
}

static int single_claim(struct flux_ring_writer *writer, uint64_t slots)
{
	struct flux_ring *ring = writer->ring;

	if (writer->room - writer->next >= slots)
		return 0;
	if (flux_ring_is_closed(ring))
		return FLUX_ECLOSED;
	flux_ring_look(ring, &writer->room, writer->next);
	return writer->room - writer->next >= slots ? 0 : FLUX_EAGAIN;
}

static int claim(struct flux_ring_writer *writer, uint64_t slots, uint64_t *pad)
{
	uint64_t start;
	int n;

	if (!flux_ring_is(writer->ring, FLUX_RING_MULTI))
		return single_claim(writer, *pad + slots);
	n = flux_ring_multi_claim(writer, slots, slots, &start);
	if (n < 0)
		return n;
	writer->next = writer->limit = start;
	*pad = (uint64_t)n - slots;
	return 0;
}

int flux_ring_record_claim_slow_(struct flux_ring_writer *writer, uint64_t slots, uint64_t *pad)
{
	const struct flux_ring *ring = writer->ring;
	int rc;

	if (!flux_ring_is(ring, FLUX_RING_RECORDS))
		return FLUX_EINVAL;
	if (slots > (writer->mask + 1) / 2)
		return FLUX_EMSGSIZE;
	rc = claim(writer, slots, pad);
	if (rc == FLUX_EAGAIN && flux_ring_relieve(writer))
		rc = claim(writer, slots, pad);
	return rc;
}

int flux_ring_record_publish_slow_(struct flux_ring_writer *writer, uint32_t len, int skip)
{
	struct flux_ring *ring = writer->ring;
	bool by_words = flux_ring_by_words(ring->flags);
	struct flux_ring_record_head_ *head;
	uint64_t at = writer->next + (skip ? 0 : writer->pad);
	uint64_t slots = writer->end - at;

	if (!flux_ring_is(ring, FLUX_RING_RECORDS))
		return FLUX_EINVAL;
	/* A producer alone keeps only what it needs, and a claim that it gives up leaves no trace. */
	if (!flux_ring_is(ring, FLUX_RING_MULTI)) {
		if (skip)
			return 0;
		slots = flux_ring_record_slots_(ring->slot, writer->shift, len);
	}
	head = head_at(ring, at);
	head->len = len;
	head->slots = (uint32_t)slots | (skip ? FLUX_RECORD_SKIP_ : 0);
	if (flux_ring_is(ring, FLUX_RING_SUMS) && !skip)
		__atomic_store_n(&ring->sums[at & ring->mask], flux_ring_record_sum(len, head->slots, head + 1),
				 __ATOMIC_RELAXED);
	if (flux_ring_is(ring, FLUX_RING_MULTI)) {
		if (skip)
			__atomic_fetch_add(&ring->head->aborted, 1, __ATOMIC_RELAXED);
		flux_ring_multi_publish(writer, writer->end - writer->next);
		return 0;
	}
	writer->end = at + slots;
	if (by_words)
		flux_ring_publish_word(ring, writer->next, writer->end - writer->next);
	writer->next = writer->limit = writer->end;
	/* R1, as in the inline path. */
	__atomic_store_n(writer->cursor, writer->next, __ATOMIC_RELEASE);
	if (writer->bell)
		flux_ring_bell_(ring, writer->bell);
	return 0;
}

int flux_ring_record_read_slow_(struct flux_ring_reader *reader)
{
	struct flux_ring *ring = reader->ring;
	bool share = flux_ring_is(ring, FLUX_RING_SHARE);
	int rc;

	if (!flux_ring_is(ring, FLUX_RING_RECORDS))
		return FLUX_EINVAL;
	if (reader->held && share)
		return FLUX_EBUSY;
	/* Skips that were passed behind the last release: nobody else would give them back. */
	if (!reader->held && reader->next != reader->read) {
		reader->next = reader->read;
		rc = flux_ring_release_slow_(reader);
		if (rc < 0)
			return rc;
	}
	rc = flux_ring_refresh(reader, 1);
	if (share)
		reader->read = reader->next;
	return rc;
}

int flux_ring_record_release_before(struct flux_ring_reader *reader, const struct flux_ring_record *record)
{
	reader->read = record->seq;
	reader->held = 0;
	if (reader->ring->regions)
		reader->limit = reader->read; /* it may lie in the old region: look again */
	/* A shared reader has one at a time, so none is before it. */
	return flux_ring_is(reader->ring, FLUX_RING_SHARE) ? 0 : flux_ring_record_release(reader);
}

int flux_ring_record_verify_(struct flux_ring_reader *reader, const struct flux_ring_record *record)
{
	const struct flux_ring *ring = reader->ring;

	if (!flux_ring_is(ring, FLUX_RING_SUMS) ||
	    __atomic_load_n(&ring->sums[record->seq & ring->mask], __ATOMIC_RELAXED) ==
		    flux_ring_record_sum(record->len, record->slots, record->data))
		return 0;
	reader->bad = record->slots;
	return FLUX_EBADMSG;
}
