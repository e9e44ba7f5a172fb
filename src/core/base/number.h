/* SPDX-License-Identifier: MIT */
/* Whole numbers with a unit, as people write them: "64K", "15s". */
#ifndef FLUX_CORE_BASE_NUMBER_H
#define FLUX_CORE_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/text.h"

enum flux_unit {
	FLUX_UNIT_COUNT, /* read like a size, written in digits only */
	FLUX_UNIT_SIZE,  /* K, M and G are powers of 1024 */
	FLUX_UNIT_TIME,  /* nanoseconds, never without a unit: ns, us, ms or s */
};

enum flux_number {
	FLUX_NUMBER_OK,
	FLUX_NUMBER_NONE, /* no number in that unit */
	FLUX_NUMBER_HUGE, /* above UINT64_MAX */
};

/* Read all of the `len` bytes at `s`; no sign, no blanks. `value` is set only if it is a number. */
enum flux_number flux_number_read(const char *s, size_t len, enum flux_unit unit, uint64_t *value);

/* Write it so that it reads back the same, with the largest unit that divides it. */
void flux_number_write(struct flux_text *t, enum flux_unit unit, uint64_t value);

#endif
