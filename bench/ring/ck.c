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
		struct back_off b = BACK_OFF_INIT;                                                   \
                                                                                                     \
		for (end += number; number < end; number++) {                                        \
			struct name item;                                                            \
                                                                                                     \
			work_fill(&item, sizeof(item), number);                                      \
			if (work->writers == 1)                                                      \
				while (!CK_RING_ENQUEUE_SPSC(name, &made->ring, made->items, &item)) \
					back_off(work, &b, number);                                  \
			else                                                                         \
				while (!CK_RING_ENQUEUE_MPSC(name, &made->ring, made->items, &item)) \
					back_off(work, &b, number);                                  \
			back_off_end(&b);                                                            \
		}                                                                                    \
		return 0;                                                                            \
	}                                                                                            \
	static uint64_t read_##name(const struct work *work, void *at, uint32_t me)                  \
	{                                                                                            \
		struct ck_made *made = at;                                                           \
		uint64_t total = work_total(work), sum = 0;                                          \
		struct back_off b = BACK_OFF_INIT;                                                   \
                                                                                                     \
		(void)me;                                                                            \
		for (uint64_t i = 0; i < total; i++) {                                               \
			struct name item;                                                            \
                                                                                                     \
			while (!CK_RING_DEQUEUE_SPSC(name, &made->ring, made->items, &item))         \
				back_off(work, &b, i);                                               \
			back_off_end(&b);                                                            \
			sum += work_sum(&item, sizeof(item));                                        \
		}                                                                                    \
		return sum;                                                                          \
	}

BODIES(item8)
BODIES(item64)
BODIES(item128)

bool ck_run(const struct work *work, struct result *result)
{
	struct ck_made made;

	if (work->readers > 1 || (work->slot != 8 && work->slot != 64 && work->slot != 128))
		return false;
	made.items = aligned_alloc(128, (size_t)work->capacity * work->slot + 128);
	if (!made.items)
		bench_die("memory");
	ck_ring_init(&made.ring, work->capacity);
	work_run(work, &made, NULL,
		 work->slot == 8 ? write_item8 : work->slot == 64 ? write_item64 :
								    write_item128,
		 work->slot == 8 ? read_item8 : work->slot == 64 ? read_item64 :
								   read_item128,
		 result);
	free(made.items);
	return true;
}
