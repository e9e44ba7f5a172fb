/* SPDX-License-Identifier: MIT */
/* The impairment model: what happens to each datagram of one direction. Arithmetic only. */
#include "relay/impair.h"

/* Reordering holds a datagram back by up to a tenth of the delay, and up to 1 ms at least. */
static uint64_t longest_hold(const struct relay_impairments *set)
{
	return set->delay_ns / 10 > RELAY_NS_PER_MS ? set->delay_ns / 10 : RELAY_NS_PER_MS;
}

void relay_impair_init(struct relay_impair *impair, const struct relay_impairments *set,
		       uint64_t seed, uint32_t direction)
{
	uint64_t stream = (uint64_t)direction << 32;

	*impair = (struct relay_impair){ .set = set, .hold_ns = longest_hold(set) };
	for (int use = 0; use < RELAY_ONCE_USES; use++)
		relay_rng_init(&impair->once[use], seed, stream++);
	for (int passage = 0; passage < 2; passage++)
		for (int use = 0; use < RELAY_EACH_USES; use++)
			relay_rng_init(&impair->each[passage][use], seed, stream++);
}

/* One step of the Gilbert-Elliott chain. Returns whether the datagram meets the bad state. */
static bool step_burst(struct relay_impair *impair)
{
	const struct relay_impairments *set = impair->set;
	double p = impair->in_burst ? set->burst_leave : set->burst_enter;

	if (relay_rng_chance(&impair->once[RELAY_ONCE_BURST], p))
		impair->in_burst = !impair->in_burst;
	return impair->in_burst;
}

/* Queue `bytes` for the rate. Returns when they have been sent, or 0 if the queue is full. */
static uint64_t pass_queue(struct relay_impair *impair, uint64_t now, uint32_t bytes)
{
	const struct relay_impairments *set = impair->set;
	double waiting_bytes;

	if (set->ns_per_byte <= 0)
		return now;
	if (impair->busy_until <= now) {
		impair->busy_until = now;
	} else {
		waiting_bytes = (double)(impair->busy_until - now) / set->ns_per_byte;
		if (waiting_bytes + bytes > (double)set->queue_bytes)
			return 0;
	}
	impair->busy_until += (uint64_t)(bytes * set->ns_per_byte + 0.5);
	return impair->busy_until;
}

/* Decide about passage `which`; if there is no such passage, only the draws are made. */
static void decide_passage(struct relay_impair *impair, uint64_t now, uint32_t payload,
			   uint32_t which, struct relay_fate *fate)
{
	const struct relay_impairments *set = impair->set;
	struct relay_passage *passage = &fate->passage[which];
	struct relay_rng *rng = impair->each[which];
	bool corrupt = relay_rng_chance(&rng[RELAY_EACH_CORRUPT], set->corrupt);
	uint64_t bit = relay_rng_below(&rng[RELAY_EACH_BIT], (uint64_t)payload * 8);
	uint64_t jitter = relay_rng_below(&rng[RELAY_EACH_JITTER], set->jitter_ns + 1);
	bool reorder = relay_rng_chance(&rng[RELAY_EACH_REORDER], set->reorder);
	uint64_t hold = relay_rng_below(&rng[RELAY_EACH_HOLD], impair->hold_ns) + 1;
	uint64_t sent;

	if (which >= fate->passages)
		return;
	sent = pass_queue(impair, now, payload + set->header_bytes);
	passage->queue_dropped = sent == 0;
	passage->flip_bit = corrupt && payload > 0 ? (uint32_t)bit : RELAY_NO_FLIP;
	passage->due = sent + set->delay_ns + jitter + (reorder ? hold : 0);
}

void relay_impair_decide(struct relay_impair *impair, uint64_t now, uint32_t payload,
			 struct relay_fate *fate)
{
	const struct relay_impairments *set = impair->set;
	bool burst = step_burst(impair);
	bool lost = relay_rng_chance(&impair->once[RELAY_ONCE_LOSS], set->loss);
	bool dup = relay_rng_chance(&impair->once[RELAY_ONCE_DUP], set->dup);

	fate->verdict = RELAY_PASSED;
	if (set->mtu_bytes != 0 && payload + set->header_bytes > set->mtu_bytes)
		fate->verdict = RELAY_MTU_DROPPED;
	else if (burst)
		fate->verdict = RELAY_BURST_LOST;
	else if (lost)
		fate->verdict = RELAY_LOST;
	fate->passages = fate->verdict != RELAY_PASSED ? 0 : dup ? 2 :
								   1;
	decide_passage(impair, now, payload, 0, fate);
	decide_passage(impair, now, payload, 1, fate);
}
