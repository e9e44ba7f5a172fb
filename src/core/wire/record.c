/* SPDX-License-Identifier: MIT */
/* Records inside a DATA body, read and written in place. Reading is the hot path. */
#include "core/wire/record.h"

#include <string.h>

#include "core/base/bytes.h"

/* A header is 14 bits of length, C (continues a message) and M (more of it follows). */
#define LEN_MASK     0x3fffu
#define LEN_LONG     0x3fffu /* the true length is the u16 behind it */
#define BIT_C        0x4000u
#define BIT_M        0x8000u
#define HEAD_PADDING (BIT_C | BIT_M) /* with length 0: the rest is padding */

#define HEAD_LEN  FLUX_RECORD_SHORT
#define LONG_LEN  FLUX_RECORD_LONG
#define TOTAL_LEN FLUX_RECORD_TOTAL
#define META_LEN  2u

/* What follows a meta header at body + at: kind, length, value. */
static enum flux_record_result next_meta(const uint8_t *body, uint32_t len, uint32_t at,
					 uint32_t *off, struct flux_record *rec)
{
	if (len - at < META_LEN || len - at - META_LEN < body[at + 1])
		return FLUX_RECORD_BAD;
	rec->kind = FLUX_REC_META;
	rec->meta = body[at];
	rec->len = body[at + 1];
	rec->data = body + at + META_LEN;
	*off = at + META_LEN + rec->len;
	return FLUX_RECORD_OK;
}

/* All but the short whole message: head is at *off, `at` behind it. */
static enum flux_record_result next_other(const uint8_t *body, uint32_t len, uint32_t head,
					  uint32_t *off, struct flux_record *rec)
{
	uint32_t at = *off + HEAD_LEN;
	uint32_t n = head & LEN_MASK;

	if (head == HEAD_PADDING)
		return FLUX_RECORD_END;
	if (head == BIT_C)
		return next_meta(body, len, at, off, rec);

	if (n == LEN_LONG) {
		if (len - at < LONG_LEN)
			return FLUX_RECORD_BAD;
		n = flux_load_u16(body + at);
		if (n <= FLUX_RECORD_LEN_MAX)
			return FLUX_RECORD_BAD; /* the short form is the only one for these */
		at += LONG_LEN;
	}
	switch (head & (BIT_C | BIT_M)) {
	case 0:
		rec->kind = FLUX_REC_WHOLE;
		break;
	case BIT_M:
		if (len - at < TOTAL_LEN)
			return FLUX_RECORD_BAD;
		rec->kind = FLUX_REC_FIRST;
		rec->total = flux_load_u32(body + at);
		if (rec->total <= n)
			return FLUX_RECORD_BAD; /* nothing left for the last fragment */
		at += TOTAL_LEN;
		break;
	case BIT_C | BIT_M:
		rec->kind = FLUX_REC_MIDDLE;
		break;
	default:
		rec->kind = FLUX_REC_LAST;
		break;
	}
	if (len - at < n)
		return FLUX_RECORD_BAD;
	rec->len = n;
	rec->data = body + at;
	*off = at + n;
	return FLUX_RECORD_OK;
}

enum flux_record_result flux_record_next(const uint8_t *body, uint32_t len, uint32_t *off,
					 struct flux_record *rec)
{
	if (flux_record_whole(body, len, off, &rec->data, &rec->len)) {
		rec->kind = FLUX_REC_WHOLE;
		return FLUX_RECORD_OK;
	}
	if (len - *off < HEAD_LEN)
		return FLUX_RECORD_END;
	return next_other(body, len, flux_load_u16(body + *off), off, rec);
}

bool flux_record_check_body(const uint8_t *body, uint32_t len)
{
	struct flux_record rec;
	uint32_t off = 0;
	bool first = true;
	bool goes_on = false; /* into the next datagram, so no message may follow in this one */

	if (len < HEAD_LEN)
		return false;
	for (;;) {
		enum flux_record_result result = flux_record_next(body, len, &off, &rec);

		if (result != FLUX_RECORD_OK)
			return result == FLUX_RECORD_END;
		if (rec.kind != FLUX_REC_META && goes_on)
			return false;
		if ((rec.kind == FLUX_REC_MIDDLE || rec.kind == FLUX_REC_LAST) && !first)
			return false;
		if (rec.kind == FLUX_REC_FIRST || rec.kind == FLUX_REC_MIDDLE)
			goes_on = true;
		first = false;
	}
}

uint32_t flux_record_put_header(uint8_t *out, enum flux_record_kind kind, uint32_t len,
				uint32_t total)
{
	uint32_t head = len > FLUX_RECORD_LEN_MAX ? LEN_LONG : len;
	uint32_t n = HEAD_LEN;

	if (kind == FLUX_REC_MIDDLE || kind == FLUX_REC_LAST)
		head |= BIT_C;
	if (kind == FLUX_REC_FIRST || kind == FLUX_REC_MIDDLE)
		head |= BIT_M;
	flux_store_u16(out, (uint16_t)head);
	if (len > FLUX_RECORD_LEN_MAX) {
		flux_store_u16(out + n, (uint16_t)len);
		n += LONG_LEN;
	}
	if (kind == FLUX_REC_FIRST) {
		flux_store_u32(out + n, total);
		n += TOTAL_LEN;
	}
	return n;
}

uint32_t flux_record_put_meta(uint8_t *out, uint8_t meta, const void *value, uint8_t len)
{
	flux_store_u16(out, BIT_C);
	out[2] = meta;
	out[3] = len;
	if (len > 0)
		memcpy(out + 4, value, len);
	return HEAD_LEN + META_LEN + len;
}

void flux_record_put_padding(uint8_t *out, uint32_t len)
{
	memset(out, 0, len);
	if (len >= HEAD_LEN)
		flux_store_u16(out, HEAD_PADDING);
}
