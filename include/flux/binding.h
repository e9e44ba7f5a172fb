/* SPDX-License-Identifier: MIT */
/* A binding: one UDP socket and its sessions on a loop. Messages go through flux/pub.h and flux/sub.h. */
#ifndef FLUX_BINDING_H
#define FLUX_BINDING_H

#include <flux/endpoint.h>
#include <flux/loop.h>
#include <flux/session.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_binding;

/** Start from FLUX_BINDING_CFG_INIT; 0 and NULL mean the default. */
struct flux_binding_cfg {
	uint32_t size;         /**< set by the initialiser */
	uint32_t rcvbuf;       /**< socket buffers wanted, bytes; default 4 MiB. What is granted, bounds the */
	uint32_t sndbuf;       /**< windows and is told by flux_binding_get_stats() */
	uint32_t connect_only; /**< 1: peers may not connect, although `local` is set */
	/**
	 * "host:port" to bind; peers may connect to it. NULL: any free port, and only connect (unless
	 * endpoint->accept is 1). A name is looked up, which may block; ":7000" binds every address of
	 * both families, and each peer is answered from the one that it chose.
	 */
	const char *local;
	/** Limits and habits; NULL: defaults. A zero seed is filled in; rcvbuf and accept are set. */
	const struct flux_endpoint_cfg *endpoint;
	/** Every event of every session, on the loop's thread. Any call is allowed inside. */
	void (*on_event)(void *ctx, struct flux_binding *binding, const struct flux_event *event);
	/** After flux_binding_close(): the last callback of all; the handle is gone. */
	void (*on_closed)(void *ctx);
	void *ctx;
	/** 1: no segmentation offload (GSO, GRO), a datagram at a time; to compare, or around a bad driver. */
	uint32_t no_offload;
	uint32_t reserved; /**< 0 */
};

#define FLUX_BINDING_CFG_INIT                           \
	{                                               \
		.size = sizeof(struct flux_binding_cfg) \
	}

/** Counters of the socket; the endpoint's are got by flux_binding_get_endpoint_stats(). */
struct flux_binding_stats {
	uint32_t size;           /**< set by the caller to sizeof before the call */
	uint32_t rcvbuf, sndbuf; /**< bytes in force, as the kernel counts them */
	uint32_t rcvbuf_short;   /**< 1: less than wanted; flux_loop_detail() said what to raise */
	uint64_t rx_syscalls, tx_syscalls;
	uint64_t rx_truncated;    /**< longer than any datagram we use: dropped, never parsed */
	uint64_t rx_kernel_drops; /**< by SO_RXQ_OVFL */
	uint64_t tx_refused;      /**< EAGAIN: waited until writable */
	uint64_t tx_no_buffers;   /**< ENOBUFS: backed off by a timer */
	uint64_t tx_errors;       /**< other refusals: the datagram counts as lost */
	uint64_t icmp_errors;     /**< read from the error queue */
	uint32_t tx_offload;      /**< 1: runs of equal datagrams go to the kernel as one (GSO) */
	uint32_t rx_offload;      /**< 1: they come as one (GRO) */
	uint32_t tx_offload_off;  /**< 1: it was on, and a device or path refused it; nothing was lost */
	uint32_t features;        /**< FLUX_SOCKET_* that are in force */
	uint64_t tx_lent;         /**< datagrams that the kernel read in place (zero_copy of flux/uring.h) */
};

/**
 * Open a UDP socket and its endpoint on a loop. Returns at once; peers may come and go in any order.
 *
 * @param binding  [out] set only on success.
 * @param loop     an open loop; it keeps the binding until one of them is closed.
 * @param cfg      NULL: defaults; else copied.
 *
 * @return 0; or a code of flux_endpoint_create(); or
 *         FLUX_EINVAL        cfg->local is no "host:port" or does not resolve;
 *         -EADDRINUSE        the port is taken: choose another, or stop its owner. A port is never shared
 *                            (SO_REUSEPORT): datagrams would be dealt to both, and both lose sessions;
 *         -EADDRNOTAVAIL     no interface of this host has that address;
 *         other errno        of socket() and bind().
 *         flux_loop_detail() says it in words.
 *
 * Thread: owner of the loop.
 */
FLUX_API FLUX_MUST_CHECK int flux_binding_open(struct flux_binding **binding, struct flux_loop *loop,
					       const struct flux_binding_cfg *cfg);

/**
 * Close socket and sessions without waiting for peers; on_closed follows before the loop sleeps, and is
 * the last callback. Allowed inside any callback. For a clean end close the sessions first.
 *
 * @param binding  NULL is allowed. Not to be used after the call.
 *
 * Thread: owner.
 */
FLUX_API void flux_binding_close(struct flux_binding *binding);

/**
 * Start a session with a peer; FLUX_EVENT_UP or FLUX_EVENT_CLOSED tells how it went.
 *
 * @param peer  "host:port". A name is looked up, which may block; give an address to be sure.
 * @param sid   [out] set only on success.
 *
 * @return 0; FLUX_EINVAL: does not resolve; FLUX_EBUSY: max_sessions are open; -EBADF, -ENOTSOCK: somebody
 *         closed the socket's descriptor: close the binding and open another.
 *
 * Thread: owner.
 */
FLUX_API FLUX_MUST_CHECK int flux_binding_connect(struct flux_binding *binding, const char *peer,
						  flux_sid *sid);

/** flux_session_close() through the binding. Thread: owner. */
FLUX_API int flux_binding_close_session(struct flux_binding *binding, flux_sid sid, flux_ts linger);

/** flux_session_abort() through the binding. Thread: owner. */
FLUX_API int flux_binding_abort_session(struct flux_binding *binding, flux_sid sid, uint32_t code,
					const char *text);

/**
 * The address the socket is bound to; the port is the real one if 0 was asked for.
 *
 * Thread: owner.
 */
FLUX_API void flux_binding_local(const struct flux_binding *binding, struct flux_addr *addr);

/** Copy the socket's counters; stats->size is set by the caller. Thread: owner. */
FLUX_API void flux_binding_get_stats(const struct flux_binding *binding,
				     struct flux_binding_stats *stats);

/** flux_endpoint_get_stats() through the binding. Thread: owner. */
FLUX_API void flux_binding_get_endpoint_stats(const struct flux_binding *binding,
					      struct flux_endpoint_stats *stats);

/** flux_session_get_stats() through the binding. Thread: owner. */
FLUX_API int flux_binding_get_session_stats(const struct flux_binding *binding, flux_sid sid,
					    struct flux_session_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
