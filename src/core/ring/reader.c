/* SPDX-License-Identifier: MIT */
/* Readers: joining and leaving while the ring runs. */
#include "core/base/bits.h"
#include "core/ring/ring.h"

/* Every place that some reader waits for: not given to another reader meanwhile. */
static uint64_t waited_for(const struct flux_ring *ring)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < ring->n_readers; i++)
		mask |= __atomic_load_n(&ring->readers[i].after, __ATOMIC_RELAXED);
	return mask;
}

/* Take a place that nobody waits for, also not from this moment on. */
static int take_place(struct flux_ring *ring, const char *name)
{
	uint64_t not = waited_for(ring);

	for (;;) {
		int place = flux_ring_seat_take(ring, SIDE_READERS, not, name);

		if (place < 0)
			return place;
		/* F3, with the one in wait_for(): either we see the wish, or its owner sees us. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		not = waited_for(ring);
		if (!(not >> place & 1))
			return place;
		flux_ring_seat_give(&ring->readers[place]);
	}
}

/* Whether the reader of this id is in; *place is where. */
static int find(const struct flux_ring *ring, uint32_t id, uint32_t *place)
{
	uint64_t holder;

	*place = id & 0xff;
	if (*place >= ring->n_readers)
		return FLUX_EINVAL;
	/* A11: pairs with R11. */
	holder = __atomic_load_n(&ring->readers[*place].holder, __ATOMIC_ACQUIRE);
	if (flux_ring_holder_state(holder) != SEAT_USED || flux_ring_holder_turn(holder) != id >> 8)
		return FLUX_ECLOSED;
	return 0;
}

/* Name the readers that this one waits for. */
static int wait_for(struct flux_ring_reader *reader, const struct flux_ring_reader_cfg *cfg)
{
	struct flux_ring *ring = reader->ring;
	struct flux_ring_seat *seat = &ring->readers[reader->seat];
	uint64_t mask = 0;

	/* Twice: the wish must stand before the others are known to be there. */
	for (int look = 0; look < 2; look++) {
		for (uint32_t i = 0; i < cfg->n_after; i++) {
			uint32_t place;
			int rc = find(ring, cfg->after[i], &place);

			if (rc < 0)
				return rc;
			if (__atomic_load_n(&ring->readers[place].flags, __ATOMIC_RELAXED) & FLUX_READER_LOSSY)
				return FLUX_ENOTSUP;
			mask |= 1ull << place;
		}
		__atomic_store_n(&seat->after, mask, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* F3 */
	}
	reader->after = mask;
	return 0;
}

/* Looks until the floor stands still; more would be somebody's bad joke. */
#define HOLD_TRIES 1000

/*
 * Hold the writers at the oldest that is kept: the position. A writer raises the floor, then looks at
 * the gates; we set our gate, then look at the floor. So either it sees our gate, or we see its floor.
 */
static uint64_t hold(struct flux_ring *ring, struct flux_ring_seat *seat)
{
	const struct flux_ring_head *head = ring->head;
	uint64_t at = __atomic_load_n(&head->floor, __ATOMIC_ACQUIRE);
	uint64_t floor;

	if (flux_ring_lowest(ring, NULL) == FLUX_RING_OPEN)
		at = flux_max_u64(at, __atomic_load_n(&head->left, __ATOMIC_ACQUIRE));
	for (uint32_t i = 0; i < HOLD_TRIES; i++) {
		__atomic_store_n(&seat->gate, at, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* F2: pairs with F1 in room.c */
		floor = __atomic_load_n(&head->floor, __ATOMIC_ACQUIRE);
		if (floor <= at)
			break;
		at = floor;
	}
	return at;
}

/* Several producers: the first claim from `at` on that is published whole, else where the next begins. */
static uint64_t first_claim(const struct flux_ring *ring, uint64_t at)
{
	uint64_t end = __atomic_load_n(&ring->head->claimed, __ATOMIC_ACQUIRE);

	end = flux_min_u64(end, at + ring->capacity);
	for (; at < end; at++) {
		uint64_t word = __atomic_load_n(&ring->words[at & ring->mask], __ATOMIC_ACQUIRE);

		if (flux_ring_word_is(ring, word, at))
			break;
	}
	return at;
}

/* Decide where the reader starts, once and for all. */
static uint64_t start(struct flux_ring_reader *reader, bool now)
{
	struct flux_ring *ring = reader->ring;
	struct flux_ring_seat *seat = &ring->readers[reader->seat];
	bool multi = flux_ring_is(ring, FLUX_RING_MULTI);
	const uint64_t *tail = multi ? &ring->head->claimed : &ring->head->cursor;
	uint64_t at;

	if (flux_ring_is(ring, FLUX_RING_SHARE))
		return __atomic_load_n(&ring->head->taken, __ATOMIC_ACQUIRE);
	if (reader->flags & FLUX_READER_LOSSY)
		return __atomic_load_n(now ? tail : &ring->head->floor, __ATOMIC_ACQUIRE);
	at = hold(ring, seat);
	if (now)
		at = __atomic_load_n(tail, __ATOMIC_ACQUIRE);
	else if (multi)
		at = first_claim(ring, at);
	__atomic_store_n(&seat->gate, at, __ATOMIC_RELEASE);
	/* A writer may have found no room because of where we held it, and sleep. */
	if (reader->bell)
		flux_ring_bell_(ring, reader->bell);
	return at;
}

static int check(const struct flux_ring *ring, const struct flux_ring_reader_cfg *cfg, uint32_t *flags)
{
	*flags = cfg->flags;
	if (cfg->flags & ~(uint32_t)FLUX_READER_LOSSY || cfg->start > FLUX_RING_OLDEST ||
	    (cfg->n_after && !cfg->after) || cfg->reserved)
		return FLUX_EINVAL;
	if (cfg->flags & FLUX_READER_LOSSY &&
	    ring->flags & (FLUX_RING_SHARE | FLUX_RING_RECORDS | FLUX_RING_MULTI))
		return FLUX_ENOTSUP;
	if (flux_ring_is(ring, FLUX_RING_LOSSY))
		*flags |= FLUX_READER_LOSSY;
	if (ring->read_only && !(*flags & FLUX_READER_LOSSY))
		return FLUX_EPERM;
	if (ring->regions && (*flags & FLUX_READER_LOSSY || cfg->evict_after))
		return FLUX_ENOTSUP; /* the writer may free what they are reading */
	if (cfg->evict_after && !(*flags & FLUX_READER_LOSSY))
		*flags |= READER_EVICTABLE;
	if (cfg->n_after && (*flags & FLUX_READER_LOSSY || flux_ring_is(ring, FLUX_RING_SHARE)))
		return FLUX_ENOTSUP;
	return 0;
}

static void fill(struct flux_ring_reader *reader, struct flux_ring *ring,
		 const struct flux_ring_reader_cfg *cfg, uint32_t place, uint32_t flags)
{
	memset(reader, 0, sizeof(*reader));
	reader->ring = ring;
	reader->seat = place;
	reader->flags = flags;
	reader->mask = ring->mask;
	reader->data = ring->data;
	reader->slot = ring->slot;
	reader->gate = &ring->readers[place].gate;
	reader->bell = flux_ring_is(ring, FLUX_RING_WRITERS_SLEEP) ? &ring->head->room : NULL;
	reader->shift = (uint32_t)__builtin_ctz(ring->slot);
	reader->batch = cfg->batch ? cfg->batch : UINT32_MAX;
	reader->every = cfg->every;
	if (!flux_ring_is(ring, FLUX_RING_MULTI | FLUX_RING_SHARE | FLUX_RING_RECORDS | FLUX_RING_SUMS) && !flags &&
	    !cfg->n_after && !ring->regions)
		reader->cursor = &ring->head->cursor;
	reader->slow = flux_ring_is(ring, FLUX_RING_SHARE) || flags & READER_EVICTABLE ||
		       (flux_ring_is(ring, FLUX_RING_RECORDS) && flux_ring_is(ring, FLUX_RING_SUMS));
	reader->pace = (struct flux_ring_pace){ .kind = cfg->wait, .spins = cfg->spins, .nap_ns = cfg->nap_ns };
}

/* A place, and all that stands in it before others go by it. */
static int settle_in(struct flux_ring_reader *reader, struct flux_ring *ring,
		     const struct flux_ring_reader_cfg *cfg, uint32_t flags)
{
	int place = take_place(ring, cfg->name);
	struct flux_ring_seat *seat;
	int rc;

	if (place < 0)
		return place;
	seat = &ring->readers[place];
	fill(reader, ring, cfg, (uint32_t)place, flags);
	__atomic_store_n(&seat->flags, flags & ~READER_EVICTABLE, __ATOMIC_RELAXED);
	__atomic_store_n(&seat->patience, flags & READER_EVICTABLE ? cfg->evict_after : 0, __ATOMIC_RELAXED);
	rc = wait_for(reader, cfg);
	if (rc == 0)
		rc = flux_ring_pace_init(ring, &reader->pace, SIDE_READERS, (uint32_t)place,
					 flux_ring_is(ring, reader->after ? FLUX_RING_WRITERS_SLEEP :
									    FLUX_RING_READERS_SLEEP));
	if (rc < 0) {
		flux_ring_seat_give(seat);
		return rc;
	}
	if (flags & READER_EVICTABLE)
		__atomic_store_n(&ring->head->evictable, 1, __ATOMIC_RELAXED);
	/* Before the gate, whose fence (F2) is the one for this as well. */
	if (!(flags & FLUX_READER_LOSSY))
		__atomic_fetch_or(&ring->head->in, UINT64_C(1) << place, __ATOMIC_RELEASE);
	return 0;
}

/* A lossy reader of a block that it may only read has no place in it: nobody knows of it. */
static int look_on(struct flux_ring_reader *reader, struct flux_ring *ring,
		   const struct flux_ring_reader_cfg *cfg, uint32_t flags)
{
	fill(reader, ring, cfg, 0, flags);
	reader->seat = UINT32_MAX;
	reader->gate = NULL;
	reader->bell = NULL;
	return flux_ring_pace_init(ring, &reader->pace, SIDE_READERS, 0, false);
}

int flux_ring_reader_join(struct flux_ring_reader *reader, struct flux_ring *ring,
			  const struct flux_ring_reader_cfg *cfg)
{
	struct flux_ring_reader_cfg known = { .size = sizeof(known) };
	uint32_t flags = 0;
	int rc = cfg ? flux_ring_cfg_read(&known, sizeof(known), cfg) : 0;

	if (rc == 0)
		rc = check(ring, &known, &flags);
	if (rc < 0)
		return rc;
	if (!ring->read_only)
		(void)flux_ring_tend(ring);
	rc = ring->read_only ? look_on(reader, ring, &known, flags) :
			       settle_in(reader, ring, &known, flags);
	if (rc < 0)
		return rc;
	reader->start = start(reader, known.start == FLUX_RING_NOW);
	reader->next = reader->limit = reader->scan = reader->read = reader->start;
	if (!ring->read_only)
		reader->holder = flux_ring_seat_use(&ring->readers[reader->seat]);
	return 0;
}

void flux_ring_reader_leave(struct flux_ring_reader *reader)
{
	struct flux_ring *ring = reader->ring;
	struct flux_ring_seat *seat;

	if (ring->read_only)
		return;
	seat = &ring->readers[reader->seat];
	/* R7: where we were, before the gate opens; pairs with A7 in room.c. */
	if (!(reader->flags & FLUX_READER_LOSSY) && !flux_ring_is(ring, FLUX_RING_SHARE))
		flux_ring_raise(&ring->head->left, reader->next, __ATOMIC_RELEASE);
	if (flux_ring_gate_open(ring, reader->seat))
		flux_ring_note(ring, FLUX_RING_NO_READERS, flux_ring_reader_id(reader), seat, 0);
	flux_ring_seat_give(seat);
	if (reader->bell)
		flux_ring_bell_(ring, reader->bell);
}

uint32_t flux_ring_reader_id(const struct flux_ring_reader *reader)
{
	return flux_ring_id(reader->seat & 0xff, reader->holder);
}

uint64_t flux_ring_reader_lag(const struct flux_ring_reader *reader)
{
	const struct flux_ring *ring = reader->ring;
	bool multi = flux_ring_is(ring, FLUX_RING_MULTI);
	uint64_t tail = __atomic_load_n(multi ? &ring->head->claimed : &ring->head->cursor, __ATOMIC_ACQUIRE);

	if (flux_ring_is(ring, FLUX_RING_SHARE))
		tail = reader->scan;
	return tail > reader->next ? tail - reader->next : 0;
}

int flux_ring_get_reader(const struct flux_ring *ring, uint32_t id, struct flux_ring_reader_info *info)
{
	bool multi = flux_ring_is(ring, FLUX_RING_MULTI);
	const struct flux_ring_seat *seat;
	uint64_t tail;
	uint32_t place;
	int rc = find(ring, id, &place);

	if (rc < 0)
		return rc;
	seat = &ring->readers[place];
	memset(info, 0, sizeof(*info));
	info->gate = __atomic_load_n(&seat->gate, __ATOMIC_ACQUIRE);
	tail = __atomic_load_n(multi ? &ring->head->claimed : &ring->head->cursor, __ATOMIC_ACQUIRE);
	info->lag = tail > info->gate ? tail - info->gate : 0;
	info->after = __atomic_load_n(&seat->after, __ATOMIC_RELAXED);
	info->flags = __atomic_load_n(&seat->flags, __ATOMIC_RELAXED);
	flux_ring_seat_name(seat, info->name);
	return 0;
}
