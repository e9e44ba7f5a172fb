/* SPDX-License-Identifier: MIT */
/*
 * Missing datagrams and when to ask for them: eight first-in-first-out queues by level of retry, linked
 * through the empty descriptors of the receive window, so that every gap recovers in parallel and finding,
 * linking and unlinking a loss are O(1) (protocol 3.4.3).
 */
#ifndef FLUX_CORE_RUDP_NAK_H
#define FLUX_CORE_RUDP_NAK_H

#include <stdbool.h>

#include <flux/base.h>

#include "core/base/bitring.h"
#include "core/rudp/reorder.h"
#include "core/rudp/rtt.h"
#include "core/rudp/rxwin.h"
#include "core/wire/control.h"

#define FLUX_NAK_LEVELS 8u
#define FLUX_NAK_NONE   UINT32_MAX

struct flux_nak {
	struct {
		uint32_t head, tail; /* ring positions, FLUX_NAK_NONE */
	} queue[FLUX_NAK_LEVELS];
	struct flux_bitring due; /* found due by the last collection and not yet put into a FEEDBACK */
	flux_ts t_last;          /* of the last FEEDBACK with ranges */
	uint32_t missing;        /* on all queues */
	uint64_t lost;           /* sequences that missed the reorder tolerance, each once */
};

/* `size` is that of the window. 0 or FLUX_ENOMEM. */
int flux_nak_init(struct flux_nak *nak, const struct flux_mem *mem, uint32_t size);
void flux_nak_fini(struct flux_nak *nak, const struct flux_mem *mem);

/* [from, to) was found missing now, after `received` datagrams in all. The caller moves high to `to`. */
void flux_nak_add(struct flux_nak *nak, struct flux_rxwin *w, uint64_t from, uint64_t to, flux_ts now,
		  uint32_t received);

/*
 * A missing one came, or is skipped: take it off. *late says how long ago it was missed, if it had not been
 * asked for; returns whether it had been.
 */
bool flux_nak_remove(struct flux_nak *nak, struct flux_rxwin *w, uint64_t seq, flux_ts now,
		     const struct flux_reorder *reorder, flux_ts *late);

/* When the first one becomes due; now or past: a NAK should go out. Respects the gap between NAKs. */
flux_ts flux_nak_deadline(const struct flux_nak *nak, const struct flux_rxwin *w, flux_ts now,
			  const struct flux_rtt *rtt, const struct flux_reorder *reorder,
			  uint32_t received);

/*
 * Move all that are due one level up and write them as ranges, lowest first, at most FLUX_RANGES_MAX.
 * Returns how many. What found no room stays due for the next FEEDBACK.
 */
uint8_t flux_nak_collect(struct flux_nak *nak, struct flux_rxwin *w, flux_ts now,
			 const struct flux_rtt *rtt, const struct flux_reorder *reorder,
			 uint32_t received, struct flux_range *ranges);

const char *flux_nak_check(const struct flux_nak *nak, const struct flux_rxwin *w);

#endif
