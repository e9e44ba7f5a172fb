/* SPDX-License-Identifier: MIT */
/* Doorbells between processes: FIFOs beside the file of a shared ring. */
#ifndef FLUX_SYS_BELLS_H
#define FLUX_SYS_BELLS_H

#include <flux/ring.h>

struct flux_region;

struct flux_bells {
	struct flux_wait_ops ops; /* those of Linux, but for the descriptors */
	struct flux_region *region;
};

/* How a ring in `region` waits; lives as long as `bells`. */
const struct flux_wait_ops *flux_bells_ops(struct flux_bells *bells, struct flux_region *region);
/* The names go with the region's own. */
void flux_bells_end(struct flux_bells *bells);

#endif
