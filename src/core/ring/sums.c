/* SPDX-License-Identifier: MIT */
/* A CRC32C with each slot, in an array beside the slots so that a span stays a plain array. */
#include "core/base/bits.h"
#include "core/base/crc32c.h"
#include "core/ring/ring.h"

static uint32_t sum_of(const struct flux_ring *ring, uint64_t seq)
{
	return flux_crc32c(0, ring->data + (seq & ring->mask) * ring->slot, ring->slot);
}

void flux_ring_sums_write(struct flux_ring *ring, uint64_t seq, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		__atomic_store_n(&ring->sums[(seq + i) & ring->mask], sum_of(ring, seq + i), __ATOMIC_RELAXED);
}

int flux_ring_sums_verify(struct flux_ring_reader *reader, uint64_t n, uint64_t ready)
{
	struct flux_ring *ring = reader->ring;
	uint64_t good = 0;

	n = flux_min_u64(n, ready - reader->next);
	while (good < n && __atomic_load_n(&ring->sums[(reader->next + good) & ring->mask], __ATOMIC_RELAXED) ==
				   sum_of(ring, reader->next + good))
		good++;
	reader->limit = reader->next + good;
	reader->bad = !good;
	return good ? (int)good : FLUX_EBADMSG;
}

int flux_ring_skip(struct flux_ring_reader *reader)
{
	if (!reader->bad)
		return FLUX_EINVAL;
	reader->damaged++;
	if (flux_ring_is(reader->ring, FLUX_RING_RECORDS)) {
		/* Passed like a skip: given back with what is released next. */
		reader->read += reader->bad;
		reader->bad = 0;
		return 0;
	}
	reader->bad = 0;
	if (reader->flags & FLUX_READER_LOSSY) {
		reader->next++;
		return 0;
	}
	reader->limit = reader->next + 1;
	return flux_ring_release(reader, 1);
}
