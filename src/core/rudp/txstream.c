/* SPDX-License-Identifier: MIT */
/* The writer's lower half: what is due, what FEEDBACK says, heartbeats and the limits on sending. */
#include "core/rudp/txstream.h"

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/base/mutation.h"
#include "core/base/seq.h"
#include "core/base/time.h"
#include "core/wire/packet.h"

#define WINDOW_MAX (1u << 20) /* protocol 2.10 */
#define PINS_MAX   200

int flux_txstream_init(struct flux_txstream *w, const struct flux_txstream_cfg *cfg)
{
	int rc;

	*w = (struct flux_txstream){
		.rate_bps = cfg->rate_bps,
		.limit = cfg->limit,
		.cwnd = cfg->cwnd,
		.max_message = cfg->max_message,
	};
	rc = flux_txwin_init(&w->win, cfg->mem, cfg->first_seq, cfg->max_datagram, cfg->queue_bytes);
	if (rc)
		return rc;
	w->rtx.mask = w->win.mask;
	w->rtx.words = flux_mem_take_zeroed(cfg->mem, (size_t)w->rtx.mask / 64 + 1, 8);
	if (!w->rtx.words) {
		flux_txwin_fini(&w->win);
		return FLUX_ENOMEM;
	}
	flux_heartbeat_init(&w->hb);
	flux_breaker_init(&w->breaker);
	flux_pace_set(&w->pace, w->rate_bps, w->win.max_datagram);
	return 0;
}

void flux_txstream_fini(struct flux_txstream *w)
{
	if (w->rtx.words)
		flux_mem_give(w->win.mem, w->rtx.words, (size_t)w->rtx.mask / 64 + 1, 8);
	w->rtx.words = NULL;
	flux_txwin_fini(&w->win);
}

/* Whether the open datagram holds a record; an aborted claim may leave it without. */
static bool has_open(const struct flux_txstream *w)
{
	return w->win.open_len > FLUX_HEADER_LEN;
}

/* Whether something is left to send that was never sent. */
static bool has_unsent(const struct flux_txstream *w)
{
	return w->win.next < w->win.end || (has_open(w) && !w->claimed);
}

/* Whether an answer is awaited: heartbeats go on while it is. */
static bool waiting(const struct flux_txstream *w)
{
	return w->win.una < w->win.next || has_unsent(w) || (w->finished && !w->confirmed) ||
	       FLUX_MUTATION(SYNC_FOR_EVER);
}

/* The path as the breaker sees it. Without a rate of its own it halves a whole queue each round trip. */
static struct flux_breaker_path breaker_path(const struct flux_txstream *w, const struct flux_rtt *rtt)
{
	flux_ts rto = flux_rtt_rto(rtt);
	uint64_t natural = (uint64_t)w->win.cap * FLUX_S(1) / flux_ts_max(rtt->srtt, 1);

	return (struct flux_breaker_path){
		.srtt = rtt->srtt,
		.rto = rto,
		.base_bps = w->rate_bps ? w->rate_bps : natural,
		.floor_bps = (uint64_t)w->win.max_datagram * FLUX_S(1) / rto,
		.outstanding = w->win.una < w->win.next,
	};
}

/* The smaller of the configured rate and the breaker's; what was saved up or owed at the old one is void. */
static void apply_rate(struct flux_txstream *w)
{
	uint64_t rate = w->rate_bps;

	if (w->breaker.rate_bps && (!rate || w->breaker.rate_bps < rate))
		rate = w->breaker.rate_bps;
	flux_pace_set(&w->pace, rate, w->win.max_datagram);
	w->pace.t_next = 0;
}

/* A NAK names `seq`. Nothing is sent again that was sent less than about a round trip ago. */
static void on_nak(struct flux_txstream *w, flux_ts now, flux_ts hold, uint64_t seq)
{
	struct flux_tx_slot *slot = flux_txwin_slot(&w->win, seq);

	if (FLUX_MUTATION(SKIP_HOLD))
		hold = 0;
	if (flux_ts_since(now, slot->t_last) < hold || flux_bitring_test(&w->rtx, seq))
		return;
	flux_breaker_lost(&w->breaker, slot->t_last);
	flux_bitring_set(&w->rtx, seq);
}

static void on_ack(struct flux_txstream *w, uint64_t ack, uint64_t high)
{
	struct flux_txwin *win = &w->win;

	if (high > win->una)
		w->arrived = flux_max_u64(w->arrived, flux_txwin_slot(win, high - 1)->cum);
	if (ack <= win->una)
		return;
	for (uint64_t s = win->una; w->rtx.count && s < ack; s++)
		flux_bitring_clear(&w->rtx, s);
	if (FLUX_MUTATION(FREE_EARLY) && ack < win->next)
		ack++;
	w->acked_messages += flux_txwin_ack(win, ack);
	if (win->una == win->next)
		w->arrived = w->tx_cum;
}

/* The answer to a SYNC comes after all that was sent before it: repairs too, which no slot's cum counts. */
static void on_echo(struct flux_txstream *w, const struct flux_feedback *fb)
{
	if (fb->echo_dly != FLUX_NO_ECHO && fb->echo_ts == w->sync_ts)
		w->arrived = flux_max_u64(w->arrived, w->sync_cum);
}

bool flux_txstream_on_feedback(struct flux_txstream *w, flux_ts now, const struct flux_feedback *fb,
			       struct flux_reader *r, const struct flux_rtt *rtt)
{
	struct flux_range ranges[FLUX_RANGES_MAX];
	struct flux_breaker_path path;
	uint64_t next = w->win.next, high = flux_seq_rebuild(next, fb->high);

	if (fb->ack > next || high > next || high < fb->ack || fb->window > WINDOW_MAX)
		return false;
	if (!flux_ranges_decode(ranges, fb->n, r, fb->ack, high, (uint64_t)w->win.mask + 1))
		return false;

	w->feedbacks++;
	w->naks += fb->n > 0;
	on_ack(w, fb->ack, high);
	on_echo(w, fb);
	w->limit = flux_max_u64(w->limit, fb->ack + fb->window + (FLUX_MUTATION(IGNORE_LIMIT) ? 64 : 0));
	for (uint32_t i = 0; i < fb->n; i++) {
		uint64_t s = flux_max_u64(ranges[i].first, w->win.una);

		if (FLUX_MUTATION(RESEND_NEIGHBOUR) && ranges[i].first + ranges[i].count < high)
			ranges[i].count++;
		for (; s < ranges[i].first + ranges[i].count; s++)
			on_nak(w, now, flux_rtt_hold(rtt), s);
	}
	if ((fb->flags & FLUX_FB_EOS) && w->finished && w->win.una == w->win.end && !has_open(w))
		w->confirmed = true;
	if (!waiting(w))
		flux_heartbeat_stop(&w->hb);
	path = breaker_path(w, rtt);
	if (flux_breaker_heard(&w->breaker, now, &path))
		apply_rate(w);
	return true;
}

void flux_txstream_scan(const struct flux_txstream *w, struct flux_tx_scan *scan)
{
	*scan = (struct flux_tx_scan){
		.pace = w->pace,
		.inflight = w->tx_cum - w->arrived,
		.rtx_from = w->win.una,
		.next = w->win.next,
	};
}

/* Count the datagram in, if pacing and the congestion window let it go now. */
static bool admit(const struct flux_txstream *w, struct flux_tx_scan *scan, flux_ts now, uint64_t seq)
{
	uint32_t len = flux_txwin_slot(&w->win, seq)->len;

	if (!flux_pace_ready(&scan->pace, now) && !FLUX_MUTATION(IGNORE_RATE))
		return false;
	if (scan->inflight && scan->inflight + len > w->cwnd && !FLUX_MUTATION(IGNORE_CWND))
		return false;
	flux_pace_sent(&scan->pace, now, len);
	scan->inflight += len;
	return true;
}

/* A datagram to send again, from where the scan stands on. */
static bool next_rtx(const struct flux_txstream *w, struct flux_tx_scan *scan, uint64_t *seq)
{
	if (!w->rtx.count)
		return false;
	do {
		*seq = flux_bitring_next(&w->rtx, scan->rtx_from, w->win.next);
		scan->rtx_from = *seq + 1;
	} while (*seq < w->win.next && flux_txwin_slot(&w->win, *seq)->pins >= PINS_MAX);
	return *seq < w->win.next;
}

enum flux_tx_due flux_txstream_due(struct flux_txstream *w, struct flux_tx_scan *scan, flux_ts now,
				   const struct flux_rtt *rtt, uint64_t *seq)
{
	uint64_t from = scan->rtx_from;

	if (next_rtx(w, scan, seq)) {
		if (admit(w, scan, now, *seq))
			return FLUX_DUE_RTX;
		scan->rtx_from = from;
		return FLUX_DUE_NOTHING;
	}
	if (scan->next < w->limit && scan->next == w->win.end && !w->claimed)
		flux_txwin_close_open(&w->win);
	if (scan->next < w->limit && scan->next < w->win.end && admit(w, scan, now, scan->next)) {
		*seq = scan->next++;
		return FLUX_DUE_DATA;
	}
	/* Held back by the window: ask for it to open. */
	if (w->hb.t_next == FLUX_NEVER && has_unsent(w))
		flux_heartbeat_start(&w->hb, now, rtt->srtt);
	return FLUX_DUE_NOTHING;
}

void flux_txstream_sent(struct flux_txstream *w, flux_ts now, const struct flux_rtt *rtt, uint64_t seq,
			bool rtx)
{
	struct flux_tx_slot *slot = flux_txwin_slot(&w->win, seq);

	slot->t_last = now;
	if (slot->tx_count < UINT8_MAX)
		slot->tx_count++;
	slot->pins++;
	w->tx_cum += slot->len;
	flux_pace_sent(&w->pace, now, slot->len);
	/* Only the first of those that wait for an answer starts the wait. */
	flux_breaker_sent(&w->breaker, now, w->breaker.t_silence == FLUX_NEVER ? flux_rtt_rto(rtt) : 0);
	if (rtx) {
		flux_bitring_clear(&w->rtx, seq);
		w->retransmitted++;
		return;
	}
	slot->cum = w->tx_cum;
	w->win.next = seq + 1;
	w->datagrams++;
	w->bytes += slot->len;
	flux_heartbeat_start(&w->hb, now, rtt->srtt);
}

bool flux_txstream_sync_due(const struct flux_txstream *w, flux_ts now)
{
	return now >= w->hb.t_next && waiting(w);
}

void flux_txstream_build_sync(struct flux_txstream *w, flux_ts now, const struct flux_rtt *rtt,
			      struct flux_sync *sync)
{
	bool known = flux_rtt_known(rtt);

	flux_heartbeat_beat(&w->hb, now);
	w->syncs++;
	w->sync_ts = flux_ts_us(now);
	w->sync_cum = w->tx_cum;
	*sync = (struct flux_sync){
		.next = w->win.next,
		.floor = w->win.una,
		.srtt = known ? flux_ts_us(rtt->srtt) : 0,
		.rttvar = known ? flux_ts_us(rtt->rttvar) : 0,
		.gsize = 1,
		.hb = flux_ts_us(w->hb.interval),
		.flags = FLUX_SYNC_WANT_FEEDBACK,
	};
	if (w->finished && w->win.next == w->win.end && !has_open(w))
		sync->flags |= FLUX_SYNC_EOS;
}

void flux_txstream_expire(struct flux_txstream *w, flux_ts now, const struct flux_rtt *rtt)
{
	struct flux_breaker_path path = breaker_path(w, rtt);

	if (flux_breaker_expire(&w->breaker, now, &path))
		apply_rate(w);
}

/* Whether pacing alone holds the next datagram back. */
static bool only_paced(const struct flux_txstream *w)
{
	uint64_t seq = flux_bitring_next(&w->rtx, w->win.una, w->win.next), inflight = w->tx_cum - w->arrived;

	if (!w->pace.rate_bps || (seq == w->win.next && (!has_unsent(w) || seq >= w->limit)))
		return false;
	return !inflight || seq == w->win.end ||
	       inflight + flux_txwin_slot(&w->win, seq)->len <= w->cwnd;
}

flux_ts flux_txstream_deadline(const struct flux_txstream *w)
{
	flux_ts t = w->breaker.t_silence;

	if (waiting(w))
		t = flux_ts_min(t, w->hb.t_next);
	if (only_paced(w))
		t = flux_ts_min(t, w->pace.t_next);
	return t;
}

uint64_t flux_txstream_undelivered(const struct flux_txstream *w)
{
	return FLUX_MUTATION(UNDELIVERED_ZERO) ? 0 : w->messages - w->acked_messages;
}

const char *flux_txstream_check(const struct flux_txstream *w)
{
	uint64_t seq = w->win.una, count = 0;

	for (; (seq = flux_bitring_next(&w->rtx, seq, w->win.next)) < w->win.next; seq++)
		count++;
	if (count != w->rtx.count)
		return "txstream: a retransmission is wanted outside [una, next)";
	if (w->win.next > w->limit)
		return "txstream: sent beyond the reader's limit";
	if (w->arrived > w->tx_cum)
		return "txstream: more arrived than was sent";
	if (waiting(w) && w->win.una < w->win.next && w->hb.t_next == FLUX_NEVER)
		return "txstream: waits for an answer without a heartbeat";
	return flux_txwin_check(&w->win);
}
