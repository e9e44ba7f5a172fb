/* SPDX-License-Identifier: MIT */
/* A binary heap of deadlines whose nodes live in what they are the deadline of. */
#include "core/base/heap.h"

#include <flux/error.h>

#include <string.h>

#include "core/base/mem.h"

int flux_heap_init(struct flux_heap *heap, const struct flux_mem *mem, uint32_t cap)
{
	heap->nodes = flux_mem_take(mem, (size_t)cap + 1, sizeof(*heap->nodes));
	heap->n = 0;
	heap->cap = cap;
	heap->mem = mem;
	return heap->nodes ? 0 : FLUX_ENOMEM;
}

void flux_heap_fini(struct flux_heap *heap)
{
	flux_mem_give(heap->mem, heap->nodes, (size_t)heap->cap + 1, sizeof(*heap->nodes));
	heap->nodes = NULL;
}

int flux_heap_reserve(struct flux_heap *heap, uint32_t cap)
{
	struct flux_heap more;

	if (cap <= heap->cap)
		return 0;
	if (flux_heap_init(&more, heap->mem, 2 * cap) < 0)
		return FLUX_ENOMEM;
	memcpy(more.nodes, heap->nodes, ((size_t)heap->n + 1) * sizeof(*heap->nodes));
	more.n = heap->n;
	flux_heap_fini(heap);
	*heap = more;
	return 0;
}

static void place(struct flux_heap *heap, uint32_t pos, struct flux_heap_node *node)
{
	heap->nodes[pos] = node;
	node->pos = pos;
}

static void sift_up(struct flux_heap *heap, struct flux_heap_node *node, uint32_t pos)
{
	for (; pos > 1 && heap->nodes[pos / 2]->key > node->key; pos /= 2)
		place(heap, pos, heap->nodes[pos / 2]);
	place(heap, pos, node);
}

static void sift_down(struct flux_heap *heap, struct flux_heap_node *node, uint32_t pos)
{
	uint32_t child;

	for (; (child = pos * 2) <= heap->n; pos = child) {
		if (child < heap->n && heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (heap->nodes[child]->key >= node->key)
			break;
		place(heap, pos, heap->nodes[child]);
	}
	place(heap, pos, node);
}

static void reseat(struct flux_heap *heap, struct flux_heap_node *node, uint32_t pos)
{
	if (pos > 1 && heap->nodes[pos / 2]->key > node->key)
		sift_up(heap, node, pos);
	else
		sift_down(heap, node, pos);
}

static void take_out(struct flux_heap *heap, struct flux_heap_node *node)
{
	struct flux_heap_node *last = heap->nodes[heap->n--];

	if (last != node)
		reseat(heap, last, node->pos);
	node->pos = 0;
}

void flux_heap_set(struct flux_heap *heap, struct flux_heap_node *node, flux_ts key)
{
	if (node->pos && node->key == key)
		return;
	node->key = key;
	if (key == FLUX_NEVER) {
		if (node->pos)
			take_out(heap, node);
	} else if (node->pos) {
		reseat(heap, node, node->pos);
	} else {
		sift_up(heap, node, ++heap->n);
	}
}

struct flux_heap_node *flux_heap_first(const struct flux_heap *heap)
{
	return heap->n ? heap->nodes[1] : NULL;
}
