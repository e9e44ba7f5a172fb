/* SPDX-License-Identifier: MIT */
/*
 * A ring that grows and shrinks: only its slots move, to a region of another size, from one sequence
 * on. What lies below stays where it is until the last reader has released it, so there are two
 * regions at most, and a sequence tells which one it is in.
 */
#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/ring/ring.h"

/* Where to look; the pair of the last turn holds, the other one is the next to be written. */
struct flux_ring_regions {
	uint64_t turn;
	struct flux_ring_pair pairs[2];
	uint64_t most; /* slots */
};

/* ---- Which region ---- */

void flux_ring_where(const struct flux_ring *ring, struct flux_ring_pair *pair)
{
	const struct flux_ring_regions *regions = ring->regions;
	uint64_t turn;

	if (!regions) {
		*pair = (struct flux_ring_pair){ .now = { 0, ring->capacity, ring->data } };
		return;
	}
	do {
		const struct flux_ring_pair *there;

		/* A17: pairs with R17. Each member too, so that the second look at the turn comes last. */
		turn = __atomic_load_n(&regions->turn, __ATOMIC_ACQUIRE);
		there = &regions->pairs[turn & 1];
		pair->now.from = __atomic_load_n(&there->now.from, __ATOMIC_ACQUIRE);
		pair->now.capacity = __atomic_load_n(&there->now.capacity, __ATOMIC_ACQUIRE);
		pair->now.data = __atomic_load_n(&there->now.data, __ATOMIC_ACQUIRE);
		pair->old.from = __atomic_load_n(&there->old.from, __ATOMIC_ACQUIRE);
		pair->old.capacity = __atomic_load_n(&there->old.capacity, __ATOMIC_ACQUIRE);
		pair->old.data = __atomic_load_n(&there->old.data, __ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&regions->turn, __ATOMIC_RELAXED) != turn);
}

uint64_t flux_ring_enter(struct flux_ring_reader *reader, uint64_t at, uint64_t end)
{
	const struct flux_ring_region *in;
	struct flux_ring_pair pair;

	flux_ring_where(reader->ring, &pair);
	in = at < pair.now.from ? &pair.old : &pair.now;
	reader->data = in->data;
	reader->mask = in->capacity - 1;
	return in == &pair.old ? flux_min_u64(end, pair.now.from) : end;
}

/* ---- Moving ---- */

/* The writer's: the other pair first, then the turn. Who copies one that is written looks again. */
static void set(struct flux_ring_regions *regions, const struct flux_ring_region *now,
		const struct flux_ring_region *old)
{
	uint64_t turn = regions->turn + 1;
	struct flux_ring_pair *pair = &regions->pairs[turn & 1];

	__atomic_store_n(&pair->now.from, now->from, __ATOMIC_RELEASE);
	__atomic_store_n(&pair->now.capacity, now->capacity, __ATOMIC_RELEASE);
	__atomic_store_n(&pair->now.data, now->data, __ATOMIC_RELEASE);
	__atomic_store_n(&pair->old.from, old->from, __ATOMIC_RELEASE);
	__atomic_store_n(&pair->old.capacity, old->capacity, __ATOMIC_RELEASE);
	__atomic_store_n(&pair->old.data, old->data, __ATOMIC_RELEASE);
	/* R17: the pair before its turn, and both before what is published into the region (R1). */
	__atomic_store_n(&regions->turn, turn, __ATOMIC_RELEASE);
}

/* The first region lies in the block, and is used again when the ring has that size again. */
static uint8_t *take(const struct flux_ring *ring, uint64_t capacity)
{
	if (capacity == ring->capacity)
		return ring->data;
	return flux_mem_take(ring->mem, (size_t)capacity, ring->slot);
}

static void give(const struct flux_ring *ring, const struct flux_ring_region *region)
{
	if (region->data != ring->data)
		flux_mem_give(ring->mem, region->data, (size_t)region->capacity, ring->slot);
}

bool flux_ring_tidy(struct flux_ring *ring)
{
	static const struct flux_ring_region none;
	struct flux_ring_pair pair;

	flux_ring_where(ring, &pair);
	if (!pair.old.data)
		return true;
	/* Readers are past it, and nobody joins before its end: as if it were overwritten. */
	if (!flux_ring_is_passed(ring, pair.now.from))
		return false;
	set(ring->regions, &pair.now, &none);
	give(ring, &pair.old);
	return true;
}

int flux_ring_resize(struct flux_ring_writer *writer, uint32_t capacity)
{
	struct flux_ring *ring = writer->ring;
	struct flux_ring_region to = { writer->next, capacity, NULL };
	struct flux_ring_pair pair;

	if (!ring->regions)
		return FLUX_ENOTSUP;
	if (!flux_is_pow2(capacity) || capacity < 2 || capacity > ring->regions->most)
		return FLUX_EINVAL;
	if (writer->end != writer->next)
		return FLUX_EBUSY;
	if (!flux_ring_tidy(ring))
		return FLUX_EAGAIN;
	flux_ring_where(ring, &pair);
	if (capacity == pair.now.capacity)
		return 0;
	to.data = take(ring, capacity);
	if (!to.data)
		return FLUX_ENOMEM;
	set(ring->regions, &to, &pair.now);
	writer->data = to.data;
	writer->mask = capacity - 1;
	writer->limit = writer->next; /* the room there is, a look tells */
	writer->room = writer->next;
	return 0;
}

/* ---- Beginning and end ---- */

int flux_ring_regions_create(struct flux_ring *ring, uint32_t most)
{
	ring->regions = flux_mem_take_zeroed(ring->mem, 1, sizeof(*ring->regions));
	if (!ring->regions)
		return FLUX_ENOMEM;
	ring->regions->most = most;
	ring->regions->pairs[0].now = (struct flux_ring_region){ 0, ring->capacity, ring->data };
	return 0;
}

void flux_ring_regions_destroy(struct flux_ring *ring)
{
	struct flux_ring_pair pair;

	if (!ring->regions)
		return;
	flux_ring_where(ring, &pair);
	give(ring, &pair.now);
	if (pair.old.data)
		give(ring, &pair.old);
	flux_mem_give(ring->mem, ring->regions, 1, sizeof(*ring->regions));
}
