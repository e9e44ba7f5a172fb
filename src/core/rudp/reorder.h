/* SPDX-License-Identifier: MIT */
/*
 * How long a missing datagram is given to come by itself. Time-based and learned, as in RACK (RFC 8985);
 * until reordering was seen once, three later datagrams are proof enough (protocol 3.4.2).
 */
#ifndef FLUX_CORE_RUDP_REORDER_H
#define FLUX_CORE_RUDP_REORDER_H

#include <stdbool.h>

#include <flux/base.h>

#include "core/rudp/rtt.h"

#define FLUX_REORDER_DATAGRAMS 3u

struct flux_reorder {
	flux_ts wait;
	bool seen;     /* the path has reordered */
	uint32_t good; /* losses repaired since, none of them premature */
	uint64_t late_originals, spurious;
};

void flux_reorder_init(struct flux_reorder *r);

/* The RTT is known better: the wait is at least the initial one and at most srtt. */
void flux_reorder_update(struct flux_reorder *r, const struct flux_rtt *rtt);

/* An original came `late` after it was missed. */
void flux_reorder_late_original(struct flux_reorder *r, const struct flux_rtt *rtt, flux_ts late);

/* An original came after its repair. */
void flux_reorder_spurious(struct flux_reorder *r, const struct flux_rtt *rtt);

/* A loss was repaired and no original came. */
void flux_reorder_repaired(struct flux_reorder *r, const struct flux_rtt *rtt);

#endif
