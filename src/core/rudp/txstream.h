/* SPDX-License-Identifier: MIT */
/*
 * One outgoing stream: messages become records in the transmit window; FEEDBACK frees it, opens it and
 * names what to send again. It says which datagram is due; the endpoint stamps, seals and sends it.
 */
#ifndef FLUX_CORE_RUDP_TXSTREAM_H
#define FLUX_CORE_RUDP_TXSTREAM_H

#include <stdbool.h>

#include <flux/base.h>

#include "core/base/bitring.h"
#include "core/rudp/breaker.h"
#include "core/rudp/heartbeat.h"
#include "core/rudp/pace.h"
#include "core/rudp/rtt.h"
#include "core/rudp/txwin.h"
#include "core/wire/control.h"

struct flux_txstream_cfg {
	const struct flux_mem *mem;
	uint64_t first_seq;
	uint64_t limit; /* the reader accepts lower sequences */
	uint32_t max_datagram;
	uint32_t max_message; /* the reader's */
	uint32_t queue_bytes;
	uint32_t cwnd;     /* bytes in flight; UINT32_MAX: no limit */
	uint64_t rate_bps; /* 0: no limit */
};

struct flux_txstream {
	struct flux_txwin win;
	struct flux_bitring rtx; /* to be sent again */
	struct flux_heartbeat hb;
	struct flux_pace pace;
	struct flux_breaker breaker;
	uint64_t rate_bps;
	uint64_t limit;
	uint64_t tx_cum;   /* bytes sent */
	uint64_t arrived;  /* of those, known to have arrived or to be overtaken */
	uint64_t sync_cum; /* tx_cum at the last SYNC */
	uint32_t sync_ts;  /* and its ts */
	uint32_t cwnd;
	uint32_t max_message;
	uint32_t claim_len; /* of each claimed message */
	uint32_t claimed;   /* messages; 0: no claim is open */
	bool finished;      /* EOS is in the window: nothing may follow */
	bool confirmed;     /* the reader's application has consumed EOS */
	bool refused;       /* FLUX_EAGAIN was answered: say when there is room */
	uint64_t messages, acked_messages, refusals;
	uint64_t datagrams, bytes, retransmitted, syncs, naks, feedbacks;
};

int flux_txstream_init(struct flux_txstream *w, const struct flux_txstream_cfg *cfg);
void flux_txstream_fini(struct flux_txstream *w);

/*
 * Messages. Results are those of flux_session_send(), claim() and publish(), without ECLOSED. Some: *n at most,
 * then as many as there are; record behind record, headers included.
 */
uint32_t flux_txstream_max_claim(const struct flux_txstream *w);
int flux_txstream_claim(struct flux_txstream *w, uint32_t len, void **data);
int flux_txstream_claim_some(struct flux_txstream *w, uint32_t len, uint32_t *n, void **data);
int flux_txstream_publish(struct flux_txstream *w, uint32_t len);
int flux_txstream_publish_some(struct flux_txstream *w, uint32_t n);
void flux_txstream_abort(struct flux_txstream *w);
int flux_txstream_send(struct flux_txstream *w, const void *data, uint32_t len);
/* Put EOS behind everything; false: no room yet, try again when FEEDBACK came. Drops an open claim. */
bool flux_txstream_finish(struct flux_txstream *w);
/* Whether there is room again after a refusal; true once each time. */
bool flux_txstream_take_writable(struct flux_txstream *w);

/*
 * FEEDBACK arrived; `r` stands at its ranges. False: absurd, nothing was changed.
 */
bool flux_txstream_on_feedback(struct flux_txstream *w, flux_ts now, const struct flux_feedback *fb,
			       struct flux_reader *r, const struct flux_rtt *rtt);

/* A walk over what is due, which changes nothing that matters: see flux_endpoint_peek(). */
struct flux_tx_scan {
	struct flux_pace pace;
	uint64_t inflight, rtx_from, next;
};

enum flux_tx_due {
	FLUX_DUE_NOTHING,
	FLUX_DUE_DATA,
	FLUX_DUE_RTX
};

void flux_txstream_scan(const struct flux_txstream *w, struct flux_tx_scan *scan);
enum flux_tx_due flux_txstream_due(struct flux_txstream *w, struct flux_tx_scan *scan, flux_ts now,
				   const struct flux_rtt *rtt, uint64_t *seq);

/* The datagram left, and is lent until flux_txwin_unpin(). */
void flux_txstream_sent(struct flux_txstream *w, flux_ts now, const struct flux_rtt *rtt, uint64_t seq,
			bool rtx);

/* Whether a SYNC is due, and its content; building it counts as sending it. */
bool flux_txstream_sync_due(const struct flux_txstream *w, flux_ts now);
void flux_txstream_build_sync(struct flux_txstream *w, flux_ts now, const struct flux_rtt *rtt,
			      struct flux_sync *sync);

/* Fire what is due inside. */
void flux_txstream_expire(struct flux_txstream *w, flux_ts now, const struct flux_rtt *rtt);
/* The next time at which something becomes due by time alone. */
flux_ts flux_txstream_deadline(const struct flux_txstream *w);

/* Messages accepted and not acknowledged. */
uint64_t flux_txstream_undelivered(const struct flux_txstream *w);

const char *flux_txstream_check(const struct flux_txstream *w);

#endif
