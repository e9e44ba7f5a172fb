/* SPDX-License-Identifier: MIT */
/* DPDK's rte_ring in the comparison: zero-copy with one producer, by element copies with several. */
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>

#include <stdlib.h>

#include "lib/bench.h"
#include "ring/work.h"

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t write_in_place(const struct work *work, struct rte_ring *ring, uint32_t slot)
{
	uint64_t number = 0;
	struct back_off b = BACK_OFF_INIT;

	while (number < work->count) {
		uint32_t want = work->batch < work->count - number ? work->batch : (uint32_t)(work->count - number);
		struct rte_ring_zc_data zc;

		if (!rte_ring_enqueue_zc_bulk_elem_start(ring, slot, want, &zc, NULL)) {
			back_off(work, &b, number);
			continue;
		}
		work_fill_run(zc.ptr1, zc.n1, slot, number);
		work_fill_run(zc.ptr2, want - zc.n1, slot, number + zc.n1);
		number += want;
		rte_ring_enqueue_zc_finish(ring, want);
		back_off_end(&b);
	}
	return 0;
}

/* Several producers: rte_ring has no zero-copy form for them, so a batch is built and then copied in. */
INLINE uint64_t write_copies(const struct work *work, struct rte_ring *ring, uint32_t me, uint32_t slot)
{
	uint64_t number, end = work_part(work, me, &number);
	struct back_off b = BACK_OFF_INIT;
	char *items = malloc((size_t)work->batch * slot);

	end += number;
	while (number < end) {
		uint32_t n = work->batch < end - number ? work->batch : (uint32_t)(end - number);

		work_fill_run(items, n, slot, number);
		number += n;
		while (!rte_ring_mp_enqueue_bulk_elem(ring, items, slot, n, NULL))
			back_off(work, &b, number);
		back_off_end(&b);
	}
	free(items);
	return 0;
}

INLINE uint64_t read_in_place(const struct work *work, struct rte_ring *ring, uint32_t slot)
{
	uint64_t total = work_total(work), got = 0, sum = 0;
	struct back_off b = BACK_OFF_INIT;

	while (got < total) {
		struct rte_ring_zc_data zc;
		uint32_t n = rte_ring_dequeue_zc_burst_elem_start(ring, slot, work->batch, &zc, NULL);

		if (!n) {
			back_off(work, &b, got);
			continue;
		}
		sum += work_sum_run(zc.ptr1, zc.n1, slot) + work_sum_run(zc.ptr2, n - zc.n1, slot);
		rte_ring_dequeue_zc_finish(ring, n);
		back_off_end(&b);
		got += n;
	}
	return sum;
}

static uint64_t writer_one(const struct work *work, void *ring, uint32_t me)
{
	(void)me;
#define WRITE(slot) write_in_place(work, ring, slot)
	WORK_BY_SLOT(WRITE, work->slot)
#undef WRITE
}

static uint64_t writer_many(const struct work *work, void *ring, uint32_t me)
{
#define WRITE(slot) write_copies(work, ring, me, slot)
	WORK_BY_SLOT(WRITE, work->slot)
#undef WRITE
}

static uint64_t reader(const struct work *work, void *ring, uint32_t me)
{
	(void)me;
#define READ(slot) read_in_place(work, ring, slot)
	WORK_BY_SLOT(READ, work->slot)
#undef READ
}

bool rte_run(const struct work *work, struct result *result)
{
	ssize_t bytes = rte_ring_get_memsize_elem(work->slot, work->capacity);
	unsigned int flags = RING_F_SC_DEQ | (work->writers > 1 ? 0 : RING_F_SP_ENQ);
	struct rte_ring *ring;

	if (work->readers > 1)
		return false;
	ring = aligned_alloc(128, ((size_t)bytes + 127) / 128 * 128);
	if (!ring || rte_ring_init(ring, "bench", work->capacity, flags))
		bench_die("rte_ring");
	work_run(work, ring, NULL, work->writers > 1 ? writer_many : writer_one, reader, result);
	free(ring);
	return true;
}
