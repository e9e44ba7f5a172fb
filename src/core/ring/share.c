/* SPDX-License-Identifier: MIT */
/*
 * Shared reading: each item to one reader, who takes a run by compare and swap and gates only what it
 * holds. A slow reader keeps its own items from being overwritten, and nobody from taking others.
 */
#include "core/base/bits.h"
#include "core/ring/ring.h"

/* Several producers: move the common cursor over claims that are published, until `want` is passed. */
static uint64_t advance(struct flux_ring *ring, uint64_t want)
{
	uint64_t *cursor = &ring->head->cursor;
	/* A3: the chain of those who moved it on; pairs with R3 and the exchange below. */
	uint64_t at = __atomic_load_n(cursor, __ATOMIC_ACQUIRE);

	while (at < want) {
		uint64_t word = __atomic_load_n(&ring->words[at & ring->mask], __ATOMIC_ACQUIRE);

		if (!flux_ring_word_is(ring, word, at))
			break;
		if (__atomic_compare_exchange_n(cursor, &at, at + flux_ring_word_n(ring, word), false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			at += flux_ring_word_n(ring, word);
	}
	return at;
}

/* How many of the `n` wanted slots from `at` on may be taken by one reader. */
static uint64_t run(struct flux_ring *ring, uint64_t at, uint64_t n)
{
	uint64_t end;

	if (flux_ring_is(ring, FLUX_RING_RECORDS)) {
		/* A record is taken whole: as many slots as its word says. */
		uint64_t word = __atomic_load_n(&ring->words[at & ring->mask], __ATOMIC_ACQUIRE);

		return flux_ring_word_is(ring, word, at) ? flux_ring_word_n(ring, word) : 0;
	}
	if (flux_ring_is(ring, FLUX_RING_MULTI))
		end = advance(ring, at + n);
	else
		end = __atomic_load_n(&ring->head->cursor, __ATOMIC_ACQUIRE); /* A1: pairs with R1 */
	/* The cursor may have been read before `at`: then nothing is known to be there. */
	return end <= at ? 0 : flux_min_u64(n, end - at);
}

static bool skipped(const struct flux_ring *ring, uint64_t seq)
{
	uint64_t word = __atomic_load_n(&ring->words[seq & ring->mask], __ATOMIC_RELAXED);

	return flux_ring_word_is(ring, word, seq) && flux_ring_word_skips(ring, word);
}

/* Pass skips at the front of what this reader holds; the end of the run without one behind it. */
static uint64_t pass_skips(struct flux_ring_reader *reader)
{
	const struct flux_ring *ring = reader->ring;
	uint64_t end;

	/* Whoever published a skip said so before, so zero means that there is none in here. */
	if (!flux_ring_is(ring, FLUX_RING_MULTI) || !__atomic_load_n(&ring->head->skips, __ATOMIC_RELAXED))
		return reader->scan;
	/* A record is taken alone. */
	if (flux_ring_is(ring, FLUX_RING_RECORDS)) {
		if (skipped(ring, reader->next))
			reader->next = reader->scan;
		return reader->scan;
	}
	while (reader->next < reader->scan && skipped(ring, reader->next))
		reader->next++;
	for (end = reader->next; end < reader->scan && !skipped(ring, end); end++)
		;
	return end;
}

void flux_ring_share_release(struct flux_ring_reader *reader)
{
	uint64_t next;

	/* Skips behind the last item would be held until the next peek. */
	if (reader->next == reader->limit && reader->limit < reader->scan) {
		(void)pass_skips(reader);
		reader->limit = reader->next;
	}
	next = reader->next == reader->scan ? FLUX_RING_OPEN : reader->next;
	/* R2: pairs with A2 in room.c. */
	__atomic_store_n(reader->gate, next, __ATOMIC_RELEASE);
	if (reader->bell)
		flux_ring_bell_(reader->ring, reader->bell);
}

uint64_t flux_ring_share_take(struct flux_ring_reader *reader, uint64_t n)
{
	struct flux_ring *ring = reader->ring;
	uint64_t *taken = &ring->head->taken;
	uint64_t at = __atomic_load_n(taken, __ATOMIC_RELAXED);
	uint64_t end;

	if (reader->next < reader->scan) {
		end = pass_skips(reader);
		if (end > reader->next)
			return end;
	}
	n = flux_min_u64(n, ring->capacity);
	for (;;) {
		uint64_t k = run(ring, at, n);

		if (!k) {
			uint64_t now = __atomic_load_n(taken, __ATOMIC_RELAXED);

			if (now == at)
				break;
			at = now;
			continue;
		}
		/* What is taken, should we die with it. */
		__atomic_store_n(&ring->readers[reader->seat].count, at + k, __ATOMIC_RELAXED);
		/* R2: it may be seen in place of the last release. */
		__atomic_store_n(reader->gate, at, __ATOMIC_RELEASE);
		/* R4: the gate before the taking; pairs with A4 in room.c. */
		if (!__atomic_compare_exchange_n(taken, &at, at + k, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			continue;
		reader->next = at;
		reader->scan = at + k;
		end = pass_skips(reader);
		if (end > reader->next)
			return end;
		at += k; /* skips only: on */
	}
	__atomic_store_n(reader->gate, FLUX_RING_OPEN, __ATOMIC_RELEASE);
	/* A writer may have gone to sleep at a gate that was only tried: nobody else would wake it. */
	if (reader->bell)
		flux_ring_bell_(ring, reader->bell);
	reader->next = reader->limit = reader->scan;
	return reader->next;
}
