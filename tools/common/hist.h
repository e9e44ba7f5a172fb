/* SPDX-License-Identifier: MIT */
/* A histogram of durations with about 1 % resolution. */
#ifndef FLUX_TOOLS_COMMON_HIST_H
#define FLUX_TOOLS_COMMON_HIST_H

#include <stdint.h>

#define HIST_SHIFT 6 /* 64 cells for each power of two */
#define HIST_CELLS (64u << HIST_SHIFT)

struct hist {
	uint64_t count;
	uint64_t max;
	uint64_t cells[HIST_CELLS];
};

void hist_add(struct hist *hist, uint64_t ns);

/* Add all of `from`. */
void hist_merge(struct hist *hist, const struct hist *from);

/* The duration that the given share (0 to 1) of all does not exceed, in ns; 0 if there is none. */
uint64_t hist_percentile(const struct hist *hist, double share);

#endif
