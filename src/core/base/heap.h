/* SPDX-License-Identifier: MIT */
/* A binary heap of deadlines whose nodes live in what they are the deadline of. */
#ifndef FLUX_CORE_BASE_HEAP_H
#define FLUX_CORE_BASE_HEAP_H

#include <flux/base.h>

struct flux_heap_node {
	flux_ts key;
	uint32_t pos; /* 1-based place in the heap; 0: not in it */
};

struct flux_heap {
	struct flux_heap_node **nodes; /* [1, n] */
	uint32_t n, cap;
	const struct flux_mem *mem;
};

/* Room for `cap` nodes; 0 or FLUX_ENOMEM. */
int flux_heap_init(struct flux_heap *heap, const struct flux_mem *mem, uint32_t cap);
void flux_heap_fini(struct flux_heap *heap);
/* Make room for `cap` nodes, or about twice as many; 0, or FLUX_ENOMEM with nothing changed. */
int flux_heap_reserve(struct flux_heap *heap, uint32_t cap);

/* Put the node at `key`, wherever it was; FLUX_NEVER takes it out. O(log n). */
void flux_heap_set(struct flux_heap *heap, struct flux_heap_node *node, flux_ts key);

/* The node with the smallest key, or NULL. */
struct flux_heap_node *flux_heap_first(const struct flux_heap *heap);

#endif
