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

int flux_ring_seat_take(struct flux_ring_seat *seats, uint32_t n, uint64_t not, const char *name)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t free = SEAT_FREE;

		if (not >> i & 1 ||
		    /* A6: what the last holder did to the place; pairs with R6. */
		    !__atomic_compare_exchange_n(&seats[i].state, &free, SEAT_TAKING, false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&seats[i].turn, seats[i].turn + 1, __ATOMIC_RELAXED);
		set_name(&seats[i], name);
		return (int)i;
	}
	return FLUX_EBUSY;
}

void flux_ring_seat_give(struct flux_ring_seat *seat)
{
	__atomic_store_n(&seat->after, 0, __ATOMIC_RELAXED);
	/* R6: pairs with A6. */
	__atomic_store_n(&seat->state, SEAT_FREE, __ATOMIC_RELEASE);
}
