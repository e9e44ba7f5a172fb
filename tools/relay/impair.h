/* SPDX-License-Identifier: MIT */
/* The impairment model: what happens to each datagram of one direction. Arithmetic only. */
#ifndef FLUX_TOOLS_RELAY_IMPAIR_H
#define FLUX_TOOLS_RELAY_IMPAIR_H

#include "relay/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_IPV4_UDP_BYTES 28

#define RELAY_NS_PER_MS 1000000u
#define RELAY_NS_PER_S  1000000000u

/* What the user asked for; the same for both directions. Probabilities are 0 to 1. */
struct relay_impairments {
	double loss;
	double burst_enter; /* good to bad, per datagram */
	double burst_leave; /* bad to good, per datagram */
	double dup;
	double corrupt;
	double reorder;
	double ns_per_byte; /* 0: the link has no rate */
	uint64_t delay_ns;
	uint64_t jitter_ns;
	uint64_t queue_bytes;  /* of whole IP packets that wait for the rate */
	uint32_t mtu_bytes;    /* of a whole IP packet; 0: no limit */
	uint32_t header_bytes; /* of IP and UDP; added to a payload for rate, queue and MTU */
};

/*
 * What a random stream is for. Each use has its own, so that no setting disturbs another. The
 * first are drawn once for each datagram received, the others for the original and for a copy.
 */
enum {
	RELAY_ONCE_BURST,
	RELAY_ONCE_LOSS,
	RELAY_ONCE_DUP,
	RELAY_ONCE_USES
};
enum {
	RELAY_EACH_CORRUPT,
	RELAY_EACH_BIT,
	RELAY_EACH_JITTER,
	RELAY_EACH_REORDER,
	RELAY_EACH_HOLD,
	RELAY_EACH_USES,
};

/* The state of one direction. */
struct relay_impair {
	const struct relay_impairments *set;
	struct relay_rng once[RELAY_ONCE_USES];
	struct relay_rng each[2][RELAY_EACH_USES];
	uint64_t hold_ns;    /* the longest time that reordering adds */
	uint64_t busy_until; /* when the link has sent all that was queued for its rate */
	bool in_burst;
};

enum relay_verdict {
	RELAY_PASSED,
	RELAY_MTU_DROPPED,
	RELAY_LOST,
	RELAY_BURST_LOST,
};

#define RELAY_NO_FLIP UINT32_MAX

/* One passage over the link: of the original, or of its copy. */
struct relay_passage {
	uint64_t due;      /* when it leaves the relay */
	uint32_t flip_bit; /* RELAY_NO_FLIP: unharmed */
	bool queue_dropped;
};

struct relay_fate {
	enum relay_verdict verdict;
	uint32_t passages; /* 0, 1, or 2 if duplicated; [0] is the original */
	struct relay_passage passage[2];
};

/* Start direction `direction` (0 or 1) of `seed`. `set` must outlive `impair`. */
void relay_impair_init(struct relay_impair *impair, const struct relay_impairments *set,
		       uint64_t seed, uint32_t direction);

/*
 * Decide about the next datagram, `payload` bytes that arrived at `now`. All random numbers are
 * drawn for every datagram, whatever becomes of it: the fate of the n-th one depends on the
 * seed and on its own setting, and on time only where the queue is concerned.
 */
void relay_impair_decide(struct relay_impair *impair, uint64_t now, uint32_t payload,
			 struct relay_fate *fate);

#endif
