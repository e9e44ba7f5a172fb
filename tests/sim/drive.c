/* SPDX-License-Identifier: MIT */
/* Three ways to hand due datagrams to a kernel. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/host.h"
#include "tests/sim/oracle.h"

#define SEND_BUDGET 64u

static struct sim_packet *copy_out(const struct sim_host *host, const struct flux_tx *tx)
{
	struct sim_packet *packet = sim_packet_new(NULL, tx->head_len + tx->body_len);

	if (tx->head_len)
		memcpy(packet->data, tx->head, tx->head_len);
	if (tx->body_len)
		memcpy(packet->data + tx->head_len, tx->body, tx->body_len);
	packet->from = host->addr;
	packet->to = tx->to;
	return packet;
}

static void emit(struct sim_host *host, const struct flux_tx *tx)
{
	struct sim_packet *packet = copy_out(host, tx);

	host->sent++;
	sim_oracle_sent(host, packet);
	sim_wire(host->sim, host, packet);
}

static void note_shown(struct sim_host *host, const struct flux_tx *tx, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sim_oracle_shown(host, &tx[i]);
}

static void writable(void *ctx, uint64_t life)
{
	struct sim_host *host = ctx;

	if (host->life != life || !host->ep)
		return;
	host->full = false;
	sim_host_kick(host);
}

/* How many of n the kernel takes; it refuses the rest for a while. */
static uint32_t kernel_takes(struct sim_host *host, uint32_t n)
{
	struct sim *sim = host->sim;

	if (!sim_pcg_chance(&host->chance, host->cfg.refuse))
		return n;
	host->full = true;
	sim_at(sim, sim->now + 1 + sim_pcg_below(&host->chance, host->cfg.refuse_time), writable, host,
	       host->life);
	return (uint32_t)sim_pcg_below(&host->chance, n);
}

static bool send_batches(struct sim_host *host)
{
	uint32_t tokens[FLUX_PEEK_MAX];
	const struct flux_tx *tx;
	uint32_t sent = 0;
	uint32_t n, k;

	while (!host->full && sent < SEND_BUDGET) {
		n = flux_endpoint_peek(host->ep, sim_host_now(host), &tx);
		if (!n)
			return true;
		k = kernel_takes(host, n);
		for (uint32_t i = 0; i < k; i++) {
			tokens[i] = tx[i].token;
			emit(host, &tx[i]);
		}
		note_shown(host, tx + k, n - k);
		flux_endpoint_commit(host->ep, sim_host_now(host), k);
		flux_endpoint_retire(host->ep, tokens, k);
		sent += k;
	}
	return false;
}

static uint64_t lent_hash(const struct sim_lent *lent)
{
	return sim_hash(sim_hash(1, lent->head, lent->head_len), lent->body, lent->body_len);
}

static void retire(void *ctx, uint64_t serial)
{
	struct sim_host *host = ctx;

	if (host->sim->now < host->paused_until) {
		sim_at(host->sim, host->paused_until, retire, host, serial);
		return;
	}
	for (uint32_t i = 0; i < SIM_LENT_MAX; i++) {
		struct sim_lent *lent = &host->lent[i];

		if (!lent->used || lent->serial != serial)
			continue;
		if (lent_hash(lent) != lent->hash)
			sim_violate(host->sim, SIM_LENT, "host %u: image %u changed while it was lent",
				    host->index, lent->token);
		lent->used = false;
		host->lent_count--;
		flux_endpoint_retire(host->ep, &lent->token, 1);
		sim_host_kick(host);
		return;
	}
}

static void lend(struct sim_host *host, const struct flux_tx *tx)
{
	struct sim *sim = host->sim;
	struct sim_lent *lent = host->lent;

	while (lent < host->lent + SIM_LENT_MAX && lent->used)
		lent++;
	if (lent == host->lent + SIM_LENT_MAX) {
		sim_violate(sim, SIM_CALLS, "host %u: more than %u images are lent", host->index,
			    SIM_LENT_MAX);
		return;
	}
	*lent = (struct sim_lent){ .used = true,
				   .token = tx->token,
				   .head = tx->head,
				   .body = tx->body,
				   .head_len = tx->head_len,
				   .body_len = tx->body_len,
				   .serial = ++host->lent_serial };
	lent->hash = lent_hash(lent);
	host->lent_count++;
	sim_at(sim, sim->now + sim_pcg_below(&host->chance, host->cfg.retire_max + 1), retire, host,
	       lent->serial);
}

static bool send_one_by_one(struct sim_host *host)
{
	const struct flux_tx *tx;
	uint32_t sent = 0;
	uint32_t n;

	while (sent < SEND_BUDGET) {
		n = flux_endpoint_peek(host->ep, sim_host_now(host), &tx);
		if (!n)
			return true;
		emit(host, &tx[0]);
		lend(host, &tx[0]);
		note_shown(host, tx + 1, n - 1);
		flux_endpoint_commit(host->ep, sim_host_now(host), 1);
		sent++;
	}
	return false;
}

/* Images that were lent to the kernel of a former life are nobody's. */
void sim_drive_forget(struct sim_host *host)
{
	memset(host->lent, 0, sizeof(host->lent));
	memset(host->shown, 0, sizeof(host->shown));
	host->lent_count = 0;
}

bool sim_drive_send(struct sim_host *host)
{
	if (host->cfg.drive == SIM_COMPLETION)
		return send_one_by_one(host);
	return send_batches(host) || host->full;
}
