/* SPDX-License-Identifier: MIT */
/* One bit for each sequence of a window whose size is a power of two, 64 or more. */
#ifndef FLUX_CORE_BASE_BITRING_H
#define FLUX_CORE_BASE_BITRING_H

#include <stdbool.h>
#include <stdint.h>

struct flux_bitring {
	uint64_t *words; /* size / 64, in memory of the owner */
	uint32_t mask;   /* size - 1 */
	uint32_t count;  /* bits set */
};

static inline bool flux_bitring_test(const struct flux_bitring *b, uint64_t seq)
{
	return b->words[(seq & b->mask) >> 6] >> (seq & 63) & 1;
}

static inline void flux_bitring_set(struct flux_bitring *b, uint64_t seq)
{
	uint64_t bit = 1ull << (seq & 63), *word = &b->words[(seq & b->mask) >> 6];

	b->count += !(*word & bit);
	*word |= bit;
}

static inline void flux_bitring_clear(struct flux_bitring *b, uint64_t seq)
{
	uint64_t bit = 1ull << (seq & 63), *word = &b->words[(seq & b->mask) >> 6];

	b->count -= (*word & bit) != 0;
	*word &= ~bit;
}

/* The first set sequence in [from, to), or `to`; to - from is at most the size. */
static inline uint64_t flux_bitring_next(const struct flux_bitring *b, uint64_t from, uint64_t to)
{
	if (!b->count)
		return to;
	while (from < to) {
		uint64_t word = b->words[(from & b->mask) >> 6] >> (from & 63);

		if (word) {
			from += (uint64_t)__builtin_ctzll(word);
			return from < to ? from : to;
		}
		from = (from | 63) + 1;
	}
	return to;
}

#endif
