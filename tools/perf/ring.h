/* SPDX-License-Identifier: MIT */
/* The rings of fluxperf: made as the options say, and opened by the parties. */
#ifndef FLUX_TOOLS_PERF_RING_H
#define FLUX_TOOLS_PERF_RING_H

#include <flux/region.h>
#include <flux/ring.h>

#include "perf/options.h"

/* Slots of a ring of records: a record is made of these. */
#define PERF_UNIT 16u

/* A ring between threads, in memory that lies as --huge says. */
struct perf_ring {
	struct flux_ring *ring; /* NULL: none */
	struct flux_ring own;
	struct flux_region *region;
};

/* Bytes of one ring; 0 if there cannot be such a one. */
uint64_t perf_ring_bytes(const struct perf_options *options);

/* Make one. Returns 0, or a negative error with its words in `why` (FLUX_WHY_TEXT bytes). */
int perf_ring_make(struct perf_ring *ring, const struct perf_options *options, char *why);

/* End it, also one that was never made. */
void perf_ring_end(struct perf_ring *ring);

/* Open an end of it, as the options say; errors as in perf_ring_make(). */
int perf_ring_write(const struct perf_ring *ring, const struct perf_options *options,
		    struct flux_ring_writer *writer, char *why);
int perf_ring_read(const struct perf_ring *ring, const struct perf_options *options,
		   struct flux_ring_reader *reader, char *why);

#endif
