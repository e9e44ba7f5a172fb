/* SPDX-License-Identifier: MIT */
/* What the parties of a measurement share: its mapping, and the time stamps. */
#include "perf/stage.h"

#include <sys/mman.h>

#include "perf/ring.h"

/* Of many tries, the shortest time between two looks at the clock. */
static uint64_t cost_of_clock(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t start = clock_now(), ns = clock_now() - start;

		least = ns < least ? ns : least;
	}
	return least;
}

struct perf_stage *perf_stage_open(const struct perf_options *options)
{
	uint32_t count = options->rtt ? 2 : options->writers + options->readers;
	size_t head = sizeof(struct perf_stage) + count * sizeof(struct perf_party);
	uint64_t held = options->records ? perf_ring_bytes(options) / PERF_UNIT : options->capacity;
	uint64_t row = 2;
	struct perf_stage *stage;
	size_t bytes;

	/* Two more than the ring can hold: the oldest may still be read when the newest is written. */
	while (row < held / PERF_SAMPLE + 2)
		row *= 2;
	bytes = head + options->writers * row * sizeof(uint64_t);
	stage = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED)
		return NULL;
	stage->options = options;
	stage->bytes = bytes;
	stage->stamps = (uint64_t *)(void *)((char *)stage + head);
	stage->row_mask = row - 1;
	stage->clock_ns = cost_of_clock();
	stage->count = count;
	for (uint32_t i = 0; i < count; i++) {
		stage->parties[i].reads = i >= options->writers;
		stage->parties[i].me = i < options->writers ? i : i - options->writers;
	}
	return stage;
}

void perf_stage_close(struct perf_stage *stage)
{
	munmap(stage, stage->bytes);
}

/* The stamp of the first item from *seq on that has one; *seq becomes the one behind it. */
static uint64_t *next_stamp(struct perf_stage *stage, uint32_t writer, uint64_t *seq)
{
	uint64_t nth = (*seq + PERF_SAMPLE - 1) / PERF_SAMPLE;

	*seq = nth * PERF_SAMPLE + 1;
	return &stage->stamps[writer * (stage->row_mask + 1) + (nth & stage->row_mask)];
}

void perf_stage_stamp(struct perf_stage *stage, uint32_t writer, uint64_t seq, uint32_t n)
{
	uint64_t now = clock_now(), end = seq + n;

	while (perf_samples(seq, (uint32_t)(end - seq)))
		*next_stamp(stage, writer, &seq) = now;
}

void perf_stage_take(struct perf_stage *stage, struct hist *hist, uint32_t writer, uint64_t seq, uint32_t n)
{
	uint64_t now = clock_now(), end = seq + n;

	while (perf_samples(seq, (uint32_t)(end - seq))) {
		uint64_t then = *next_stamp(stage, writer, &seq);

		hist_add(hist, now > then ? now - then : 0);
	}
}
