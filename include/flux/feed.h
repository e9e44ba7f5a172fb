/* SPDX-License-Identifier: MIT */
/*
 * A ring's reader on a loop: what other threads or processes publish is handed out in the turns of the
 * loop, under a budget, on any adapter.
 */
#ifndef FLUX_FEED_H
#define FLUX_FEED_H

#include <flux/loop.h>
#include <flux/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_feed;

/** What a handler wants next. */
enum flux_feed_next {
	FLUX_FEED_ON = 0,  /**< this item is done */
	FLUX_FEED_KEEP = 1 /**< it is not: it stays, and is handed out again after flux_feed_resume() */
};

/** A slot, or a record. */
struct flux_feed_item {
	void *data;        /**< in place, until the handler returns */
	uint32_t len;      /**< bytes */
	uint32_t reserved; /**< 0 */
};

/** Most items of one call of flux_feed_cfg.on_batch. */
#define FLUX_FEED_BATCH 64

/** Start from FLUX_FEED_CFG_INIT. */
struct flux_feed_cfg {
	uint32_t size;   /**< set by the initialiser */
	uint32_t budget; /**< most items of one turn; 0: 64. Time is bounded too, by 32 us */
	/**
	 * Each item: a slot, or a record of `len` bytes, in place until it returns. Any call of the library
	 * is allowed inside, but none that uses the reader. Returns enum flux_feed_next.
	 */
	int (*on_item)(void *ctx, struct flux_feed *feed, void *item, uint32_t len);
	/**
	 * Instead of on_item: up to FLUX_FEED_BATCH items at once, on a shared ring of records one.
	 * Returns how many are done, from the first on; fewer than `n` is as FLUX_FEED_KEEP.
	 */
	uint32_t (*on_batch)(void *ctx, struct flux_feed *feed, const struct flux_feed_item *items, uint32_t n);
	/** The end of a batch: nothing more now, or this turn's share. NULL: not told. */
	void (*on_end)(void *ctx, struct flux_feed *feed);
	/**
	 * Nothing will come any more: FLUX_ECLOSED, the ring was closed and all is read; FLUX_EEVICTED;
	 * FLUX_EPROTO. A damaged item (FLUX_EBADMSG) is told, passed, and the next one follows. NULL: not
	 * told.
	 */
	void (*on_error)(void *ctx, struct flux_feed *feed, int code);
	void *ctx;
};

#define FLUX_FEED_CFG_INIT                                                    \
	{                                                                     \
		sizeof(struct flux_feed_cfg), 0, NULL, NULL, NULL, NULL, NULL \
	}

/**
 * Let a loop read a ring.
 *
 * @param feed    [out] set only on success; ends with flux_feed_close() or the loop.
 * @param reader  opened with FLUX_WAIT_FD; borrowed until the feed has ended, and touched by nobody else.
 * @param cfg     copied; on_item or on_batch is needed.
 *
 * @return 0; FLUX_EINVAL, FLUX_E2BIG: `cfg`; FLUX_ENOTSUP: the reader waits in another way, or is lossy;
 *         FLUX_ENOMEM; FLUX_ECLOSED: the loop is being closed; or what the host's loop says of the
 *         descriptor. flux_loop_detail() has words.
 *
 * Thread: owner of the loop.
 * Cost:   an allocation, and what the host's loop does for a descriptor.
 */
FLUX_API FLUX_MUST_CHECK int flux_feed_open(struct flux_feed **feed, struct flux_loop *loop,
					    struct flux_ring_reader *reader, const struct flux_feed_cfg *cfg);

/** Hand out no more until flux_feed_resume(): the ring fills, and its writers wait. Thread: owner. */
FLUX_API void flux_feed_pause(struct flux_feed *feed);

/** Go on, in the next turn. Also after FLUX_FEED_KEEP, once the handler has returned it. Thread: owner. */
FLUX_API void flux_feed_resume(struct flux_feed *feed);

/**
 * End it: its handlers are not called any more, and the reader is the caller's again; inside one of them,
 * when that has returned. NULL is allowed.
 *
 * Thread: owner, in its own callbacks too.
 */
FLUX_API void flux_feed_close(struct flux_feed *feed);

#ifdef __cplusplus
}
#endif

#endif
