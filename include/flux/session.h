/* SPDX-License-Identifier: MIT */
/*
 * One session: sending messages, reading messages, closing. All calls take the endpoint and the
 * session's name; a name whose session is gone gives FLUX_ECLOSED, never a crash.
 */
#ifndef FLUX_SESSION_H
#define FLUX_SESSION_H

#include <flux/endpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for one message, to be written in place. */
struct flux_claim {
	void *data;   /**< lent until published or aborted; no alignment is promised */
	uint32_t len; /**< bytes */
};

/** Messages of one length to be written in place: message i, 0 to n - 1, at data + i * stride. */
struct flux_claims {
	void *data;      /**< lent until published or aborted; no alignment is promised */
	uint32_t len;    /**< bytes of each; what lies between two is the library's */
	uint32_t n;      /**< messages, at least 1 */
	uint32_t stride; /**< bytes from one to the next */
};

/** A whole message, read in place. */
struct flux_msg {
	const void *data; /**< lent until released, or until flux_endpoint_settle(); not NULL */
	uint32_t len;     /**< bytes, maybe 0 */
};

/** Counters and measures of a session. */
struct flux_session_stats {
	uint32_t size;              /**< set by the caller to sizeof before the call */
	uint32_t window;            /**< datagrams we accept at most, after the socket buffer's clamp */
	uint64_t tx_messages;       /**< accepted by send or publish */
	uint64_t tx_refused;        /**< FLUX_EAGAIN answers */
	uint64_t tx_datagrams;      /**< DATA, first transmissions */
	uint64_t tx_bytes;          /**< of those, UDP payload */
	uint64_t tx_acked_messages; /**< acknowledged by the peer */
	uint64_t retransmitted;     /**< DATA sent again */
	uint64_t syncs_sent;        /**< heartbeats and probes */
	uint64_t naks_received;     /**< FEEDBACK with ranges */
	uint64_t feedback_received;
	uint64_t rx_messages;  /**< released by the application */
	uint64_t rx_datagrams; /**< DATA accepted */
	uint64_t rx_bytes;     /**< of those, UDP payload */
	uint64_t duplicates;   /**< DATA that we had already */
	uint64_t lost;         /**< DATA that missed the reorder tolerance, each once */
	uint64_t naks_sent;    /**< FEEDBACK with ranges */
	uint64_t feedback_sent;
	uint64_t late_originals;       /**< believed lost, then came by themselves */
	uint64_t spurious_repairs;     /**< asked for although the original was on its way */
	uint64_t gaps;                 /**< datagrams given up */
	uint64_t breaker_trips;        /**< the circuit breaker slowed us */
	flux_ts srtt, rttvar, min_rtt; /**< 0: not known yet */
	flux_ts reorder_wait;          /**< how long a missing datagram is given before we ask */
	uint64_t queued_bytes;         /**< held until acknowledged */
	uint64_t queue_limit;          /**< bytes */
};

/**
 * Largest message that this session can send: the other end's max_message, or what tx_queue holds whole.
 *
 * @return bytes; 0 if the session is not up.
 *
 * Thread: owner.
 */
FLUX_API uint32_t flux_session_max_message(const struct flux_endpoint *ep, flux_sid sid);

/**
 * Largest message that fits one datagram, the limit of flux_session_claim().
 *
 * @return bytes; 0 if the session is not up.
 *
 * Thread: owner.
 */
FLUX_API uint32_t flux_session_max_claim(const struct flux_endpoint *ep, flux_sid sid);

/**
 * Send one message by copy; it is cut into several datagrams where it must be. All or nothing.
 *
 * @param data  may be NULL if `len` is 0.
 * @param len   bytes, 0 to flux_session_max_message().
 *
 * @return 0: the library has it and will deliver it, or say in the CLOSED event that it did not; or
 *         FLUX_EAGAIN    not up yet, or the queue is full: FLUX_EVENT_WRITABLE or UP will tell;
 *         FLUX_EMSGSIZE  over the peer's limit: flux_endpoint_detail() names it;
 *         FLUX_EBUSY     a claim is unfinished: publish or abort it first;
 *         FLUX_ECLOSED   closing or closed.
 *
 * Thread: owner.
 * Cost:   one copy; no allocation, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_session_send(struct flux_endpoint *ep, flux_sid sid, const void *data,
					       uint32_t len);

/**
 * Reserve room for one message in the send window, to be written in place.
 *
 * Finish every claim with flux_session_publish() or flux_session_abort_claim(). Nothing behind an
 * unfinished claim is transmitted, so keep the time between the two short.
 *
 * @param len    bytes, 0 to flux_session_max_claim().
 * @param claim  [out] set only on success.
 *
 * @return 0; or as flux_session_send().
 *
 * Thread: owner.
 * Cost:   no copy, no allocation, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_session_claim(struct flux_endpoint *ep, flux_sid sid, uint32_t len,
						struct flux_claim *claim);

/**
 * Publish the claimed message.
 *
 * @param len  bytes really written, 0 to the claim's length.
 *
 * @return 0; or FLUX_EINVAL: no claim is open, or `len` is more than was claimed (the claim stays);
 *         FLUX_ECLOSED.
 *
 * Thread: owner.
 */
FLUX_API FLUX_MUST_CHECK int flux_session_publish(struct flux_endpoint *ep, flux_sid sid, uint32_t len);

/**
 * Reserve room for several messages of one length at a time, as many as there is room for in one datagram:
 * for streams of small records, where the calls cost more than the messages. Else as flux_session_claim();
 * finish it with flux_session_publish_some() or flux_session_abort_claim().
 *
 * @param len     bytes of each, 0 to flux_session_max_claim().
 * @param most    messages wanted, at least 1; fewer is usual, and no sign of a full queue.
 * @param claims  [out] set only on success.
 *
 * @return 0; FLUX_EINVAL: most is 0; or as flux_session_send().
 *
 * Thread: owner.
 * Cost:   as flux_session_claim(), for all of them.
 */
FLUX_API FLUX_MUST_CHECK int flux_session_claim_some(struct flux_endpoint *ep, flux_sid sid, uint32_t len,
						     uint32_t most, struct flux_claims *claims);

/**
 * Publish the first `n` of the claimed messages, each of the claimed length.
 *
 * @param n  0 to claims.n; the others were not claimed, then.
 *
 * @return 0; FLUX_EINVAL: no claim, or more than were claimed; FLUX_ECLOSED: closed since the claim, which is
 *         void.
 *
 * Thread: owner.
 * Cost:   no copy; one header for each.
 */
FLUX_API FLUX_MUST_CHECK int flux_session_publish_some(struct flux_endpoint *ep, flux_sid sid, uint32_t n);

/**
 * Give the claim up; nothing is sent for it.
 *
 * Thread: owner.
 */
FLUX_API void flux_session_abort_claim(struct flux_endpoint *ep, flux_sid sid);

/**
 * Look at the next whole messages in order, without taking them.
 *
 * A message in one datagram is read where it was received. A longer one is put together first and
 * comes alone. Reading again without releasing gives the same messages.
 *
 * @param msgs  [out] filled in order.
 * @param max   1 or more.
 *
 * @return how many, 0 if none (or paused, or no such session).
 *
 * Thread: owner.
 * Cost:   O(messages); one copy for messages longer than a datagram.
 */
FLUX_API uint32_t flux_session_read(struct flux_endpoint *ep, flux_sid sid, struct flux_msg *msgs,
				    uint32_t max);

/**
 * Take the first `n` messages of the last read: they count as delivered, their room is free.
 *
 * @param n  at most what the last read returned; more is cut.
 *
 * Thread: owner.
 * Cost:   O(n), or O(datagrams) if it is all of the last read.
 */
FLUX_API void flux_session_release(struct flux_endpoint *ep, flux_sid sid, uint32_t n);

/**
 * Stop or resume reading: a paused session is not offered by flux_endpoint_readable(), its window
 * fills, and the peer's sends are refused in the end. Nothing is lost.
 *
 * @param paused  1 or 0.
 *
 * Thread: owner.
 */
FLUX_API void flux_session_pause(struct flux_endpoint *ep, flux_sid sid, int paused);

/**
 * Close: everything sent is flushed and confirmed by the peer's application, then both ends end.
 *
 * The CLOSED event tells how it went: reason 0, or FLUX_EUNDELIVERED with the number of messages that
 * the peer never acknowledged. Reading goes on meanwhile, but what the peer has not sent or we have not read
 * by then ends with the session: where both send, let the one close that has heard all it wants. A second
 * call may only shorten the time.
 *
 * @param linger  time from `now` to give it; 0: at once; FLUX_NEVER: as long as the peer lives.
 *
 * @return 0; or FLUX_ECLOSED if it is closed already.
 *
 * Thread: owner.
 */
FLUX_API int flux_session_close(struct flux_endpoint *ep, flux_ts now, flux_sid sid, flux_ts linger);

/**
 * End at once and tell the peer why. Undelivered data of both directions is dropped.
 *
 * @param code  256 and up for the application's own meaning; it arrives in the peer's CLOSED event.
 * @param text  UTF-8, up to 200 bytes are sent; NULL is "".
 *
 * @return 0; or FLUX_ECLOSED if it is closed already.
 *
 * Thread: owner.
 */
FLUX_API int flux_session_abort(struct flux_endpoint *ep, flux_ts now, flux_sid sid, uint32_t code,
				const char *text);

/**
 * Copy a session's counters.
 *
 * @param stats  [in,out] stats->size says how much of it the caller knows.
 *
 * @return 0; or FLUX_ECLOSED.
 *
 * Thread: owner.
 */
FLUX_API int flux_session_get_stats(const struct flux_endpoint *ep, flux_sid sid,
				    struct flux_session_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
