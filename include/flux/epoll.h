/* SPDX-License-Identifier: MIT */
/*
 * A loop of our own over epoll: for a thread or a program that lives on it, or, by its one descriptor,
 * inside any other loop. In a host's loop that must not be blocked, poll with timeout 0.
 *
 * Attach after a fork: parent and child would share the kernel's side of it.
 */
#ifndef FLUX_EPOLL_H
#define FLUX_EPOLL_H

#include <flux/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Loops over epoll, for what takes a driver. */
FLUX_API extern const struct flux_driver flux_driver_epoll;

/**
 * Make a loop over epoll.
 *
 * @param loop  [out] set only on success; ends with flux_loop_close().
 *
 * @return 0; FLUX_ENOMEM; -EMFILE, -ENFILE: no descriptor left for epoll and timer, raise the limit.
 *
 * Thread: setup; the loop then belongs to the thread that polls it.
 * Cost:   three system calls.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_open_epoll(struct flux_loop **loop);

/**
 * One turn, as struct flux_driver says: at most 64 descriptors, each within its budget.
 *
 * @param timeout  nanoseconds; 0: do not wait; FLUX_NEVER: as long as there is nothing.
 *
 * @return 1: something was done, or there is more to do; 0: nothing was ready; FLUX_ECLOSED: a callback
 *         closed the loop, which is gone; FLUX_EINVAL: the loop is of another adapter; FLUX_EFORKED: in
 *         a forked child that has not adopted it.
 *
 * Thread: owner.
 * Cost:   one system call where nothing is ready.
 */
FLUX_API int flux_loop_poll_epoll(struct flux_loop *loop, flux_ts timeout);

/**
 * One descriptor for a host's loop: watch it for reading, level-triggered, and call
 * flux_loop_poll_epoll(loop, 0) while it is readable. It is so whenever that has something to do, be it
 * data, a deadline or the rest of a turn. From this call on each turn pays for keeping it true.
 *
 * @return a descriptor, which the loop closes; FLUX_EINVAL: the loop is of another adapter; -EMFILE,
 *         -ENFILE: no descriptor left for it, raise the limit.
 *
 * Thread: owner.
 */
FLUX_API int flux_loop_epoll_fd(struct flux_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
