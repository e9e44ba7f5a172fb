/* SPDX-License-Identifier: MIT */
/* Control packets are taken once each. */
#include "core/rudp/replay.h"

#include "core/base/seq.h"

#define WORDS (FLUX_REPLAY_WINDOW / 64)

void flux_replay_init(struct flux_replay *r)
{
	*r = (struct flux_replay){ .next = 1 };
}

uint64_t flux_replay_rebuild(const struct flux_replay *r, uint32_t wire)
{
	return flux_seq_rebuild(r->next, wire);
}

bool flux_replay_take(struct flux_replay *r, uint64_t num)
{
	uint64_t *word = &r->words[num / 64 % WORDS], bit = 1ull << num % 64;

	/* The word that `next` lies in also holds what is 1024 older: one word less is remembered. */
	if (!num || num + FLUX_REPLAY_WINDOW - 64 < r->next)
		return false;
	if (num >= r->next) {
		uint64_t first = (r->next - 1) / 64 + 1, last = num / 64;

		if (last - first >= WORDS && last >= first)
			first = last - WORDS + 1;
		for (; first <= last; first++)
			r->words[first % WORDS] = 0;
		r->next = num + 1;
	} else if (*word & bit) {
		return false;
	}
	*word |= bit;
	return true;
}
