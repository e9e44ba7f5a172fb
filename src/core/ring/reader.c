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
		int place = flux_ring_seat_take(ring->readers, ring->n_readers, not, name);

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
	const struct flux_ring_seat *seat;

	*place = id & 0xff;
	if (*place >= ring->n_readers)
		return FLUX_EINVAL;
	seat = &ring->readers[*place];
	/* A11: pairs with R11. */
	if (__atomic_load_n(&seat->state, __ATOMIC_ACQUIRE) != SEAT_USED ||
	    (__atomic_load_n(&seat->turn, __ATOMIC_RELAXED) & 0xffffff) != id >> 8)
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
	for (;;) {
		__atomic_store_n(&seat->gate, at, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* F2: pairs with F1 in room.c */
		floor = __atomic_load_n(&head->floor, __ATOMIC_ACQUIRE);
		if (floor <= at)
			return at;
		at = floor;
	}
}

/* Several producers: the first claim from `at` on that is published whole, else where the next begins. */
static uint64_t first_claim(const struct flux_ring *ring, uint64_t at)
{
	uint64_t end = __atomic_load_n(&ring->head->claimed, __ATOMIC_ACQUIRE);

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
	reader->slow = flux_ring_is(ring, FLUX_RING_SHARE) ||
		       (flux_ring_is(ring, FLUX_RING_RECORDS) && flux_ring_is(ring, FLUX_RING_SUMS));
	reader->pace = (struct flux_ring_pace){ cfg->wait, cfg->spins, cfg->nap_ns, 0 };
}

int flux_ring_reader_join(struct flux_ring_reader *reader, struct flux_ring *ring,
			  const struct flux_ring_reader_cfg *cfg)
{
	struct flux_ring_reader_cfg known = { .size = sizeof(known) };
	struct flux_ring_seat *seat;
	uint32_t flags, seats = 0;
	int rc = cfg ? flux_ring_cfg_read(&known, sizeof(known), cfg) : 0;
	int place;

	if (rc == 0)
		rc = check(ring, &known, &flags);
	if (rc < 0)
		return rc;
	place = take_place(ring, known.name);
	if (place < 0)
		return place;
	seat = &ring->readers[place];
	fill(reader, ring, &known, (uint32_t)place, flags);
	__atomic_store_n(&seat->flags, flags, __ATOMIC_RELAXED);
	rc = wait_for(reader, &known);
	if (rc == 0)
		rc = flux_ring_pace_init(ring, &reader->pace, SIDE_READERS, (uint32_t)place,
					 flux_ring_is(ring, reader->after ? FLUX_RING_WRITERS_SLEEP :
									    FLUX_RING_READERS_SLEEP));
	if (rc < 0) {
		flux_ring_seat_give(seat);
		return rc;
	}
	while (seats <= (uint32_t)place &&
	       !__atomic_compare_exchange_n(&ring->head->seats, &seats, (uint32_t)place + 1, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	reader->start = start(reader, known.start == FLUX_RING_NOW);
	reader->next = reader->limit = reader->scan = reader->read = reader->start;
	/* R11: pairs with A11. */
	__atomic_store_n(&seat->state, SEAT_USED, __ATOMIC_RELEASE);
	return 0;
}

void flux_ring_reader_leave(struct flux_ring_reader *reader)
{
	struct flux_ring *ring = reader->ring;

	/* R7: where we were, before the gate opens; pairs with A7, the acquire of the gate in room.c. */
	if (!(reader->flags & FLUX_READER_LOSSY) && !flux_ring_is(ring, FLUX_RING_SHARE))
		flux_ring_raise(&ring->head->left, reader->next, __ATOMIC_RELEASE);
	__atomic_store_n(reader->gate, FLUX_RING_OPEN, __ATOMIC_RELEASE);
	flux_ring_seat_give(&ring->readers[reader->seat]);
	if (reader->bell)
		flux_ring_bell_(ring, reader->bell);
}

uint32_t flux_ring_reader_id(const struct flux_ring_reader *reader)
{
	return reader->seat | (reader->ring->readers[reader->seat].turn & 0xffffff) << 8;
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
	for (size_t i = 0; i < FLUX_RING_NAME; i++)
		info->name[i] = __atomic_load_n(&seat->name[i], __ATOMIC_RELAXED);
	info->name[FLUX_RING_NAME - 1] = 0;
	return 0;
}
