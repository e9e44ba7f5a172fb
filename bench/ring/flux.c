/* SPDX-License-Identifier: MIT */
/* Our ring in the comparison, by its checked forms only. */
#include <flux/ring.h>

#include <stdlib.h>

#include "lib/bench.h"
#include "ring/work.h"

#define INLINE static inline __attribute__((always_inline))

struct flux_made {
	struct flux_ring *ring;
	struct flux_ring_writer *writers;
	struct flux_ring_reader *readers;
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
		for (int part = 0; part < 2; part++)
			for (uint32_t i = 0; i < span.n[part]; i++)
				work_fill((char *)span.at[part] + (size_t)i * slot, slot, number++);
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

INLINE uint64_t read_items(const struct work *work, struct flux_ring_reader *reader, uint32_t slot)
{
	struct flux_ring_span span;
	uint64_t sum = 0;
	int n;

	while ((n = flux_ring_peek_wait(reader, work->batch, &span, FLUX_NEVER)) > 0) {
		for (int part = 0; part < 2; part++)
			for (uint32_t i = 0; i < span.n[part]; i++)
				sum += work_sum((char *)span.at[part] + (size_t)i * slot, slot);
		(void)flux_ring_release(reader, (uint32_t)n);
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

static uint64_t writer_body(const struct work *work, void *made, uint32_t me)
{
	struct flux_ring_writer *writer = &((struct flux_made *)made)->writers[me];

#define ONE(slot)  write_singly(work, writer, me, slot)
#define MANY(slot) write_items(work, writer, me, slot)
	if (work->batch == 1)
		WORK_BY_SLOT(ONE, work->slot)
	WORK_BY_SLOT(MANY, work->slot)
#undef ONE
#undef MANY
}

static uint64_t reader_body(const struct work *work, void *made, uint32_t me)
{
	struct flux_ring_reader *reader = &((struct flux_made *)made)->readers[me];

#define ONE(slot)  read_singly(reader, slot)
#define MANY(slot) read_items(work, reader, slot)
	if (work->batch == 1)
		WORK_BY_SLOT(ONE, work->slot)
	WORK_BY_SLOT(MANY, work->slot)
#undef ONE
#undef MANY
}

/* The last writer closes, so that readers know their end. */
static uint64_t writer_main(const struct work *work, void *made, uint32_t me)
{
	static uint32_t done;

	(void)writer_body(work, made, me);
	if (__atomic_add_fetch(&done, 1, __ATOMIC_ACQ_REL) == work->writers) {
		done = 0;
		flux_ring_close(((struct flux_made *)made)->ring);
	}
	return 0;
}

double flux_run(const struct work *work, uint64_t *sum)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring_writer_cfg wcfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_reader_cfg rcfg = FLUX_RING_READER_CFG_INIT;
	struct flux_made made;
	double seconds;

	cfg.flags = work->share ? FLUX_RING_SHARE : 0;
	cfg.capacity = work->capacity;
	cfg.slot = work->slot;
	cfg.writers = work->writers;
	cfg.readers = work->readers;
	wcfg.wait = rcfg.wait = work->spin ? FLUX_WAIT_SPIN : FLUX_WAIT_ADAPTIVE;
	if (flux_ring_create(&made.ring, &cfg, &flux_mem_libc))
		bench_die("ring");
	made.writers = calloc(work->writers, sizeof(*made.writers));
	made.readers = calloc(work->readers, sizeof(*made.readers));
	for (uint32_t i = 0; i < work->writers; i++)
		if (flux_ring_writer_open(&made.writers[i], made.ring, &wcfg))
			bench_die("writer");
	for (uint32_t i = 0; i < work->readers; i++)
		if (flux_ring_reader_join(&made.readers[i], made.ring, &rcfg))
			bench_die("reader");
	seconds = work_run(work, &made, writer_main, reader_body, sum);
	free(made.writers);
	free(made.readers);
	flux_ring_destroy(made.ring);
	return seconds;
}
