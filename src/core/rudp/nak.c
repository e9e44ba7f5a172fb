/* SPDX-License-Identifier: MIT */
/* Missing datagrams and when to ask for them. */
#include "core/rudp/nak.h"

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/base/mutation.h"
#include "core/base/time.h"

#define WAIT_MAX FLUX_S(1)
#define GAP_MIN  FLUX_US(20)

int flux_nak_init(struct flux_nak *nak, const struct flux_mem *mem, uint32_t size)
{
	*nak = (struct flux_nak){ .due.mask = size - 1 };
	for (uint32_t i = 0; i < FLUX_NAK_LEVELS; i++)
		nak->queue[i].head = nak->queue[i].tail = FLUX_NAK_NONE;
	nak->due.words = flux_mem_take_zeroed(mem, (size + 63) / 64, 8);
	return nak->due.words ? 0 : FLUX_ENOMEM;
}

void flux_nak_fini(struct flux_nak *nak, const struct flux_mem *mem)
{
	flux_mem_give(mem, nak->due.words, ((size_t)nak->due.mask + 64) / 64, 8);
	nak->due.words = NULL;
}

static void push(struct flux_nak *nak, struct flux_rxwin *w, uint32_t pos, uint8_t level, flux_ts now)
{
	struct flux_rx_slot *slot = &w->slots[pos];

	slot->level = level;
	slot->t_asked = flux_ts_us(now);
	slot->next = FLUX_NAK_NONE;
	slot->prev = nak->queue[level].tail;
	if (slot->prev == FLUX_NAK_NONE)
		nak->queue[level].head = pos;
	else
		w->slots[slot->prev].next = pos;
	nak->queue[level].tail = pos;
}

static void unlink_slot(struct flux_nak *nak, struct flux_rxwin *w, const struct flux_rx_slot *slot)
{
	if (slot->prev == FLUX_NAK_NONE)
		nak->queue[slot->level].head = slot->next;
	else
		w->slots[slot->prev].next = slot->next;
	if (slot->next == FLUX_NAK_NONE)
		nak->queue[slot->level].tail = slot->prev;
	else
		w->slots[slot->next].prev = slot->prev;
}

void flux_nak_add(struct flux_nak *nak, struct flux_rxwin *w, uint64_t from, uint64_t to, flux_ts now,
		  uint32_t received)
{
	for (; from < to; from++) {
		uint32_t pos = (uint32_t)from & w->mask;

		w->slots[pos] = (struct flux_rx_slot){
			.state = FLUX_RX_MISSING,
			.n0 = (uint16_t)received,
		};
		push(nak, w, pos, 0, now);
		nak->missing++;
	}
}

bool flux_nak_remove(struct flux_nak *nak, struct flux_rxwin *w, uint64_t seq, flux_ts now,
		     const struct flux_reorder *reorder, flux_ts *late)
{
	struct flux_rx_slot *slot = flux_rxwin_slot(w, seq);
	bool asked = slot->level > 0;

	*late = FLUX_US(flux_ts_us(now) - slot->t_asked) + (asked ? reorder->wait : 0);
	unlink_slot(nak, w, slot);
	flux_bitring_clear(&nak->due, seq);
	nak->missing--;
	return asked;
}

/* How long a level waits: for the original at 0, else for the repair; no back-off for the first retries. */
static flux_ts level_wait(uint32_t level, const struct flux_rtt *rtt, const struct flux_reorder *reorder)
{
	flux_ts wait = flux_rtt_late(rtt), most = flux_ts_min(8 * wait, WAIT_MAX);

	if (level == 0)
		return FLUX_MUTATION(ASK_AT_ONCE) ? 0 : reorder->wait;
	if (FLUX_MUTATION(ASK_AGAIN))
		return FLUX_US(10);
	for (; level > 3; level--)
		wait += wait / 2;
	return flux_ts_min(wait, flux_ts_max(most, FLUX_MS(1)));
}

/* When the head of a queue becomes due. Only valid while it is younger than 35 minutes. */
static flux_ts head_due(const struct flux_rx_slot *slot, uint32_t level, flux_ts now,
			const struct flux_rtt *rtt, const struct flux_reorder *reorder, uint32_t received)
{
	flux_ts age = FLUX_US(flux_ts_us(now) - slot->t_asked), wait = level_wait(level, rtt, reorder);

	if (level == 0 && !reorder->seen &&
	    (uint16_t)(received - slot->n0) >= FLUX_REORDER_DATAGRAMS)
		return now;
	if (age >= wait)
		return now;
	/* Ages are whole microseconds: at the one in which this one is old enough, and not just before. */
	return now - now % FLUX_US(1) + (wait - age + FLUX_US(1) - 1) / FLUX_US(1) * FLUX_US(1);
}

static flux_ts nak_gap(const struct flux_rtt *rtt)
{
	flux_ts most = flux_ts_max(rtt->granularity / 4, GAP_MIN);

	return flux_ts_clamp(rtt->srtt / 16, GAP_MIN, most);
}

flux_ts flux_nak_deadline(const struct flux_nak *nak, const struct flux_rxwin *w, flux_ts now,
			  const struct flux_rtt *rtt, const struct flux_reorder *reorder,
			  uint32_t received)
{
	flux_ts t = nak->due.count ? now : FLUX_NEVER;

	for (uint32_t i = 0; nak->missing && i < FLUX_NAK_LEVELS; i++) {
		uint32_t head = nak->queue[i].head;

		if (head != FLUX_NAK_NONE)
			t = flux_ts_min(t, head_due(&w->slots[head], i, now, rtt, reorder, received));
	}
	if (t == FLUX_NEVER || !nak->t_last)
		return t;
	return flux_ts_max(t, flux_ts_add(nak->t_last, nak_gap(rtt)));
}

/* The sequence of a ring position. */
static uint64_t seq_at(const struct flux_rxwin *w, uint32_t pos)
{
	return w->ack + ((pos - (uint32_t)w->ack) & w->mask);
}

static void mark_due(struct flux_nak *nak, struct flux_rxwin *w, flux_ts now, const struct flux_rtt *rtt,
		     const struct flux_reorder *reorder, uint32_t received)
{
	/* From the top, so that what moves up is not looked at twice; the last level feeds itself. */
	for (uint32_t i = FLUX_NAK_LEVELS; i-- > 0;) {
		uint32_t up = flux_min_u32(i + 1, FLUX_NAK_LEVELS - 1), stop = nak->queue[i].tail, head;

		while ((head = nak->queue[i].head) != FLUX_NAK_NONE &&
		       head_due(&w->slots[head], i, now, rtt, reorder, received) <= now) {
			unlink_slot(nak, w, &w->slots[head]);
			push(nak, w, head, (uint8_t)up, now);
			flux_bitring_set(&nak->due, seq_at(w, head));
			nak->lost += i == 0;
			if (head == stop)
				break;
		}
	}
}

uint8_t flux_nak_collect(struct flux_nak *nak, struct flux_rxwin *w, flux_ts now,
			 const struct flux_rtt *rtt, const struct flux_reorder *reorder,
			 uint32_t received, struct flux_range *ranges)
{
	uint64_t seq = w->ack;
	uint8_t n = 0;

	mark_due(nak, w, now, rtt, reorder, received);
	while (n < FLUX_RANGES_MAX && (seq = flux_bitring_next(&nak->due, seq, w->high)) < w->high) {
		ranges[n] = (struct flux_range){ .first = seq };
		for (; seq < w->high && flux_bitring_test(&nak->due, seq); seq++)
			flux_bitring_clear(&nak->due, seq);
		ranges[n].count = seq - ranges[n].first + (FLUX_MUTATION(ASK_TOO_MUCH) && seq < w->high);
		n++;
	}
	if (n)
		nak->t_last = flux_ts_max(now, 1);
	return n;
}

const char *flux_nak_check(const struct flux_nak *nak, const struct flux_rxwin *w)
{
	uint32_t linked = 0, missing = 0;

	for (uint32_t i = 0; i < FLUX_NAK_LEVELS; i++) {
		uint32_t prev = FLUX_NAK_NONE;

		for (uint32_t p = nak->queue[i].head; p != FLUX_NAK_NONE; p = w->slots[p].next) {
			if (w->slots[p].state != FLUX_RX_MISSING || w->slots[p].level != i)
				return "nak: a queue holds what is not missing";
			if (w->slots[p].prev != prev || ++linked > w->mask + 1)
				return "nak: links broken";
			prev = p;
		}
		if (nak->queue[i].tail != prev)
			return "nak: tail broken";
	}
	for (uint64_t s = w->ack; s < w->high; s++)
		missing += flux_rxwin_slot(w, s)->state == FLUX_RX_MISSING;
	return linked != missing || linked != nak->missing ? "nak: missing miscounted" : NULL;
}
