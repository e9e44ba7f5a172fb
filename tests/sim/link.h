/* SPDX-License-Identifier: MIT */
/*
 * One direction of a virtual path: packets go in, and come out later, elsewhere, or never. In order: a
 * partition, the MTU, a script, a queue with a rate, propagation with jitter, loss, reordering, duplication,
 * corruption. A zeroed configuration is a perfect wire.
 */
#ifndef FLUX_TESTS_SIM_LINK_H
#define FLUX_TESTS_SIM_LINK_H

#include <flux/base.h>
#include <stdbool.h>

#include "tests/sim/packet.h"
#include "tests/sim/pcg.h"

/* What a script does with a packet. Zero lets it pass. */
struct sim_fate {
	bool drop;
	uint32_t copies; /* duplicates besides the packet itself */
	flux_ts delay;   /* more than others get */
};

/* Sees every packet before chance does, and may change its bytes (set `damaged` then). */
typedef struct sim_fate (*sim_script_fn)(void *ctx, flux_ts now, struct sim_packet *packet);

/* Gilbert-Elliott: two states, each with its own loss. */
struct sim_burst {
	double enter, leave; /* chances to go to the bad state and back, for each packet */
	double loss_bad, loss_good;
};

struct sim_window {
	flux_ts from, until;
};

struct sim_link_cfg {
	uint64_t rate_bps;    /* bytes a second; 0: no limit */
	uint32_t queue_bytes; /* drop-tail bound of the queue in front of the rate; 0: none */
	flux_ts delay;
	flux_ts jitter; /* uniform 0..jitter on top of delay, for each packet: it reorders */
	double loss;
	struct sim_burst burst;
	double reorder; /* chance of extra delay */
	flux_ts reorder_delay;
	double duplicate; /* chance of a copy, which comes up to duplicate_delay later */
	flux_ts duplicate_delay;
	double corrupt; /* chance of one of: bit flips, truncation, extension, splice of an older packet */
	uint32_t mtu;   /* UDP payload bytes; larger ones vanish; 0: no limit */
	struct sim_window down[4];
	sim_script_fn script;
	void *script_ctx;
	struct flux_addr rewrite; /* family not 0: the receiver sees this as the source */
};

struct sim_link_stats {
	uint64_t sent, delivered;                          /* delivered counts duplicates */
	uint64_t lost, queue_full, too_big, cut, scripted; /* drops by their cause */
	uint64_t reordered, duplicated, corrupted, rewritten;
	uint64_t data_sent;   /* DATA among them */
	uint64_t data_missed; /* DATA dropped or corrupted, by whatever cause */
};

typedef void (*sim_link_out_fn)(void *ctx, flux_ts when, struct sim_packet *packet);

struct sim_link {
	struct sim_link_cfg cfg; /* may be changed at any time */
	struct sim_link_stats stats;
	sim_link_out_fn out;
	void *ctx;
	flux_ts busy_until;       /* when the rate has sent all that is queued */
	bool bad;                 /* state of the burst model */
	struct sim_packet *older; /* for splices */
	struct sim_pcg chance[8];
};

/* `id` separates the chances of one link from those of another under the same seed. */
void sim_link_init(struct sim_link *link, uint64_t seed, uint64_t id, sim_link_out_fn out, void *ctx);
void sim_link_fini(struct sim_link *link);
/* Takes the packet. What survives is handed to `out` at once with the time of its arrival. */
void sim_link_send(struct sim_link *link, flux_ts now, struct sim_packet *packet);

#endif
