/* SPDX-License-Identifier: MIT */
/*
 * Equal slots from one block, shared by all sessions, of which some are owed: an owner that was promised
 * one slot gets it even when the others have taken all the rest, so that nobody can stop anybody for ever.
 */
#ifndef FLUX_CORE_BASE_POOL_H
#define FLUX_CORE_BASE_POOL_H

#include <stdbool.h>

#include <flux/base.h>

#define FLUX_POOL_NONE UINT32_MAX

struct flux_pool {
	uint8_t *data;
	uint32_t *free; /* a stack, so that few slots are ever touched when few are in use */
	uint32_t stride, n, n_free;
	uint32_t owed; /* free slots that are promised; set by the owner, at most n */
	const struct flux_mem *mem;
};

/* `n` slots of `bytes`; 0 or FLUX_ENOMEM. */
int flux_pool_init(struct flux_pool *pool, const struct flux_mem *mem, uint32_t n, uint32_t bytes);
void flux_pool_fini(struct flux_pool *pool);

/* A slot that is not owed to anybody, or FLUX_POOL_NONE. */
static inline uint32_t flux_pool_take(struct flux_pool *pool)
{
	return pool->n_free > pool->owed ? pool->free[--pool->n_free] : FLUX_POOL_NONE;
}
/* The slot that is owed to the caller. */
static inline uint32_t flux_pool_take_promised(struct flux_pool *pool)
{
	pool->owed--;
	return pool->free[--pool->n_free];
}
static inline void flux_pool_give(struct flux_pool *pool, uint32_t slot)
{
	pool->free[pool->n_free++] = slot;
}

static inline uint8_t *flux_pool_at(const struct flux_pool *pool, uint32_t slot)
{
	return pool->data + (size_t)slot * pool->stride;
}

#endif
