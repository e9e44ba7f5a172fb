/* SPDX-License-Identifier: MIT */
/*
 * What lies in a ring, by the checker: from claim to claim where words tell, from record to record, and
 * each sum. Notes are read before words, since who takes his note back has told the word before.
 */
#include "core/base/bits.h"
#include "core/base/crc32c.h"
#include "core/ring/check.h"

#define load flux_ring_check_load

/* Whether what lies at `seq` may be overwritten by now, and proves nothing. */
static bool is_gone(const struct check *c, uint64_t seq)
{
	if (c->still)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return flux_ring_check_held(c->ring) > seq;
}

/* ---- Items ---- */

static void check_slots(struct check *c, uint64_t seq, uint64_t end)
{
	const struct flux_ring *ring = c->ring;

	if (!flux_ring_is(ring, FLUX_RING_SUMS))
		return;
	for (; seq < end; seq++) {
		uint64_t at = seq & ring->mask;

		if (__atomic_load_n(&ring->sums[at], __ATOMIC_RELAXED) !=
			    flux_crc32c(0, ring->data + at * ring->slot, ring->slot) &&
		    !is_gone(c, seq))
			flux_ring_check_tell(c, FLUX_RING_FAULT_SUM, seq);
	}
}

/* Records side by side, up to exactly `end`. */
static void check_records(struct check *c, uint64_t seq, uint64_t end)
{
	const struct flux_ring *ring = c->ring;
	uint32_t shift = (uint32_t)__builtin_ctz(ring->slot);

	while (seq < end) {
		const struct flux_ring_record_head_ *head =
			flux_ring_record_at_(ring->data, ring->mask, shift, seq);
		uint32_t len = __atomic_load_n(&head->len, __ATOMIC_RELAXED);
		uint32_t slots = __atomic_load_n(&head->slots, __ATOMIC_RELAXED);
		bool skips = slots & FLUX_RECORD_SKIP_;
		bool bad;

		slots &= ~FLUX_RECORD_SKIP_;
		bad = !slots || slots > end - seq;
		if (!skips && !bad)
			bad = flux_ring_record_slots_(ring->slot, shift, len) > slots ||
			      (seq & ring->mask) + slots > ring->capacity;
		if (bad) {
			if (!is_gone(c, seq))
				flux_ring_check_tell(c, FLUX_RING_FAULT_RECORD, seq);
			return;
		}
		if (!skips && flux_ring_is(ring, FLUX_RING_SUMS) &&
		    __atomic_load_n(&ring->sums[seq & ring->mask], __ATOMIC_RELAXED) !=
			    flux_ring_record_sum(len, slots, head + 1) &&
		    !is_gone(c, seq))
			flux_ring_check_tell(c, FLUX_RING_FAULT_SUM, seq);
		seq += slots;
	}
}

/* What was published from `seq` to `end`, as far as it is kept. */
static void check_items(struct check *c, uint64_t seq, uint64_t end)
{
	uint64_t held = flux_ring_check_held(c->ring);

	if (flux_ring_is(c->ring, FLUX_RING_RECORDS) && held <= seq)
		check_records(c, seq, end);
	else if (!flux_ring_is(c->ring, FLUX_RING_RECORDS))
		check_slots(c, flux_max_u64(seq, held), end);
}

/* ---- Claims ---- */

/* What is known of a claim that is not published. */
struct known {
	bool open;     /* somebody who lives may have made it */
	uint64_t next; /* the lowest place above that somebody noted: one where a claim begins */
	uint32_t n_dead;
	uint64_t dead[FLUX_RING_SEATS]; /* lengths that the dead noted */
};

static void notes_at(const struct flux_ring *ring, uint64_t seq, uint64_t tail, struct known *known)
{
	known->open = false;
	known->next = tail;
	known->n_dead = 0;
	if (!flux_ring_is(ring, FLUX_RING_MULTI))
		return;
	for (uint32_t i = 0; i < ring->n_writers; i++) {
		const struct flux_ring_seat *seat = &ring->writers[i];
		uint64_t count = load(&seat->count), at = load(&seat->gate);
		uint64_t holder = load(&seat->holder);
		uint32_t state = flux_ring_holder_state(holder);

		if (count && at > seq && at < known->next)
			known->next = at;
		if (!count || at != seq || state == SEAT_FREE)
			continue;
		if (state == SEAT_CLEARING || flux_ring_is_dead(ring, holder))
			known->dead[known->n_dead++] = count;
		else
			known->open = true;
	}
}

static bool begins(const struct flux_ring *ring, uint64_t seq)
{
	return flux_ring_word_is(ring, load(&ring->words[seq & ring->mask]), seq);
}

/*
 * Whether a claim at `seq` can have `n` slots: it ends where another begins. The first word above it may
 * be its own: whoever publishes less than he claimed tells the skip behind it first.
 */
static bool fits(const struct flux_ring *ring, uint64_t seq, uint64_t n, uint64_t next, const struct known *known)
{
	if (n > known->next - seq)
		return false;
	for (uint64_t at = next; at < seq + n; at++)
		if (begins(ring, at) && !flux_ring_word_skips(ring, load(&ring->words[at & ring->mask])))
			return false;
	return seq + n == known->next || begins(ring, seq + n);
}

/* Nothing is published at `seq`: where the next claim begins; 0: nothing more can be said. */
static uint64_t check_open(struct check *c, uint64_t seq, uint64_t tail, const struct known *known)
{
	const struct flux_ring *ring = c->ring;
	uint64_t next = seq + 1;

	if (known->open && !c->still)
		return 0;
	while (next < known->next && !begins(ring, next))
		next++;
	/* While others go on: it was published and overwritten. */
	if (!c->still && flux_ring_check_tail(ring) - seq > ring->capacity)
		return 0;
	if (known->open)
		return next;
	for (uint32_t i = 0; i < known->n_dead; i++)
		if (fits(ring, seq, known->dead[i], next, known)) {
			flux_ring_check_tell(c, FLUX_RING_FAULT_CLAIM_LEFT, seq);
			return seq + known->dead[i];
		}
	flux_ring_check_tell(c, FLUX_RING_FAULT_CLAIM_LOST, seq);
	return next < tail ? next : 0;
}

/* A claim whose word is there: where it ends; 0: nothing more can be said. */
static uint64_t check_told(struct check *c, uint64_t seq, uint64_t tail, uint64_t word)
{
	const struct flux_ring *ring = c->ring;
	uint64_t n = flux_ring_word_n(ring, word);

	if (n > tail - seq) {
		flux_ring_check_tell(c, FLUX_RING_FAULT_CLAIM_LENGTH, seq);
		return 0;
	}
	if (!flux_ring_word_skips(ring, word))
		check_items(c, seq, seq + n);
	else if (!__atomic_load_n(&ring->head->skips, __ATOMIC_RELAXED))
		flux_ring_check_tell(c, FLUX_RING_FAULT_SKIPS, seq);
	return seq + n;
}

/* The first place in one ring's length where a claim begins for certain. */
static uint64_t first(const struct flux_ring *ring, uint64_t tail)
{
	uint64_t seq = tail > ring->capacity ? tail - ring->capacity : 0;
	struct known known;

	if (!seq)
		return 0;
	notes_at(ring, seq - 1, tail, &known);
	while (seq < known.next && !begins(ring, seq))
		seq++;
	return seq;
}

static void check_words(struct check *c)
{
	const struct flux_ring *ring = c->ring;
	uint64_t tail = flux_ring_check_tail(ring);
	uint64_t seq = first(ring, tail);
	struct known known;

	while (seq < tail) {
		uint64_t word, next, lap = (seq >> ring->bits) + 1;

		notes_at(ring, seq, tail, &known);
		word = load(&ring->words[seq & ring->mask]);
		if (word >> (ring->bits + 1) > lap) {
			if (c->still)
				flux_ring_check_tell(c, FLUX_RING_FAULT_CLAIM_LAP, seq);
			return;
		}
		next = flux_ring_word_is(ring, word, seq) ? check_told(c, seq, tail, word) :
							    check_open(c, seq, tail, &known);
		if (next <= seq)
			return;
		seq = next;
	}
}

void flux_ring_check_claims(struct check *c)
{
	const struct flux_ring *ring = c->ring;
	uint64_t held, tail;

	if (flux_ring_by_words(ring->flags)) {
		check_words(c);
		return;
	}
	held = flux_ring_check_held(ring);
	tail = load(&ring->head->cursor);
	/* Else it was told already, or all went on meanwhile. */
	if (held < tail && tail - held <= ring->capacity)
		check_items(c, held, tail);
}
