/* SPDX-License-Identifier: MIT */
/* What the rings that are compared have in common: the work, the threads, the clock. */
#ifndef FLUX_BENCH_RING_WORK_H
#define FLUX_BENCH_RING_WORK_H

#include <sched.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One measurement: `count` items of `slot` bytes from all writers together. */
struct work {
	uint32_t slot, batch, capacity;
	uint32_t writers, readers;
	uint32_t share; /* each item to one reader, else each to all */
	uint32_t spin;  /* no back-off on empty and full */
	uint64_t count;
};

/* What a thread of a measurement does: writer or reader number `me`; a reader returns its sum. */
typedef uint64_t (*work_body)(const struct work *work, void *ring, uint32_t me);

/* Run writers and readers, each pinned; the seconds it took. *sum is that of all readers. */
double work_run(const struct work *work, void *ring, work_body writer, work_body reader, uint64_t *sum);

/*
 * Run this thread on the nth of the CPUs that the program was given, modulo their number. First called
 * by the main thread.
 */
void work_pin(uint32_t nth);

/* What all readers together must have summed. */
uint64_t work_expected(const struct work *work);

/* The share of writer `me`: first number and how many. */
static inline uint64_t work_part(const struct work *work, uint32_t me, uint64_t *first)
{
	uint64_t each = work->count / work->writers;

	*first = me * each;
	return each;
}

/* Every byte of an item is written, every byte is read. */
static inline void work_fill(void *at, uint32_t slot, uint64_t number)
{
	for (uint32_t i = 0; i < slot / 8; i++) {
		uint64_t value = number + i;

		memcpy((char *)at + 8 * i, &value, sizeof(value));
	}
}

static inline uint64_t work_sum(const void *at, uint32_t slot)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < slot / 8; i++) {
		uint64_t value;

		memcpy(&value, (const char *)at + 8 * i, sizeof(value));
		sum += value;
	}
	return sum;
}

/*
 * The same back-off for all that our adaptive way has: 64 pauses on empty and on full, the processor
 * given away after many in a row; `spin`: one pause. *round counts those in a row.
 */
static inline void work_back_off(const struct work *work, uint32_t *round)
{
	if (!work->spin && ++*round > 64) {
		sched_yield();
		return;
	}
	for (int i = work->spin ? 1 : 64; i; i--)
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ __volatile__("isb" ::
					     : "memory");
#else
		__asm__ __volatile__("" ::
					     : "memory");
#endif
}

/* Loops are compiled for the usual sizes, as a program that knows its type would have them. */
#define WORK_BY_SLOT(call_with, slot)     \
	switch (slot) {                   \
	case 8:                           \
		return call_with(8);      \
	case 64:                          \
		return call_with(64);     \
	case 128:                         \
		return call_with(128);    \
	default:                          \
		return call_with((slot)); \
	}

/* A ring to be compared: measure once, or return a negative number if it cannot do this work. */
struct contender {
	const char *name;
	double (*run)(const struct work *work, uint64_t *sum);
};

double flux_run(const struct work *work, uint64_t *sum);
double rte_run(const struct work *work, uint64_t *sum);
double ck_run(const struct work *work, uint64_t *sum);
double moody_run(const struct work *work, uint64_t *sum);

#ifdef __cplusplus
}
#endif

#endif
