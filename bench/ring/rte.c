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
	uint32_t round = 0;

	while (number < work->count) {
		uint32_t want = work->batch < work->count - number ? work->batch : (uint32_t)(work->count - number);
		struct rte_ring_zc_data zc;

		if (!rte_ring_enqueue_zc_bulk_elem_start(ring, slot, want, &zc, NULL)) {
			work_back_off(work, &round);
			continue;
		}
		for (uint32_t i = 0; i < zc.n1; i++)
			work_fill((char *)zc.ptr1 + (size_t)i * slot, slot, number++);
		for (uint32_t i = 0; i < want - zc.n1; i++)
			work_fill((char *)zc.ptr2 + (size_t)i * slot, slot, number++);
		rte_ring_enqueue_zc_finish(ring, want);
		round = 0;
	}
	return 0;
}

/* Several producers: rte_ring has no zero-copy form for them, so a batch is built and then copied in. */
INLINE uint64_t write_copies(const struct work *work, struct rte_ring *ring, uint32_t me, uint32_t slot)
{
	uint64_t number, end = work_part(work, me, &number);
	uint32_t round = 0;
	char *items = malloc((size_t)work->batch * slot);

	end += number;
	while (number < end) {
		uint32_t n = work->batch < end - number ? work->batch : (uint32_t)(end - number);

		for (uint32_t i = 0; i < n; i++)
			work_fill(items + (size_t)i * slot, slot, number++);
		while (!rte_ring_mp_enqueue_bulk_elem(ring, items, slot, n, NULL))
			work_back_off(work, &round);
		round = 0;
	}
	free(items);
	return 0;
}

INLINE uint64_t read_in_place(const struct work *work, struct rte_ring *ring, uint32_t slot)
{
	uint64_t total = work->count / work->writers * work->writers;
	uint64_t got = 0, sum = 0;
	uint32_t round = 0;

	while (got < total) {
		struct rte_ring_zc_data zc;
		uint32_t n = rte_ring_dequeue_zc_burst_elem_start(ring, slot, work->batch, &zc, NULL);

		if (!n) {
			work_back_off(work, &round);
			continue;
		}
		for (uint32_t i = 0; i < zc.n1; i++)
			sum += work_sum((char *)zc.ptr1 + (size_t)i * slot, slot);
		for (uint32_t i = 0; i < n - zc.n1; i++)
			sum += work_sum((char *)zc.ptr2 + (size_t)i * slot, slot);
		rte_ring_dequeue_zc_finish(ring, n);
		round = 0;
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

double rte_run(const struct work *work, uint64_t *sum)
{
	ssize_t bytes = rte_ring_get_memsize_elem(work->slot, work->capacity);
	unsigned int flags = RING_F_SC_DEQ | (work->writers > 1 ? 0 : RING_F_SP_ENQ);
	struct rte_ring *ring;
	double seconds;

	if (work->readers > 1)
		return -1;
	ring = aligned_alloc(128, ((size_t)bytes + 127) / 128 * 128);
	if (!ring || rte_ring_init(ring, "bench", work->capacity, flags))
		bench_die("rte_ring");
	seconds = work_run(work, ring, work->writers > 1 ? writer_many : writer_one, reader, sum);
	free(ring);
	return seconds;
}
