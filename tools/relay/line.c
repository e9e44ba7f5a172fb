/* SPDX-License-Identifier: MIT */
/* The delay line of one direction: datagrams in preallocated slots, given out by due time. */
#include "relay/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SMALL_TOTAL ((size_t)RELAY_SMALL_SLOTS * RELAY_SMALL_BYTES)
#define LARGE_TOTAL ((size_t)RELAY_LARGE_SLOTS * RELAY_LARGE_BYTES)

int relay_line_create(struct relay_line *line)
{
	memset(line, 0, sizeof(*line));
	line->small = mmap(NULL, SMALL_TOTAL + LARGE_TOTAL, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (line->small == MAP_FAILED) {
		line->small = NULL;
		return -errno;
	}
	line->large = line->small + SMALL_TOTAL;
	line->slots = calloc(RELAY_SLOTS, sizeof(*line->slots));
	line->heap = calloc(RELAY_SLOTS, sizeof(*line->heap));
	line->free_small = calloc(RELAY_SMALL_SLOTS, sizeof(*line->free_small));
	line->free_large = calloc(RELAY_LARGE_SLOTS, sizeof(*line->free_large));
	if (!line->slots || !line->heap || !line->free_small || !line->free_large) {
		relay_line_destroy(line);
		return -ENOMEM;
	}
	for (uint32_t slot = RELAY_SLOTS; slot > 0; slot--)
		relay_line_free(line, slot - 1);
	return 0;
}

void relay_line_destroy(struct relay_line *line)
{
	if (line->small)
		munmap(line->small, SMALL_TOTAL + LARGE_TOTAL);
	free(line->slots);
	free(line->heap);
	free(line->free_small);
	free(line->free_large);
	memset(line, 0, sizeof(*line));
}

bool relay_line_claim(struct relay_line *line, uint32_t len, uint32_t *slot)
{
	if (len <= RELAY_SMALL_BYTES && line->free_smalls > 0) {
		*slot = line->free_small[--line->free_smalls];
		return true;
	}
	if (len > RELAY_SMALL_BYTES && line->free_larges > 0) {
		*slot = line->free_large[--line->free_larges];
		return true;
	}
	return false;
}

void relay_line_free(struct relay_line *line, uint32_t slot)
{
	if (slot < RELAY_SMALL_SLOTS)
		line->free_small[line->free_smalls++] = slot;
	else
		line->free_large[line->free_larges++] = slot;
}

uint8_t *relay_line_bytes(const struct relay_line *line, uint32_t slot)
{
	if (slot < RELAY_SMALL_SLOTS)
		return line->small + (size_t)slot * RELAY_SMALL_BYTES;
	return line->large + (size_t)(slot - RELAY_SMALL_SLOTS) * RELAY_LARGE_BYTES;
}

static bool is_before(const struct relay_due *a, const struct relay_due *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

void relay_line_push(struct relay_line *line, uint64_t due, uint32_t slot, uint32_t len,
		     uint32_t client)
{
	struct relay_due entry = { .at = due, .number = line->next_number, .slot = slot };
	uint32_t i = line->held++;

	line->slots[slot] = (struct relay_slot){ len, client, line->next_number++ };
	/* With a constant delay the new one is the last, and this loop ends at once. */
	while (i > 0 && is_before(&entry, &line->heap[(i - 1) / 2])) {
		line->heap[i] = line->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	line->heap[i] = entry;
}

uint64_t relay_line_due(const struct relay_line *line)
{
	return line->held > 0 ? line->heap[0].at : RELAY_NEVER;
}

bool relay_line_pop(struct relay_line *line, uint64_t now, uint32_t *slot)
{
	struct relay_due *heap = line->heap;
	uint32_t i = 0;
	uint32_t child;

	if (relay_line_due(line) > now)
		return false;
	*slot = heap[0].slot;
	line->held--;
	/* Fill the hole at the top from below with the last element. */
	while ((child = 2 * i + 1) < line->held) {
		if (child + 1 < line->held && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (is_before(&heap[line->held], &heap[child]))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = heap[line->held];
	return true;
}
