/* SPDX-License-Identifier: MIT */
/* A timer of the program's own on a loop, whatever its adapter. */
#ifndef FLUX_TIMER_H
#define FLUX_TIMER_H

#include <flux/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_timer;

/** Called once for each time that it was set. Any call of the library is allowed inside. */
typedef void (*flux_timer_fn)(void *ctx, struct flux_timer *timer);

/**
 * Make a timer, which is not set yet.
 *
 * @param timer  [out] set only on success; ends with flux_timer_close() or the loop.
 *
 * @return 0; FLUX_EINVAL: on_due is NULL; FLUX_ENOMEM; FLUX_ECLOSED: the loop is being closed.
 *
 * Thread: owner of the loop.
 * Cost:   an allocation.
 */
FLUX_API FLUX_MUST_CHECK int flux_timer_open(struct flux_timer **timer, struct flux_loop *loop,
					     flux_timer_fn on_due, void *ctx);

/**
 * Set it, instead of when it was set to.
 *
 * @param at  a time of flux_loop_now(); past: in the next turn; FLUX_NEVER: not.
 *
 * Thread: owner of the loop, in its own callback too.
 * Cost:   O(log timers), and a turn if it is the earliest.
 */
FLUX_API void flux_timer_set(struct flux_timer *timer, flux_ts at);

/** End it. NULL is allowed. Thread: owner of the loop, in its own callback too. */
FLUX_API void flux_timer_close(struct flux_timer *timer);

#ifdef __cplusplus
}
#endif

#endif
