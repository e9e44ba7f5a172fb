/* SPDX-License-Identifier: MIT */
/* Reading and writing of packet bytes: all pass here, so every bound is checked here. */
#include "core/wire/cursor.h"

#include <string.h>

#include "core/base/bytes.h"

#define VARINT_MAX_BYTES 10u

void flux_reader_init(struct flux_reader *r, const void *data, size_t len)
{
	r->pos = data;
	r->end = r->pos + len;
	r->bad = false;
}

size_t flux_reader_left(const struct flux_reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* A reader that went bad is empty from then on, so later reads fail by the same compare. */
static const uint8_t *take(struct flux_reader *r, size_t len)
{
	const uint8_t *p = r->pos;

	if (len > (size_t)(r->end - p)) {
		r->pos = r->end;
		r->bad = true;
		return NULL;
	}
	r->pos = p + len;
	return p;
}

uint8_t flux_read_u8(struct flux_reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

uint16_t flux_read_u16(struct flux_reader *r)
{
	const uint8_t *p = take(r, 2);

	return p ? flux_load_u16(p) : 0;
}

uint32_t flux_read_u32(struct flux_reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? flux_load_u32(p) : 0;
}

uint64_t flux_read_u64(struct flux_reader *r)
{
	const uint8_t *p = take(r, 8);

	return p ? flux_load_u64(p) : 0;
}

uint64_t flux_read_varint(struct flux_reader *r)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < VARINT_MAX_BYTES; i++) {
		const uint8_t *p = take(r, 1);

		if (!p)
			return 0;
		if (i == VARINT_MAX_BYTES - 1 && *p > 1)
			break; /* more than 64 bits */
		v |= (uint64_t)(*p & 0x7f) << (7 * i);
		if (*p & 0x80)
			continue;
		if (*p == 0 && i > 0)
			break; /* a shorter form exists, and only that one is legal */
		return v;
	}
	r->pos = r->end;
	r->bad = true;
	return 0;
}

const uint8_t *flux_read_bytes(struct flux_reader *r, size_t len)
{
	return take(r, len);
}

void flux_writer_init(struct flux_writer *w, void *data, size_t len)
{
	w->pos = data;
	w->end = w->pos + len;
	w->bad = false;
}

size_t flux_writer_left(const struct flux_writer *w)
{
	return (size_t)(w->end - w->pos);
}

/* As take(): a writer that went bad has no room from then on, so nothing follows a hole. */
static uint8_t *give(struct flux_writer *w, size_t len)
{
	uint8_t *p = w->pos;

	if (len > (size_t)(w->end - p)) {
		w->end = p;
		w->bad = true;
		return NULL;
	}
	w->pos = p + len;
	return p;
}

void flux_write_u8(struct flux_writer *w, uint8_t v)
{
	uint8_t *p = give(w, 1);

	if (p)
		*p = v;
}

void flux_write_u16(struct flux_writer *w, uint16_t v)
{
	uint8_t *p = give(w, 2);

	if (p)
		flux_store_u16(p, v);
}

void flux_write_u32(struct flux_writer *w, uint32_t v)
{
	uint8_t *p = give(w, 4);

	if (p)
		flux_store_u32(p, v);
}

void flux_write_u64(struct flux_writer *w, uint64_t v)
{
	uint8_t *p = give(w, 8);

	if (p)
		flux_store_u64(p, v);
}

void flux_write_varint(struct flux_writer *w, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		flux_write_u8(w, (uint8_t)(v | 0x80));
	flux_write_u8(w, (uint8_t)v);
}

void flux_write_bytes(struct flux_writer *w, const void *data, size_t len)
{
	uint8_t *p = give(w, len);

	if (p && len > 0)
		memcpy(p, data, len);
}

void flux_write_zeros(struct flux_writer *w, size_t len)
{
	uint8_t *p = give(w, len);

	if (p && len > 0)
		memset(p, 0, len);
}
