/* SPDX-License-Identifier: MIT */
/*
 * What the processes of a measurement over the network share: who listens where, the signs to end, the time
 * stamps of single messages, and each party's books. It lies in a shared mapping.
 */
#ifndef FLUX_TOOLS_PERF_NET_STAGE_H
#define FLUX_TOOLS_PERF_NET_STAGE_H

#include <flux/base.h>

#include "common/hist.h"
#include "perf/check.h"
#include "perf/clock.h"
#include "perf/net_options.h"

/* Stamps in flight at most: at one message in 1024, or at this many a second. */
#define NET_STAMPS      65536u
#define NET_STAMPS_RATE 16384u
#define NET_SAMPLE      1024u

/* The parties; in rtt the sender asks, and the receiver answers. */
enum net_role {
	NET_SENDER,
	NET_RECEIVER,
};

/* Where somebody listens, told by him. */
struct net_place {
	uint32_t known;
	char addr[FLUX_ADDR_TEXT];
};

/* What a party has taken of the processors, while so many messages went by. */
struct net_cpu {
	uint64_t from_ns, ns, msgs;
	bool begun;
};

struct net_party {
	_Alignas(128) uint64_t written;
	uint64_t start_ns;  /* the first was written; 0: not yet */
	uint64_t end_ns;    /* the last one came */
	uint64_t unclocked; /* bytes that came since */
	struct check check;
	struct hist hist;
	struct net_cpu cpu;
	uint32_t ran; /* enum loop_kind */
	char loop_why[FLUX_WHY_TEXT];
	uint64_t datagrams;     /* of data, sent or received */
	uint64_t retransmitted; /* of these */
	uint64_t kernel_drops;  /* a socket's buffer was full */
	uint32_t offload;       /* the kernel cuts runs, or joins them */
};

struct net_stage {
	const struct net_options *options;
	int stop_fd;     /* readable: the sender stops; for all, the end of what CPU time is counted for */
	int end_fd;      /* readable: the receiver stops */
	uint32_t sample; /* one message in so many is timed, a power of two */
	struct net_place receiver, relay;
	uint64_t relay_lost, relay_dropped; /* as told to, and for want of room */
	struct net_party parties[2];        /* enum net_role */
	_Alignas(128) uint64_t stamps[NET_STAMPS];
};

/* NULL: no memory or no descriptor, see errno. */
struct net_stage *net_stage_open(const struct net_options *options);
void net_stage_close(struct net_stage *stage);

/* Tell an address, and look whether it has been told. */
void net_place_tell(struct net_place *place, const char *addr);
bool net_place_known(const struct net_place *place);

/* The part that is measured begins; and ends, after so many messages. Each counts once. */
void net_cpu_begin(struct net_cpu *cpu);
void net_cpu_end(struct net_cpu *cpu, uint64_t msgs);

static inline bool net_samples(const struct net_stage *stage, uint64_t seq)
{
	return (seq & (stage->sample - 1)) == 0;
}

/* Of a message that is timed: when it was written. */
static inline uint64_t *net_stamp(struct net_stage *stage, uint64_t seq)
{
	return &stage->stamps[seq / stage->sample % NET_STAMPS];
}

/* Write the next message to `at`. */
void net_item_write(struct net_stage *stage, struct net_party *party, void *at);

/* Check one that came. Returns its sequence, ITEM_MOST_SEQ if it is none. */
uint64_t net_item_take(struct net_stage *stage, struct net_party *party, const void *at, uint32_t len);

#endif
