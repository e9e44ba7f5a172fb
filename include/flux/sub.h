/* SPDX-License-Identifier: MIT */
/* A subscription: whole messages in, from one session or from all of a binding. */
#ifndef FLUX_SUB_H
#define FLUX_SUB_H

#include <flux/binding.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_sub;

/** What a message callback answers. */
enum flux_take {
	FLUX_TAKE = 0, /**< the message is done with and counts as delivered */
	FLUX_KEEP = 1  /**< not now: it stays first in line and the session is paused (flux_sub_resume) */
};

/** Start from FLUX_SUB_CFG_INIT. */
struct flux_sub_cfg {
	uint32_t size;     /**< set by the initialiser */
	uint32_t reserved; /**< 0 */
	/**
	 * One whole message, in order, without a copy; lent until the callback returns. Required without on_batch. Any call
	 * is allowed inside; it is never entered again before it has returned.
	 */
	enum flux_take (*on_message)(void *ctx, struct flux_sub *sub, flux_sid sid,
				     const struct flux_msg *msg);
	void *ctx;
	/**
	 * Instead of on_message: up to FLUX_SUB_BATCH messages at a time, which is cheaper where they are
	 * small. Returns how many were taken; fewer than `n` is FLUX_KEEP of the next one. What was paused or
	 * closed inside stays so, and those that were taken count as delivered.
	 */
	uint32_t (*on_batch)(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msgs,
			     uint32_t n);
};

/** Most messages of one call of on_batch. */
#define FLUX_SUB_BATCH 32

#define FLUX_SUB_CFG_INIT                           \
	{                                           \
		.size = sizeof(struct flux_sub_cfg) \
	}

/**
 * Subscribe. Messages that arrived before wait for the first subscription, and with them the session's
 * EOS and CLOSED: the latter for an idle timeout at most.
 *
 * @param sub  [out] set only on success; ends with flux_sub_close(), or with its binding.
 * @param sid  one session, or 0: every session that has no subscription of its own.
 * @param cfg  copied.
 *
 * @return 0; FLUX_EINVAL: neither on_message nor on_batch, or both; FLUX_ECLOSED: no such session; FLUX_EBUSY: it has one already;
 *         FLUX_ENOMEM.
 *
 * Thread: owner of the loop, as all calls of this header.
 */
FLUX_API FLUX_MUST_CHECK int flux_sub_open(struct flux_sub **sub, struct flux_binding *binding,
					   flux_sid sid, const struct flux_sub_cfg *cfg);

/** End it; unread messages wait for the next one. Allowed inside callbacks. NULL is allowed. */
FLUX_API void flux_sub_close(struct flux_sub *sub);

/** Stop reading a session: its window fills and the peer is held back. Nothing is lost. */
FLUX_API void flux_sub_pause(struct flux_sub *sub, flux_sid sid);

/** Go on reading, from the message that was kept. */
FLUX_API void flux_sub_resume(struct flux_sub *sub, flux_sid sid);

#ifdef __cplusplus
}
#endif

#endif
