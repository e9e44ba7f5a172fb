/* SPDX-License-Identifier: MIT */
/* Copying counters out, as much of them as the caller knows. */
#include "core/base/cfg.h"
#include "core/endpoint/endpoint.h"

void flux_endpoint_get_stats(const struct flux_endpoint *ep, struct flux_endpoint_stats *stats)
{
	struct flux_endpoint_stats now = ep->stats;

	now.sessions = ep->cfg.max_sessions - ep->n_free;
	flux_stats_copy(stats, &now, sizeof(now));
}

static void fill_tx(struct flux_session_stats *out, const struct flux_txstream *tx)
{
	out->tx_messages = tx->messages;
	out->tx_refused = tx->refusals;
	out->tx_datagrams = tx->datagrams;
	out->tx_bytes = tx->bytes;
	out->tx_acked_messages = tx->acked_messages;
	out->retransmitted = tx->retransmitted;
	out->syncs_sent = tx->syncs;
	out->naks_received = tx->naks;
	out->feedback_received = tx->feedbacks;
	out->breaker_trips = tx->breaker.trips;
	out->queued_bytes = tx->win.used + tx->win.open_len;
	out->queue_limit = tx->win.cap;
}

static void fill_rx(struct flux_session_stats *out, const struct flux_rxstream *rx)
{
	out->rx_messages = rx->delivery.messages;
	out->rx_datagrams = rx->datagrams;
	out->rx_bytes = rx->bytes;
	out->duplicates = rx->duplicates;
	out->lost = rx->nak.lost;
	out->naks_sent = rx->naks;
	out->feedback_sent = rx->feedbacks;
	out->late_originals = rx->reorder.late_originals;
	out->spurious_repairs = rx->reorder.spurious;
	out->gaps = rx->delivery.skipped;
	out->reorder_wait = rx->reorder.wait;
}

int flux_session_get_stats(const struct flux_endpoint *ep, flux_sid sid, struct flux_session_stats *stats)
{
	const struct flux_session *s = flux_table_find_known(ep, sid);
	struct flux_session_stats now = { .size = sizeof(now) };

	if (!s)
		return FLUX_ECLOSED;
	now.window = s->window;
	if (s->open) {
		fill_tx(&now, &s->tx);
		fill_rx(&now, &s->rx);
	}
	if (flux_rtt_known(&s->rtt)) {
		now.srtt = s->rtt.srtt;
		now.rttvar = s->rtt.rttvar;
		now.min_rtt = flux_rtt_min(&s->rtt);
	}
	flux_stats_copy(stats, &now, sizeof(now));
	return 0;
}
