/* SPDX-License-Identifier: MIT */
/*
 * Whether a ring is consistent: positions, places, bells and notes. Nothing is written. While others go
 * on, what only grows is read in such an order that a contradiction is one: what must be lower before
 * what must be higher.
 */
#include "core/ring/check.h"

#include "core/base/bits.h"

#define load flux_ring_check_load

static const uint8_t severities[] = {
	FLUX_RING_CONSISTENT,
#define SEVERITY(name, severity, text) FLUX_RING_##severity,
	FLUX_RING_FAULTS(SEVERITY)
};

static void tell(struct check *c, uint32_t what, uint32_t is_writer, uint32_t place, uint64_t seq)
{
	struct flux_ring_finding finding = { what, severities[what], is_writer, place, seq };

	if (c->worst < severities[what])
		c->worst = severities[what];
	if (c->found)
		c->found(c->ctx, &finding);
}

void flux_ring_check_tell(struct check *c, uint32_t what, uint64_t seq)
{
	tell(c, what, 0, UINT32_MAX, seq);
}

uint64_t flux_ring_check_tail(const struct flux_ring *ring)
{
	uint64_t at, last;

	if (flux_ring_is(ring, FLUX_RING_MULTI))
		return load(&ring->head->claimed);
	at = load(&ring->head->cursor);
	if (!flux_ring_by_words(ring->flags))
		return at;
	/* Told by its word, and the producer died before the cursor: shared readers go by the word. */
	for (last = at + ring->capacity; at < last;) {
		uint64_t word = load(&ring->words[at & ring->mask]);

		if (!flux_ring_word_is(ring, word, at))
			break;
		at += flux_ring_word_n(ring, word);
	}
	return at;
}

uint64_t flux_ring_check_held(const struct flux_ring *ring)
{
	uint64_t low;

	if (flux_ring_is(ring, FLUX_RING_LOSSY))
		return load(&ring->head->floor);
	low = flux_ring_lowest(ring, NULL);
	return low == FLUX_RING_OPEN ? load(&ring->head->left) : low;
}

static bool overrun(const struct check *c, uint64_t tail, uint64_t from)
{
	return tail > from && tail - from > c->ring->capacity;
}

static bool beyond(uint64_t mask, uint32_t n)
{
	return n < 64 && mask >> n;
}

/* The magic, the sizes: written once, and copied when this handle met them. */
static void check_head(struct check *c)
{
	const struct flux_ring *ring = c->ring;
	struct flux_ring now;

	if (flux_ring_attach(&now, ring->head, ring->block_bytes, NULL) < 0 || now.capacity != ring->capacity ||
	    now.slot != ring->slot || now.flags != ring->flags || now.n_readers != ring->n_readers ||
	    now.n_writers != ring->n_writers)
		flux_ring_check_tell(c, FLUX_RING_FAULT_HEAD, 0);
}

static void check_positions(struct check *c, uint64_t tail)
{
	const struct flux_ring *ring = c->ring;
	const struct flux_ring_head *head = ring->head;
	bool share = flux_ring_is(ring, FLUX_RING_SHARE);
	uint64_t floor = load(&head->floor), left = load(&head->left), taken = load(&head->taken);
	uint64_t cursor = load(&head->cursor), end = flux_ring_check_tail(ring);

	if (floor > end)
		flux_ring_check_tell(c, FLUX_RING_FAULT_FLOOR, floor);
	if (left > end)
		flux_ring_check_tell(c, FLUX_RING_FAULT_LEAVING, left);
	if (share && taken > end)
		flux_ring_check_tell(c, FLUX_RING_FAULT_TAKEN, taken);
	if (cursor > end)
		flux_ring_check_tell(c, FLUX_RING_FAULT_CURSOR, cursor);
	if (load(&head->highest) > ring->capacity)
		flux_ring_check_tell(c, FLUX_RING_FAULT_HIGHEST, load(&head->highest));
	if ((flux_ring_is(ring, FLUX_RING_LOSSY) && overrun(c, tail, floor)) || (share && overrun(c, tail, taken)))
		flux_ring_check_tell(c, FLUX_RING_FAULT_OVERRUN, share ? taken : floor);
}

/* What readers and writers have in common. */
static void check_place(struct check *c, uint32_t is_writer, uint32_t place, uint64_t holder)
{
	const struct flux_ring *ring = c->ring;
	uint32_t state = flux_ring_holder_state(holder);

	if (state > SEAT_CLEARING || (is_writer && state == SEAT_EVICTED))
		tell(c, FLUX_RING_FAULT_STATE, is_writer, place, holder);
	if (flux_ring_is_dead(ring, holder))
		tell(c, FLUX_RING_FAULT_DEAD, is_writer, place, holder);
	if (state != SEAT_FREE && ring->peers && flux_ring_is(ring, FLUX_RING_PROCESSES) &&
	    !flux_ring_holder_member(holder))
		tell(c, FLUX_RING_FAULT_NOBODY, is_writer, place, holder);
}

/* Of a reader that holds the writers; `tail` was read before its gate. */
static void check_gate(struct check *c, uint32_t place, uint64_t holder, uint64_t tail)
{
	const struct flux_ring *ring = c->ring;
	bool share = flux_ring_is(ring, FLUX_RING_SHARE);
	uint64_t gate = load(&ring->readers[place].gate);
	uint64_t end = share ? load(&ring->head->taken) : flux_ring_check_tail(ring);

	if (load(&ring->readers[place].holder) != holder)
		return;
	if (gate == FLUX_RING_OPEN) {
		/* One that leaves opens it first; a shared one that has nothing has it open. */
		if (c->still && !share && !flux_ring_is_dead(ring, holder))
			tell(c, FLUX_RING_FAULT_GATE, 0, place, gate);
	} else if (gate > end) {
		tell(c, FLUX_RING_FAULT_GATE, 0, place, gate);
	} else if (!share && overrun(c, tail, gate)) {
		/* A shared one may have tried an old place, and holds nothing there. */
		tell(c, FLUX_RING_FAULT_OVERRUN, 0, place, gate);
	}
}

static void check_reader(struct check *c, uint32_t place, uint64_t tail)
{
	const struct flux_ring *ring = c->ring;
	const struct flux_ring_seat *seat = &ring->readers[place];
	uint64_t holder = load(&seat->holder);
	uint64_t after = load(&seat->after);
	bool in = load(&ring->head->in) >> place & 1;
	uint32_t state = flux_ring_holder_state(holder);
	bool holds = state == SEAT_USED && !(__atomic_load_n(&seat->flags, __ATOMIC_RELAXED) & FLUX_READER_LOSSY);

	check_place(c, 0, place, holder);
	/* It is out before its place is free, and in behind the taking, so with both it is nobody's. */
	if ((in && state == SEAT_FREE && load(&seat->holder) == holder) ||
	    (c->still && state == SEAT_USED && in != holds && !flux_ring_is_dead(ring, holder)))
		tell(c, FLUX_RING_FAULT_IN, 0, place, in);
	if (in && holds)
		check_gate(c, place, holder, tail);
	if (state != SEAT_FREE && (beyond(after, ring->n_readers) || after >> place & 1))
		tell(c, FLUX_RING_FAULT_AFTER, 0, place, after);
	if ((state == SEAT_EVICTED || (holds && load(&seat->patience))) &&
	    !__atomic_load_n(&ring->head->evictable, __ATOMIC_RELAXED) && load(&seat->holder) == holder)
		tell(c, FLUX_RING_FAULT_EVICTABLE, 0, place, holder);
}

/* When nobody holds anything, what the last reader left is kept. */
static void check_left(struct check *c, uint64_t tail)
{
	const struct flux_ring *ring = c->ring;
	uint64_t low;

	if (flux_ring_is(ring, FLUX_RING_SHARE | FLUX_RING_LOSSY) ||
	    flux_ring_lowest(ring, NULL) != FLUX_RING_OPEN)
		return;
	low = load(&ring->head->left);
	if (overrun(c, tail, low))
		flux_ring_check_tell(c, FLUX_RING_FAULT_OVERRUN, low);
}

static void check_writer(struct check *c, uint32_t place)
{
	const struct flux_ring *ring = c->ring;
	const struct flux_ring_seat *seat = &ring->writers[place];
	uint64_t holder = load(&seat->holder);
	uint64_t count = load(&seat->count), at = load(&seat->gate);
	bool free = flux_ring_holder_state(holder) == SEAT_FREE;

	check_place(c, 1, place, holder);
	if (!flux_ring_is(ring, FLUX_RING_MULTI) || !count)
		return;
	/* In a free place it would be taken for that of one who lives, for ever. */
	if (count > ring->capacity || at > flux_ring_check_tail(ring) || (c->still && free))
		tell(c, FLUX_RING_FAULT_CLAIM_NOTE, 1, place, at);
}

static void check_bell(struct check *c, const struct flux_ring_bell *bell, uint32_t sleep)
{
	bool asleep = __atomic_load_n(&bell->word, __ATOMIC_RELAXED) & 1;

	if (beyond(load(&bell->fds[SIDE_READERS]), c->ring->n_readers) ||
	    beyond(load(&bell->fds[SIDE_WRITERS]), c->ring->n_writers) || (asleep && !flux_ring_is(c->ring, sleep)))
		flux_ring_check_tell(c, FLUX_RING_FAULT_BELL, asleep);
}

static void check_notes(struct check *c)
{
	const struct flux_ring_head *head = c->ring->head;

	for (uint64_t i = 0; i < FLUX_RING_NOTES; i++) {
		uint64_t number = load(&head->notes[i].number);
		uint32_t what = __atomic_load_n(&head->notes[i].what, __ATOMIC_RELAXED);

		/* The last one may be half written, by one who died at that. */
		if (!number)
			continue;
		if ((number - 1) % FLUX_RING_NOTES != i || number > load(&head->noted) ||
		    (c->still && (what < FLUX_RING_WRITER_DIED || what > FLUX_RING_NO_READERS)))
			flux_ring_check_tell(c, FLUX_RING_FAULT_NOTE, number);
	}
}

int flux_ring_check(const struct flux_ring *ring, uint32_t flags,
		    void (*found)(void *ctx, const struct flux_ring_finding *finding), void *ctx)
{
	struct check c = { ring, flags & FLUX_RING_CHECK_STILL, found, ctx, FLUX_RING_CONSISTENT };
	uint64_t tail;

	if (flags & ~FLUX_RING_CHECK_STILL)
		return FLUX_EINVAL;
	if (ring->regions)
		return FLUX_ENOTSUP;
	check_head(&c);
	tail = flux_ring_check_tail(ring);
	check_positions(&c, tail);
	if (beyond(load(&ring->head->in), ring->n_readers))
		flux_ring_check_tell(&c, FLUX_RING_FAULT_IN, load(&ring->head->in));
	for (uint32_t i = 0; i < ring->n_readers; i++)
		check_reader(&c, i, tail);
	check_left(&c, tail);
	for (uint32_t i = 0; i < ring->n_writers; i++)
		check_writer(&c, i);
	check_bell(&c, &ring->head->data, FLUX_RING_READERS_SLEEP);
	check_bell(&c, &ring->head->room, FLUX_RING_WRITERS_SLEEP);
	check_notes(&c);
	flux_ring_check_claims(&c);
	return c.worst;
}

/* ---- In words ---- */

const char *flux_ring_fault_text(uint32_t what)
{
	static const char *const texts[] = {
		"nothing",
#define TEXT(name, severity, text) text,
		FLUX_RING_FAULTS(TEXT)
	};

	return what < sizeof(texts) / sizeof(*texts) ? texts[what] : "unknown";
}

const char *flux_ring_fault_name(uint32_t what)
{
	static const char *const names[] = {
		"none",
		"head",
		"floor",
		"leaving",
		"taken",
		"cursor",
		"highest",
		"overrun",
		"gate",
		"in",
		"state",
		"nobody",
		"dead",
		"after",
		"evictable",
		"claim_note",
		"claim_left",
		"claim_lost",
		"claim_length",
		"claim_lap",
		"skips",
		"record",
		"sum",
		"bell",
		"note",
	};
	_Static_assert(sizeof(names) / sizeof(*names) == FLUX_RING_FAULT_NOTE + 1, "one name each");

	return what < sizeof(names) / sizeof(*names) ? names[what] : "unknown";
}

/* ---- Places ---- */

int flux_ring_get_party(const struct flux_ring *ring, int is_writer, uint32_t place, struct flux_ring_party *party)
{
	const struct flux_ring_seat *seat;
	uint64_t holder, tail;

	if (place >= (is_writer ? ring->n_writers : ring->n_readers))
		return FLUX_EINVAL;
	seat = is_writer ? &ring->writers[place] : &ring->readers[place];
	memset(party, 0, sizeof(*party));
	holder = load(&seat->holder);
	party->state = flux_ring_holder_state(holder);
	party->id = flux_ring_id(place, holder);
	party->member = flux_ring_holder_member(holder);
	party->dead = flux_ring_is_dead(ring, holder);
	party->flags = __atomic_load_n(&seat->flags, __ATOMIC_RELAXED);
	party->gate = load(&seat->gate);
	party->after = load(&seat->after);
	party->patience = load(&seat->patience);
	tail = flux_ring_check_tail(ring);
	party->count = is_writer ? load(&seat->count) : tail > party->gate ? tail - party->gate :
									     0;
	flux_ring_seat_name(seat, party->name);
	return 0;
}
