/* SPDX-License-Identifier: MIT */
/* What nearly every message is: a short record in the open datagram. The rest is pack.c's. */
#ifndef FLUX_CORE_RUDP_PACK_H
#define FLUX_CORE_RUDP_PACK_H

#include "core/base/bytes.h"
#include "core/base/mutation.h"
#include "core/rudp/txstream.h"
#include "core/wire/packet.h"
#include "core/wire/record.h"

/* flux_txstream_claim() if there is room; NULL: ask that. */
static inline void *flux_pack_claim(struct flux_txstream *w, uint32_t len)
{
	struct flux_txwin *win = &w->win;
	uint32_t at = win->open_len + FLUX_RECORD_SHORT;

	if (w->claimed || !win->open_len || len > FLUX_RECORD_LEN_MAX || len > w->max_message ||
	    at + len + FLUX_TRAILER_LEN > win->max_datagram)
		return NULL;
	w->claimed = 1;
	w->claim_len = len;
	return win->bytes + win->head + at;
}

/* flux_txstream_publish() of a claim that was short from the start; false: ask that. */
static inline bool flux_pack_publish(struct flux_txstream *w, uint32_t len)
{
	struct flux_txwin *win = &w->win;

	if (w->claimed != 1 || len > w->claim_len || w->claim_len > FLUX_RECORD_LEN_MAX ||
	    FLUX_MUTATION(FORGET_MESSAGE))
		return false;
	flux_store_u16(win->bytes + win->head + win->open_len, (uint16_t)len);
	win->open_len += FLUX_RECORD_SHORT + len;
	win->open_messages++;
	w->claimed = 0;
	w->messages++;
	return true;
}

#endif
