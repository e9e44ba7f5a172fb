/* SPDX-License-Identifier: MIT */
/* Setting scenarios up and taking them down. */
#include "tests/scenario/common.h"

#include <stdlib.h>
#include <string.h>

void pair_init(struct pair *pair, uint64_t seed)
{
	const struct sim_host_cfg cfg = SIM_HOST_CFG_INIT;

	memset(pair, 0, sizeof(*pair));
	sim_init(&pair->sim, seed);
	if (getenv("FLUX_TRACE"))
		pair->sim.trace = stderr;
	pair->a_cfg = pair->b_cfg = cfg;
	pair->a_cfg.drive = (enum sim_drive)(seed % 3);
	pair->b_cfg.drive = (enum sim_drive)(seed / 3 % 3);
	pair->a_cfg.retire_max = pair->b_cfg.retire_max = FLUX_US(50);
	pair->b_cfg.endpoint.accept = 1;
}

void pair_start(struct pair *pair, const struct sim_link_cfg *link)
{
	pair->sim.link_default = *link;
	pair->a = sim_host_add(&pair->sim, &pair->a_cfg);
	pair->b = sim_host_add(&pair->sim, &pair->b_cfg);
	pair_assert_fine(pair);
}

void pair_open(struct pair *pair, uint64_t seed, const struct sim_link_cfg *link)
{
	pair_init(pair, seed);
	pair_start(pair, link);
}

void pair_assert_fine(struct pair *pair)
{
	if (pair->sim.violated)
		fail_msg("%s", pair->sim.why);
}

void pair_run(struct pair *pair, flux_ts time)
{
	sim_run(&pair->sim, time);
	pair_assert_fine(pair);
}

void pair_run_done(struct pair *pair, flux_ts limit)
{
	sim_run_done(&pair->sim, limit);
	pair_assert_fine(pair);
}

void pair_close(struct pair *pair)
{
	sim_fini(&pair->sim);
	pair_assert_fine(pair);
}

struct sim_plan plan_steady(uint64_t count, uint32_t size, flux_ts interval)
{
	return (struct sim_plan){ .count = count, .size_min = size, .size_max = size, .interval = interval };
}

const struct sim_link_stats *pair_out(struct pair *pair)
{
	return &sim_link(&pair->sim, pair->a, pair->b)->stats;
}

const struct sim_link_stats *pair_back(struct pair *pair)
{
	return &sim_link(&pair->sim, pair->b, pair->a)->stats;
}

struct flux_endpoint_stats host_stats(const struct sim_host *host)
{
	struct flux_endpoint_stats stats = { .size = sizeof(stats) };

	flux_endpoint_get_stats(host->ep, &stats);
	return stats;
}

struct sim_packet *forge(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
			 const struct flux_header *header, const void *body, uint32_t len)
{
	struct sim_packet *packet = sim_packet_new(NULL, FLUX_HEADER_LEN + len + FLUX_TRAILER_LEN);
	struct flux_header h = *header;
	uint32_t tag = 0;

	h.version = FLUX_WIRE_VERSION;
	sim_oracle_tag(sim, from, to, &tag, &h.cid);
	flux_header_encode(&h, packet->data);
	if (len)
		memcpy(packet->data + FLUX_HEADER_LEN, body, len);
	flux_trailer_seal(packet->data, FLUX_HEADER_LEN + len, tag);
	packet->from = from->addr;
	packet->to = to->addr;
	packet->forged = true;
	return packet;
}
