/* SPDX-License-Identifier: MIT */
/* Records inside a DATA body: whole messages, fragments and meta records (protocol 2.5). */
#ifndef FLUX_CORE_WIRE_RECORD_H
#define FLUX_CORE_WIRE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"

enum flux_record_kind {
	FLUX_REC_WHOLE,  /* a message of its own */
	FLUX_REC_FIRST,  /* first fragment; `total` is the message's length */
	FLUX_REC_MIDDLE, /* one more fragment */
	FLUX_REC_LAST,   /* the last fragment */
	FLUX_REC_META    /* `meta` says which; data is its value */
};

/* Meta kinds. */
#define FLUX_META_PAD 0u
#define FLUX_META_EOS 1u

#define FLUX_RECORD_SHORT   2u     /* bytes of a short header, which is the length of a whole message */
#define FLUX_RECORD_LONG    2u     /* more, if the length is longer */
#define FLUX_RECORD_TOTAL   4u     /* more, in a first fragment */
#define FLUX_RECORD_LEN_MAX 16382u /* that it can say */

struct flux_record {
	enum flux_record_kind kind;
	uint8_t meta;        /* FLUX_REC_META only */
	uint32_t len;        /* of data */
	uint32_t total;      /* FLUX_REC_FIRST only */
	const uint8_t *data; /* inside the body */
};

enum flux_record_result {
	FLUX_RECORD_OK,  /* *rec is set, *off moved past it */
	FLUX_RECORD_END, /* the end, "the rest is padding", or one left-over byte */
	FLUX_RECORD_BAD  /* runs past the body or breaks the table */
};

/*
 * Read the record at body[*off, len); *off <= len. Besides what does not fit, a long header for
 * a length that a short one could say breaks the table, and a first fragment that is already
 * its whole message.
 */
enum flux_record_result flux_record_next(const uint8_t *body, uint32_t len, uint32_t *off,
					 struct flux_record *rec);

/* The same for a whole message with a short header, which most are; false: it is none, nothing changed. */
static inline bool flux_record_whole(const uint8_t *body, uint32_t len, uint32_t *off, const uint8_t **data,
				     uint32_t *n)
{
	uint32_t left = len - *off, head;

	if (left < FLUX_RECORD_SHORT)
		return false;
	head = flux_load_u16(body + *off);
	if (head > FLUX_RECORD_LEN_MAX || head > left - FLUX_RECORD_SHORT)
		return false;
	*n = head;
	*data = body + *off + FLUX_RECORD_SHORT;
	*off += FLUX_RECORD_SHORT + head;
	return true;
}

/*
 * Check that a body is records from end to end, at least one; that a continuation comes first
 * only (rule F2); and that after a fragment which goes on in the next datagram only meta
 * records follow (rule F1).
 */
bool flux_record_check_body(const uint8_t *body, uint32_t len);

/*
 * Bytes that the header of a record of `len` data bytes takes: 2 or 4; a first fragment 4 more.
 */
static inline uint32_t flux_record_header_len(enum flux_record_kind kind, uint32_t len)
{
	return FLUX_RECORD_SHORT + (len > FLUX_RECORD_LEN_MAX ? FLUX_RECORD_LONG : 0) +
	       (kind == FLUX_REC_FIRST ? FLUX_RECORD_TOTAL : 0);
}

/*
 * Write the header of a record; its data follows at out + the returned length.
 * `total` is used by FLUX_REC_FIRST. Not for FLUX_REC_META.
 */
uint32_t flux_record_put_header(uint8_t *out, enum flux_record_kind kind, uint32_t len, uint32_t total);

/* Write a whole meta record (4 bytes and the value); returns its length. */
uint32_t flux_record_put_meta(uint8_t *out, uint8_t meta, const void *value, uint8_t len);

/* Fill out[0, len) so that a reader takes it as the end of the body. */
void flux_record_put_padding(uint8_t *out, uint32_t len);

#endif
