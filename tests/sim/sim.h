/* SPDX-License-Identifier: MIT */
/*
 * A world on one thread: hosts, the links between them, a clock that jumps from event to event, and an
 * oracle that watches. A run is a function of its seed and of the calls made on it.
 */
#ifndef FLUX_TESTS_SIM_SIM_H
#define FLUX_TESTS_SIM_SIM_H

#include <flux/base.h>
#include <stdio.h>

#include "tests/sim/heap.h"
#include "tests/sim/link.h"
#include "tests/sim/packet.h"
#include "tests/sim/stream.h"

#define SIM_HOSTS_MAX 16u

struct sim_host;
struct sim_oracle;

/*
 * What can be violated: the numbers of the protocol's list of properties (doc/protocol.md, "Properties to
 * assert"), and from 100 on what belongs to the driver's contract.
 */
enum sim_property {
	SIM_FINE = 0,
	SIM_ORDER = 1,       /* delivered is a prefix of sent, once, bytes equal */
	SIM_COMPLETE = 2,    /* at the end everything is delivered */
	SIM_EOS = 7,         /* once, after the last message */
	SIM_LIMIT = 8,       /* next <= limit */
	SIM_SAME_BYTES = 10, /* a retransmission is the same bytes */
	SIM_HOLD = 11,       /* two transmissions at least the hold apart */
	SIM_CWND = 12,
	SIM_RATE = 13,
	SIM_RESENDS = 14,  /* retransmissions do not exceed losses */
	SIM_QUIET = 15,    /* few SYNCs, silence when all is acknowledged */
	SIM_MONOTONE = 17, /* ack, limit, high never go down, and are true */
	SIM_ASK_TIME = 19, /* not asked before the reorder wait, not twice within a round trip */
	SIM_ASK_TRUE = 20, /* no NAK for what is there */
	SIM_AMPLIFY = 29,  /* unproven peers get no more than they sent */
	SIM_HARMLESS = 32, /* a damaged packet changes nothing */
	SIM_OLD_LIFE = 33, /* packets of an old session do not touch a new one */
	SIM_IDLE = 34,     /* the idle timeout: in time, and never while the peer is heard */
	SIM_CLOSE = 35,    /* both ends agree how a session ended; few CLOSEs */
	SIM_DEADLINE = 38, /* the deadline is not a busy loop */
	SIM_REPEAT = 39,   /* equal seeds, equal packets */
	SIM_ALLOC = 40,    /* no allocation while sessions are up */
	SIM_LENT = 100,    /* a lent image changed before it was retired */
	SIM_MEMORY = 101,  /* not all memory came back */
	SIM_EVENTS = 102,  /* order and number of a session's events */
	SIM_CHECK = 103,   /* the endpoint's own consistency check */
	SIM_CALLS = 104    /* a call answered what its header does not allow */
};

struct sim {
	uint64_t seed;
	flux_ts now; /* world time; each host's clock has an offset to it */
	struct sim_heap heap;
	struct sim_host *hosts[SIM_HOSTS_MAX];
	uint32_t host_count;
	struct sim_link *links[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	struct sim_link_cfg link_default; /* of links made from now on */
	struct sim_stream *streams;
	uint64_t stream_count;
	struct sim_oracle *oracle;
	flux_ts not_before; /* sim_run_done() goes on until then at least */
	uint64_t packets;
	uint64_t trace_hash;  /* over time, ends and bytes of every packet sent */
	FILE *trace;          /* NULL: no text */
	uint32_t check_every; /* turns between two walks of the endpoint's checker; default 1 */
	enum sim_property violated;
	char why[512];
};

void sim_init(struct sim *sim, uint64_t seed);
/* Destroys hosts, looks at what is left of their memory, frees everything. */
void sim_fini(struct sim *sim);

/* The link from one host to another, made on first use. */
struct sim_link *sim_link(struct sim *sim, const struct sim_host *from, const struct sim_host *to);
/* Both directions alike, at once and for later. */
void sim_link_both(struct sim *sim, const struct sim_host *a, const struct sim_host *b,
		   const struct sim_link_cfg *cfg);
/* Cut both directions for a while from now. */
void sim_cut(struct sim *sim, const struct sim_host *a, const struct sim_host *b, flux_ts time);

struct sim_stream *sim_stream_add(struct sim *sim, const struct sim_plan *plan);
struct sim_stream *sim_stream_find(struct sim *sim, uint64_t id);

void sim_at(struct sim *sim, flux_ts when, sim_call_fn fn, void *ctx, uint64_t arg);
/* Let `time` pass. False as soon as something is violated. */
bool sim_run(struct sim *sim, flux_ts time);
/* Run until every stream is delivered that is not abandoned and every closing session is closed; it is a
 * violation of SIM_COMPLETE if that takes longer than `limit`. */
bool sim_run_done(struct sim *sim, flux_ts limit);

/* Put a packet on the link from `from` to `to`; takes it. */
void sim_wire(struct sim *sim, struct sim_host *from, struct sim_packet *packet);
/* Hand a packet to a host past every link, `time` from now; takes it. */
void sim_inject(struct sim *sim, struct sim_host *to, struct sim_packet *packet, flux_ts time);
struct sim_host *sim_host_at(struct sim *sim, const struct flux_addr *addr);

/* The first violation stays; the run ends with it. */
void sim_violate(struct sim *sim, enum sim_property property, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
