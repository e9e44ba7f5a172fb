/* SPDX-License-Identifier: MIT */
/* Control packets are taken once each: a bitmap of the newest 1024 numbers (as RFC 6479 does it). */
#ifndef FLUX_CORE_RUDP_REPLAY_H
#define FLUX_CORE_RUDP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define FLUX_REPLAY_WINDOW 1024u

struct flux_replay {
	uint64_t next; /* one past the highest number taken */
	uint64_t words[FLUX_REPLAY_WINDOW / 64];
};

void flux_replay_init(struct flux_replay *r);

/* The whole number of which `wire` is the low half. */
uint64_t flux_replay_rebuild(const struct flux_replay *r, uint32_t wire);

/* Whether `num` is new; it is taken if so. Numbers start at 1; older ones than the bitmap count as taken. */
bool flux_replay_take(struct flux_replay *r, uint64_t num);

#endif
