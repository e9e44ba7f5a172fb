/* SPDX-License-Identifier: MIT */
/*
 * What the parties of a measurement share, threads or processes alike: the signs to begin and to end,
 * the time stamps of single items, and each party's result. It lies in a shared mapping.
 */
#ifndef FLUX_TOOLS_PERF_STAGE_H
#define FLUX_TOOLS_PERF_STAGE_H

#include <flux/base.h>

#include "common/hist.h"
#include "perf/check.h"
#include "perf/clock.h"
#include "perf/options.h"

enum perf_state {
	PERF_COMING,
	PERF_READY, /* its handles are open */
	PERF_DONE,
	PERF_FAILED, /* why it did stands in words */
};

struct perf_party {
	_Alignas(128) uint32_t state; /* enum perf_state */
	bool reads;                   /* else it writes; rtt: it answers, else it asks */
	uint32_t me;                  /* among those that do the same */
	uint64_t written;
	uint64_t start_ns, end_ns, cpu_ns;
	struct check check;
	struct hist hist;
	char why[FLUX_WHY_TEXT];
};

enum perf_go {
	PERF_WAIT,
	PERF_GO,
	PERF_LEAVE, /* there will be no measurement */
};

enum perf_made {
	PERF_NOT_YET,
	PERF_MADE,
	PERF_NEVER,
};

struct perf_stage {
	const struct perf_options *options;
	size_t bytes;              /* of the mapping */
	uint64_t *stamps;          /* a row for each writer */
	uint64_t row_mask;         /* length of a row, less one */
	uint64_t clock_ns;         /* what reading the clock takes */
	uint32_t count;            /* of parties */
	_Alignas(128) uint32_t go; /* enum perf_go */
	uint32_t made;             /* enum perf_made: whether the rings are there */
	uint32_t stop;             /* end early */
	uint32_t culprit;          /* the party that failed first, plus one */
	_Alignas(128) uint32_t writers_done;
	struct perf_party parties[];
};

/* NULL: no memory. */
struct perf_stage *perf_stage_open(const struct perf_options *options);
void perf_stage_close(struct perf_stage *stage);

static inline bool perf_stage_stops(const struct perf_stage *stage)
{
	return __atomic_load_n(&stage->stop, __ATOMIC_RELAXED) != 0;
}

/* ---- Stamps ---- */

/* How long items are on their way is measured for one in so many. */
#define PERF_SAMPLE 1024u

/* Whether one of the `n` items from `seq` on is to be measured. */
ITEM_INLINE bool perf_samples(uint64_t seq, uint32_t n)
{
	return ((seq - 1) ^ (seq + n - 1)) >= PERF_SAMPLE;
}

/*
 * Of the items from `seq` on: the writer sets the stamps before it publishes, a reader takes the time
 * when it has them. A row is longer than what the ring can hold, so none is overwritten in between.
 */
void perf_stage_stamp(struct perf_stage *stage, uint32_t writer, uint64_t seq, uint32_t n);
void perf_stage_take(struct perf_stage *stage, struct hist *hist, uint32_t writer, uint64_t seq, uint32_t n);

#endif
