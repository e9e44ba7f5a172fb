/* SPDX-License-Identifier: MIT */
/* The ways in which a network is not a wire. */
#include "tests/sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "core/wire/packet.h"

enum {
	CHANCE_LOSS,
	CHANCE_BURST,
	CHANCE_JITTER,
	CHANCE_REORDER,
	CHANCE_COPY,
	CHANCE_CORRUPT,
	CHANCES
};

void sim_link_init(struct sim_link *link, uint64_t seed, uint64_t id, sim_link_out_fn out, void *ctx)
{
	memset(link, 0, sizeof(*link));
	link->out = out;
	link->ctx = ctx;
	for (uint64_t i = 0; i < CHANCES; i++)
		sim_pcg_init(&link->chance[i], seed, id * CHANCES + i);
}

void sim_link_fini(struct sim_link *link)
{
	free(link->older);
	link->older = NULL;
}

static bool is_data(const struct sim_packet *packet)
{
	return packet->len >= FLUX_HEADER_LEN && (packet->data[1] & 0x0F) == FLUX_PKT_DATA;
}

static void drop(struct sim_link *link, struct sim_packet *packet, uint64_t *cause)
{
	++*cause;
	link->stats.data_missed += is_data(packet);
	free(packet);
}

static bool is_down(const struct sim_link *link, flux_ts now)
{
	for (size_t i = 0; i < sizeof(link->cfg.down) / sizeof(link->cfg.down[0]); i++)
		if (now >= link->cfg.down[i].from && now < link->cfg.down[i].until)
			return true;
	return false;
}

/* Both models draw for each packet, whether or not the other has decided. */
static bool is_lost(struct sim_link *link)
{
	const struct sim_burst *burst = &link->cfg.burst;
	bool lost = sim_pcg_chance(&link->chance[CHANCE_LOSS], link->cfg.loss);

	if (sim_pcg_chance(&link->chance[CHANCE_BURST], link->bad ? burst->leave : burst->enter))
		link->bad = !link->bad;
	if (sim_pcg_chance(&link->chance[CHANCE_BURST], link->bad ? burst->loss_bad : burst->loss_good))
		lost = true;
	return lost;
}

/* When the last byte leaves the queue; FLUX_NEVER if the queue is full. */
static flux_ts queue(struct sim_link *link, flux_ts now, uint32_t len)
{
	const struct sim_link_cfg *cfg = &link->cfg;
	double second = 1e9;
	double waiting;

	if (!cfg->rate_bps)
		return now;
	if (link->busy_until < now)
		link->busy_until = now;
	waiting = (double)(link->busy_until - now) * (double)cfg->rate_bps / second;
	if (cfg->queue_bytes && waiting + len > cfg->queue_bytes)
		return FLUX_NEVER;
	link->busy_until += (flux_ts)(len * second / (double)cfg->rate_bps);
	return link->busy_until;
}

static struct sim_packet *resized(struct sim_packet *packet, uint32_t len)
{
	struct sim_packet *other = sim_packet_new(NULL, len);

	memcpy(other, packet, sizeof(*packet));
	other->len = len;
	memcpy(other->data, packet->data, len < packet->len ? len : packet->len);
	free(packet);
	return other;
}

static void flip_bits(struct sim_packet *packet, struct sim_pcg *pcg)
{
	uint64_t n = sim_pcg_range(pcg, 1, 4);

	while (n--) {
		uint64_t bit = sim_pcg_below(pcg, packet->len * 8u);

		packet->data[bit / 8] = (uint8_t)(packet->data[bit / 8] ^ 1u << bit % 8);
	}
}

static bool differs(const struct sim_packet *a, const struct sim_packet *b)
{
	if (a->len != b->len || a->len < 2)
		return true;
	return a->data[0] != b->data[0] || (a->data[1] ^ b->data[1]) & ~FLUX_RTX_BIT ||
	       memcmp(a->data + 2, b->data + 2, a->len - 2) != 0;
}

static struct sim_packet *corrupt(struct sim_link *link, struct sim_packet *packet)
{
	struct sim_pcg *pcg = &link->chance[CHANCE_CORRUPT];
	struct sim_packet *original = sim_packet_clone(packet);
	uint64_t kind = sim_pcg_below(pcg, 4);
	uint32_t cut = (uint32_t)sim_pcg_below(pcg, packet->len);
	uint32_t extra = (uint32_t)sim_pcg_range(pcg, 1, 32);

	if (kind == 1) {
		packet = resized(packet, cut);
	} else if (kind == 2) {
		packet = resized(packet, packet->len + extra);
	} else if (kind == 3 && link->older) {
		for (uint32_t i = cut; i < packet->len && i < link->older->len; i++)
			packet->data[i] = link->older->data[i];
	} else {
		flip_bits(packet, pcg);
	}
	if (differs(packet, original)) {
		/* A splice can be nothing but the older packet again. */
		packet->damaged = !link->older || differs(packet, link->older);
		packet->copy |= !packet->damaged;
		link->stats.corrupted++;
		link->stats.data_missed += is_data(original) && !original->copy;
	}
	free(original);
	return packet;
}

static void remember(struct sim_link *link, const struct sim_packet *packet)
{
	if (link->cfg.corrupt <= 0 || link->stats.sent % 7)
		return;
	free(link->older);
	link->older = sim_packet_clone(packet);
}

static void emit(struct sim_link *link, flux_ts when, struct sim_packet *packet)
{
	if (sim_pcg_chance(&link->chance[CHANCE_CORRUPT], link->cfg.corrupt))
		packet = corrupt(link, packet);
	if (link->cfg.rewrite.family) {
		packet->from = link->cfg.rewrite;
		link->stats.rewritten++;
	}
	link->stats.delivered++;
	link->out(link->ctx, when, packet);
}

static void emit_copy(struct sim_link *link, flux_ts when, const struct sim_packet *packet)
{
	struct sim_packet *twin = sim_packet_clone(packet);

	twin->copy = true;
	link->stats.duplicated++;
	when += sim_pcg_below(&link->chance[CHANCE_COPY], link->cfg.duplicate_delay + 1);
	emit(link, when, twin);
}

/* Propagation and everything after it. */
static void propagate(struct sim_link *link, flux_ts when, struct sim_packet *packet, uint32_t copies)
{
	const struct sim_link_cfg *cfg = &link->cfg;

	when += cfg->delay + sim_pcg_below(&link->chance[CHANCE_JITTER], cfg->jitter + 1);
	if (is_lost(link)) {
		drop(link, packet, &link->stats.lost);
		return;
	}
	if (sim_pcg_chance(&link->chance[CHANCE_REORDER], cfg->reorder)) {
		link->stats.reordered++;
		when += sim_pcg_below(&link->chance[CHANCE_REORDER], cfg->reorder_delay + 1);
	}
	if (sim_pcg_chance(&link->chance[CHANCE_COPY], cfg->duplicate))
		copies++;
	while (copies--)
		emit_copy(link, when, packet);
	emit(link, when, packet);
}

void sim_link_send(struct sim_link *link, flux_ts now, struct sim_packet *packet)
{
	struct sim_fate fate = { 0 };
	flux_ts when;

	link->stats.sent++;
	link->stats.data_sent += is_data(packet);
	remember(link, packet);
	if (is_down(link, now)) {
		drop(link, packet, &link->stats.cut);
		return;
	}
	if (link->cfg.mtu && packet->len > link->cfg.mtu) {
		drop(link, packet, &link->stats.too_big);
		return;
	}
	if (link->cfg.script)
		fate = link->cfg.script(link->cfg.script_ctx, now, packet);
	if (fate.drop) {
		drop(link, packet, &link->stats.scripted);
		return;
	}
	when = queue(link, now, packet->len);
	if (when == FLUX_NEVER) {
		drop(link, packet, &link->stats.queue_full);
		return;
	}
	propagate(link, when + fate.delay, packet, fate.copies);
}
