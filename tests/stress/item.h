/* SPDX-License-Identifier: MIT */
/* What the stress bodies send: items that tell where they belong, full of what follows from that. */
#ifndef FLUX_TESTS_STRESS_ITEM_H
#define FLUX_TESTS_STRESS_ITEM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A small generator for choices: one per thread, from the seed of the run. */
static inline uint64_t rnd(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = *state;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Who wrote it, and his how many-th it is. */
static inline uint64_t item_id(uint32_t writer, uint64_t number)
{
	return (uint64_t)writer << 48 | number;
}

/* Word 0: the sequence; word 1: the id; the rest mixed from both. `bytes` is a multiple of 8, from 16. */
static inline void item_write(void *at, uint32_t bytes, uint64_t seq, uint64_t id)
{
	uint64_t word[2] = { seq, id };
	uint64_t mix = seq ^ id;

	memcpy(at, word, sizeof(word));
	for (uint32_t i = 16; i < bytes; i += 8) {
		uint64_t value = rnd(&mix);

		memcpy((uint8_t *)at + i, &value, sizeof(value));
	}
}

/* Whether it is whole, and belongs here; *id is whose. */
static inline bool item_read(const void *at, uint32_t bytes, uint64_t seq, uint64_t *id)
{
	uint64_t word[2];
	uint64_t mix;

	memcpy(word, at, sizeof(word));
	*id = word[1];
	mix = word[0] ^ word[1];
	if (word[0] != seq)
		return false;
	for (uint32_t i = 16; i < bytes; i += 8) {
		uint64_t value;

		memcpy(&value, (const uint8_t *)at + i, sizeof(value));
		if (value != rnd(&mix))
			return false;
	}
	return true;
}

#endif
