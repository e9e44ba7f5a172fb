/* SPDX-License-Identifier: MIT */
/* A short log of what happened to the parties of a ring, for all who look, also after everybody died. */
#include "core/ring/ring.h"

void flux_ring_note(struct flux_ring *ring, uint32_t what, uint32_t who, const struct flux_ring_seat *seat,
		    uint64_t count)
{
	uint64_t number = __atomic_fetch_add(&ring->head->noted, 1, __ATOMIC_RELAXED);
	struct flux_ring_note *note = &ring->head->notes[number % FLUX_RING_NOTES];

	__atomic_store_n(&note->number, 0, __ATOMIC_RELAXED);
	/* R13: the mark before the content; pairs with A13, the second look. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&note->what, what, __ATOMIC_RELAXED);
	__atomic_store_n(&note->who, who, __ATOMIC_RELAXED);
	__atomic_store_n(&note->seq, __atomic_load_n(&seat->gate, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	__atomic_store_n(&note->count, count, __ATOMIC_RELAXED);
	for (size_t i = 0; i < FLUX_RING_NAME; i++)
		__atomic_store_n(&note->name[i], __atomic_load_n(&seat->name[i], __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
	/* R14: the content before its number; pairs with A14, the first look. */
	__atomic_store_n(&note->number, number + 1, __ATOMIC_RELEASE);
}

/* Copy the note of this number; false if it is not there, or no longer. */
static bool copy(const struct flux_ring *ring, uint64_t number, struct flux_ring_note *to)
{
	const struct flux_ring_note *note = &ring->head->notes[number % FLUX_RING_NOTES];

	if (__atomic_load_n(&note->number, __ATOMIC_ACQUIRE) != number + 1) /* A14 */
		return false;
	to->number = number + 1;
	to->what = __atomic_load_n(&note->what, __ATOMIC_RELAXED);
	to->who = __atomic_load_n(&note->who, __ATOMIC_RELAXED);
	to->seq = __atomic_load_n(&note->seq, __ATOMIC_RELAXED);
	to->count = __atomic_load_n(&note->count, __ATOMIC_RELAXED);
	for (size_t i = 0; i < FLUX_RING_NAME; i++)
		to->name[i] = __atomic_load_n(&note->name[i], __ATOMIC_RELAXED);
	to->name[FLUX_RING_NAME - 1] = 0;
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* A13 */
	return __atomic_load_n(&note->number, __ATOMIC_RELAXED) == number + 1;
}

int flux_ring_note_next(const struct flux_ring *ring, uint64_t *cursor, struct flux_ring_note *note)
{
	uint64_t noted = __atomic_load_n(&ring->head->noted, __ATOMIC_ACQUIRE);

	if (noted - *cursor > FLUX_RING_NOTES)
		*cursor = noted - FLUX_RING_NOTES;
	while (*cursor < noted) {
		if (copy(ring, *cursor, note)) {
			++*cursor;
			return 1;
		}
		/* The newest may be half written; an older one that is not there stays so. */
		if (*cursor + 1 == noted)
			break;
		++*cursor;
	}
	return 0;
}
