/* SPDX-License-Identifier: MIT */
/* The libevent adapter (library flux-event): Flux inside an event_base that exists already. */
#ifndef FLUX_EVENT_H
#define FLUX_EVENT_H

#include <flux/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

/**
 * Attach to a libevent base. No thread is started, no libevent lock is needed, nothing global is touched.
 *
 * @param loop  [out] set only on success; close with flux_loop_close() before the base is freed.
 * @param base  the host's base, borrowed, of any configuration; NULL: one is made, and freed with the loop.
 *
 * @return 0; FLUX_ENOMEM; or a negative errno value of timerfd_create (EMFILE: raise the fd limit).
 *
 * Thread: the one that runs `base`, which is the owner from then on.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_open_event(struct flux_loop **loop, struct event_base *base);

/**
 * The base that the loop runs on, for event_base_dispatch() and the host's own events.
 *
 * Thread: owner.
 */
FLUX_API struct event_base *flux_loop_event_base(struct flux_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
