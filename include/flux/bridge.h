/* SPDX-License-Identifier: MIT */
/*
 * Between rings and sessions: what threads or processes write into a ring becomes messages of a session,
 * and what a session brings becomes items of a ring. So one program speaks by the same calls to a
 * neighbour through shared memory and to a far one through the network.
 *
 * A ring of records takes messages of any length up to its limit; a ring of slots those of a slot's size.
 * Either way one side that is full holds back the other, nothing is dropped for want of room.
 */
#ifndef FLUX_BRIDGE_H
#define FLUX_BRIDGE_H

#include <flux/binding.h>
#include <flux/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_bridge;

/** Start from FLUX_BRIDGE_CFG_INIT. */
struct flux_bridge_cfg {
	uint32_t size;     /**< set by the initialiser */
	uint32_t reserved; /**< 0 */
	/**
	 * Something did not go through. FLUX_EMSGSIZE: a message of `len` bytes is longer than the other
	 * side takes, or no slot: it is counted as refused, and the next one follows. FLUX_EBADMSG: an item
	 * of the ring was damaged, likewise. FLUX_ECLOSED: the session or the ring is closed, the bridge
	 * stands still; other codes: as the ring or the session says, likewise. Any call is allowed
	 * inside. NULL: not told.
	 */
	void (*on_error)(void *ctx, struct flux_bridge *bridge, int code, uint32_t len);
	void *ctx;
};

#define FLUX_BRIDGE_CFG_INIT                           \
	{                                              \
		.size = sizeof(struct flux_bridge_cfg) \
	}

/** What went through. */
struct flux_bridge_stats {
	uint32_t size;     /**< set by the caller to sizeof before the call */
	uint32_t waiting;  /**< 1: the other side has no room now */
	uint64_t messages; /**< that went through */
	uint64_t bytes;
	uint64_t refused; /**< too long, or damaged */
	uint64_t waits;   /**< how often the other side had no room */
};

/**
 * From a ring into a session.
 *
 * @param bridge   [out] set only on success; ends with flux_bridge_close() or the binding.
 * @param binding  an open one.
 * @param sid      a session of it, connected or accepted; it need not be up yet.
 * @param reader   opened with FLUX_WAIT_FD; borrowed until the bridge has ended.
 * @param cfg      NULL: no callback; else copied.
 *
 * @return 0; FLUX_ECLOSED: no such session; FLUX_ENOMEM; or as flux_feed_open().
 *
 * Thread: owner of the binding's loop, as all calls of this header; writers of the ring are anywhere.
 * Cost:   then one copy a message.
 */
FLUX_API FLUX_MUST_CHECK int flux_bridge_open_out(struct flux_bridge **bridge, struct flux_binding *binding,
						  flux_sid sid, struct flux_ring_reader *reader,
						  const struct flux_bridge_cfg *cfg);

/**
 * From a session into a ring.
 *
 * @param sid     one session, or 0: every session that nobody else reads, in the order of arrival; of
 *                those no end is told.
 * @param writer  opened with FLUX_WAIT_FD; borrowed until the bridge has ended.
 *
 * @return 0; FLUX_ECLOSED: no such session; FLUX_EBUSY: somebody reads it already; FLUX_ENOTSUP: the
 *         writer waits in another way; FLUX_ENOMEM; or what the host's loop says of the descriptor.
 */
FLUX_API FLUX_MUST_CHECK int flux_bridge_open_in(struct flux_bridge **bridge, struct flux_binding *binding,
						 flux_sid sid, struct flux_ring_writer *writer,
						 const struct flux_bridge_cfg *cfg);

/** Copy the counters; stats->size is set by the caller. */
FLUX_API void flux_bridge_get_stats(const struct flux_bridge *bridge, struct flux_bridge_stats *stats);

/**
 * End it; the ring's handle is the caller's again, inside a callback when that has returned. What was
 * sent is still delivered; unread messages wait for the next reader. NULL is allowed.
 */
FLUX_API void flux_bridge_close(struct flux_bridge *bridge);

#ifdef __cplusplus
}
#endif

#endif
