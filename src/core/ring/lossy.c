/* SPDX-License-Identifier: MIT */
/*
 * Lossy reading: the writer never waits, and says beforehand what it will overwrite by raising the
 * floor; a reader copies, then looks at the floor: what lies below may be torn and is not delivered.
 */
#include "core/base/bits.h"
#include "core/base/crc32c.h"
#include "core/ring/ring.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(UNDER_TSAN)
#define UNDER_TSAN_ATTR __attribute__((no_sanitize_thread, noinline))
#define LOAD(ptr)       (*(const volatile __typeof__(*(ptr)) *)(ptr))
#else
#define UNDER_TSAN_ATTR
#define LOAD(ptr) __atomic_load_n(ptr, __ATOMIC_RELAXED)
#endif

int flux_ring_lossy_room(struct flux_ring_writer *writer, uint32_t most)
{
	struct flux_ring_head *head = writer->ring->head;
	uint64_t capacity = writer->ring->capacity;
	uint64_t limit;

	if (most > capacity / 2)
		return FLUX_EINVAL;
	/* In steps of an eighth, so that the floor's line is seldom written. */
	limit = writer->next + flux_max_u64(capacity / 8, most);
	if (limit > capacity)
		flux_ring_raise(&head->floor, limit - capacity, __ATOMIC_RELAXED);
	/* R8: the floor before what is written over the slots below it; pairs with A8. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	writer->limit = limit;
	return (int)most;
}

/*
 * Copy what a writer may be writing at this moment. The loads are atomic, so that each is at least
 * what somebody stored; the sanitizer is told not to mind, because A8 throws away what was torn.
 */
UNDER_TSAN_ATTR static void copy_racing(uint8_t *to, const uint8_t *from, size_t bytes)
{
	size_t i = 0;

	if ((uintptr_t)from % sizeof(uint64_t) == 0)
		for (; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t)) {
			uint64_t v = LOAD((const uint64_t *)(const void *)(from + i));

			__builtin_memcpy(to + i, &v, sizeof(v));
		}
	for (; i < bytes; i++)
		to[i] = LOAD(from + i);
}

UNDER_TSAN_ATTR static uint32_t sum_racing(const uint32_t *sum)
{
	return LOAD(sum);
}

/* Copy `n` items from reader->next on; how many have their checksum, counted up to the first without. */
static uint64_t copy(const struct flux_ring_reader *reader, uint64_t n, uint8_t *items)
{
	const struct flux_ring *ring = reader->ring;
	uint64_t good = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = (reader->next + i) & ring->mask;

		copy_racing(items + i * ring->slot, ring->data + at * ring->slot, ring->slot);
		if (good < i)
			continue;
		if (!flux_ring_is(ring, FLUX_RING_SUMS) ||
		    flux_crc32c(0, items + i * ring->slot, ring->slot) == sum_racing(&ring->sums[at]))
			good++;
	}
	return good;
}

/* Laps during one call, beyond which it says "nothing now". */
#define LAPS 64

int flux_ring_lossy_copy(struct flux_ring_reader *reader, uint32_t n, void *items, uint64_t *missed)
{
	const struct flux_ring_head *head = reader->ring->head;
	uint64_t most = flux_min_u64(flux_min_u32(n, reader->batch), flux_max_u64(reader->ring->capacity / 8, 1));
	bool closed = flux_ring_is_closed(reader->ring);
	uint64_t from = reader->next;

	for (uint32_t lap = 0; lap < LAPS; lap++) {
		uint64_t floor = __atomic_load_n(&head->floor, __ATOMIC_RELAXED);
		/* A1: pairs with R1. */
		uint64_t cursor = __atomic_load_n(&head->cursor, __ATOMIC_ACQUIRE);
		uint64_t good;

		/* Lapped: go on in the middle of what is kept, not where it is overwritten next. */
		if (reader->next < floor)
			reader->next = cursor > floor ? floor + (cursor - floor) / 2 : floor;
		n = (uint32_t)flux_min_u64(most, cursor > reader->next ? cursor - reader->next : 0);
		good = copy(reader, n, items);
		/* A8: the copy before the second look at the floor; pairs with R8, F1. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&head->floor, __ATOMIC_RELAXED) > reader->next)
			continue;
		reader->bad = n && !good;
		if (reader->bad)
			return FLUX_EBADMSG;
		*missed = reader->next - from;
		reader->missed += *missed;
		reader->next += good;
		reader->limit = reader->scan = reader->next;
		if (!n && closed && !*missed)
			return FLUX_ECLOSED;
		return (int)good;
	}
	*missed = reader->next - from;
	reader->missed += *missed;
	reader->limit = reader->scan = reader->next;
	return 0;
}
