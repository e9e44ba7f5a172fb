/* SPDX-License-Identifier: MIT */
/* Looking at a ring that others use: fill level, who holds it, who has left a claim open. */
#include "core/base/bits.h"
#include "core/ring/ring.h"

/* The writer whose open claim is the oldest: readers wait for it. */
static uint32_t stuck(const struct flux_ring *ring)
{
	uint64_t oldest = UINT64_MAX;
	uint32_t who = UINT32_MAX;

	for (uint32_t i = 0; i < ring->n_writers; i++) {
		const struct flux_ring_seat *seat = &ring->writers[i];
		/* A10: pairs with the release of zero in multi.c. */
		uint64_t count = __atomic_load_n(&seat->count, __ATOMIC_ACQUIRE);
		uint64_t at = __atomic_load_n(&seat->gate, __ATOMIC_RELAXED);

		if (!count || at >= oldest || at >= __atomic_load_n(&ring->head->claimed, __ATOMIC_RELAXED))
			continue;
		oldest = at;
		who = i;
	}
	return who;
}

static uint32_t in_use(const struct flux_ring_seat *seats, uint32_t n)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < n; i++)
		used += flux_ring_holder_state(__atomic_load_n(&seats[i].holder, __ATOMIC_RELAXED)) == SEAT_USED;
	return used;
}

void flux_ring_get_info(const struct flux_ring *ring, struct flux_ring_info *info)
{
	const struct flux_ring_head *head = ring->head;
	bool multi = flux_ring_is(ring, FLUX_RING_MULTI);
	uint32_t seat = UINT32_MAX;
	struct flux_ring_pair pair;
	uint64_t low;

	memset(info, 0, sizeof(*info));
	low = flux_ring_lowest(ring, &seat);
	if (low == FLUX_RING_OPEN)
		low = __atomic_load_n(&head->left, __ATOMIC_ACQUIRE);
	info->published = __atomic_load_n(multi ? &head->claimed : &head->cursor, __ATOMIC_ACQUIRE);
	if (flux_ring_is(ring, FLUX_RING_LOSSY))
		low = __atomic_load_n(&head->floor, __ATOMIC_ACQUIRE);
	flux_ring_where(ring, &pair);
	info->capacity = pair.now.capacity;
	info->oldest = low;
	info->free = flux_ring_free(info->published, flux_max_u64(low, pair.now.from), info->capacity);
	info->used = info->capacity + pair.old.capacity - flux_ring_free(info->published, low, info->capacity + pair.old.capacity);
	info->highest = __atomic_load_n(&head->highest, __ATOMIC_RELAXED);
	info->aborted = __atomic_load_n(&head->aborted, __ATOMIC_RELAXED);
	info->lost = __atomic_load_n(&head->lost, __ATOMIC_RELAXED);
	info->died = __atomic_load_n(&head->died, __ATOMIC_RELAXED);
	info->evicted = __atomic_load_n(&head->evicted, __ATOMIC_RELAXED);
	info->closed = __atomic_load_n(&head->closed, __ATOMIC_RELAXED);
	info->readers = in_use(ring->readers, ring->n_readers);
	info->writers = in_use(ring->writers, ring->n_writers);
	info->flags = ring->flags & FLUX_RING_CALLERS;
	info->stuck = multi ? stuck(ring) : UINT32_MAX;
	info->gating = UINT32_MAX;
	if (seat == UINT32_MAX)
		return;
	info->gating = flux_ring_id(seat, __atomic_load_n(&ring->readers[seat].holder, __ATOMIC_RELAXED));
	flux_ring_seat_name(&ring->readers[seat], info->name);
}
