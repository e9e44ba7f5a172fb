/* SPDX-License-Identifier: MIT */
/* The one table of an endpoint's limits and defaults, and what is done with a row of it. */
#ifndef FLUX_CORE_ENDPOINT_OPTIONS_H
#define FLUX_CORE_ENDPOINT_OPTIONS_H

#include <stdbool.h>

#include <flux/options.h>

#include "core/base/number.h"

struct flux_option_row {
	const char *key; /* the member's name */
	uint16_t at;     /* the member's place, and its width: 4 or 8 bytes */
	uint16_t bytes;
	enum flux_unit unit;
	bool pow2;
	uint64_t lo, hi;
	uint64_t initial;      /* the default; 0: none, or as `initially` says */
	const char *initially; /* a default that follows from other members, in words */
	const char *word;      /* NULL, or stands for word_value, which may be out of range */
	uint64_t word_value;
	const char *lo_words; /* a lower limit beside lo that follows from another member; NULL: none */
	uint16_t lo_at;       /* that member's place (4 bytes), */
	uint32_t lo_times;    /* and what it is multiplied by */
	const char *meaning;  /* NULL: no option of the text form */
};

#define FLUX_OPTION_ROWS 15u /* at most 32 */
extern const struct flux_option_row flux_option_rows[FLUX_OPTION_ROWS];

/* option_rows.c */
uint64_t flux_option_get(const struct flux_option_row *row, const struct flux_endpoint_cfg *cfg);
/* `value` fits the member: it is at most row->hi, or the word's. */
void flux_option_set(const struct flux_option_row *row, struct flux_endpoint_cfg *cfg, uint64_t value);
/* The lower limit where the other members are as in `cfg`. */
uint64_t flux_option_lo(const struct flux_option_row *row, const struct flux_endpoint_cfg *cfg);
/* Whether the row's word stands for it. */
bool flux_option_is_word(const struct flux_option_row *row, uint64_t value);
void flux_option_write_value(struct flux_text *t, const struct flux_option_row *row, uint64_t value);
void flux_option_write_range(struct flux_text *t, const struct flux_option_row *row, uint64_t lo);
/* Whether a number is in the range: 0, or FLUX_EINVAL with words. */
int flux_option_check(const struct flux_option_row *row, uint64_t value, uint64_t lo, struct flux_text *why);

/* config.c */
/* Copy a caller's configuration of any size; the members are not looked at. 0, FLUX_EINVAL or FLUX_E2BIG. */
int flux_endpoint_cfg_take(struct flux_endpoint_cfg *out, const struct flux_endpoint_cfg *cfg,
			   struct flux_text *why);
/* Fill in the defaults, and check all members in the table. 0, or FLUX_EINVAL with words. */
int flux_endpoint_cfg_complete(struct flux_endpoint_cfg *cfg, struct flux_text *why);

#endif
