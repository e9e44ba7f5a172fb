/* SPDX-License-Identifier: MIT */
/* Powers of two, and minimum and maximum of plain integers. */
#ifndef FLUX_CORE_BASE_BITS_H
#define FLUX_CORE_BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool flux_is_pow2(uint32_t v)
{
	return v && !(v & (v - 1));
}

/* The power of two at or above v; v is 1 to 2^31. */
static inline uint32_t flux_pow2_ceil(uint32_t v)
{
	return v <= 1 ? 1 : 1u << (32 - __builtin_clz(v - 1));
}

static inline uint32_t flux_min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t flux_max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint64_t flux_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t flux_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
