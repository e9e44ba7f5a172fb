/* SPDX-License-Identifier: MIT */
/* Putting an error's words together without stdio; always terminated, cut where the room ends. */
#ifndef FLUX_CORE_BASE_TEXT_H
#define FLUX_CORE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct flux_text {
	char *buf;
	uint32_t cap, len;
};

void flux_text_init(struct flux_text *t, char *buf, uint32_t cap);
void flux_text_bytes(struct flux_text *t, const char *s, size_t n);
void flux_text_str(struct flux_text *t, const char *s);
void flux_text_u64(struct flux_text *t, uint64_t v);

#endif
