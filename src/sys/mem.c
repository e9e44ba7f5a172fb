/* SPDX-License-Identifier: MIT */
/* The allocator for callers who bring none: malloc() and free(). The core calls neither. */
#include <flux/base.h>

#include <stdlib.h>

static void *libc_alloc(void *ctx, size_t bytes)
{
	(void)ctx;
	return malloc(bytes);
}

static void libc_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

const struct flux_mem flux_mem_libc = { .alloc = libc_alloc, .free = libc_free, .ctx = NULL };
