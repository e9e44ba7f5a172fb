/* SPDX-License-Identifier: MIT */
/* Places of readers and writers: taken and given back while others run, without a lock. */
#include "core/ring/ring.h"

/* Byte by byte, because somebody may be looking at the place. */
static void set_name(struct flux_ring_seat *seat, const char *name)
{
	size_t len = name ? strnlen(name, FLUX_RING_NAME - 1) : 0;

	for (size_t i = 0; i < FLUX_RING_NAME; i++)
		__atomic_store_n(&seat->name[i], i < len ? name[i] : 0, __ATOMIC_RELAXED);
}

void flux_ring_seat_name(const struct flux_ring_seat *seat, char name[FLUX_RING_NAME])
{
	for (size_t i = 0; i < FLUX_RING_NAME; i++)
		name[i] = __atomic_load_n(&seat->name[i], __ATOMIC_RELAXED);
	name[FLUX_RING_NAME - 1] = 0;
}

int flux_ring_seat_take(struct flux_ring *ring, uint32_t side, uint64_t not, const char *name)
{
	struct flux_ring_seat *seats = side == SIDE_READERS ? ring->readers : ring->writers;
	uint32_t n = side == SIDE_READERS ? ring->n_readers : ring->n_writers;
	uint32_t self = ring->peers ? ring->peers->self : 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t free = __atomic_load_n(&seats[i].holder, __ATOMIC_RELAXED);
		uint64_t mine = flux_ring_holder(flux_ring_holder_turn(free) + 1, self, SEAT_TAKING);

		/* A6: what the last holder did to the place; pairs with R6. */
		if (not >> i & 1 || flux_ring_holder_state(free) != SEAT_FREE ||
		    !__atomic_compare_exchange_n(&seats[i].holder, &free, mine, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		set_name(&seats[i], name);
		return (int)i;
	}
	return FLUX_EBUSY;
}

static uint64_t in_state(uint64_t holder, uint32_t state)
{
	return flux_ring_holder(flux_ring_holder_turn(holder), flux_ring_holder_member(holder), state);
}

uint64_t flux_ring_seat_use(struct flux_ring_seat *seat)
{
	uint64_t holder = in_state(__atomic_load_n(&seat->holder, __ATOMIC_RELAXED), SEAT_USED);

	/* R11: pairs with A11. */
	__atomic_store_n(&seat->holder, holder, __ATOMIC_RELEASE);
	return holder;
}

void flux_ring_seat_give(struct flux_ring_seat *seat)
{
	uint64_t holder = __atomic_load_n(&seat->holder, __ATOMIC_RELAXED);

	__atomic_store_n(&seat->after, 0, __ATOMIC_RELAXED);
	/* R6: pairs with A6. */
	__atomic_store_n(&seat->holder, flux_ring_holder(flux_ring_holder_turn(holder), 0, SEAT_FREE),
			 __ATOMIC_RELEASE);
}

bool flux_ring_gate_open(struct flux_ring *ring, uint32_t place)
{
	uint64_t bit = UINT64_C(1) << place;
	uint64_t was;

	/* R2, R7: pair with A2, A7. */
	__atomic_store_n(&ring->readers[place].gate, FLUX_RING_OPEN, __ATOMIC_RELEASE);
	was = __atomic_fetch_and(&ring->head->in, ~bit, __ATOMIC_RELEASE);
	return was & bit && !(was & ~bit);
}
