/* SPDX-License-Identifier: MIT */
/* The writers' look at the readers: the lowest gate, and the floor that keeps joining readers safe. */
#include "core/base/bits.h"
#include "core/ring/ring.h"

bool flux_ring_is_out(const struct flux_ring *ring, uint32_t place)
{
	if (!__atomic_load_n(&ring->head->evictable, __ATOMIC_RELAXED))
		return false;
	return flux_ring_holder_state(__atomic_load_n(&ring->readers[place].holder, __ATOMIC_ACQUIRE)) ==
	       SEAT_EVICTED;
}

uint64_t flux_ring_lowest(const struct flux_ring *ring, uint32_t *place)
{
	uint64_t low = FLUX_RING_OPEN;
	uint64_t in;

	/*
	 * A4: before the gates. Whoever took items below had set his gate before (R4 in share.c), so
	 * the look at the gates cannot miss him.
	 */
	if (flux_ring_is(ring, FLUX_RING_SHARE))
		low = __atomic_load_n(&ring->head->taken, __ATOMIC_ACQUIRE);
	/* A7: who left raised `left` before; pairs with R7. */
	in = __atomic_load_n(&ring->head->in, __ATOMIC_ACQUIRE);
	for (; in; in &= in - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(in);
		uint64_t gate;

		if (i >= ring->n_readers)
			break;
		/* A2: pairs with R2, the release of items. */
		gate = __atomic_load_n(&ring->readers[i].gate, __ATOMIC_ACQUIRE);
		if (gate >= low || flux_ring_is_out(ring, i))
			continue;
		low = gate;
		if (place)
			*place = i;
	}
	return low;
}

/* The lowest gate; when nobody holds anything, where the last readers were. */
static uint64_t held(const struct flux_ring *ring)
{
	uint64_t low = flux_ring_lowest(ring, NULL);

	/* Behind the gates: one who leaves raises it before he opens his gate (R7 in reader.c). */
	return low == FLUX_RING_OPEN ? __atomic_load_n(&ring->head->left, __ATOMIC_ACQUIRE) : low;
}

void flux_ring_look(struct flux_ring *ring, uint64_t *room, uint64_t tail)
{
	struct flux_ring_head *head = ring->head;
	uint64_t low = held(ring);
	struct flux_ring_pair pair;

	flux_ring_where(ring, &pair);
	/* A gate above the tail is nobody's: whatever stands there, there is no more room than slots. */
	low = flux_min_u64(low, tail);
	flux_ring_raise(&head->highest, flux_min_u64(tail - low, pair.now.capacity + pair.old.capacity),
			__ATOMIC_RELAXED);
	if (flux_max_u64(low, pair.now.from) + pair.now.capacity <= *room)
		return;
	/*
	 * The floor is raised before room is taken, and the gates are looked at once more: one who
	 * joins sets his gate and then looks at the floor, so one of the two sees the other. F1 pairs
	 * with F2 in reader.c. It also stands between the floor and what is written over the slots
	 * below it, for lossy readers: pairs with A8 in lossy.c.
	 */
	flux_ring_raise(&head->floor, low, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	low = flux_min_u64(low, held(ring));
	*room = flux_max_u64(*room, flux_max_u64(low, pair.now.from) + pair.now.capacity);
	if (pair.old.data)
		(void)flux_ring_tidy(ring);
}

bool flux_ring_is_passed(struct flux_ring *ring, uint64_t seq)
{
	if (held(ring) < seq)
		return false;
	/* As in flux_ring_look(): nobody joins below, or is seen to have. */
	flux_ring_raise(&ring->head->floor, seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* F1 */
	return held(ring) >= seq;
}

bool flux_ring_is_closed(const struct flux_ring *ring)
{
	/* A9: what was published before the ring was closed; pairs with R9 in bell.c. */
	return __atomic_load_n(&ring->head->closed, __ATOMIC_ACQUIRE);
}
