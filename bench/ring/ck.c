/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's ring in the comparison: items in the ring, one at a time, by its typed form. */
#include <ck_ring.h>

#include <stdlib.h>

#include "lib/bench.h"
#include "ring/work.h"

struct item8 {
	char bytes[8];
};
struct item64 {
	char bytes[64];
};
struct item128 {
	char bytes[128];
};

CK_RING_PROTOTYPE(item8, item8)
CK_RING_PROTOTYPE(item64, item64)
CK_RING_PROTOTYPE(item128, item128)

struct ck_made {
	ck_ring_t ring;
	void *items;
};

#define BODIES(name)                                                                                 \
	static uint64_t write_##name(const struct work *work, void *at, uint32_t me)                 \
	{                                                                                            \
		struct ck_made *made = at;                                                           \
		uint64_t number, end = work_part(work, me, &number);                                 \
                                                                                                     \
		for (end += number; number < end; number++) {                                        \
			struct name item;                                                            \
			uint32_t round = 0;                                                          \
                                                                                                     \
			work_fill(&item, sizeof(item), number);                                      \
			if (work->writers == 1)                                                      \
				while (!CK_RING_ENQUEUE_SPSC(name, &made->ring, made->items, &item)) \
					work_back_off(work, &round);                                 \
			else                                                                         \
				while (!CK_RING_ENQUEUE_MPSC(name, &made->ring, made->items, &item)) \
					work_back_off(work, &round);                                 \
		}                                                                                    \
		return 0;                                                                            \
	}                                                                                            \
	static uint64_t read_##name(const struct work *work, void *at, uint32_t me)                  \
	{                                                                                            \
		struct ck_made *made = at;                                                           \
		uint64_t total = work->count / work->writers * work->writers, sum = 0;               \
                                                                                                     \
		(void)me;                                                                            \
		for (uint64_t i = 0; i < total; i++) {                                               \
			struct name item;                                                            \
			uint32_t round = 0;                                                          \
                                                                                                     \
			while (!CK_RING_DEQUEUE_SPSC(name, &made->ring, made->items, &item))         \
				work_back_off(work, &round);                                         \
			sum += work_sum(&item, sizeof(item));                                        \
		}                                                                                    \
		return sum;                                                                          \
	}

BODIES(item8)
BODIES(item64)
BODIES(item128)

double ck_run(const struct work *work, uint64_t *sum)
{
	struct ck_made made;
	double seconds;

	if (work->readers > 1 || (work->slot != 8 && work->slot != 64 && work->slot != 128))
		return -1;
	made.items = aligned_alloc(128, (size_t)work->capacity * work->slot + 128);
	if (!made.items)
		bench_die("memory");
	ck_ring_init(&made.ring, work->capacity);
	seconds = work_run(work, &made,
			   work->slot == 8 ? write_item8 : work->slot == 64 ? write_item64 :
									      write_item128,
			   work->slot == 8 ? read_item8 : work->slot == 64 ? read_item64 :
									     read_item128,
			   sum);
	free(made.items);
	return seconds;
}
