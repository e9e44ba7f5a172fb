/* SPDX-License-Identifier: MIT */
/* What the two files of the checker share. */
#ifndef FLUX_CORE_RING_CHECK_H
#define FLUX_CORE_RING_CHECK_H

#include "core/ring/ring.h"

struct check {
	const struct flux_ring *ring;
	bool still; /* nobody uses the ring meanwhile */
	void (*found)(void *ctx, const struct flux_ring_finding *finding);
	void *ctx;
	int worst;
};

static inline uint64_t flux_ring_check_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Tell a finding about a position. */
void flux_ring_check_tell(struct check *c, uint32_t what, uint64_t seq);
/* Where what was claimed (several producers) or published (one) ends. */
uint64_t flux_ring_check_tail(const struct flux_ring *ring);
/* The lowest sequence that is kept for readers. */
uint64_t flux_ring_check_held(const struct flux_ring *ring);
/* check_claims.c: claims by their words, records by their heads, items by their sums. */
void flux_ring_check_claims(struct check *c);

#endif
