/* SPDX-License-Identifier: MIT */
/* What a reader may read: published, and released by the readers that it waits for. */
#include "core/base/bits.h"
#include "core/ring/ring.h"

/* The lowest gate of the readers that we wait for; those that left or were evicted hold nobody back. */
static uint64_t ahead(const struct flux_ring_reader *reader)
{
	uint64_t low = FLUX_RING_OPEN;

	for (uint64_t left = reader->after; left; left &= left - 1) {
		uint32_t place = (uint32_t)__builtin_ctzll(left);
		/* A2: what they did to the items; pairs with R2. */
		uint64_t gate = __atomic_load_n(&reader->ring->readers[place].gate, __ATOMIC_ACQUIRE);

		if (gate < low && !flux_ring_is_out(reader->ring, place))
			low = gate;
	}
	return low;
}

void flux_ring_gate(struct flux_ring_reader *reader)
{
	/* R2, as in the inline path. */
	__atomic_store_n(reader->gate, reader->next, __ATOMIC_RELEASE);
	if (reader->bell)
		flux_ring_bell_(reader->ring, reader->bell);
}

/* Pass `n` slots that hold nothing, at the front of what is not read. */
static void pass(struct flux_ring_reader *reader, uint64_t n)
{
	reader->scan += n;
	reader->limit = reader->scan;
	if (flux_ring_is(reader->ring, FLUX_RING_RECORDS)) {
		reader->read = reader->scan;
		if (reader->held)
			return; /* released together with the records before it */
	}
	reader->next = reader->scan;
	flux_ring_gate(reader);
}

/* One who reads singly does not come here for each. */
#define AHEAD 64u

/* From claim to claim until `end`, a skip, or what is not published: where, and *word is what stands there. */
static uint64_t walk(const struct flux_ring *ring, uint64_t seq, uint64_t end, uint64_t *word)
{
	*word = 0;
	while (seq < end) {
		/* A3: pairs with R3. */
		*word = __atomic_load_n(&ring->words[seq & ring->mask], __ATOMIC_ACQUIRE);
		if (!flux_ring_word_is(ring, *word, seq) || flux_ring_word_skips(ring, *word))
			break;
		seq += flux_ring_word_n(ring, *word);
	}
	return seq;
}

/*
 * Several producers: follow the words of published claims, and pass skips. `scan` is always at the
 * start of a claim, `limit` may lie inside one. Nothing is believed beyond one ring's length.
 */
static uint64_t follow(struct flux_ring_reader *reader, uint64_t n, uint64_t bound)
{
	struct flux_ring *ring = reader->ring;
	const uint64_t *front = flux_ring_is(ring, FLUX_RING_RECORDS) ? &reader->read : &reader->next;

	n = flux_max_u64(n, AHEAD);
	for (;;) {
		uint64_t end = flux_min_u64(bound, flux_min_u64(*front + n, reader->next + ring->capacity));
		uint64_t word;

		reader->scan = walk(ring, reader->scan, end, &word);
		/* A skip is passed when it comes first. */
		if (reader->scan >= end || reader->scan != *front || !flux_ring_word_is(ring, word, reader->scan))
			break;
		pass(reader, flux_ring_word_n(ring, word));
	}
	return flux_min_u64(reader->scan, bound);
}

/* Where the claimed items end: all is read when a reader is there. */
static uint64_t tail(const struct flux_ring *ring)
{
	const uint64_t *word = flux_ring_is(ring, FLUX_RING_MULTI) ? &ring->head->claimed : &ring->head->cursor;

	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static uint64_t ready(struct flux_ring_reader *reader, uint64_t n)
{
	struct flux_ring *ring = reader->ring;
	uint64_t bound;

	if (flux_ring_is(ring, FLUX_RING_SHARE))
		return flux_ring_share_take(reader, n);
	bound = reader->after ? ahead(reader) : FLUX_RING_OPEN;
	if (flux_ring_is(ring, FLUX_RING_MULTI))
		return follow(reader, n, bound);
	/* A1: pairs with R1. */
	if (bound == FLUX_RING_OPEN)
		bound = __atomic_load_n(&ring->head->cursor, __ATOMIC_ACQUIRE);
	reader->scan = bound;
	return bound;
}

/* Where a reader goes on. A shared one holds one record at most, and has it from `next` on. */
static uint64_t front(const struct flux_ring_reader *reader)
{
	uint32_t kind = reader->ring->flags & (FLUX_RING_RECORDS | FLUX_RING_SHARE);

	return kind == FLUX_RING_RECORDS ? reader->read : reader->next;
}

/* Renew reader->limit: how many may be read; 0; or FLUX_EPROTO for what no writer can have published. */
static int look(struct flux_ring_reader *reader, uint64_t n)
{
	const struct flux_ring *ring = reader->ring;
	uint64_t end = ready(reader, n);
	uint64_t from = front(reader);

	if (end <= from)
		return 0;
	if (ring->regions)
		end = flux_ring_enter(reader, from, end);
	/* The capacity bounds all arithmetic with what others wrote, here and in the inline path. */
	if (end - from > reader->mask + 1)
		return FLUX_EPROTO;
	reader->limit = end;
	return (int)(end - from);
}

/* Something was claimed that cannot be read: because of one who died? True: look again. */
static bool unstick(struct flux_ring_reader *reader)
{
	return tail(reader->ring) > reader->scan && flux_ring_mind(reader->ring);
}

int flux_ring_refresh(struct flux_ring_reader *reader, uint64_t n)
{
	struct flux_ring *ring = reader->ring;
	bool closed = flux_ring_is_closed(ring); /* before the look at the cursor */
	int rc;

	if (reader->flags & READER_EVICTABLE && flux_ring_is_evicted(reader))
		return FLUX_EEVICTED;
	rc = look(reader, n ? n : 1);
	if (rc == 0 && unstick(reader))
		rc = look(reader, n ? n : 1);
	if (rc != 0 || !closed)
		return rc;
	/* A reader after others goes on until they have passed on everything. */
	return reader->after && front(reader) < tail(ring) ? 0 : FLUX_ECLOSED;
}

int flux_ring_peek_slow_(struct flux_ring_reader *reader, uint32_t n)
{
	struct flux_ring *ring = reader->ring;
	uint64_t end;
	int rc;

	if (reader->flags & FLUX_READER_LOSSY)
		return FLUX_ENOTSUP;
	if (flux_ring_is(ring, FLUX_RING_RECORDS))
		return FLUX_EINVAL;
	rc = flux_ring_refresh(reader, n);
	if (rc <= 0 || !flux_ring_is(ring, FLUX_RING_SUMS))
		return rc;
	end = reader->limit;
	reader->limit = reader->next;
	return flux_ring_sums_verify(reader, n, end);
}

int flux_ring_release_slow_(struct flux_ring_reader *reader)
{
	if (reader->flags & READER_EVICTABLE && flux_ring_is_evicted(reader))
		return FLUX_EEVICTED;
	if (flux_ring_is(reader->ring, FLUX_RING_SHARE))
		flux_ring_share_release(reader);
	else
		flux_ring_gate(reader);
	return 0;
}

int flux_ring_copy(struct flux_ring_reader *reader, uint32_t n, void *items, uint64_t *missed)
{
	struct flux_ring_span span;
	int rc;

	if (reader->flags & FLUX_READER_LOSSY)
		return flux_ring_lossy_copy(reader, n, items, missed);
	rc = flux_ring_peek(reader, n, &span);
	if (rc < 0)
		return rc;
	*missed = 0;
	if (rc > 0) {
		memcpy(items, span.at[0], (size_t)span.n[0] * reader->slot);
		memcpy((uint8_t *)items + (size_t)span.n[0] * reader->slot, span.at[1],
		       (size_t)span.n[1] * reader->slot);
		(void)flux_ring_release(reader, (uint32_t)rc);
	}
	return rc;
}
