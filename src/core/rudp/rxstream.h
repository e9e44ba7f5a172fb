/* SPDX-License-Identifier: MIT */
/*
 * One incoming stream: places DATA, finds gaps, and decides when the writer must hear FEEDBACK
 * (protocol 3.4, 3.5).
 */
#ifndef FLUX_CORE_RUDP_RXSTREAM_H
#define FLUX_CORE_RUDP_RXSTREAM_H

#include <stdbool.h>

#include <flux/base.h>

#include "core/rudp/delivery.h"
#include "core/rudp/nak.h"
#include "core/rudp/reorder.h"
#include "core/rudp/rtt.h"
#include "core/rudp/rxwin.h"
#include "core/wire/control.h"

struct flux_rxstream_cfg {
	const struct flux_mem *mem;
	struct flux_pool *pool;
	uint64_t first_seq;
	uint32_t size;   /* descriptors, a power of two */
	uint32_t window; /* datagrams promised to the writer, up to `size` */
	uint32_t max_message;
};

struct flux_rxstream {
	struct flux_rxwin win;
	struct flux_nak nak;
	struct flux_reorder reorder;
	struct flux_delivery delivery;
	uint64_t limit;    /* told to the writer: it may send lower sequences */
	uint32_t received; /* datagrams, mod 2^32 */
	uint32_t rx_bytes; /* of DATA, mod 2^32, duplicates included */
	uint32_t since;    /* datagrams since the last FEEDBACK */
	uint32_t since_bytes;
	flux_ts t_feedback; /* when the last one was built */
	flux_ts t_reopen;   /* when to repeat that the window opened; FLUX_NEVER: no need */
	uint8_t reopen;     /* repeats left */
	bool wanted;        /* a SYNC asked */
	bool eos_told;
	bool has_echo;
	uint32_t echo_ts; /* of the newest DATA or SYNC that is no retransmission */
	flux_ts t_echo;   /* when it came */
	uint64_t datagrams, bytes, duplicates, feedbacks, naks;
};

/* 0 or FLUX_ENOMEM. */
int flux_rxstream_init(struct flux_rxstream *r, const struct flux_rxstream_cfg *cfg);
void flux_rxstream_fini(struct flux_rxstream *r);

/* Count a DATA that is a duplicate, and learn from it. */
void flux_rxstream_duplicate(struct flux_rxstream *r, const struct flux_rtt *rtt, uint64_t seq, bool rtx,
			     uint32_t len);

struct flux_rx_data {
	const uint8_t *datagram;
	uint64_t seq;
	uint32_t ts;
	uint16_t len;
	bool rtx;
};

/* An authentic DATA that flux_rxwin_judge() called new. False: no buffer, it counts as not arrived. */
bool flux_rxstream_data(struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt,
			const struct flux_rx_data *data);

/* An authentic SYNC; `body` stands at its ranges. False: absurd, nothing was changed. */
bool flux_rxstream_sync(struct flux_rxstream *r, flux_ts now, struct flux_rtt *rtt, uint32_t ts,
			const struct flux_sync *sync, struct flux_reader *body);

/* Whether a FEEDBACK is due, and its content; building it counts as sending it. */
bool flux_rxstream_feedback_due(const struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt);
void flux_rxstream_build_feedback(struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt,
				  struct flux_feedback *fb);

/* The next time at which a FEEDBACK becomes due by time alone. */
flux_ts flux_rxstream_deadline(const struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt);

const char *flux_rxstream_check(const struct flux_rxstream *r);

#endif
