/* SPDX-License-Identifier: MIT */
/* A file descriptor of the program's own on a loop, whatever its adapter, so that a program can live on it. */
#ifndef FLUX_WATCH_H
#define FLUX_WATCH_H

#include <flux/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_watch;

/**
 * Called while the descriptor is ready: again and again, until what made it so is gone. Any call of the
 * library is allowed inside, the end of the watch and of the loop too.
 *
 * @param events  FLUX_LOOP_IN (readable, an error or the other side's end), FLUX_LOOP_OUT (writable) or
 *                both: of those that are watched.
 */
typedef void (*flux_watch_fn)(void *ctx, struct flux_watch *watch, uint32_t events);

/**
 * Watch a descriptor, level-triggered.
 *
 * @param watch   [out] set only on success; ends with flux_watch_close() or the loop.
 * @param fd      borrowed, best non-blocking; open until the watch has ended. One watch for each.
 * @param events  FLUX_LOOP_IN, FLUX_LOOP_OUT or both; 0: nothing yet.
 *
 * @return 0; FLUX_EINVAL: `events` has another bit, or on_ready is NULL; FLUX_ENOMEM; FLUX_ECLOSED: the
 *         loop is being closed; or what the host's loop says of the descriptor, such as -EPERM of a plain
 *         file under epoll. flux_loop_detail() has words.
 *
 * Thread: owner of the loop.
 * Cost:   an allocation, and what the host's loop does for it.
 */
FLUX_API FLUX_MUST_CHECK int flux_watch_open(struct flux_watch **watch, struct flux_loop *loop, int fd,
					     uint32_t events, flux_watch_fn on_ready, void *ctx);

/**
 * Watch it for other events from now on.
 *
 * @param events  as in flux_watch_open(); 0: pause.
 *
 * @return as flux_watch_open(); on an error what was watched before may be lost.
 *
 * Thread: owner of the loop.
 */
FLUX_API FLUX_MUST_CHECK int flux_watch_change(struct flux_watch *watch, uint32_t events);

/**
 * End it: on_ready is not called any more, the descriptor may be closed at once.
 *
 * @param watch  NULL is allowed.
 *
 * Thread: owner of the loop, in its own callback too.
 */
FLUX_API void flux_watch_close(struct flux_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
