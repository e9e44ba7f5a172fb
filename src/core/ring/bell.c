/* SPDX-License-Identifier: MIT */
/* Doorbells: nobody is called while nobody sleeps, and no sleeper is forgotten. */
#include "core/ring/ring.h"

uint32_t flux_ring_arm(struct flux_ring_bell *bell)
{
	/* R12: the bit in bell->fds before the mark; pairs with A12. */
	uint32_t word = __atomic_fetch_or(&bell->word, 1, __ATOMIC_RELEASE) | 1;

	/*
	 * B2: between the mark and the second look of the one who goes to sleep; pairs with B1, between
	 * the other side's store and its look at the mark. One of the two sees the other.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return word;
}

int flux_ring_fd(struct flux_ring *ring, uint32_t side, uint32_t seat, bool mine)
{
	int32_t *slot = &ring->fds[side][seat];
	int32_t none = 0;
	int whose = !flux_ring_is(ring, FLUX_RING_PROCESSES) ? FLUX_BELL_HERE :
		    mine                                     ? FLUX_BELL_MINE :
							       FLUX_BELL_THEIRS;
	int fd;

	/* A place keeps its descriptor: one who rings an old holder must not hit a stranger's file. */
	if (__atomic_load_n(slot, __ATOMIC_RELAXED))
		return 0;
	fd = ring->wait->fd_open(ring->wait->ctx, side * FLUX_RING_SEATS + seat, whose);
	if (fd < 0)
		return fd;
	if (!__atomic_compare_exchange_n(slot, &none, fd + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		ring->wait->fd_close(ring->wait->ctx, fd);
	return 0;
}

static void ring_fds(struct flux_ring *ring, struct flux_ring_bell *bell, uint32_t side)
{
	uint64_t mask = __atomic_exchange_n(&bell->fds[side], 0, __ATOMIC_ACQUIRE);

	for (; mask; mask &= mask - 1) {
		uint32_t seat = (uint32_t)__builtin_ctzll(mask);
		int32_t fd;

		if (flux_ring_is(ring, FLUX_RING_PROCESSES))
			(void)flux_ring_fd(ring, side, seat, false);
		fd = __atomic_load_n(&ring->fds[side][seat], __ATOMIC_RELAXED);
		if (fd)
			ring->wait->fd_ring(ring->wait->ctx, fd - 1);
	}
}

void flux_ring_wake_(struct flux_ring *ring, struct flux_ring_bell *bell)
{
	uint32_t word = __atomic_load_n(&bell->word, __ATOMIC_RELAXED);

	do {
		if (!(word & 1))
			return; /* another one wakes them */
				/* A12: pairs with R12. */
	} while (!__atomic_compare_exchange_n(&bell->word, &word, word + 1, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	if (!ring->wait)
		return;
	ring->wait->wake(ring->wait->ctx, &bell->word, flux_ring_is(ring, FLUX_RING_PROCESSES));
	ring_fds(ring, bell, SIDE_READERS);
	ring_fds(ring, bell, SIDE_WRITERS);
}

void flux_ring_wake_all(struct flux_ring *ring, struct flux_ring_bell *bell)
{
	/* Where nobody may sleep the word stays as it is. */
	if (!flux_ring_is(ring, bell == &ring->head->data ? FLUX_RING_READERS_SLEEP : FLUX_RING_WRITERS_SLEEP))
		return;
	__atomic_fetch_or(&bell->word, 1, __ATOMIC_SEQ_CST);
	flux_ring_wake_(ring, bell);
}

void flux_ring_close(struct flux_ring *ring)
{
	/* R9: pairs with A9 in room.c. */
	__atomic_store_n(&ring->head->closed, 1, __ATOMIC_RELEASE);
	flux_ring_wake_all(ring, &ring->head->data);
	flux_ring_wake_all(ring, &ring->head->room);
}
