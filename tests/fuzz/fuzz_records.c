/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the body of a DATA datagram. Records stay inside it, and writing them again
 * gives the very bytes they were read from: there is one way to say each.
 */
#include <string.h>

#include "core/wire/record.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 65535u

/* Write the record again at `out`; the number of bytes. */
static uint32_t write_again(const struct flux_record *rec, uint8_t *out)
{
	uint32_t head;

	if (rec->kind == FLUX_REC_META)
		return flux_record_put_meta(out, rec->meta, rec->data, (uint8_t)rec->len);
	head = flux_record_put_header(out, rec->kind, rec->len, rec->total);
	FUZZ_CHECK(head == flux_record_header_len(rec->kind, rec->len));
	memcpy(out + head, rec->data, rec->len);
	return head + rec->len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[BODY_MAX];
	enum flux_record_result result;
	struct flux_record rec = { 0 };
	uint32_t len = (uint32_t)size;
	uint32_t off = 0;
	uint32_t before = 0;

	if (size > BODY_MAX)
		return 0;
	while ((result = flux_record_next(data, len, &off, &rec)) == FLUX_RECORD_OK) {
		FUZZ_CHECK(off > before && off <= len);
		FUZZ_CHECK(rec.data >= data + before && rec.data + rec.len == data + off);
		FUZZ_CHECK(write_again(&rec, again) == off - before);
		FUZZ_CHECK(memcmp(again, data + before, off - before) == 0);
		before = off;
	}
	FUZZ_CHECK(off == before);
	if (flux_record_check_body(data, len))
		FUZZ_CHECK(result == FLUX_RECORD_END && len >= 2);
	return 0;
}
