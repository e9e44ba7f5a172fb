/* SPDX-License-Identifier: MIT */
/* The rings of fluxperf: made as the options say, and opened by the parties. */
#ifndef FLUX_TOOLS_PERF_RING_H
#define FLUX_TOOLS_PERF_RING_H

#include <flux/region.h>
#include <flux/shared_ring.h>

#include "perf/options.h"

/* Slots of a ring of records: a record is made of these. */
#define PERF_UNIT 16u

/* A ring of this process in memory of its own, or one that other processes have too. */
struct perf_ring {
	struct flux_ring *ring; /* NULL: none */
	struct flux_ring own;
	struct flux_region *region;
	struct flux_shared_ring *shared;
};

/* Longest name of a shared one, with its final zero byte. */
#define PERF_RING_NAME 48

/* Bytes of one ring; 0 if there cannot be such a one. */
uint64_t perf_ring_bytes(const struct perf_options *options);

/*
 * Make one; between processes it gets the name. Returns 0, or a negative error with its words in `why`
 * (FLUX_WHY_TEXT bytes).
 */
int perf_ring_make(struct perf_ring *ring, const struct perf_options *options, const char *name, char *why);

/* In another process, use the one of that name. */
int perf_ring_attach(struct perf_ring *ring, const struct perf_options *options, const char *name, char *why);

/* End this process's use of it, also of one that was never made. Its maker's end removes the name. */
void perf_ring_end(struct perf_ring *ring);

/* Open an end of it, as the options say; errors as in perf_ring_make(). */
int perf_ring_write(const struct perf_ring *ring, const struct perf_options *options,
		    struct flux_ring_writer *writer, char *why);
int perf_ring_read(const struct perf_ring *ring, const struct perf_options *options,
		   struct flux_ring_reader *reader, char *why);

#endif
