/* SPDX-License-Identifier: MIT */
/* The common header of every datagram and its checksum trailer (protocol 2.1 to 2.4). */
#ifndef FLUX_CORE_WIRE_PACKET_H
#define FLUX_CORE_WIRE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLUX_WIRE_VERSION 1u
#define FLUX_WIRE_MAGIC   0x08u /* upper five bits of the first byte */
#define FLUX_HEADER_LEN   16u
#define FLUX_TRAILER_LEN  4u    /* suite 0: CRC32C */
#define FLUX_RTX_BIT      0x80u /* of the second byte */

enum flux_packet_type {
	FLUX_PKT_DATA = 1,
	FLUX_PKT_REPAIR,
	FLUX_PKT_FEEDBACK,
	FLUX_PKT_SYNC,
	FLUX_PKT_OPEN,
	FLUX_PKT_PING,
	FLUX_PKT_PONG,
	FLUX_PKT_CLOSE,
	FLUX_PKT_RESET,
	FLUX_PKT_HELLO,
	FLUX_PKT_COOKIE,
	FLUX_PKT_WELCOME,
	FLUX_PKT_VERSIONS,
	FLUX_PKT_PIECE,
	FLUX_PKT_EXT
};

struct flux_header {
	uint8_t version; /* 1 to 7 */
	uint8_t type;    /* enum flux_packet_type, or 0 */
	uint8_t flags;   /* bits 4 to 6 of byte 1, as 0 to 7: mcode of DATA; HELLO: unused */
	bool rtx;
	uint16_t stream;
	uint32_t cid;
	uint32_t num;
	uint32_t ts; /* microseconds */
};

/*
 * Read the first 16 bytes. False: too short or not of this protocol (first byte not 0000 1vvv,
 * v != 0).
 */
bool flux_header_decode(struct flux_header *h, const void *data, size_t len);

/* Write 16 bytes. */
void flux_header_encode(const struct flux_header *h, uint8_t out[FLUX_HEADER_LEN]);

/*
 * Write the CRC32C of buf[0, len) with the RTX bit as 0, started with `start`, at buf + len (4
 * bytes).
 */
void flux_trailer_seal(uint8_t *buf, size_t len, uint32_t start);

/* Whether the last 4 of `len` bytes are that checksum. False if len < 20. */
bool flux_trailer_check(const uint8_t *datagram, size_t len, uint32_t start);

#endif
