/* SPDX-License-Identifier: MIT */
/* The one bounds-checked way to read and to write packet bytes; little-endian. */
#ifndef FLUX_CORE_WIRE_CURSOR_H
#define FLUX_CORE_WIRE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading past the end sets `bad`, yields zeros from then on, and never touches a byte outside.
 */
struct flux_reader {
	const uint8_t *pos;
	const uint8_t *end;
	bool bad;
};

/* Writing past the end sets `bad` and drops the bytes. */
struct flux_writer {
	uint8_t *pos;
	uint8_t *end;
	bool bad;
};

void flux_reader_init(struct flux_reader *r, const void *data, size_t len);
size_t flux_reader_left(const struct flux_reader *r);
uint8_t flux_read_u8(struct flux_reader *r);
uint16_t flux_read_u16(struct flux_reader *r);
uint32_t flux_read_u32(struct flux_reader *r);
uint64_t flux_read_u64(struct flux_reader *r);
/* LEB128 of at most 10 bytes; an over-long or overflowing form is bad. */
uint64_t flux_read_varint(struct flux_reader *r);
/* A view of the next `len` bytes, or NULL (and bad). */
const uint8_t *flux_read_bytes(struct flux_reader *r, size_t len);

void flux_writer_init(struct flux_writer *w, void *data, size_t len);
size_t flux_writer_left(const struct flux_writer *w);
void flux_write_u8(struct flux_writer *w, uint8_t v);
void flux_write_u16(struct flux_writer *w, uint16_t v);
void flux_write_u32(struct flux_writer *w, uint32_t v);
void flux_write_u64(struct flux_writer *w, uint64_t v);
void flux_write_varint(struct flux_writer *w, uint64_t v);
void flux_write_bytes(struct flux_writer *w, const void *data, size_t len);
void flux_write_zeros(struct flux_writer *w, size_t len);

#endif
