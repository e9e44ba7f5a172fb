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
 * Until the loop is closed or paused (flux_loop_pause()) the base is never empty, so event_base_dispatch()
 * goes on.
 *
 * A process that forks goes on as if nothing had been. Its child is to call event_reinit(base), as libevent
 * wants, and then may flux_loop_close() its copy, or leave it, or flux_loop_adopt() it if the parent ends. If it
 * does not call event_reinit(), Flux does so before it takes anything off the base there. Simplest is to attach
 * after the process has become a daemon.
 *
 * @param loop  [out] set only on success; close with flux_loop_close() before the base is freed.
 * @param base  the host's base, borrowed, of any configuration; NULL: one is made, and freed with the
 *              loop: run it by flux_loop_run_event() if you close the loop inside a callback.
 *
 * @return 0; FLUX_ENOMEM; or a negative errno value of timerfd_create (EMFILE: raise the fd limit).
 *
 * Thread: the one that runs `base`, which is the owner from then on.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_open_event(struct flux_loop **loop, struct event_base *base);

/**
 * event_base_dispatch(), for a loop that may be closed by one of its own callbacks.
 *
 * @return 0: the base was stopped or has no events left; FLUX_ECLOSED: the loop was closed meanwhile and
 *         is gone, with the base if it was its own; FLUX_EINVAL: not a loop of this adapter, or it runs
 *         already; FLUX_EFORKED: in a forked child that has not adopted it; -EIO: libevent could not go on.
 *
 * Thread: owner.
 */
FLUX_API int flux_loop_run_event(struct flux_loop *loop);

/**
 * The base that the loop runs on, for the host's own events.
 *
 * @return a base, or NULL if the loop is of another adapter.
 *
 * Thread: owner.
 */
FLUX_API struct event_base *flux_loop_event_base(const struct flux_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
