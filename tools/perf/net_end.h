/* SPDX-License-Identifier: MIT */
/* One end of a measurement over the network: a process with a loop, and what goes over it in either way. */
#ifndef FLUX_TOOLS_PERF_NET_END_H
#define FLUX_TOOLS_PERF_NET_END_H

#include <flux/pub.h>
#include <flux/sub.h>
#include <flux/timer.h>
#include <flux/udp.h>

#include "common/cli.h"
#include "perf/net_stage.h"

struct net_end;

/* How messages travel. All is called on the loop's thread. */
struct net_wire {
	/*
	 * Open it: to a peer, or to listen (NULL) and tell where. net_end_room() follows when messages may
	 * be written, or end->timer is set to then. Returns CLI_OK, or CLI_FAILED after a message.
	 */
	int (*open)(struct net_end *end, const char *peer);
	/*
	 * Write up to `n` messages and send them. Sets end->full if there is no room for more:
	 * net_end_room() will tell.
	 */
	void (*send)(struct net_end *end, uint32_t n);
	/* Send back what has just come. */
	void (*answer)(struct net_end *end, const void *at, uint32_t len);
	/* All is sent: net_end_over() when it is through. */
	void (*finish)(struct net_end *end);
	/* Bring the counters into the party's books. */
	void (*count)(struct net_end *end);
	/* There is always room: who sends all he can has to let others have their turn. */
	bool bottomless;
};

extern const struct net_wire net_wire_udp, net_wire_rudp;

struct net_end {
	struct net_stage *stage;
	struct net_party *party;
	const struct net_wire *wire;
	const char *peer; /* NULL: the receiver */
	struct loop loop;
	struct flux_timer *timer; /* when to write the next one; the receiver's: see `drained` */
	bool up;                  /* messages may be written */
	bool full;
	bool stopping; /* no more is written */
	bool asking;   /* rtt: an answer is awaited */
	bool over;
	bool drained; /* the receiver has begun to wait for the last ones, when he */
	uint64_t had; /* had so many */

	/* The wire's own. */
	struct flux_binding *binding;
	struct flux_pub *pub;
	struct flux_sub *sub;
	flux_sid sid;
	struct flux_udp *udp;
	void *buffer;                 /* of messages that are not written in place */
	const struct flux_addr *from; /* of what is just being taken */
};

/* Be one end until the measurement is through. Returns the exit code of the process. */
int net_end_run(struct net_stage *stage, enum net_role role);

/* ---- What the wire tells ---- */

/* There is room: at first, and again after end->full. */
void net_end_room(struct net_end *end);

/* A message has come. */
void net_end_take(struct net_end *end, const void *at, uint32_t len);

/* All that was sent is through. */
void net_end_over(struct net_end *end);

/* It cannot go on: after a message. */
void net_end_fail(struct net_end *end);

#endif
