/* SPDX-License-Identifier: MIT */
/* One incoming stream: places DATA, finds gaps, decides when the writer must hear FEEDBACK. */
#include "core/rudp/rxstream.h"

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/mutation.h"
#include "core/base/time.h"

#define FEEDBACK_BYTES (128u * 1024u)
#define FEEDBACK_MIN   FLUX_US(200)
#define FEEDBACK_MAX   FLUX_MS(25)
#define REOPEN_REPEATS 3

int flux_rxstream_init(struct flux_rxstream *r, const struct flux_rxstream_cfg *cfg)
{
	int rc;

	*r = (struct flux_rxstream){
		.limit = cfg->first_seq + cfg->window,
		.t_reopen = FLUX_NEVER,
	};
	flux_reorder_init(&r->reorder);
	rc = flux_rxwin_init(&r->win, cfg->mem, cfg->pool, cfg->first_seq, cfg->size, cfg->window);
	if (rc)
		return rc;
	rc = flux_nak_init(&r->nak, cfg->mem, cfg->size);
	if (!rc)
		rc = flux_delivery_init(&r->delivery, cfg->mem, cfg->first_seq, cfg->max_message);
	if (rc)
		flux_rxstream_fini(r);
	return rc;
}

void flux_rxstream_fini(struct flux_rxstream *r)
{
	if (!r->win.slots)
		return;
	flux_delivery_fini(&r->delivery);
	flux_nak_fini(&r->nak, r->win.mem);
	flux_rxwin_fini(&r->win);
}

void flux_rxstream_duplicate(struct flux_rxstream *r, const struct flux_rtt *rtt, uint64_t seq, bool rtx,
			     uint32_t len)
{
	struct flux_rx_slot *slot = flux_rxwin_slot(&r->win, seq);

	r->duplicates++;
	r->rx_bytes += len;
	/* The descriptor still tells of `seq` if no later sequence has used it. */
	if (rtx || seq + r->win.mask + 1 < r->win.high || !slot->by_rtx)
		return;
	slot->by_rtx = 0;
	flux_reorder_spurious(&r->reorder, rtt);
}

static void note_echo(struct flux_rxstream *r, flux_ts now, uint32_t ts)
{
	r->has_echo = true;
	r->echo_ts = ts;
	r->t_echo = now;
}

/* A missing one came: learn what its way here tells about reordering. */
static void found(struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt, uint64_t seq, bool rtx)
{
	flux_ts late;
	bool asked = flux_nak_remove(&r->nak, &r->win, seq, now, &r->reorder, &late);

	if (!rtx)
		flux_reorder_late_original(&r->reorder, rtt, late);
	else if (asked)
		flux_reorder_repaired(&r->reorder, rtt);
}

bool flux_rxstream_data(struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt,
			const struct flux_rx_data *d)
{
	struct flux_rxwin *w = &r->win;
	uint32_t buf = flux_rxwin_take(w, d->seq);

	if (buf == FLUX_POOL_NONE)
		return false;
	if (d->seq < w->high)
		found(r, now, rtt, d->seq, d->rtx);
	else if (d->seq > w->high)
		flux_nak_add(&r->nak, w, w->high, d->seq, now, r->received);
	r->received++; /* it is the first of the later ones that a gap before it sees */
	flux_rxwin_put(w, d->seq, buf, d->datagram, d->len, d->rtx);
	flux_rxwin_advance(w);
	if (!d->rtx)
		note_echo(r, now, d->ts);
	r->t_reopen = FLUX_NEVER; /* the writer knows that the window is open */
	r->datagrams++;
	r->bytes += d->len;
	r->rx_bytes += d->len;
	r->since++;
	r->since_bytes += d->len;
	return true;
}

/* The writer has given up [from, to): nobody waits for it any more. */
static void skip(struct flux_rxstream *r, flux_ts now, uint64_t from, uint64_t to)
{
	flux_ts late;

	from = flux_max_u64(from, r->win.ack);
	for (; from < to; from++) {
		struct flux_rx_slot *slot = flux_rxwin_slot(&r->win, from);

		if (slot->state != FLUX_RX_MISSING)
			continue;
		flux_nak_remove(&r->nak, &r->win, from, now, &r->reorder, &late);
		*slot = (struct flux_rx_slot){ .state = FLUX_RX_SKIPPED };
	}
	flux_rxwin_advance(&r->win);
}

bool flux_rxstream_sync(struct flux_rxstream *r, flux_ts now, struct flux_rtt *rtt, uint32_t ts,
			const struct flux_sync *sync, struct flux_reader *body)
{
	struct flux_range ranges[FLUX_RANGES_MAX];
	struct flux_rxwin *w = &r->win;
	uint8_t kind = sync->flags & (FLUX_SYNC_REPAIRING | FLUX_SYNC_SKIPPED);

	if (sync->floor > sync->next || sync->next > r->limit)
		return false;
	if (sync->n && kind != FLUX_SYNC_REPAIRING && kind != FLUX_SYNC_SKIPPED)
		return false;
	if (!flux_ranges_decode(ranges, sync->n, body, sync->floor, sync->next, (uint64_t)w->mask + 1))
		return false;

	if (!flux_rtt_known(rtt) && sync->srtt)
		flux_rtt_sample(rtt, now, (int32_t)flux_min_u32(sync->srtt, INT32_MAX));
	note_echo(r, now, ts);
	if (sync->next > w->high) {
		flux_nak_add(&r->nak, w, w->high, sync->next, now, r->received);
		w->high = sync->next;
	}
	if (sync->floor > w->ack)
		skip(r, now, w->ack, sync->floor);
	if (FLUX_MUTATION(GIVE_UP))
		skip(r, now, w->ack, sync->next);
	for (uint32_t i = 0; kind == FLUX_SYNC_SKIPPED && i < sync->n; i++)
		skip(r, now, ranges[i].first, ranges[i].first + ranges[i].count);
	r->wanted = r->wanted || (sync->flags & FLUX_SYNC_WANT_FEEDBACK);
	return true;
}

static flux_ts feedback_interval(const struct flux_rtt *rtt)
{
	return flux_ts_clamp(rtt->srtt / 4, FEEDBACK_MIN, FEEDBACK_MAX);
}

/* Whether the writer has used up what it was told, and enough has become free to tell it. */
static bool must_reopen(const struct flux_rxstream *r)
{
	const struct flux_rxwin *w = &r->win;
	uint64_t opened = w->consumed + w->window - r->limit;

	return w->high >= r->limit && opened >= flux_max_u32(w->window / 8, 1);
}

bool flux_rxstream_feedback_due(const struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt)
{
	if (r->wanted || (r->delivery.eos && !r->eos_told) || must_reopen(r) || now >= r->t_reopen)
		return true;
	if (r->since >= flux_max_u32(r->win.window / 2, 1) || r->since_bytes >= FEEDBACK_BYTES)
		return true;
	if (r->since && now >= flux_ts_add(r->t_feedback, feedback_interval(rtt)))
		return true;
	return now >= flux_nak_deadline(&r->nak, &r->win, now, rtt, &r->reorder, r->received);
}

/* A window that was shut has opened: say so again a few times, in case nobody hears it. */
static void plan_repeats(struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt, bool reopened)
{
	if (reopened)
		r->reopen = REOPEN_REPEATS;
	else if (now >= r->t_reopen)
		r->reopen--;
	else
		return;
	r->t_reopen = r->reopen ? flux_ts_add(now, flux_ts_max(rtt->srtt, FLUX_MS(1))) : FLUX_NEVER;
}

void flux_rxstream_build_feedback(struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt,
				  struct flux_feedback *fb)
{
	struct flux_rxwin *w = &r->win;

	flux_reorder_update(&r->reorder, rtt);
	plan_repeats(r, now, rtt, must_reopen(r));
	r->limit = flux_max_u64(r->limit, w->consumed + w->window);
	fb->n = flux_nak_collect(&r->nak, w, now, rtt, &r->reorder, r->received, fb->ranges);
	fb->ack = w->ack + (FLUX_MUTATION(ACK_AHEAD) && w->ack < w->high) -
		  (FLUX_MUTATION(ACK_BACK) && r->feedbacks % 8 == 7);
	fb->window = (uint32_t)(r->limit - w->ack) / (FLUX_MUTATION(WINDOW_BACK) && r->feedbacks % 8 == 7 ? 2 : 1);
	fb->high = (uint32_t)w->high;
	fb->rx_bytes = r->rx_bytes;
	fb->lost = (uint32_t)r->nak.lost;
	fb->echo_ts = r->echo_ts;
	fb->echo_dly = r->has_echo ? flux_ts_us(flux_ts_since(now, r->t_echo)) : FLUX_NO_ECHO;
	fb->fixed = 0;
	fb->flags = r->delivery.eos ? FLUX_FB_EOS : 0;
	r->wanted = false;
	r->eos_told = r->delivery.eos;
	r->has_echo = false;
	r->since = 0;
	r->since_bytes = 0;
	r->t_feedback = now;
	r->feedbacks++;
	r->naks += fb->n > 0;
}

flux_ts flux_rxstream_deadline(const struct flux_rxstream *r, flux_ts now, const struct flux_rtt *rtt)
{
	flux_ts t = flux_nak_deadline(&r->nak, &r->win, now, rtt, &r->reorder, r->received);

	if (r->since)
		t = flux_ts_min(t, flux_ts_add(r->t_feedback, feedback_interval(rtt)));
	return flux_ts_min(t, r->t_reopen);
}

const char *flux_rxstream_check(const struct flux_rxstream *r)
{
	const char *bad = flux_rxwin_check(&r->win);

	if (!bad)
		bad = flux_nak_check(&r->nak, &r->win);
	if (!bad && r->win.high > r->limit)
		bad = "rxstream: more exists than was allowed";
	if (!bad && r->limit > r->win.consumed + r->win.window)
		bad = "rxstream: promised more than there is";
	if (!bad && r->delivery.at.seq != r->win.consumed)
		bad = "rxstream: delivery and window disagree on what is released";
	return bad;
}
