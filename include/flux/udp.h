/* SPDX-License-Identifier: MIT */
/*
 * Plain UDP on a loop: datagrams as the network delivers them, lost, doubled or out of order as it likes,
 * at the speed that the kernel's batches and offloads allow; by callbacks, and from and into rings.
 */
#ifndef FLUX_UDP_H
#define FLUX_UDP_H

#include <flux/endpoint.h>
#include <flux/loop.h>
#include <flux/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_udp;

/** Largest datagram over IPv4. */
#define FLUX_UDP_MAX 65507u
/** Most datagrams that flux_udp_send() takes at a time. */
#define FLUX_UDP_BATCH 256u

/** Start from FLUX_UDP_CFG_INIT; 0 and NULL mean the default. */
struct flux_udp_cfg {
	uint32_t size;   /**< set by the initialiser */
	uint32_t rcvbuf; /**< socket buffers wanted, bytes; default 4 MiB */
	uint32_t sndbuf;
	uint32_t max_datagram; /**< longer ones are dropped, and counted; 1 to FLUX_UDP_MAX, default 1472 */
	uint32_t no_offload;   /**< 1: neither GSO nor GRO */
	uint32_t ecn;          /**< 1: what is sent is marked ECT(0), and flux_rx.ecn tells the mark of what comes */
	const char *local;     /**< "host:port" to bind; NULL: any free port. Bound to every address and not
				*   connected, flux_rx.local tells to which one a datagram was sent */
	/**
	 * "host:port" where datagrams without an address go (flux_tx.to.family 0). The socket is connected
	 * to it: sending is cheaper, and only what comes from there is received. NULL: nowhere.
	 */
	const char *peer;
	/**
	 * Datagrams have come, 1 to 128 at a time, of one sender; lent until it returns. NULL: they go into
	 * a ring, or nowhere.
	 */
	void (*on_datagrams)(void *ctx, struct flux_udp *udp, const struct flux_rx *rx, uint32_t n);
	/** There is room again after flux_udp_send() took fewer than it was given. NULL: not told. */
	void (*on_writable)(void *ctx, struct flux_udp *udp);
	void *ctx;
};

#define FLUX_UDP_CFG_INIT                           \
	{                                           \
		.size = sizeof(struct flux_udp_cfg) \
	}

/** Counters. */
struct flux_udp_stats {
	uint32_t size;           /**< set by the caller to sizeof before the call */
	uint32_t rcvbuf, sndbuf; /**< bytes in force, as the kernel counts them */
	uint32_t tx_offload;     /**< 1: runs of equal datagrams go to the kernel as one (GSO) */
	uint32_t rx_offload;     /**< 1: they come as one (GRO) */
	uint32_t features;       /**< FLUX_SOCKET_* that are in force */
	uint64_t rx_datagrams, tx_datagrams;
	uint64_t rx_bytes, tx_bytes;
	uint64_t rx_syscalls, tx_syscalls;
	uint64_t rx_truncated;    /**< longer than max_datagram: dropped */
	uint64_t rx_kernel_drops; /**< the socket's buffer was full (SO_RXQ_OVFL) */
	uint64_t rx_ring_full;    /**< the ring had no room, or takes none so long: dropped */
	uint64_t tx_refused;      /**< EAGAIN: waited until writable */
	uint64_t tx_no_buffers;   /**< ENOBUFS: one was lost; backed off by a timer */
	uint64_t tx_errors;       /**< lost: the kernel refused it, or it had no address, or was too long */
	uint64_t icmp_errors;     /**< read from the error queue */
};

/**
 * Open a UDP socket on a loop.
 *
 * @param udp  [out] set only on success; ends with flux_udp_close() or the loop.
 * @param cfg  NULL: defaults; else copied.
 *
 * @return 0; FLUX_EINVAL: an address is no "host:port" or does not resolve, or a number is out of range;
 *         FLUX_ENOMEM; or as flux_binding_open(). flux_loop_detail() says it in words.
 *
 * Thread: owner of the loop, as all calls of this header.
 */
FLUX_API FLUX_MUST_CHECK int flux_udp_open(struct flux_udp **udp, struct flux_loop *loop,
					   const struct flux_udp_cfg *cfg);

/**
 * Hand datagrams to the kernel at once, many a system call. Equal ones to one address that follow each
 * other cost least, and those that also lie back to back. Never waits.
 *
 * @param tx  head, body and to of each, and `local`, which an answer takes from the flux_rx; borrowed for
 *            the call. `token` and `sid` are not looked at.
 * @param n   1 to FLUX_UDP_BATCH.
 *
 * @return how many are done with, from the first on: sent, or refused for good and counted in tx_errors.
 *         Fewer than `n`: the socket is full, on_writable tells when to go on with the rest.
 *         FLUX_EINVAL: `n`; FLUX_ECLOSED; -EBADF, -ENOTSOCK: somebody closed the socket's descriptor, and
 *         nothing comes or goes any more: close this and open another.
 *
 * Cost:   a system call for 64 of them, or for 64 runs.
 */
FLUX_API FLUX_MUST_CHECK int flux_udp_send(struct flux_udp *udp, const struct flux_tx *tx, uint32_t n);

/**
 * Send what a ring holds, without a copy: a record is a struct flux_addr (family 0: the configured peer),
 * then the datagram. While the socket is full they stay in the ring. Errors of single ones are counted.
 *
 * @param reader  of a ring of records, opened with FLUX_WAIT_FD; borrowed until the end.
 *
 * @return 0; FLUX_EBUSY: it has a ring already; FLUX_ENOTSUP: a ring of slots; or as flux_feed_open().
 */
FLUX_API FLUX_MUST_CHECK int flux_udp_send_from(struct flux_udp *udp, struct flux_ring_reader *reader);

/**
 * Put what comes into a ring: a record is a struct flux_addr, who sent it, then the datagram. Where there
 * is no room they are dropped, as by a full socket, and counted. on_datagrams is called no more.
 *
 * @param writer  of a ring of records; borrowed until the end.
 *
 * @return 0; FLUX_EBUSY: it has a ring already; FLUX_ENOTSUP: a ring of slots; FLUX_ECLOSED.
 */
FLUX_API FLUX_MUST_CHECK int flux_udp_receive_into(struct flux_udp *udp, struct flux_ring_writer *writer);

/** The address the socket is bound to. */
FLUX_API void flux_udp_local(const struct flux_udp *udp, struct flux_addr *addr);

/** Copy the counters; stats->size is set by the caller. */
FLUX_API void flux_udp_get_stats(const struct flux_udp *udp, struct flux_udp_stats *stats);

/**
 * Close the socket at once; no callback comes any more, and the rings' handles are the caller's again, inside
 * a callback when that has returned. NULL is allowed.
 */
FLUX_API void flux_udp_close(struct flux_udp *udp);

#ifdef __cplusplus
}
#endif

#endif
