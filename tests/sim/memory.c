/* SPDX-License-Identifier: MIT */
/* malloc() behind a count; each block remembers its size. */
#include "tests/sim/memory.h"

#include <stdlib.h>
#include <string.h>

union block {
	struct {
		size_t bytes;
		union block *next, *prev; /* the other blocks of this allocator */
	};
	max_align_t align;
};

static void link_block(struct sim_memory *memory, union block *block)
{
	union block *first = memory->first;

	block->next = first;
	block->prev = NULL;
	if (first)
		first->prev = block;
	memory->first = block;
}

static void unlink_block(struct sim_memory *memory, union block *block)
{
	if (block->next)
		block->next->prev = block->prev;
	if (block->prev)
		block->prev->next = block->next;
	else
		memory->first = block->next;
}

static void *memory_alloc(void *ctx, size_t bytes)
{
	struct sim_memory *memory = ctx;
	union block *block;

	memory->calls++;
	if (memory->refuse_at && memory->calls >= memory->refuse_at)
		return NULL;
	block = malloc(sizeof(*block) + bytes);
	if (!block)
		return NULL;
	block->bytes = bytes;
	link_block(memory, block);
	/* Nothing may rely on zeroed memory; untouched pages of large pools stay untouched. */
	if (bytes <= 65536)
		memset(block + 1, 0xA5, bytes);
	memory->blocks++;
	memory->bytes += bytes;
	if (memory->bytes > memory->peak)
		memory->peak = memory->bytes;
	return block + 1;
}

static void memory_free(void *ctx, void *ptr, size_t bytes)
{
	struct sim_memory *memory = ctx;
	union block *block = (union block *)ptr - 1;

	if (block->bytes != bytes)
		memory->wrong++;
	memory->blocks--;
	memory->bytes -= block->bytes;
	unlink_block(memory, block);
	free(block);
}

void sim_memory_fini(struct sim_memory *memory)
{
	while (memory->first) {
		union block *block = memory->first;

		unlink_block(memory, block);
		free(block);
	}
}

void sim_memory_init(struct sim_memory *memory)
{
	memset(memory, 0, sizeof(*memory));
	memory->mem = (struct flux_mem){ memory_alloc, memory_free, memory };
}
