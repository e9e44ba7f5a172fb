/* SPDX-License-Identifier: MIT */
/* Whole numbers with a unit: the only reader of numbers in the core. */
#include <string.h>

#include "core/base/number.h"

struct scale {
	char name[3];
	uint64_t times;
};

/* Largest first. */
static const struct scale sizes[] = { { "G", 1u << 30 }, { "M", 1u << 20 }, { "K", 1u << 10 }, { "", 1 } };
static const struct scale times[] = { { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
#define SCALES 4u

/* Letters in either case; `name` has no other characters. */
static int is_named(const char *name, const char *s, size_t len)
{
	if (strlen(name) != len)
		return 0;
	while (len-- > 0)
		if ((name[len] | 0x20) != (s[len] | 0x20))
			return 0;
	return 1;
}

enum flux_number flux_number_read(const char *s, size_t len, enum flux_unit unit, uint64_t *value)
{
	const struct scale *scale = unit == FLUX_UNIT_TIME ? times : sizes;
	uint64_t n = 0;
	size_t i;
	uint32_t k;
	int huge = 0;

	for (i = 0; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(s[i] - '0');

		huge |= n > (UINT64_MAX - digit) / 10;
		n = n * 10 + digit;
	}
	for (k = 0; k < SCALES && !is_named(scale[k].name, s + i, len - i); k++)
		;
	if (i == 0 || k == SCALES)
		return FLUX_NUMBER_NONE;
	if (huge || n > UINT64_MAX / scale[k].times)
		return FLUX_NUMBER_HUGE;
	*value = n * scale[k].times;
	return FLUX_NUMBER_OK;
}

void flux_number_write(struct flux_text *t, enum flux_unit unit, uint64_t value)
{
	const struct scale *scale = unit == FLUX_UNIT_TIME ? times : sizes;
	uint32_t k = SCALES - 1;

	if (unit != FLUX_UNIT_COUNT && value)
		for (k = 0; value % scale[k].times; k++)
			;
	flux_text_u64(t, value / scale[k].times);
	flux_text_str(t, scale[k].name);
}
