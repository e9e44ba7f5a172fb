/* SPDX-License-Identifier: MIT */
/* Equal slots from one block, shared by all sessions, of which some are owed. */
#include "core/base/pool.h"

#include <flux/error.h>

#include "core/base/mem.h"

int flux_pool_init(struct flux_pool *pool, const struct flux_mem *mem, uint32_t n, uint32_t bytes)
{
	*pool = (struct flux_pool){ .stride = (bytes + 15u) & ~15u, .n = n, .n_free = n, .mem = mem };
	pool->data = flux_mem_take(mem, n, pool->stride);
	pool->free = flux_mem_take(mem, n, sizeof(*pool->free));
	if (!pool->data || !pool->free) {
		flux_pool_fini(pool);
		return FLUX_ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		pool->free[i] = n - 1 - i;
	return 0;
}

void flux_pool_fini(struct flux_pool *pool)
{
	if (!pool->mem)
		return;
	flux_mem_give(pool->mem, pool->data, pool->n, pool->stride);
	flux_mem_give(pool->mem, pool->free, pool->n, sizeof(*pool->free));
	pool->data = NULL;
	pool->free = NULL;
}
