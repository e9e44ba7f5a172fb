/* SPDX-License-Identifier: MIT */
/* What the rings that are compared have in common: the work, the threads, the clock, the back-off. */
#ifndef FLUX_BENCH_RING_WORK_H
#define FLUX_BENCH_RING_WORK_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is done on empty and on full. */
enum work_wait {
	WORK_EQUAL, /* the same pauses for all: those of our adaptive way */
	WORK_BARE   /* at once again, as a queue comes; ours: FLUX_WAIT_SPIN */
};

/* One measurement: `count` items of `slot` bytes from all writers together. */
struct work {
	uint32_t slot, batch, capacity;
	uint32_t writers, readers;
	uint64_t count;
	enum work_wait wait;
	bool share;     /* each item to one reader, else each to all */
	bool together;  /* all readers are turned by one thread, batch by batch */
	bool twice;     /* each batch is read twice before it is released */
	bool mapped;    /* in a shared mapping, else on the heap */
	bool processes; /* writers and readers are processes; one writer then */
	bool crowded;   /* there are more parties than CPUs */
};

struct result {
	double seconds;
	uint64_t sum;    /* of all readers */
	uint64_t cpu_ns; /* of all writers and readers */
};

/* What a party does: writer or reader number `me`; a reader returns its sum. */
typedef uint64_t (*work_body)(const struct work *work, void *ring, uint32_t me);
/* Its preparations, before the clock starts, in its own thread or process. */
typedef void (*work_open)(const struct work *work, void *ring, uint32_t me, bool reads);

/* Run writers and readers, each pinned. `open` may be NULL. */
void work_run(const struct work *work, void *ring, work_open open, work_body writer, work_body reader,
	      struct result *result);

/* What all readers together must have summed. */
uint64_t work_expected(const struct work *work);

/* All items that are written. */
static inline uint64_t work_total(const struct work *work)
{
	return work->count / work->writers * work->writers;
}

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

/* The same for items back to back. */
static inline void work_fill_run(void *at, uint32_t n, uint32_t slot, uint64_t number)
{
	for (uint32_t i = 0; i < n; i++)
		work_fill((char *)at + (size_t)i * slot, slot, number + i);
}

static inline uint64_t work_sum_run(const void *at, uint32_t n, uint32_t slot)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += work_sum((const char *)at + (size_t)i * slot, slot);
	return sum;
}

static inline void work_pause(uint32_t n)
{
	while (n--) {
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ __volatile__("isb"
				     :
				     :
				     : "memory");
#else
		__asm__ __volatile__(""
				     :
				     :
				     : "memory");
#endif
	}
}

/* The back-off of a peer: what src/core/ring/pace.c does for FLUX_WAIT_ADAPTIVE, to the number. */
struct back_off {
	uint64_t at;
	uint32_t round, pauses;
};

#define BACK_OFF_INIT    \
	{                \
		0, 0, 64 \
	}

/* The peer's try failed; it has done `done` items so far. */
static inline void back_off(const struct work *work, struct back_off *b, uint64_t done)
{
	uint64_t run = done - b->at;

	if (work->wait == WORK_BARE) {
		if (work->crowded)
			sched_yield();
		return;
	}
	if (!b->round) {
		b->at = done;
		if (run < work->capacity / 4 && run >= b->pauses / 4)
			b->pauses = b->pauses < 512 ? 2 * b->pauses : 1024;
		else if (run > work->capacity / 2 || run < b->pauses / 8)
			b->pauses = b->pauses > 128 ? b->pauses / 2 : 64;
	}
	if (b->round >= 64)
		sched_yield();
	else
		work_pause(b->round ? 64 : b->pauses);
	b->round++;
}

/* Its try succeeded. */
static inline void back_off_end(struct back_off *b)
{
	b->round = 0;
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

/* A ring to be compared: measure once; false if it cannot do this work. */
typedef bool (*work_ring)(const struct work *work, struct result *result);

bool flux_run(const struct work *work, struct result *result);
bool rte_run(const struct work *work, struct result *result);
bool ck_run(const struct work *work, struct result *result);
bool moody_run(const struct work *work, struct result *result);

/* Whether the processors stayed where they were between two probes. */
bool probe_is_steady(double before, double after);

#define MOST_ROUNDS 99u
double median(const double *values, uint32_t n);

/* Round trips by two rings of so many slots beside those by bare lines; rtt.c. */
void rtt(uint32_t slots, uint32_t rounds, bool json);

#ifdef __cplusplus
}
#endif

#endif
