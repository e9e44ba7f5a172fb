/* SPDX-License-Identifier: MIT */
/* The books of all readers together. */
#include "perf/check.h"

void check_merge(struct check *check, const struct check *from)
{
	check->received += from->received;
	check->bytes += from->bytes;
	check->ids += from->ids;
	check->damaged += from->damaged;
	check->disordered += from->disordered;
}

void check_expect(struct check_total *total, uint32_t writer, uint64_t items, uint32_t copies)
{
	/* The sum of 0 to items - 1: the even one of the two factors is halved. */
	uint64_t seqs = items % 2 ? (items - 1) / 2 * items : items / 2 * (items - 1);

	total->items += items * copies;
	total->ids += (items * item_id(writer, 0) + seqs) * copies;
}

bool check_verdict(const struct check *check, const struct check_total *total, uint64_t *lost)
{
	uint64_t came = check->received + check->damaged + check->disordered;

	*lost = came < total->items ? total->items - came : 0;
	return check->received == total->items && check->ids == total->ids && !check->damaged &&
	       !check->disordered;
}
