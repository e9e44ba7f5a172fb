/* SPDX-License-Identifier: MIT */
/* A histogram of durations with about 1 % resolution. */
#include "common/hist.h"

static uint32_t cell_of(uint64_t ns)
{
	unsigned shift;

	if (ns < (1u << HIST_SHIFT))
		return (uint32_t)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - HIST_SHIFT;
	return ((shift + 1) << HIST_SHIFT) + (uint32_t)((ns >> shift) - (1u << HIST_SHIFT));
}

/* The largest duration that falls into a cell. */
static uint64_t top_of(uint32_t cell)
{
	unsigned shift = cell >> HIST_SHIFT;

	if (shift == 0)
		return cell;
	shift--;
	return ((uint64_t)((cell & ((1u << HIST_SHIFT) - 1)) + (1u << HIST_SHIFT) + 1) << shift) - 1;
}

void hist_add(struct hist *hist, uint64_t ns)
{
	hist->cells[cell_of(ns)]++;
	hist->count++;
	if (ns > hist->max)
		hist->max = ns;
}

void hist_merge(struct hist *hist, const struct hist *from)
{
	for (uint32_t i = 0; i < HIST_CELLS; i++)
		hist->cells[i] += from->cells[i];
	hist->count += from->count;
	if (from->max > hist->max)
		hist->max = from->max;
}

uint64_t hist_percentile(const struct hist *hist, double share)
{
	uint64_t rank = (uint64_t)((double)hist->count * share);
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HIST_CELLS; i++) {
		seen += hist->cells[i];
		if (seen > rank)
			return top_of(i) < hist->max ? top_of(i) : hist->max;
	}
	return hist->max;
}
