/* SPDX-License-Identifier: MIT */
/* Whether two addresses are one, where they nearly always are. */
#ifndef FLUX_CORE_BASE_ADDR_H
#define FLUX_CORE_BASE_ADDR_H

#include <stdbool.h>
#include <string.h>

#include <flux/base.h>

/* flux_addr_equal(); equal bytes are equal addresses. */
static inline bool flux_addr_same(const struct flux_addr *a, const struct flux_addr *b)
{
	uint64_t x[3], y[3];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0 || flux_addr_equal(a, b);
}

_Static_assert(sizeof(struct flux_addr) == 24, "flux_addr_same() compares three words");

#endif
