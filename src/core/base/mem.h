/* SPDX-License-Identifier: MIT */
/* Asking the caller's allocator. */
#ifndef FLUX_CORE_BASE_MEM_H
#define FLUX_CORE_BASE_MEM_H

#include <string.h>

#include <flux/base.h>

/* `count` times `bytes`, not cleared; NULL if refused, empty, or too large to count. */
static inline void *flux_mem_take(const struct flux_mem *mem, size_t count, size_t bytes)
{
	if (!count || !bytes || bytes > SIZE_MAX / count)
		return NULL;
	return mem->alloc(mem->ctx, count * bytes);
}

/* The same, cleared. */
static inline void *flux_mem_take_zeroed(const struct flux_mem *mem, size_t count, size_t bytes)
{
	void *ptr = flux_mem_take(mem, count, bytes);

	return ptr ? memset(ptr, 0, count * bytes) : NULL;
}

/* Give back what flux_mem_take() gave with the same numbers; NULL is allowed. */
static inline void flux_mem_give(const struct flux_mem *mem, void *ptr, size_t count, size_t bytes)
{
	if (ptr)
		mem->free(mem->ctx, ptr, count * bytes);
}

#endif
