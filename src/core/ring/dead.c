/* SPDX-License-Identifier: MIT */
/*
 * Cleaning up after parties that died. Who is dead is told by flux_ring_peers; one of the living makes
 * the place his own, undoes what is in the way, and gives the place back. One that dies at that is
 * dead as well, and the next one does it all once more.
 */
#include "core/ring/ring.h"

/* Not more often: asking costs a system call for each party. */
#define MIND_NS FLUX_MS(10)

bool flux_ring_is_dead(const struct flux_ring *ring, uint64_t holder)
{
	uint32_t member = flux_ring_holder_member(holder);

	if (!ring->peers || flux_ring_holder_state(holder) == SEAT_FREE || !member || member == ring->peers->self)
		return false;
	return ring->peers->alive(ring->peers->ctx, member) == 0;
}

/* Make the place of a dead party ours to clean up. */
static bool seize(struct flux_ring *ring, struct flux_ring_seat *seat, uint64_t holder)
{
	uint64_t mine =
		flux_ring_holder(flux_ring_holder_turn(holder), ring->peers->self, SEAT_CLEARING);

	return __atomic_compare_exchange_n(&seat->holder, &holder, mine, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static void release(struct flux_ring *ring, struct flux_ring_seat *seat)
{
	__atomic_fetch_add(&ring->head->died, 1, __ATOMIC_RELAXED);
	flux_ring_seat_give(seat);
}

static bool bury_writer(struct flux_ring *ring, uint32_t place)
{
	struct flux_ring_seat *seat = &ring->writers[place];
	uint64_t holder = __atomic_load_n(&seat->holder, __ATOMIC_ACQUIRE);
	uint64_t skipped = 0;

	if (!flux_ring_is_dead(ring, holder))
		return false;
	if (flux_ring_is(ring, FLUX_RING_MULTI) && !flux_ring_settle(ring, place, &skipped))
		return false;
	if (!seize(ring, seat, holder))
		return false;
	flux_ring_note(ring, FLUX_RING_WRITER_DIED, flux_ring_id(place, holder), seat, skipped);
	__atomic_store_n(&seat->count, 0, __ATOMIC_RELEASE);
	release(ring, seat);
	return true;
}

/* What a shared reader took and did not release. */
static uint64_t taken_by(const struct flux_ring *ring, const struct flux_ring_seat *seat)
{
	uint64_t gate = __atomic_load_n(&seat->gate, __ATOMIC_RELAXED);
	uint64_t end = __atomic_load_n(&seat->count, __ATOMIC_RELAXED);

	/* Noted before it was taken: it may have been another's. */
	if (!flux_ring_is(ring, FLUX_RING_SHARE) || gate >= end || end - gate > ring->capacity ||
	    __atomic_load_n(&ring->head->taken, __ATOMIC_ACQUIRE) < end)
		return 0;
	return end - gate;
}

static bool bury_reader(struct flux_ring *ring, uint32_t place)
{
	struct flux_ring_seat *seat = &ring->readers[place];
	uint64_t holder = __atomic_load_n(&seat->holder, __ATOMIC_ACQUIRE);
	uint64_t gate, lost;
	bool last;

	if (!flux_ring_is_dead(ring, holder) || !seize(ring, seat, holder))
		return false;
	gate = __atomic_load_n(&seat->gate, __ATOMIC_ACQUIRE);
	lost = taken_by(ring, seat);
	flux_ring_note(ring, FLUX_RING_READER_DIED, flux_ring_id(place, holder), seat, lost);
	__atomic_fetch_add(&ring->head->lost, lost, __ATOMIC_RELAXED);
	/* As if it had left: R7. */
	if (gate != FLUX_RING_OPEN && !flux_ring_is(ring, FLUX_RING_SHARE))
		flux_ring_raise(&ring->head->left, gate, __ATOMIC_RELEASE);
	last = flux_ring_gate_open(ring, place);
	if (last)
		flux_ring_note(ring, FLUX_RING_NO_READERS, flux_ring_id(place, holder), seat, 0);
	release(ring, seat);
	return true;
}

int flux_ring_tend(struct flux_ring *ring)
{
	int n = 0;

	if (!ring->peers)
		return 0;
	if (ring->read_only)
		return FLUX_EPERM;
	for (uint32_t i = 0; i < ring->n_writers; i++)
		n += bury_writer(ring, i);
	for (uint32_t i = 0; i < ring->n_readers; i++)
		n += bury_reader(ring, i);
	if (n) {
		flux_ring_wake_all(ring, &ring->head->data);
		flux_ring_wake_all(ring, &ring->head->room);
	}
	return n;
}

bool flux_ring_mind(struct flux_ring *ring)
{
	uint64_t now, last;

	if (!ring->peers || !ring->wait || ring->read_only)
		return false;
	now = ring->wait->now(ring->wait->ctx);
	last = __atomic_load_n(&ring->tended, __ATOMIC_RELAXED);
	if (now - last < MIND_NS || !__atomic_compare_exchange_n(&ring->tended, &last, now, false,
								 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	return flux_ring_tend(ring) > 0;
}
