/* SPDX-License-Identifier: MIT */
/* What the ring's unit tests share: a ring of numbers, and short ways to write and read them. */
#ifndef FLUX_TESTS_UNIT_RING_COMMON_H
#define FLUX_TESTS_UNIT_RING_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <flux/ring.h>

#define UNUSED(x) (void)(x)

static inline struct flux_ring *ring_of(uint32_t flags, uint32_t capacity, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring *ring = NULL;

	cfg.flags = flags;
	cfg.capacity = capacity;
	cfg.slot = sizeof(uint64_t);
	cfg.readers = 8;
	cfg.writers = writers;
	assert_int_equal(flux_ring_create(&ring, &cfg, &flux_mem_libc), 0);
	return ring;
}

/* Publish one number: 0 or an error. */
static inline int put(struct flux_ring_writer *writer, uint64_t value)
{
	struct flux_ring_span span;
	int rc = flux_ring_claim(writer, 1, &span);

	if (rc < 0)
		return rc;
	memcpy(span.at[0], &value, sizeof(value));
	return flux_ring_publish(writer, 1);
}

/* Read and release one number; UINT64_MAX if there is none. */
static inline uint64_t get(struct flux_ring_reader *reader)
{
	void *item = flux_ring_peek_one(reader);
	uint64_t value;

	if (!item)
		return UINT64_MAX;
	memcpy(&value, item, sizeof(value));
	assert_int_equal(flux_ring_release(reader, 1), 0);
	return value;
}

static inline int join(struct flux_ring_reader *reader, struct flux_ring *ring, uint32_t start)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

	cfg.start = start;
	return flux_ring_reader_join(reader, ring, &cfg);
}

static inline int join_after(struct flux_ring_reader *reader, struct flux_ring *ring, uint32_t n,
			     const uint32_t *after)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

	cfg.after = after;
	cfg.n_after = n;
	return flux_ring_reader_join(reader, ring, &cfg);
}

#endif
