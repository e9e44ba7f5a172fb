/* SPDX-License-Identifier: MIT */
/*
 * What fluxperf sends. An item begins with its id, which says who wrote it as which of his; the words
 * behind follow from the id. So whoever reads an item can tell whether all of it is right.
 */
#ifndef FLUX_TOOLS_PERF_ITEM_H
#define FLUX_TOOLS_PERF_ITEM_H

#include <stdint.h>
#include <string.h>

#define ITEM_INLINE static inline __attribute__((always_inline))

/* No item is shorter than its id. */
#define ITEM_LEAST      8u
#define ITEM_SEQ_BITS   56
#define ITEM_MOST_SEQ   ((UINT64_C(1) << ITEM_SEQ_BITS) - 1)
#define ITEM_SEQ(id)    ((id)&ITEM_MOST_SEQ)
#define ITEM_WRITER(id) ((uint32_t)((id) >> ITEM_SEQ_BITS))

ITEM_INLINE uint64_t item_id(uint32_t writer, uint64_t seq)
{
	return (uint64_t)writer << ITEM_SEQ_BITS | seq;
}

ITEM_INLINE uint64_t item_read_id(const void *at)
{
	uint64_t id;

	memcpy(&id, at, sizeof(id));
	return id;
}

/* Every byte is written: the words id, id + 1, id + 2 ..., the last one cut. */
ITEM_INLINE void item_fill(void *at, uint32_t len, uint64_t id)
{
	uint8_t *byte = at;
	uint64_t word = id;

	for (uint32_t i = 0; i < len / 8; i++, word++)
		memcpy(byte + 8 * i, &word, 8);
	memcpy(byte + len / 8 * 8, &word, len % 8);
}

/* Every byte is read. */
ITEM_INLINE uint64_t item_sum(const void *at, uint32_t len)
{
	const uint8_t *byte = at;
	uint64_t word, sum = 0;

	for (uint32_t i = 0; i < len / 8; i++) {
		memcpy(&word, byte + 8 * i, 8);
		sum += word;
	}
	word = 0;
	memcpy(&word, byte + len / 8 * 8, len % 8);
	return sum + word;
}

/* What item_sum() of a right one is. */
ITEM_INLINE uint64_t item_expect(uint32_t len, uint64_t id)
{
	uint64_t words = len / 8;
	uint64_t last = id + words;
	uint64_t cut = 0;

	memcpy(&cut, &last, len % 8);
	return words * id + words * (words - 1) / 2 + cut;
}

/* The length of a record, ITEM_LEAST to `most` bytes: any, but the same for the same id. */
ITEM_INLINE uint32_t item_len(uint64_t id, uint32_t most)
{
	uint64_t mixed = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return ITEM_LEAST + (uint32_t)((mixed >> 32) % (most - ITEM_LEAST + 1));
}

/* Bodies are compiled for the usual sizes, as a program that knows its type would have them. */
#define ITEM_BY_SIZE(call_with, size)     \
	switch (size) {                   \
	case 8:                           \
		return call_with(8);      \
	case 64:                          \
		return call_with(64);     \
	case 128:                         \
		return call_with(128);    \
	default:                          \
		return call_with((size)); \
	}

#endif
