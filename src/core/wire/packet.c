/* SPDX-License-Identifier: MIT */
/* The 16 bytes at the front of every datagram, and the checksum at its end. */
#include "core/wire/packet.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"

#define VERSION_MASK 0x07u
#define TYPE_MASK    0x0fu
#define FLAGS_SHIFT  4u
#define FLAGS_MASK   0x07u

bool flux_header_decode(struct flux_header *h, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (len < FLUX_HEADER_LEN || (p[0] & ~VERSION_MASK) != FLUX_WIRE_MAGIC)
		return false;
	h->version = p[0] & VERSION_MASK;
	if (h->version == 0)
		return false;
	h->type = p[1] & TYPE_MASK;
	h->flags = p[1] >> FLAGS_SHIFT & FLAGS_MASK;
	h->rtx = p[1] & FLUX_RTX_BIT;
	h->stream = flux_load_u16(p + 2);
	h->cid = flux_load_u32(p + 4);
	h->num = flux_load_u32(p + 8);
	h->ts = flux_load_u32(p + 12);
	return true;
}

void flux_header_encode(const struct flux_header *h, uint8_t out[FLUX_HEADER_LEN])
{
	out[0] = (uint8_t)(FLUX_WIRE_MAGIC | (h->version & VERSION_MASK));
	out[1] = (uint8_t)((h->type & TYPE_MASK) | (h->flags & FLAGS_MASK) << FLAGS_SHIFT |
			   (h->rtx ? FLUX_RTX_BIT : 0));
	flux_store_u16(out + 2, h->stream);
	flux_store_u32(out + 4, h->cid);
	flux_store_u32(out + 8, h->num);
	flux_store_u32(out + 12, h->ts);
}

/* The header of a retransmission is summed from a copy without RTX: buf stays as it is. */
static uint32_t sum(const uint8_t *buf, size_t len, uint32_t start)
{
	uint8_t head[FLUX_HEADER_LEN];

	if (len < FLUX_HEADER_LEN || !(buf[1] & FLUX_RTX_BIT))
		return flux_crc32c(start, buf, len);
	memcpy(head, buf, FLUX_HEADER_LEN);
	head[1] &= (uint8_t)~FLUX_RTX_BIT;
	start = flux_crc32c(start, head, FLUX_HEADER_LEN);
	return flux_crc32c(start, buf + FLUX_HEADER_LEN, len - FLUX_HEADER_LEN);
}

void flux_trailer_seal(uint8_t *buf, size_t len, uint32_t start)
{
	flux_store_u32(buf + len, sum(buf, len, start));
}

bool flux_trailer_check(const uint8_t *datagram, size_t len, uint32_t start)
{
	if (len < FLUX_HEADER_LEN + FLUX_TRAILER_LEN)
		return false;
	len -= FLUX_TRAILER_LEN;
	return flux_load_u32(datagram + len) == sum(datagram, len, start);
}
