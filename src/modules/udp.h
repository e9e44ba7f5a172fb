/* SPDX-License-Identifier: MIT */
/* Plain UDP from the inside. Split by duty: udp.c opens and closes, udp_rx.c receives, udp_tx.c sends. */
#ifndef FLUX_MODULES_UDP_H
#define FLUX_MODULES_UDP_H

#include <flux/feed.h>
#include <flux/udp.h>

#include "loop/batch.h"
#include "loop/loop.h"
#include "loop/member.h"

struct flux_udp {
	struct flux_member member;
	struct flux_udp_cfg cfg;
	struct flux_socket sock;
	struct flux_rx_batch *rx;
	struct flux_ring_writer *into; /* NULL: on_datagrams */
	struct flux_feed *from;
	uint64_t rx_datagrams, rx_bytes, rx_ring_full;
	flux_ts tx_resume;    /* ENOBUFS: not before; 0: at once */
	uint32_t tx_failures; /* of that kind, in a row */
	bool tx_blocked;      /* not before the socket is writable */
	bool waits;           /* somebody is to be told */
};

static inline struct flux_udp *flux_udp_of(const struct flux_member *member)
{
	return FLUX_CONTAINER(member, struct flux_udp, member);
}

/* udp_rx.c: what has come, for a turn's share; `ready`: the loop says that something has. */
void flux_udp_receive(struct flux_udp *udp, bool ready);

/* udp_rx.c: the loop received it. */
void flux_udp_on_messages(struct flux_member *member, const struct msghdr *msgs, uint32_t n);

/* udp_tx.c: the socket may take more. */
void flux_udp_resume(struct flux_udp *udp);

#endif
