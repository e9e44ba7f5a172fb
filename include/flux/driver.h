/* SPDX-License-Identifier: MIT */
/* A loop that is Flux's own, of whatever kind: what a thread or a tool needs to turn it. */
#ifndef FLUX_DRIVER_H
#define FLUX_DRIVER_H

#include <flux/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/** flux_driver_epoll is always there; flux_driver_uring is in libflux-uring. */
struct flux_driver {
	uint32_t size;    /**< sizeof(struct flux_driver) */
	const char *name; /**< for people and options: "epoll" */
	/**
	 * Make a loop in the thread that will turn it.
	 *
	 * @param why      [out] the words of a refusal, or of a fallback; "" if there is nothing to say.
	 * @param why_cap  bytes there; FLUX_WHY_TEXT is enough.
	 *
	 * @return 0 or a negative code.
	 */
	int (*open)(struct flux_loop **loop, char *why, size_t why_cap);
	/**
	 * One turn: wait until something is ready, the deadline or `timeout`, hand it out, end the turn.
	 *
	 * @param timeout  nanoseconds; 0: do not wait; FLUX_NEVER: as long as there is nothing.
	 *
	 * @return 1: something was done, or there is more to do; 0: nothing was ready; FLUX_ECLOSED: a
	 *         callback closed the loop, which is gone; FLUX_EFORKED: in a forked child.
	 */
	int (*poll)(struct flux_loop *loop, flux_ts timeout);
};

#ifdef __cplusplus
}
#endif

#endif
