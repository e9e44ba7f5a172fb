/* SPDX-License-Identifier: MIT */
/*
 * Several producers: each claims by compare and swap, which can refuse on a full ring, and publishes
 * its claim by one word at the claim's first slot. Nobody waits for anybody's publish but the readers.
 */
#include "core/ring/ring.h"

/* A record does not wrap: what it takes together with the room before the wrap. */
static uint64_t padded(const struct flux_ring *ring, uint64_t at, uint64_t slots)
{
	uint64_t to_wrap = ring->capacity - (at & ring->mask);

	return flux_ring_is(ring, FLUX_RING_RECORDS) && slots > to_wrap ? slots + to_wrap : slots;
}

int flux_ring_multi_claim(struct flux_ring_writer *writer, uint64_t least, uint64_t most, uint64_t *start)
{
	struct flux_ring *ring = writer->ring;
	struct flux_ring_seat *seat = &ring->writers[writer->seat];
	uint64_t *claimed = &ring->head->claimed;
	uint64_t at = __atomic_load_n(claimed, __ATOMIC_RELAXED);
	uint64_t n;

	if (writer->end != writer->next)
		return FLUX_EBUSY;
	for (;;) {
		n = padded(ring, at, most);
		if (at + n > writer->room) {
			if (flux_ring_is_closed(ring))
				return FLUX_ECLOSED;
			flux_ring_look(ring, &writer->room, at);
			/* `at` may be old and the room new, or the other way round: never "plenty". */
			if (at + padded(ring, at, least) > writer->room) {
				uint64_t now = __atomic_load_n(claimed, __ATOMIC_RELAXED);

				if (now == at)
					return FLUX_EAGAIN;
				at = now;
				continue;
			}
		}
		n = at + n > writer->room ? writer->room - at : n;
		/* R16: the word of the last claim before the place of the next; pairs with A16 in claims.c. */
		__atomic_store_n(&seat->gate, at, __ATOMIC_RELEASE);
		__atomic_store_n(&seat->count, n, __ATOMIC_RELAXED);
		/* R10: the intent before the claim; pairs with A10 in info.c. */
		if (__atomic_compare_exchange_n(claimed, &at, at + n, true, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			break;
		/* Another's claim: ours must not stand for it, should both of us die. */
		__atomic_store_n(&seat->count, 0, __ATOMIC_RELAXED);
	}
	*start = at;
	return (int)n;
}

static void store_word(struct flux_ring *ring, uint64_t seq, uint64_t n, bool skip, int order)
{
	__atomic_store_n(&ring->words[seq & ring->mask], flux_ring_word(ring, seq, n, skip), order);
}

void flux_ring_publish_word(struct flux_ring *ring, uint64_t seq, uint64_t n)
{
	/* R3, as below. */
	store_word(ring, seq, n, false, __ATOMIC_RELEASE);
}

/* Make slots that were claimed into a skip. Shared readers meet it from its middle: they ask each slot. */
static void publish_skip(struct flux_ring *ring, uint64_t seq, uint64_t n)
{
	__atomic_fetch_add(&ring->head->aborted, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->head->skips, 1, __ATOMIC_RELAXED);
	/* From its end: should we die here, what is told is whole (claims.c). */
	if (flux_ring_is(ring, FLUX_RING_SHARE))
		for (uint64_t i = n - 1; i > 0; i--)
			store_word(ring, seq + i, 1, true, __ATOMIC_RELEASE);
	/* R3, as below. */
	store_word(ring, seq, n, true, __ATOMIC_RELEASE);
}

void flux_ring_multi_publish(struct flux_ring_writer *writer, uint64_t n)
{
	struct flux_ring *ring = writer->ring;
	uint64_t claimed = writer->end - writer->next;

	if (n < claimed)
		publish_skip(ring, writer->next + n, claimed - n);
	/* R3: the slots of the claim before its word; pairs with A3 in barrier.c and share.c. */
	if (n)
		store_word(ring, writer->next, n, false, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->writers[writer->seat].count, 0, __ATOMIC_RELEASE);
	writer->next = writer->limit = writer->end;
	if (writer->bell)
		flux_ring_bell_(ring, writer->bell);
}
