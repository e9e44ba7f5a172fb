/* SPDX-License-Identifier: MIT */
/* The books of a reader: what came, whether it was right and in order, and what it should have been. */
#ifndef FLUX_TOOLS_PERF_CHECK_H
#define FLUX_TOOLS_PERF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "perf/item.h"

#define CHECK_WRITERS 64

struct check {
	uint64_t received;            /* right and in order */
	uint64_t bytes;               /* of these */
	uint64_t ids;                 /* their sum */
	uint64_t damaged;             /* not as they were written */
	uint64_t disordered;          /* behind one that was written later, or twice */
	uint64_t next[CHECK_WRITERS]; /* of each writer, the least that may come */
};

/*
 * One item that was read, and its sum. A sequence that is passed over is no fault here: another reader
 * may have it. check_verdict() finds what nobody has.
 */
ITEM_INLINE void check_item(struct check *check, uint64_t id, uint32_t len, uint64_t sum)
{
	uint32_t writer = ITEM_WRITER(id);

	if (sum != item_expect(len, id) || writer >= CHECK_WRITERS) {
		check->damaged++;
		return;
	}
	if (ITEM_SEQ(id) < check->next[writer]) {
		check->disordered++;
		return;
	}
	check->next[writer] = ITEM_SEQ(id) + 1;
	check->received++;
	check->bytes += len;
	check->ids += id;
}

/* `n` right items of writer 0, from the next one on. */
ITEM_INLINE void check_run(struct check *check, uint32_t n, uint32_t len)
{
	check->ids += n * check->next[0] + (uint64_t)n * (n - 1) / 2;
	check->next[0] += n;
	check->received += n;
	check->bytes += (uint64_t)n * len;
}

/* Add the books of another reader; `next` is left. */
void check_merge(struct check *check, const struct check *from);

/* What all readers should have got together. */
struct check_total {
	uint64_t items;
	uint64_t ids;
};

/* Writer number `writer` wrote `items`, and each of `copies` readers should have them. */
void check_expect(struct check_total *total, uint32_t writer, uint64_t items, uint32_t copies);

/* Whether all came and all is right; *lost: how many did not come at all. */
bool check_verdict(const struct check *check, const struct check_total *total, uint64_t *lost);

#endif
