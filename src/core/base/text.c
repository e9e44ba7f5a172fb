/* SPDX-License-Identifier: MIT */
/* Putting an error's words together without stdio. */
#include <string.h>

#include "core/base/text.h"

void flux_text_init(struct flux_text *t, char *buf, uint32_t cap)
{
	*t = (struct flux_text){ .buf = buf, .cap = cap };
	if (cap)
		buf[0] = '\0';
}

void flux_text_bytes(struct flux_text *t, const char *s, size_t n)
{
	for (; n > 0 && t->len + 1 < t->cap; n--)
		t->buf[t->len++] = *s++;
	if (t->cap)
		t->buf[t->len] = '\0';
}

void flux_text_str(struct flux_text *t, const char *s)
{
	flux_text_bytes(t, s, strlen(s));
}

void flux_text_u64(struct flux_text *t, uint64_t v)
{
	char digits[21], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	flux_text_str(t, p);
}
