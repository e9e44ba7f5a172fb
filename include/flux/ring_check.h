/* SPDX-License-Identifier: MIT */
/*
 * Proving a ring consistent, while it runs or after its users died: what must hold of its positions,
 * places, claims, records and sums. Nothing is changed. Included by <flux/ring.h>.
 */
#ifndef FLUX_RING_CHECK_H
#define FLUX_RING_CHECK_H

#include <flux/ring_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How bad a finding is; flux_ring_check() returns the worst. */
enum flux_ring_severity {
	FLUX_RING_CONSISTENT = 0,
	FLUX_RING_LEFT = 1,   /**< left by somebody who died: flux_ring_tend() mends it */
	FLUX_RING_DAMAGED = 2 /**< nobody who follows the rules can have made this, and nobody mends it */
};

/* clang-format off */
/** X(name, severity, text): what can be found. The text begins with what `seq` and `is` are about. */
#define FLUX_RING_FAULTS(X)                                                                                  \
	X(HEAD, DAMAGED, "the head says something else than when this handle met it")                        \
	X(FLOOR, DAMAGED, "the floor lies above the tail")                                                   \
	X(LEAVING, DAMAGED, "the last readers left above the tail")                                          \
	X(TAKEN, DAMAGED, "more was taken by shared readers than was published")                             \
	X(CURSOR, DAMAGED, "the cursor lies above what was claimed")                                         \
	X(HIGHEST, DAMAGED, "the highest level is more than the capacity")                                   \
	X(OVERRUN, DAMAGED, "the writers ran over what was not released")                                    \
	X(GATE, DAMAGED, "a reader's gate lies above the tail, or holds nobody though the reader is in")     \
	X(IN, DAMAGED, "the set of readers that count names a place that no reader has, or misses one")      \
	X(STATE, DAMAGED, "a place is in no state that there is")                                            \
	X(NOBODY, DAMAGED, "a place is taken by no process, so nobody will ever give it back")               \
	X(DEAD, LEFT, "a place is still held by a process that died")                                        \
	X(AFTER, DAMAGED, "a reader waits for itself, or for places that there are not")                     \
	X(EVICTABLE, DAMAGED, "a reader may be evicted, and the ring does not say so")                       \
	X(CLAIM_NOTE, DAMAGED, "a note of a claim that nobody can have made")                                \
	X(CLAIM_LEFT, LEFT, "a claim of a process that died was never published: readers wait for it")       \
	X(CLAIM_LOST, DAMAGED, "a claim was never published, and nobody's note tells how long it is")        \
	X(CLAIM_LENGTH, DAMAGED, "a published claim ends above the tail")                                    \
	X(CLAIM_LAP, DAMAGED, "a word of a lap that is still to come")                                       \
	X(SKIPS, DAMAGED, "a claim is a skip, and the ring does not say that there are any")                 \
	X(RECORD, DAMAGED, "no record can lie here")                                                         \
	X(SUM, DAMAGED, "an item does not have its checksum")                                                \
	X(BELL, DAMAGED, "a bell is to ring a place that there is not, or one that never sleeps")            \
	X(NOTE, DAMAGED, "a note about a party that was never written as such")
/* clang-format on */

/** flux_ring_finding.what: FLUX_RING_FAULT_HEAD and so on. */
enum flux_ring_fault {
	FLUX_RING_FAULT_NONE_,
#define FLUX_RING_FAULT_(name, severity, text) FLUX_RING_FAULT_##name,
	FLUX_RING_FAULTS(FLUX_RING_FAULT_)
#undef FLUX_RING_FAULT_
};

/** Something that does not hold. */
struct flux_ring_finding {
	uint32_t what;      /**< enum flux_ring_fault */
	uint32_t severity;  /**< enum flux_ring_severity */
	uint32_t is_writer; /**< whether `place` is one of a writer */
	uint32_t place;     /**< the place that it is about; UINT32_MAX: none */
	uint64_t seq;       /**< the position that it is about, or what stands in its place */
};

/**
 * Nobody uses the ring during the call: then all must agree at once, and more can be asked for. Without
 * it only what holds at every instant is asked.
 */
#define FLUX_RING_CHECK_STILL 1u

/**
 * Prove the ring consistent. What cannot be told apart: in a ring that is full to the last slot, a lost
 * claim at the very bottom and the rest of one that a reader released in part.
 *
 * @param flags  FLUX_RING_CHECK_STILL or 0.
 * @param found  NULL, or called with each finding, which is lent for the call.
 *
 * @return the worst enum flux_ring_severity; FLUX_EINVAL: `flags`; FLUX_ENOTSUP: a ring that can grow.
 *
 * Thread: any; it only reads, so the block may be mapped read-only.
 * Cost:   reads all places, each claim that is kept, with FLUX_RING_SUMS all that is not released. Calls
 *         `alive` of flux_ring_set_peers(); without that, everybody lives.
 */
FLUX_API int flux_ring_check(const struct flux_ring *ring, uint32_t flags,
			     void (*found)(void *ctx, const struct flux_ring_finding *finding), void *ctx);

/** A finding in words; never NULL. Thread: any. Cost: none. */
FLUX_API const char *flux_ring_fault_text(uint32_t what);

/** Its name in small letters, for programs: "claim_left"; never NULL. Thread: any. Cost: none. */
FLUX_API const char *flux_ring_fault_name(uint32_t what);

/** flux_ring_party.state. */
enum flux_ring_party_state {
	FLUX_RING_PARTY_NONE = 0,
	FLUX_RING_PARTY_COMING = 1, /**< it is joining or opening */
	FLUX_RING_PARTY_IN = 2,
	FLUX_RING_PARTY_EVICTED = 3,
	FLUX_RING_PARTY_CLEARED = 4 /**< it died, and `member` cleans up */
};

/** A place of a ring, and who has it. */
struct flux_ring_party {
	uint32_t state;  /**< enum flux_ring_party_state */
	uint32_t id;     /**< as flux_ring_reader_id() has it */
	uint32_t member; /**< number of its process; 0: within one */
	uint32_t dead;   /**< 1: its process is known to have ended */
	uint32_t flags;  /**< enum flux_ring_reader_flags */
	uint32_t reserved;
	uint64_t gate;     /**< reader: first sequence not released; writer: start of its open claim */
	uint64_t count;    /**< reader: published and not released by it; writer: length of that claim */
	uint64_t after;    /**< reader: places that it waits for, one bit each */
	uint64_t patience; /**< reader: `evict_after` */
	char name[FLUX_RING_NAME];
};

/**
 * Look at a place.
 *
 * @param is_writer  0: a reader's place.
 * @param place      from 0.
 *
 * @return 0; FLUX_EINVAL: there is no such place.
 *
 * Thread: any.
 * Cost:   `alive` of flux_ring_set_peers(), once.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_get_party(const struct flux_ring *ring, int is_writer, uint32_t place,
						 struct flux_ring_party *party);

#ifdef __cplusplus
}
#endif

#endif
