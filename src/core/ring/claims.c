/* SPDX-License-Identifier: MIT */
/*
 * What a dead producer had claimed becomes a skip. A producer writes down where and how much before
 * it claims by compare and swap, so the claim at a place was made by one of those who wrote down that
 * place: the note of a living one means "wait", those of the dead are candidates. When several died
 * with a note of the same place, the one that took it is known by where its claim ends: there the next
 * claim begins. All steps may be repeated, and be made by several at a time.
 */
#include "core/ring/ring.h"

/* A claim that somebody wrote down: zero slots if none. */
struct intent {
	uint64_t at, n;
};

static struct intent intent_of(const struct flux_ring *ring, uint32_t place)
{
	const struct flux_ring_seat *seat = &ring->writers[place];
	struct intent intent;

	/* A10: pairs with R10, and with the release of zero: then the word is there. */
	intent.n = __atomic_load_n(&seat->count, __ATOMIC_ACQUIRE);
	/* A16: who has gone on to another place is known to have told the word; pairs with R16. */
	intent.at = __atomic_load_n(&seat->gate, __ATOMIC_ACQUIRE);
	return intent;
}

static uint64_t claimed(const struct flux_ring *ring)
{
	return __atomic_load_n(&ring->head->claimed, __ATOMIC_ACQUIRE);
}

/* Whether the slot at `seq` has a word of this lap, or of a later one. */
static bool is_told(const struct flux_ring *ring, uint64_t seq)
{
	uint64_t word = __atomic_load_n(&ring->words[seq & ring->mask], __ATOMIC_ACQUIRE);

	return word >> (ring->bits + 1) >= (seq >> ring->bits) + 1;
}

/* Whether a claim begins at `seq`, or none was made beyond. Notes are read before words. */
static bool is_boundary(const struct flux_ring *ring, uint64_t seq)
{
	if (claimed(ring) == seq)
		return true;
	for (uint32_t i = 0; i < ring->n_writers; i++) {
		struct intent intent = intent_of(ring, i);

		if (intent.n && intent.at == seq)
			return true;
	}
	return is_told(ring, seq);
}

/* Whether this length can be that of the claim at `at`. */
static bool fits(const struct flux_ring *ring, uint64_t at, uint64_t n)
{
	return n && n <= ring->capacity && n <= claimed(ring) - at;
}

/* Dead, or of somebody dead whom another one is cleaning up after. */
static bool is_dead(const struct flux_ring *ring, uint32_t place)
{
	uint64_t holder = __atomic_load_n(&ring->writers[place].holder, __ATOMIC_ACQUIRE);

	return flux_ring_holder_state(holder) == SEAT_CLEARING || flux_ring_is_dead(ring, holder);
}

/*
 * The length of the claim that dead writers left at `at`: the shortest that ends where another begins.
 * 0: a living one may have made it; UINT64_MAX: nobody that is known.
 */
static uint64_t length_of(const struct flux_ring *ring, uint64_t at)
{
	uint64_t best = UINT64_MAX, alone = 0;
	uint32_t candidates = 0;

	for (uint32_t i = 0; i < ring->n_writers; i++) {
		struct intent intent = intent_of(ring, i);

		if (!intent.n || intent.at != at)
			continue;
		if (!is_dead(ring, i))
			return 0;
		if (!fits(ring, at, intent.n) || intent.n == alone)
			continue;
		candidates++;
		alone = intent.n;
		if (intent.n < best && is_boundary(ring, at + intent.n))
			best = intent.n;
	}
	return candidates == 1 ? alone : best;
}

/* Give a slot a skipping word, unless it has one of this lap or a later one. True if we did. */
static bool tell_skip(struct flux_ring *ring, uint64_t seq, uint64_t n)
{
	uint64_t *word = &ring->words[seq & ring->mask];
	uint64_t skip = flux_ring_word(ring, seq, n, true);
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (old >> (ring->bits + 1) < (seq >> ring->bits) + 1)
		/* R3: as in multi.c. */
		if (__atomic_compare_exchange_n(word, &old, skip, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static uint64_t skip(struct flux_ring *ring, uint64_t at, uint64_t n)
{
	__atomic_store_n(&ring->head->skips, 1, __ATOMIC_RELAXED);
	/* Shared readers of slots meet it from its middle. From its end, so that what is told is whole. */
	if (flux_ring_is(ring, FLUX_RING_SHARE) && !flux_ring_is(ring, FLUX_RING_RECORDS))
		for (uint64_t i = n - 1; i > 0; i--)
			(void)tell_skip(ring, at + i, 1);
	if (!tell_skip(ring, at, n))
		return 0;
	__atomic_fetch_add(&ring->head->aborted, 1, __ATOMIC_RELAXED);
	return n;
}

bool flux_ring_settle(struct flux_ring *ring, uint32_t place, uint64_t *skipped)
{
	struct intent intent = intent_of(ring, place);
	uint64_t n;

	*skipped = 0;
	/* Nothing claimed from there on: it died before. */
	if (!intent.n || claimed(ring) <= intent.at)
		return true;
	n = length_of(ring, intent.at);
	/* The word is looked at behind the notes: who took his note back had told the word before. */
	if (is_told(ring, intent.at) || n == UINT64_MAX)
		return true;
	if (!n)
		return false;
	*skipped = skip(ring, intent.at, n);
	return true;
}
