/* SPDX-License-Identifier: MIT */
/*
 * Many datagrams a system call, both ways. Messages of the kernel and datagrams of the endpoint are
 * counted apart: where segmentation offload joins datagrams (GSO, GRO), one message is a run of them.
 */
#ifndef FLUX_LOOP_BATCH_H
#define FLUX_LOOP_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <flux/endpoint.h>

#include "loop/socket.h"
#include "sys/sockaddr.h"

/* Messages received in one turn at most: more would make the host's other events wait. */
#define FLUX_RX_BATCH 16

/* Datagrams that the kernel joins in one message; no release of it exceeds this. */
#define FLUX_RX_SEGMENTS 128

/* Room for all that the kernel may tell: stamp, drops, length of a segment, local address, ECN mark. */
#define FLUX_RX_CONTROL 192

/* What it told of a message, but for the time. */
struct flux_rx_note {
	uint32_t segment; /* bytes of its datagrams, but the last; 0: it is one */
	uint8_t ecn;
	bool has_local; /* batch->local */
};

/* Receive buffers, and what recvmmsg() or recvmsg() fills in. Allocated once. */
struct flux_rx_batch {
	struct flux_rx rx[FLUX_RX_SEGMENTS]; /* the datagrams of one message, in order */
	flux_ts arrival[FLUX_RX_BATCH];      /* of a message, on flux_clock_wall(); 0: not told */
	struct flux_rx_note note[FLUX_RX_BATCH];
	struct flux_local local[FLUX_RX_BATCH];
	uint32_t max_datagram; /* longer ones are dropped */
	bool joined;           /* the last ones were: ask for less */
	bool busy;             /* the last call found all that it asked for, or several */
	uint32_t stride;       /* bytes from one buffer to the next */
	struct mmsghdr msgs[FLUX_RX_BATCH];
	struct iovec iov[FLUX_RX_BATCH];
	union flux_sockaddr from[FLUX_RX_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[FLUX_RX_BATCH][FLUX_RX_CONTROL];
	_Alignas(max_align_t) uint8_t buffers[];
};

/* `joined`: with room for what UDP_GRO joins. NULL if the allocator refuses. */
struct flux_rx_batch *flux_rx_batch_create(const struct flux_mem *mem, uint32_t max_datagram, bool joined);
void flux_rx_batch_destroy(struct flux_rx_batch *batch, const struct flux_mem *mem);

/*
 * One call. Returns how many messages there are. `ready`: the socket is said to be, so if there is
 * none, an error waits: it is read and counted.
 */
uint32_t flux_rx_batch_receive(struct flux_rx_batch *batch, struct flux_socket *sock, bool ready);

/* Lend the batch `n` messages that the loop received. Returns how many it took. */
uint32_t flux_rx_batch_take(struct flux_rx_batch *batch, const struct msghdr *msgs, uint32_t n,
			    struct flux_binding_stats *stats);

/* Put the datagrams of message `i` into batch->rx. Returns how many; what is truncated is counted: 0. */
uint32_t flux_rx_batch_split(struct flux_rx_batch *batch, uint32_t i, struct flux_binding_stats *stats);

/* How a send ended. */
enum flux_tx_end {
	FLUX_TX_ALL,       /* everything left */
	FLUX_TX_BLOCKED,   /* EAGAIN: the rest is due again when the socket is writable */
	FLUX_TX_NO_BUFFERS /* ENOBUFS: one was lost in the kernel; let a moment pass before the rest */
};

/*
 * Who may hand over a message whose bytes are read later: long ones in one piece, made of the datagrams
 * first..first+n-1 of the batch. Says whether it left.
 */
struct flux_tx_lender {
	bool (*lend)(struct flux_tx_lender *lender, const struct msghdr *msg, uint32_t first, uint32_t n);
};

/*
 * Hand `n` datagrams to the kernel, some of them by `lender` if there is one. `done` counts those that left or are lost:
 * an error of one is counted and does not hold up the next. Nothing here is fatal.
 */
enum flux_tx_end flux_tx_batch_send(struct flux_socket *sock, const struct flux_tx *tx, uint32_t n,
				    uint32_t *done, struct flux_tx_lender *lender);

#endif
