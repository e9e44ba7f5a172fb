/* SPDX-License-Identifier: MIT */
/* Our ring in the comparison, by its checked forms only. */
#include <flux/ring.h>

#include <stdlib.h>
#include <sys/mman.h>

#include "lib/bench.h"
#include "ring/work.h"

#define INLINE static inline __attribute__((always_inline))

struct flux_made {
	void *block;
	uint64_t bytes;
	struct flux_ring *rings; /* one for each party, as if all were processes */
	struct flux_ring_writer *writers;
	struct flux_ring_reader *readers;
	uint32_t *done;
};

INLINE uint64_t write_items(const struct work *work, struct flux_ring_writer *writer, uint32_t me,
			    uint32_t slot)
{
	uint64_t number, end = work_part(work, me, &number);
	struct flux_ring_span span;

	end += number;
	while (number < end) {
		uint32_t n = work->batch < end - number ? work->batch : (uint32_t)(end - number);

		if (flux_ring_claim_wait(writer, n, &span, FLUX_NEVER))
			bench_die("claim");
		work_fill_run(span.at[0], span.n[0], slot, number);
		work_fill_run(span.at[1], span.n[1], slot, number + span.n[0]);
		number += n;
		(void)flux_ring_publish(writer, n);
	}
	return 0;
}

INLINE uint64_t write_singly(const struct work *work, struct flux_ring_writer *writer, uint32_t me,
			     uint32_t slot)
{
	uint64_t number, end = work_part(work, me, &number);
	struct flux_ring_span span;

	for (end += number; number < end; number++) {
		void *item = flux_ring_claim_one(writer);

		if (!item) {
			if (flux_ring_claim_wait(writer, 1, &span, FLUX_NEVER))
				bench_die("claim");
			item = span.at[0];
		}
		work_fill(item, slot, number);
		(void)flux_ring_publish(writer, 1);
	}
	return 0;
}

INLINE uint64_t sum_span(const struct flux_ring_span *span, uint32_t slot)
{
	return work_sum_run(span->at[0], span->n[0], slot) + work_sum_run(span->at[1], span->n[1], slot);
}

INLINE uint64_t read_items(const struct work *work, struct flux_ring_reader *reader, uint32_t slot)
{
	struct flux_ring_span span;
	uint64_t sum = 0;
	int n;

	while ((n = flux_ring_peek_wait(reader, work->batch, &span, FLUX_NEVER)) > 0) {
		sum += sum_span(&span, slot);
		if (work->twice) {
			__asm__ __volatile__(""
					     :
					     :
					     : "memory"); /* really read again */
			sum += sum_span(&span, slot);
		}
		(void)flux_ring_release(reader, (uint32_t)n);
	}
	return sum;
}

/* Several readers in one thread: batch by batch, waiting for the first. */
INLINE uint64_t read_together(const struct work *work, struct flux_ring_reader *readers, uint32_t slot)
{
	struct flux_ring_span span;
	uint64_t sum = 0;
	int n;

	while ((n = flux_ring_peek_wait(&readers[0], work->batch, &span, FLUX_NEVER)) > 0) {
		sum += sum_span(&span, slot);
		(void)flux_ring_release(&readers[0], (uint32_t)n);
		for (uint32_t i = 1; i < work->readers; i++) {
			if (flux_ring_peek(&readers[i], (uint32_t)n, &span) != n)
				bench_die("peek");
			sum += sum_span(&span, slot);
			(void)flux_ring_release(&readers[i], (uint32_t)n);
		}
	}
	return sum;
}

INLINE uint64_t read_singly(struct flux_ring_reader *reader, uint32_t slot)
{
	struct flux_ring_span span;
	uint64_t sum = 0;

	for (;;) {
		void *item = flux_ring_peek_one(reader);

		if (!item) {
			if (flux_ring_peek_wait(reader, 1, &span, FLUX_NEVER) < 0)
				return sum;
			item = span.at[0];
		}
		sum += work_sum(item, slot);
		(void)flux_ring_release(reader, 1);
	}
}

static uint64_t writer_body(const struct work *work, void *at, uint32_t me)
{
	struct flux_made *made = at;
	struct flux_ring_writer *writer = &made->writers[me];

#define ONE(slot)  write_singly(work, writer, me, slot)
#define MANY(slot) write_items(work, writer, me, slot)
	if (work->batch == 1)
		WORK_BY_SLOT(ONE, work->slot)
	WORK_BY_SLOT(MANY, work->slot)
#undef ONE
#undef MANY
}

static uint64_t reader_body(const struct work *work, void *at, uint32_t me)
{
	struct flux_made *made = at;
	struct flux_ring_reader *reader = &made->readers[me];

#define ONE(slot)      read_singly(reader, slot)
#define MANY(slot)     read_items(work, reader, slot)
#define TOGETHER(slot) read_together(work, reader, slot)
	if (work->together)
		WORK_BY_SLOT(TOGETHER, work->slot)
	if (work->batch == 1)
		WORK_BY_SLOT(ONE, work->slot)
	WORK_BY_SLOT(MANY, work->slot)
#undef ONE
#undef MANY
#undef TOGETHER
}

/* The last writer closes, so that readers know their end. */
static uint64_t writer_main(const struct work *work, void *at, uint32_t me)
{
	struct flux_made *made = at;

	(void)writer_body(work, made, me);
	if (__atomic_add_fetch(made->done, 1, __ATOMIC_ACQ_REL) == work->writers)
		flux_ring_close(&made->rings[me]);
	return 0;
}

/* A party attaches to the block and takes its place, in its own thread or process. */
static void open_party(const struct work *work, void *at, uint32_t me, bool reads)
{
	struct flux_made *made = at;
	struct flux_ring *ring = &made->rings[reads ? work->writers + me : me];
	struct flux_ring_writer_cfg wcfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_reader_cfg rcfg = FLUX_RING_READER_CFG_INIT;

	wcfg.wait = rcfg.wait = work->wait == WORK_BARE ? FLUX_WAIT_SPIN : FLUX_WAIT_ADAPTIVE;
	if (work->crowded && work->wait == WORK_BARE)
		wcfg.wait = rcfg.wait = FLUX_WAIT_YIELD;
	if (flux_ring_attach(ring, made->block, made->bytes, &flux_wait_linux))
		bench_die("attach");
	if (!reads && flux_ring_writer_open(&made->writers[me], ring, &wcfg))
		bench_die("writer");
	for (uint32_t i = me; reads && i < (work->together ? work->readers : me + 1); i++)
		if (flux_ring_reader_join(&made->readers[i], ring, &rcfg))
			bench_die("reader");
}

bool flux_run(const struct work *work, struct result *result)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	uint32_t done = 0;
	struct flux_made made = { .done = &done };
	struct flux_ring first;

	cfg.flags = (work->share ? FLUX_RING_SHARE : 0) | (work->processes ? FLUX_RING_PROCESSES : 0);
	cfg.capacity = work->capacity;
	cfg.slot = work->slot;
	cfg.writers = work->writers;
	cfg.readers = work->readers;
	made.bytes = (flux_ring_bytes(&cfg) + 4095) / 4096 * 4096;
	made.block = work->mapped ? mmap(NULL, made.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
					 0) :
				    aligned_alloc(4096, made.bytes);
	if (!made.block || made.block == MAP_FAILED || flux_ring_init(&first, made.block, made.bytes, &cfg))
		bench_die("ring");
	made.rings = calloc(work->writers + work->readers, sizeof(*made.rings));
	made.writers = calloc(work->writers, sizeof(*made.writers));
	made.readers = calloc(work->readers, sizeof(*made.readers));
	work_run(work, &made, open_party, writer_main, reader_body, result);
	flux_ring_fini(&first);
	free(made.rings);
	free(made.writers);
	free(made.readers);
	if (work->mapped)
		munmap(made.block, made.bytes);
	else
		free(made.block);
	return true;
}
