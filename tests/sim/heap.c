/* SPDX-License-Identifier: MIT */
/* A binary heap of calls. */
#include "tests/sim/heap.h"

#include <stdlib.h>
#include <string.h>

void sim_heap_init(struct sim_heap *heap)
{
	memset(heap, 0, sizeof(*heap));
}

void sim_heap_fini(struct sim_heap *heap)
{
	free(heap->calls);
	memset(heap, 0, sizeof(*heap));
}

static int before(const struct sim_call *a, const struct sim_call *b)
{
	return a->time != b->time ? a->time < b->time : a->serial < b->serial;
}

static void swap(struct sim_call *a, struct sim_call *b)
{
	struct sim_call t = *a;

	*a = *b;
	*b = t;
}

void sim_heap_push(struct sim_heap *heap, flux_ts time, sim_call_fn fn, void *ctx, uint64_t arg)
{
	struct sim_call *calls;
	size_t i = heap->count;

	if (heap->count == heap->room) {
		heap->room = heap->room ? heap->room * 2 : 256;
		calls = realloc(heap->calls, heap->room * sizeof(*calls));
		if (!calls)
			abort();
		heap->calls = calls;
	}
	calls = heap->calls;
	calls[i] = (struct sim_call){ time, heap->serial++, fn, ctx, arg };
	heap->count++;
	for (; i > 0 && before(&calls[i], &calls[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&calls[i], &calls[(i - 1) / 2]);
}

flux_ts sim_heap_first(const struct sim_heap *heap)
{
	return heap->count ? heap->calls[0].time : FLUX_NEVER;
}

struct sim_call sim_heap_pop(struct sim_heap *heap)
{
	struct sim_call *calls = heap->calls;
	struct sim_call first = calls[0];
	size_t n = --heap->count;
	size_t i = 0;

	calls[0] = calls[n];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && before(&calls[child + 1], &calls[child]))
			child++;
		if (!before(&calls[child], &calls[i]))
			break;
		swap(&calls[child], &calls[i]);
		i = child;
	}
	return first;
}
