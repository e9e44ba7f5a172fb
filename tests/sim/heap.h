/* SPDX-License-Identifier: MIT */
/* What will happen: calls ordered by (time, serial), so that equal times keep the order of asking. */
#ifndef FLUX_TESTS_SIM_HEAP_H
#define FLUX_TESTS_SIM_HEAP_H

#include <flux/base.h>

typedef void (*sim_call_fn)(void *ctx, uint64_t arg);

struct sim_call {
	flux_ts time;
	uint64_t serial;
	sim_call_fn fn;
	void *ctx;
	uint64_t arg;
};

struct sim_heap {
	struct sim_call *calls;
	size_t count, room;
	uint64_t serial;
};

void sim_heap_init(struct sim_heap *heap);
void sim_heap_fini(struct sim_heap *heap);
/* There is no cancelling: a call whose reason is gone finds that out itself. */
void sim_heap_push(struct sim_heap *heap, flux_ts time, sim_call_fn fn, void *ctx, uint64_t arg);
/* Time of the first, or FLUX_NEVER. */
flux_ts sim_heap_first(const struct sim_heap *heap);
/* Take the first out; the heap must not be empty. */
struct sim_call sim_heap_pop(struct sim_heap *heap);

#endif
