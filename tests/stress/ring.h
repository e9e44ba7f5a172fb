/* SPDX-License-Identifier: MIT */
/* The stress body of rings, and what its variants differ in. */
#ifndef FLUX_TESTS_STRESS_RING_H
#define FLUX_TESTS_STRESS_RING_H

#include <stdint.h>

#include <flux/ring.h>

enum stress_graph {
	STRESS_FLAT,
	STRESS_PIPELINE,
	STRESS_DIAMOND
};

struct stress_kind {
	const char *name;
	uint32_t flags; /* enum flux_ring_flags */
	uint32_t writers, readers;
	uint32_t capacity, slot;
	uint32_t writer_waits, reader_waits; /* enum flux_wait */
	enum stress_graph graph;
	uint32_t aborts; /* claims are given up now and then, in whole or in part */
	uint32_t churn;  /* further readers, which join and leave all the time */
	uint32_t most;   /* the writer grows and shrinks the ring up to so many slots, now and then */
};

/*
 * Pass `count` items from each writer to the readers. NULL, or in `why` (120 bytes) what went wrong.
 */
const char *stress_ring(const struct stress_kind *kind, uint64_t count, uint64_t seed, char *why);

/* R14: two threads answer each other over two rings, so that one lost wake-up stops both. */
const char *stress_pingpong(uint32_t waits, uint64_t count, uint64_t seed, char *why);

/* R14: gaps of 0 to 3 us before a reader that sleeps. An item that lies longer than worst_ms, if not 0, fails. */
const char *stress_gaps(uint32_t waits, uint64_t count, uint64_t seed, uint64_t worst_ms, char *why);

/* Peek, and wait in the reader's own way until there is something: how many, or an error. */
int stress_peek(struct flux_ring_reader *reader, uint32_t most, struct flux_ring_span *span);

#endif
