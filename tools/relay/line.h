/* SPDX-License-Identifier: MIT */
/* The delay line of one direction: datagrams in preallocated slots, given out by due time. */
#ifndef FLUX_TOOLS_RELAY_LINE_H
#define FLUX_TOOLS_RELAY_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define RELAY_NEVER UINT64_MAX

/* Slots of two sizes. Most of their memory is never touched, and so never exists. */
#define RELAY_SMALL_BYTES 2048u
#define RELAY_SMALL_SLOTS 65536u
#define RELAY_LARGE_BYTES 65536u
#define RELAY_LARGE_SLOTS 512u
#define RELAY_SLOTS       (RELAY_SMALL_SLOTS + RELAY_LARGE_SLOTS)

/* What is known of the datagram in a slot. */
struct relay_slot {
	uint32_t len;
	uint32_t client;
	uint64_t number; /* in order of arrival, which is also the order of equal due times */
};

/* An element of the heap, smallest (due, number) first. */
struct relay_due {
	uint64_t at;
	uint64_t number;
	uint32_t slot;
};

struct relay_line {
	uint8_t *small; /* one mapping: the small slots ... */
	uint8_t *large; /* ... and behind them the large ones */
	struct relay_slot *slots;
	struct relay_due *heap;
	uint32_t held;        /* elements of the heap */
	uint32_t *free_small; /* stacks: the slot freed last is warm in the cache and next */
	uint32_t *free_large;
	uint32_t free_smalls;
	uint32_t free_larges;
	uint64_t next_number;
};

/* Reserve the memory. Returns 0 or a negative errno value; then there is nothing to undo. */
int relay_line_create(struct relay_line *line);
void relay_line_destroy(struct relay_line *line);

/* Take a free slot for `len` bytes. Returns false if there is none. */
bool relay_line_claim(struct relay_line *line, uint32_t len, uint32_t *slot);
void relay_line_free(struct relay_line *line, uint32_t slot);

/* The bytes of a slot; they stay in place until it is freed. */
uint8_t *relay_line_bytes(const struct relay_line *line, uint32_t slot);

/* Let the datagram in a claimed slot leave at `due`. */
void relay_line_push(struct relay_line *line, uint64_t due, uint32_t slot, uint32_t len,
		     uint32_t client);

/* When the first datagram leaves, or RELAY_NEVER. */
uint64_t relay_line_due(const struct relay_line *line);

/* Take out the first datagram if it is due at `now`. The caller sends it and frees the slot. */
bool relay_line_pop(struct relay_line *line, uint64_t now, uint32_t *slot);

#endif
