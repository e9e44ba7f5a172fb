/* SPDX-License-Identifier: MIT */
/* The properties of a writer and of a reader, checked packet by packet. */
#include "tests/sim/oracle_flow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Slack for what is rounded to microseconds on its way. */
#define ROUNDING FLUX_US(3)
/* No repair is waited for longer than this. */
#define WAIT_MAX FLUX_S(1)

static void low_add(struct sim_low *low, flux_ts value, flux_ts now, flux_ts period)
{
	if (!low->now)
		low->known = now;
	if (now - low->since > period) {
		low->before = low->now;
		low->now = value;
		low->since = now;
	}
	if (!low->now || value < low->now)
		low->now = value;
}

/* 0: not known. */
static flux_ts low_get(const struct sim_low *low)
{
	return low->before && low->before < low->now ? low->before : low->now;
}

void sim_flow_init(struct sim_flow *flow, struct sim_host *writer, struct sim_host *reader, uint64_t base,
		   uint32_t window)
{
	memset(flow, 0, sizeof(*flow));
	flow->writer = writer;
	flow->reader = reader;
	flow->base = base;
	flow->next = flow->una = flow->rx_ack = flow->rx_high = base;
	flow->fb_ack = flow->fb_high = base;
	flow->limit = base + window;
	flow->data_at = writer->sim->now;
	flow->heard_at = writer->sim->now;
}

void sim_flow_fini(struct sim_flow *flow)
{
	free(flow->seqs);
	flow->seqs = NULL;
}

static struct sim_seq *seq_at(struct sim_flow *flow, uint64_t seq)
{
	uint64_t at = seq - flow->base;
	uint64_t room = flow->room ? flow->room : 256;

	while (room <= at)
		room *= 2;
	if (room > flow->room) {
		flow->seqs = realloc(flow->seqs, room * sizeof(*flow->seqs));
		if (!flow->seqs)
			abort();
		memset(flow->seqs + flow->room, 0, (room - flow->room) * sizeof(*flow->seqs));
		flow->room = room;
	}
	return &flow->seqs[at];
}

/* The 64-bit number nearest to `near`. */
static uint64_t widen(uint64_t near, uint32_t wire)
{
	return near + (uint64_t)(int64_t)(int32_t)(wire - (uint32_t)near);
}

static uint64_t hash_data(const struct sim_packet *packet)
{
	uint8_t head[2] = { packet->data[0], (uint8_t)(packet->data[1] & ~FLUX_RTX_BIT) };

	return sim_hash(sim_hash(0, head, 2), packet->data + 2, packet->len - 2);
}

/* ---- the writer ---- */

static void check_rate(struct sim_flow *flow, uint32_t len)
{
	const struct flux_endpoint_cfg *cfg = &flow->writer->cfg.endpoint;
	uint32_t datagram = cfg->max_datagram ? cfg->max_datagram : 1200;
	double rate = (double)cfg->rate_bps;
	double burst = rate * 250e-6;
	flux_ts now = flow->writer->sim->now;

	if (!cfg->rate_bps)
		return;
	if (burst > 64.0 * datagram)
		burst = 64.0 * datagram;
	if (burst < 2.0 * datagram)
		burst = 2.0 * datagram;
	/* One datagram more: it may leave when any credit is there. */
	burst += datagram;
	/* Times are whole nanoseconds: a thousandth is rounding. */
	flow->credit += rate * 1.001 * (double)(now - flow->credit_at) / 1e9;
	flow->credit_at = now;
	if (flow->credit > burst)
		flow->credit = burst;
	flow->credit -= len;
	if (flow->credit < -1)
		sim_violate(flow->writer->sim, SIM_RATE, "%.3f bytes above the rate", -flow->credit);
}

static void check_cwnd(struct sim_flow *flow)
{
	const struct flux_endpoint_cfg *cfg = &flow->writer->cfg.endpoint;
	uint64_t datagram = cfg->max_datagram ? cfg->max_datagram : 1200;

	if (cfg->cwnd && flow->bytes - flow->heard_bytes > cfg->cwnd + 2 * datagram)
		sim_violate(flow->writer->sim, SIM_CWND, "%" PRIu64 " bytes in flight",
			    flow->bytes - flow->heard_bytes);
}

static void first_send(struct sim_flow *flow, struct sim_seq *slot, uint64_t seq, const struct sim_view *view)
{
	struct sim *sim = flow->writer->sim;

	if (seq != flow->next)
		sim_violate(sim, SIM_LIMIT, "new datagram %" PRIu64 " but %" PRIu64 " is next", seq, flow->next);
	if (seq >= flow->limit)
		sim_violate(sim, SIM_LIMIT, "datagram %" PRIu64 " is beyond the limit %" PRIu64, seq,
			    flow->limit);
	if (view->header.rtx)
		sim_violate(sim, SIM_SAME_BYTES, "RTX on a first transmission");
	slot->cum = flow->bytes;
	slot->messages = view->data.messages;
	flow->next = seq + 1;
}

static void repeated_send(struct sim_flow *flow, const struct sim_seq *slot, uint64_t seq,
			  const struct sim_view *view, uint64_t hash)
{
	struct sim *sim = flow->writer->sim;
	/* It moves with each sample, and is not seen after every one. */
	flux_ts hold = low_get(&flow->hold) * 9 / 10;

	flow->resent++;
	if (slot->hash != hash)
		sim_violate(sim, SIM_SAME_BYTES, "datagram %" PRIu64 " differs from its first transmission", seq);
	if (!view->header.rtx)
		sim_violate(sim, SIM_SAME_BYTES, "no RTX on a repeated transmission");
	if (hold && slot->sent_at >= flow->writer_calm && sim->now - slot->sent_at + ROUNDING < hold)
		sim_violate(sim, SIM_HOLD, "datagram %" PRIu64 " again after %" PRIu64 " us, hold is %" PRIu64, seq,
			    (sim->now - slot->sent_at) / 1000, hold / 1000);
}

void sim_flow_data_sent(struct sim_flow *flow, const struct sim_view *view, const struct sim_packet *packet)
{
	uint64_t seq = widen(flow->next, view->header.num);
	uint64_t hash = hash_data(packet);
	struct sim_seq *slot;

	if (seq < flow->base || seq > flow->next + UINT16_MAX) {
		sim_violate(flow->writer->sim, SIM_LIMIT, "datagram number %" PRIu64 " is absurd", seq);
		return;
	}
	slot = seq_at(flow, seq);
	flow->bytes += packet->len;
	check_rate(flow, packet->len);
	check_cwnd(flow);
	if (slot->sends)
		repeated_send(flow, slot, seq, view, hash);
	else
		first_send(flow, slot, seq, view);
	slot->sends++;
	slot->hash = hash;
	slot->sent_at = flow->writer->sim->now;
	flow->data_at = slot->sent_at;
	flow->syncs = 0;
}

void sim_flow_sync_sent(struct sim_flow *flow, const struct sim_view *view, struct sim_moment shown)
{
	struct sim *sim = flow->writer->sim;
	uint64_t allowed = 26 + (sim->now - flow->data_at) / FLUX_MS(800);

	if (view->sync.next > flow->next || view->sync.floor > view->sync.next)
		sim_violate(sim, SIM_LIMIT, "SYNC next %" PRIu64 ", sent up to %" PRIu64, view->sync.next,
			    flow->next);
	if (++flow->syncs > allowed)
		sim_violate(sim, SIM_QUIET, "%u SYNCs since the last DATA", flow->syncs);
	if (flow->una == flow->next && !flow->queued && !flow->sync_asked &&
	    (!(view->sync.flags & FLUX_SYNC_EOS) || flow->confirmed) &&
	    shown.time > flow->heard_at)
		sim_violate(sim, SIM_QUIET, "SYNC although everything is acknowledged");
	flow->sync_asked = false;
	flow->sync_ts = view->header.ts;
	flow->sync_bytes = flow->bytes;
}

void sim_flow_feedback_fed(struct sim_flow *flow, const struct sim_view *view)
{
	const struct flux_feedback *fb = &view->feedback;
	uint64_t high = sim_view_high(fb);
	const struct sim_seq *slot;

	flow->heard_at = flow->writer->sim->now;
	if (fb->flags & FLUX_FB_WANT_SYNC)
		flow->sync_asked = true;
	if (fb->flags & FLUX_FB_EOS)
		flow->confirmed = true;
	if (fb->ack > flow->una)
		flow->una = fb->ack;
	if (fb->ack + fb->window > flow->limit)
		flow->limit = fb->ack + fb->window;
	/* Repairs carry no mark of their arrival: everything acknowledged, or a SYNC's echo, says that they left. */
	if (fb->ack == flow->next)
		flow->heard_bytes = flow->bytes;
	if (fb->echo_dly != FLUX_NO_ECHO && fb->echo_ts == flow->sync_ts && flow->sync_bytes > flow->heard_bytes)
		flow->heard_bytes = flow->sync_bytes;
	if (high <= flow->base || high > flow->next)
		return;
	slot = seq_at(flow, high - 1);
	if (slot->cum > flow->heard_bytes)
		flow->heard_bytes = slot->cum;
}

/* ---- the reader ---- */

/* The reader learns that everything below `high` exists. */
static void learn_high(struct sim_flow *flow, uint64_t high)
{
	for (uint64_t seq = flow->rx_high; seq < high; seq++) {
		struct sim_seq *slot = seq_at(flow, seq);

		if (!slot->fed_serial) {
			slot->detected = flow->reader->sim->now;
			slot->later = flow->rx_data;
		}
	}
	if (high > flow->rx_high)
		flow->rx_high = high;
}

bool sim_flow_data_fed(struct sim_flow *flow, const struct sim_view *view, uint64_t serial)
{
	uint64_t seq = widen(flow->next, view->header.num);
	struct sim_seq *slot;

	if (seq < flow->base || seq >= flow->next)
		return false;
	slot = seq_at(flow, seq);
	learn_high(flow, seq);
	if (flow->rx_high == seq)
		flow->rx_high = seq + 1;
	flow->rx_data++;
	if (slot->fed_serial && !slot->unsure)
		return false;
	slot->fed_serial = serial;
	slot->unsure = false;
	while (flow->rx_ack < flow->rx_high && seq_at(flow, flow->rx_ack)->fed_serial)
		flow->rx_ack++;
	return true;
}

void sim_flow_sync_fed(struct sim_flow *flow, const struct sim_view *view)
{
	if (view->sync.next <= flow->next)
		learn_high(flow, view->sync.next);
}

void sim_flow_unsure(struct sim_flow *flow, uint64_t serial)
{
	uint64_t from = flow->rx_high > flow->base + UINT16_MAX ? flow->rx_high - UINT16_MAX : flow->base;

	for (uint64_t seq = from; seq < flow->rx_high; seq++) {
		struct sim_seq *slot = seq_at(flow, seq);

		if (slot->fed_serial < serial)
			continue;
		slot->unsure = true;
		if (!slot->detected) {
			slot->detected = flow->reader->sim->now;
			slot->later = flow->rx_data;
		}
	}
}

static void check_asked(struct sim_flow *flow, uint64_t seq, struct sim_moment shown)
{
	struct sim *sim = flow->reader->sim;
	struct sim_seq *slot = seq_at(flow, seq);
	flux_ts wait = shown.time >= flow->reorder_wait.known ? low_get(&flow->reorder_wait) : 0;
	flux_ts rtt = low_get(&flow->rtt);

	if (slot->fed_serial && !slot->unsure && slot->fed_serial <= shown.serial)
		sim_violate(sim, SIM_ASK_TRUE, "datagram %" PRIu64 " is asked for but was received", seq);
	if (!slot->detected)
		sim_violate(sim, SIM_ASK_TRUE, "datagram %" PRIu64 " is asked for but not known to exist", seq);
	if (!slot->asks && wait && slot->detected >= flow->reader_calm && shown.time - slot->detected + ROUNDING < wait &&
	    flow->rx_data < slot->later + 3)
		sim_violate(sim, SIM_ASK_TIME, "datagram %" PRIu64 " is asked for after %" PRIu64 " us", seq,
			    (shown.time - slot->detected) / 1000);
	if (slot->asked_rtt < rtt)
		rtt = slot->asked_rtt;
	if (rtt > WAIT_MAX)
		rtt = WAIT_MAX;
	if (slot->asks && slot->asked >= flow->reader_calm && shown.time - slot->asked + ROUNDING < rtt)
		sim_violate(sim, SIM_ASK_TIME, "datagram %" PRIu64 " is asked for again after %" PRIu64 " us", seq,
			    (shown.time - slot->asked) / 1000);
	slot->asks++;
	slot->asked = shown.time;
	slot->asked_rtt = low_get(&flow->rtt);
}

void sim_flow_feedback_sent(struct sim_flow *flow, const struct sim_view *view, struct sim_moment shown)
{
	const struct flux_feedback *fb = &view->feedback;
	struct sim *sim = flow->reader->sim;
	uint64_t high = sim_view_high(fb);

	if (fb->ack < flow->fb_ack || fb->ack + fb->window < flow->fb_limit || high < flow->fb_high)
		sim_violate(sim, SIM_MONOTONE, "ack %" PRIu64 ", limit %" PRIu64 " or high %" PRIu64 " went down",
			    fb->ack, fb->ack + fb->window, high);
	if (fb->ack > flow->rx_ack || high > flow->rx_high) {
		sim_violate(sim, SIM_MONOTONE,
			    "ack %" PRIu64 ", high %" PRIu64 " but was given only %" PRIu64 ", %" PRIu64, fb->ack,
			    high, flow->rx_ack, flow->rx_high);
		return;
	}
	flow->fb_ack = fb->ack;
	flow->fb_limit = fb->ack + fb->window;
	flow->fb_high = high;
	flow->naks += fb->n > 0;
	for (uint32_t i = 0; i < fb->n; i++)
		for (uint64_t k = 0; k < fb->ranges[i].count && !sim->violated; k++)
			check_asked(flow, fb->ranges[i].first + k, shown);
}

void sim_flow_measure(struct sim_flow *flow, const struct flux_session_stats *writer,
		      const struct flux_session_stats *reader)
{
	flux_ts now = flow->writer->sim->now;
	flux_ts hold, spread;

	if (writer)
		flow->queued = writer->queued_bytes > 0;
	if (writer && writer->srtt) {
		spread = writer->srtt > 4 * writer->rttvar ? writer->srtt - 4 * writer->rttvar : 0;
		hold = writer->srtt / 2 > spread ? writer->srtt / 2 : spread;
		low_add(&flow->hold, hold, now, 2 * writer->srtt);
		/* After a silence the controller forgets what was in flight. */
		if (now - flow->heard_at > 2 * writer->srtt)
			flow->heard_bytes = flow->bytes;
	}
	if (reader && reader->srtt) {
		low_add(&flow->reorder_wait, reader->reorder_wait, now, 2 * reader->srtt);
		low_add(&flow->rtt, reader->srtt, now, 2 * reader->srtt);
	}
}

uint64_t sim_flow_messages(const struct sim_flow *flow)
{
	uint64_t messages = 0;

	for (uint64_t seq = flow->base; seq < flow->rx_ack; seq++)
		messages += flow->seqs[seq - flow->base].messages;
	return messages;
}
