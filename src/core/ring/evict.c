/* SPDX-License-Identifier: MIT */
/*
 * Readers that hold the writers for longer than they may. An evicted one keeps its place until it
 * leaves or dies, so whatever it still writes there concerns nobody; only its gate no longer counts.
 */
#include "core/base/bits.h"
#include "core/ring/ring.h"

/* The reader that the others wait for: of those at the lowest gate, one that waits for none of them. */
static uint32_t culprit(const struct flux_ring *ring, uint32_t place, uint64_t gate)
{
	for (uint32_t steps = 0; steps < FLUX_RING_SEATS; steps++) {
		uint64_t after = __atomic_load_n(&ring->readers[place].after, __ATOMIC_RELAXED);
		uint32_t before = place;

		for (; after; after &= after - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(after);

			if (i < ring->n_readers &&
			    __atomic_load_n(&ring->readers[i].gate, __ATOMIC_ACQUIRE) <= gate)
				place = i;
		}
		if (place == before)
			break;
	}
	return place;
}

static bool evict(struct flux_ring *ring, uint32_t place, uint64_t holder, uint64_t gate)
{
	struct flux_ring_seat *seat = &ring->readers[place];
	uint64_t out = flux_ring_holder(flux_ring_holder_turn(holder), flux_ring_holder_member(holder),
					SEAT_EVICTED);

	/* R7: where it was, if it was the last one. */
	if (!flux_ring_is(ring, FLUX_RING_SHARE))
		flux_ring_raise(&ring->head->left, gate, __ATOMIC_RELEASE);
	/* R15: before anything is written over what it may be reading (F1); pairs with A15. */
	if (!__atomic_compare_exchange_n(&seat->holder, &holder, out, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return false;
	__atomic_fetch_add(&ring->head->evicted, 1, __ATOMIC_RELAXED);
	flux_ring_note(ring, FLUX_RING_READER_EVICTED, flux_ring_id(place, holder), seat, 0);
	/* Readers that waited for it are in the room's bell; other writers are as well. */
	flux_ring_wake_all(ring, &ring->head->room);
	return true;
}

bool flux_ring_evict(struct flux_ring_writer *writer)
{
	struct flux_ring *ring = writer->ring;
	uint32_t place = UINT32_MAX, id;
	uint64_t gate, holder, patience, now;

	if (!__atomic_load_n(&ring->head->evictable, __ATOMIC_RELAXED) || !ring->wait)
		return false;
	gate = flux_ring_lowest(ring, &place);
	if (place == UINT32_MAX)
		return false;
	place = culprit(ring, place, gate);
	holder = __atomic_load_n(&ring->readers[place].holder, __ATOMIC_ACQUIRE);
	patience = __atomic_load_n(&ring->readers[place].patience, __ATOMIC_RELAXED);
	now = ring->wait->now(ring->wait->ctx);
	id = flux_ring_id(place, holder);
	if (!patience || flux_ring_holder_state(holder) != SEAT_USED || writer->stall_id != id ||
	    writer->stall_gate != gate || !writer->stall_since) {
		writer->stall_id = id;
		writer->stall_gate = gate;
		writer->stall_since = now;
		return false;
	}
	if (now - writer->stall_since < patience)
		return false;
	writer->stall_since = 0;
	return evict(ring, place, holder, gate);
}

bool flux_ring_is_evicted(const struct flux_ring_reader *reader)
{
	/* A15: what was read before is whole if this is not seen; pairs with R15. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&reader->ring->readers[reader->seat].holder, __ATOMIC_RELAXED) !=
	       reader->holder;
}
