/* SPDX-License-Identifier: MIT */
/*
 * The machine: all sessions of one socket, without the socket.
 *
 * Datagrams and the time go in, datagrams and one deadline come out. It reads no clock, opens
 * nothing, calls nobody back, and draws no random number that its seed did not give. Most programs
 * use flux/binding.h, which drives it from an event loop; this header is for programs with their
 * own sockets, for tests and for simulators.
 *
 * A driver's turn:
 *
 *	flux_endpoint_receive(ep, now, rx, n);             datagrams that arrived
 *	while (flux_endpoint_event(ep, &event)) ...        what happened
 *	while ((sid = flux_endpoint_readable(ep)))         read and release (flux/session.h)
 *	flux_endpoint_settle(ep);                          the rx buffers are the driver's again
 *	if (now >= flux_endpoint_deadline(ep))
 *		flux_endpoint_expire(ep, now);
 *	while ((n = flux_endpoint_peek(ep, now, &tx))) {   what is due
 *		k = send them;
 *		flux_endpoint_commit(ep, now, k);
 *		flux_endpoint_retire(ep, tokens of the k, k);
 *	}
 *	sleep until a datagram or flux_endpoint_deadline(ep).
 *
 * Results do not depend on how datagrams are cut into batches. expire() may come late by any amount.
 * One thread owns an endpoint and makes every call on it.
 */
#ifndef FLUX_ENDPOINT_H
#define FLUX_ENDPOINT_H

#include <flux/base.h>
#include <flux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_endpoint;

/** Names a session of one endpoint. Never reused for another session in practice; 0 is no session. */
typedef uint32_t flux_sid;

/** Limits and habits of an endpoint. Start from FLUX_ENDPOINT_CFG_INIT; 0 means the default. As text: flux/options.h. */
struct flux_endpoint_cfg {
	uint32_t size;              /**< sizeof(struct flux_endpoint_cfg), set by the initialiser */
	uint32_t accept;            /**< 1: answer peers that connect; 0: only connect */
	const struct flux_mem *mem; /**< allocator, borrowed; required */
	uint8_t seed[32];           /**< unpredictable bytes (getrandom); a test gives fixed ones */
	uint8_t reset_key[16];      /**< all zero: drawn from the seed. A key kept over restarts lets peers
				     *   of the last run learn at once that their session is gone. */
	uint32_t max_sessions;      /**< 1 to 65536, default 64 */
	uint32_t max_datagram;      /**< UDP payload bytes, 576 to 65472, default 1200; what the path
				     *   carries for certain. A session uses the smaller of both ends'. */
	uint32_t max_message;       /**< bytes, 1 to 2^30, default 1 MiB; what this end accepts. A session
				     *   sends up to the other end's. */
	uint32_t window;            /**< receive window of a session, datagrams, power of two, 16 to 65536,
				     *   default 1024 */
	uint32_t rx_pool;           /**< datagrams kept out of order or unread over all sessions, at least
				     *   max_sessions; default 4 windows more than that */
	uint32_t rcvbuf;            /**< bytes the kernel really granted (SO_RCVBUF as read back); 0: not
				     *   known. Windows are kept inside what it can hold. */
	uint32_t tx_queue;          /**< bytes of unacknowledged data a session may hold, 16 datagrams to
				     *   2^30, default 2 MiB. A message must fit as a whole, headers too. */
	uint32_t cwnd;              /**< bytes in flight a session allows itself; default: no such limit */
	uint64_t rate_bps;          /**< bytes a second a session sends at most; default: no such limit */
	flux_ts granularity;        /**< how late expire() usually comes; default 1 ms */
	flux_ts idle_timeout;       /**< 500 ms to 10 min, default 15 s; the smaller of both ends' holds */
	flux_ts connect_timeout;    /**< default 10 s; FLUX_NEVER: try for ever */
	uint64_t first_seq;         /**< tests: the first datagram number; default: random */
	uint64_t boot_id;           /**< names this run to peers; default: drawn from the seed */
};

#define FLUX_ENDPOINT_CFG_INIT                                                  \
	{                                                                       \
		.size = sizeof(struct flux_endpoint_cfg), .mem = &flux_mem_libc \
	}

/** A datagram that arrived. */
struct flux_rx {
	const void *data;      /**< lent until flux_endpoint_settle(); not changed meanwhile */
	uint32_t len;          /**< UDP payload bytes */
	uint32_t ecn;          /**< its ECN mark, where asked for: 0 none, 1 ECT(1), 2 ECT(0), 3 congestion */
	struct flux_addr from; /**< who sent it */
	/** The address it was sent to, lent like `data`; NULL: not told, the socket has one address only. */
	const struct flux_local *local;
};

/** A datagram to send: `head` then `body`, one payload (head_len is often 0). */
struct flux_tx {
	const void *head;    /**< lent until the token is retired */
	const void *body;    /**< lent until the token is retired; runs of equal size often lie back to back */
	uint32_t head_len;   /**< bytes */
	uint32_t body_len;   /**< bytes */
	uint32_t token;      /**< to give to flux_endpoint_retire() */
	flux_sid sid;        /**< the session that it is of; 0: of none */
	struct flux_addr to; /**< where to */
	/** The address to send it from, lent like `body`: where the peer looks for us. NULL: the kernel's choice. */
	const struct flux_local *local;
};

/** Most datagrams that one peek shows. */
#define FLUX_PEEK_MAX 256

enum flux_event_type {
	/** A session is up: connected (ours) or accepted (event.incoming). */
	FLUX_EVENT_UP = 1,
	/** After FLUX_EAGAIN of a send: there is room again (half of the queue). */
	FLUX_EVENT_WRITABLE,
	/** Datagrams first..last will never come; messages in them are lost. */
	FLUX_EVENT_GAP,
	/** The peer finished its stream: no more messages will be read. */
	FLUX_EVENT_EOS,
	/** The last event of a session; `reason` says why. The sid is dead after it. */
	FLUX_EVENT_CLOSED,
	/**
	 * Of a binding only: for a quarter of a second the kernel has refused all that goes to the peer, no route
	 * or an interface that is down; `reason` is the negative errno value, `text` its words. The session lives
	 * on, tries again further and further apart, and ends by its idle timeout at last. May come before UP.
	 */
	FLUX_EVENT_PATH_DOWN,
	/** After PATH_DOWN: datagrams leave again. */
	FLUX_EVENT_PATH_UP
};

/** What happened to a session. */
struct flux_event {
	enum flux_event_type type;
	flux_sid sid;
	int reason;            /**< CLOSED: 0 graceful, or FLUX_ETIMEDOUT, FLUX_ERESTARTED, FLUX_ERESET,
				*   FLUX_EREFUSED, FLUX_EVERSION, FLUX_EPROTO, FLUX_EABORTED,
				*   FLUX_EUNDELIVERED, FLUX_ENOMEM; -EBADF or -ENOTSOCK where the
				*   socket was closed, and not by us. PATH_DOWN: a negative errno value */
	uint32_t incoming;     /**< UP: 1 if the peer connected */
	uint32_t code;         /**< CLOSED: the peer's or our close code (protocol 2.8; 256 and up are the
				*   application's) */
	uint64_t undelivered;  /**< CLOSED: messages sent and never acknowledged by the peer */
	uint64_t first, last;  /**< GAP: datagram numbers */
	struct flux_addr peer; /**< the other end */
	char text[208];        /**< CLOSED: the peer's words, or ours; PATH_DOWN; terminated, maybe empty */
};

/** Counters of an endpoint; each only grows. */
struct flux_endpoint_stats {
	uint32_t size;     /**< set by the caller to sizeof before the call */
	uint32_t sessions; /**< open now */
	uint64_t rx_datagrams, rx_bytes, tx_datagrams, tx_bytes;
	uint64_t rx_malformed;    /**< too short, unknown version or type, body breaks its table */
	uint64_t rx_bad_checksum; /**< corrupted, forged, or of another session's life */
	uint64_t rx_unknown;      /**< no such session */
	uint64_t rx_replayed;     /**< control datagram seen before */
	uint64_t rx_out_of_state; /**< of a type that the session's state does not allow */
	uint64_t rx_unused;       /**< authentic, of a type that this version does not use */
	uint64_t rx_out_of_range; /**< absurd ack, window, range or number; state untouched */
	uint64_t rx_no_buffer;    /**< pool empty: dropped, will be asked for again */
	uint64_t hello_received, cookies_sent, sessions_refused, resets_sent;
	uint64_t clock_steps_back; /**< `now` went backwards and was held */
};

/**
 * Make an endpoint.
 *
 * @param ep   [out] set only on success; free with flux_endpoint_destroy().
 * @param cfg  copied. Unknown tail bytes that are not zero are refused.
 * @param why  [out] NULL, or room for 128 bytes: on failure, which member is wrong and its range.
 *
 * @return 0; or
 *         FLUX_EINVAL  a member is out of range, or cfg->mem is NULL: see `why`;
 *         FLUX_E2BIG   cfg is of a newer library and asks for what this one lacks;
 *         FLUX_ENOMEM  the allocator refused: lower max_sessions or rx_pool.
 *
 * Thread: setup.
 * Cost:   allocates max_sessions small structures and rx_pool datagrams (touched on use only).
 */
FLUX_API FLUX_MUST_CHECK int flux_endpoint_create(struct flux_endpoint **ep,
						  const struct flux_endpoint_cfg *cfg, char *why);

/**
 * Free an endpoint. Sessions end without a word to their peers: close them first to be polite.
 *
 * @param ep  NULL is allowed. Nothing lent by it may be used afterwards.
 *
 * Thread: owner.
 */
FLUX_API void flux_endpoint_destroy(struct flux_endpoint *ep);

/**
 * Take datagrams that arrived. Whatever is wrong with one is counted, never an error.
 *
 * @param now  not before that of any earlier call (a step back is held and counted).
 * @param rx   `n` datagrams in order of arrival; their bytes stay lent until flux_endpoint_settle().
 *
 * Thread: owner.
 * Cost:   O(1) a datagram, one checksum; allocates only when a session opens.
 */
FLUX_API void flux_endpoint_receive(struct flux_endpoint *ep, flux_ts now, const struct flux_rx *rx,
				    uint32_t n);

/**
 * Give the receive buffers back to the driver: what is still needed of them is copied.
 *
 * Call it after reading and before the buffers change. Messages returned by flux_session_read()
 * and not released move; do not use them across this call.
 *
 * Thread: owner.
 * Cost:   a copy of each datagram received since and not released.
 */
FLUX_API void flux_endpoint_settle(struct flux_endpoint *ep);

/**
 * The datagrams due now, in the order to send them. Changes nothing but what is shown.
 *
 * Commit what left before any other call on `ep`: between the two nothing may happen to what is shown.
 *
 * @param tx  [out] array lent until the next call on `ep`.
 *
 * @return how many, 0 to FLUX_PEEK_MAX. 0 also when FLUX_PEEK_MAX images or more wait to be retired.
 *
 * Thread: owner.
 * Cost:   O(1) a datagram; one checksum at its first peek.
 */
FLUX_API uint32_t flux_endpoint_peek(struct flux_endpoint *ep, flux_ts now, const struct flux_tx **tx);

/**
 * The first `n` of the last peek were handed to the kernel. The rest stays due.
 *
 * @param now  when they left.
 * @param n    at most what the last peek returned; more is cut.
 *
 * Thread: owner.
 * Cost:   O(n).
 */
FLUX_API void flux_endpoint_commit(struct flux_endpoint *ep, flux_ts now, uint32_t n);

/**
 * The kernel no longer reads these committed images. Until then their bytes do not change.
 *
 * @param tokens  of struct flux_tx; each once. Unknown ones are ignored.
 *
 * Thread: owner.
 * Cost:   O(n).
 */
FLUX_API void flux_endpoint_retire(struct flux_endpoint *ep, const uint32_t *tokens, uint32_t n);

/**
 * When flux_endpoint_expire() wants to be called; a time already past means now. Something may also
 * be due to send at once: peek first, ask after.
 *
 * @return a time, or FLUX_NEVER.
 *
 * Thread: owner.
 * Cost:   O(1).
 */
FLUX_API flux_ts flux_endpoint_deadline(const struct flux_endpoint *ep);

/**
 * The socket is lost for good: end every session at once, without a word to its peer. Each has a CLOSED event, with
 * what was not delivered. Nothing keeps the endpoint from being used on, with another socket.
 *
 * @param reason  a negative code for these events, as a negated errno value.
 * @param text    words for them, up to 200 bytes; NULL is "".
 *
 * Thread: owner.
 * Cost:   O(max_sessions).
 */
FLUX_API void flux_endpoint_abandon(struct flux_endpoint *ep, flux_ts now, int reason, const char *text);

/**
 * Let time pass: timers that are due fire. Early or late calls are harmless.
 *
 * Thread: owner.
 * Cost:   O(log sessions) a timer.
 */
FLUX_API void flux_endpoint_expire(struct flux_endpoint *ep, flux_ts now);

/**
 * Pull the next event. A session's events come in order: UP first, CLOSED last. EOS and CLOSED wait
 * until its messages are read, but a session that nobody reads is told CLOSED an idle timeout after its
 * end all the same, and the unread messages go with it.
 *
 * @param event  [out] set only if 1 is returned.
 *
 * @return 1, or 0 if there is none.
 *
 * Thread: owner.
 * Cost:   O(1).
 */
FLUX_API int flux_endpoint_event(struct flux_endpoint *ep, struct flux_event *event);

/**
 * A session with something to read, in turn; the read may still give no message, when only a part of one
 * is there. Without reading, the same ones come round for ever: a driver that does not want a session's
 * messages now calls flux_session_pause().
 *
 * @return a sid, or 0 if there is none.
 *
 * Thread: owner.
 * Cost:   O(1).
 */
FLUX_API flux_sid flux_endpoint_readable(struct flux_endpoint *ep);

/**
 * Start a session with a peer. It is up, or has failed, when an event says so.
 *
 * @param peer  where to.
 * @param sid   [out] set only on success.
 *
 * @return 0; or
 *         FLUX_EINVAL  no address or port 0;
 *         FLUX_EBUSY   max_sessions are open: close one, or raise the limit.
 *
 * Thread: owner.
 * Cost:   O(1).
 */
FLUX_API FLUX_MUST_CHECK int flux_endpoint_connect(struct flux_endpoint *ep, flux_ts now,
						   const struct flux_addr *peer, flux_sid *sid);

/**
 * Copy the counters.
 *
 * @param stats  [in,out] stats->size says how much of it the caller knows.
 *
 * Thread: owner.
 * Cost:   a copy.
 */
FLUX_API void flux_endpoint_get_stats(const struct flux_endpoint *ep, struct flux_endpoint_stats *stats);

/**
 * The words for the last error that a call on this endpoint returned: what, the limit, the remedy.
 *
 * @return text owned by `ep`, valid until its next failing call; "" if none failed.
 *
 * Thread: owner.
 */
FLUX_API const char *flux_endpoint_detail(const struct flux_endpoint *ep);

#ifdef __cplusplus
}
#endif

#endif
