/* SPDX-License-Identifier: MIT */
/* 64-bit numbers from the 32 bits that travel (protocol 2.3). */
#ifndef FLUX_CORE_BASE_SEQ_H
#define FLUX_CORE_BASE_SEQ_H

#include <stdint.h>

/* The number nearest to `ref` whose low 32 bits are `wire`; exact for ref - 2^31 <= x < ref + 2^31. */
static inline uint64_t flux_seq_rebuild(uint64_t ref, uint32_t wire)
{
	const uint64_t half = 1ull << 31, span = 1ull << 32;
	uint64_t x = (ref & ~(span - 1)) | wire;

	if (x + half < ref)
		x += span;
	else if (x >= ref + half && x >= span)
		x -= span;
	return x;
}

#endif
