/* SPDX-License-Identifier: MIT */
/*
 * A loop of our own over io_uring (library flux-uring): received datagrams come with their completions,
 * and a turn is one system call. Where io_uring is refused, it is a loop over epoll that says why.
 *
 * It is a loop to live on: nothing of it goes into another loop, where a ring's descriptor may miss a wake-up.
 * flux_loop_epoll_fd() refuses it with FLUX_EINVAL; take flux_loop_open_epoll() for that.
 *
 * A forked child must not use it: there every call on it does nothing, and flux_loop_poll_uring()
 * returns FLUX_EFORKED. It may close its copy, which leaves the parent's alone.
 */
#ifndef FLUX_URING_H
#define FLUX_URING_H

#include <flux/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Loops over io_uring, else over epoll, for what takes a driver. */
FLUX_API extern const struct flux_driver flux_driver_uring;

/** How to open one; start from FLUX_URING_CFG_INIT. */
struct flux_uring_cfg {
	uint32_t size;     /**< sizeof(struct flux_uring_cfg) */
	uint32_t require;  /**< 1: where io_uring is refused, fail instead of taking epoll */
	uint32_t no_defer; /**< 1: without SINGLE_ISSUER and DEFER_TASKRUN, as before Linux 6.1 */
	uint32_t buffers;  /**< receive buffers of 64 KiB, a power of two up to 1024; 0: 32 */
	/**
	 * 1: the kernel reads long runs of datagrams (16 KiB and more) where they lie, if it and the device can
	 * (Linux 6.1). Measure it: over the loopback they are copied all the same, and it loses. Closing a
	 * binding waits until what it sent is read no more.
	 */
	uint32_t zero_copy;
};

#define FLUX_URING_CFG_INIT                               \
	{                                                 \
		sizeof(struct flux_uring_cfg), 0, 0, 0, 0 \
	}

/**
 * Make a loop over io_uring, if a datagram can really be received by it here; else over epoll.
 *
 * @param loop  [out] set only on success; ends with flux_loop_close().
 * @param cfg   copied; NULL: the defaults.
 * @param why   [out] NULL, or FLUX_WHY_TEXT bytes: why io_uring was refused, and what would change it;
 *              "" if it was not.
 *
 * @return 0; FLUX_EINVAL, FLUX_E2BIG: the configuration; FLUX_ENOMEM; -EMFILE, -ENFILE: no descriptor
 *         left, raise the limit. With cfg->require also what io_uring was refused with: -EPERM (sysctl
 *         or seccomp), -ENOSYS, -EINVAL (an old kernel), -ENOMEM (RLIMIT_MEMLOCK); `why` has the remedy.
 *
 * Thread: setup; the loop then belongs to the first thread that polls it.
 * Cost:   some system calls, a socket for the trial, and the buffers' address space.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_open_uring(struct flux_loop **loop, const struct flux_uring_cfg *cfg,
						  char *why);

/**
 * One turn, as struct flux_driver says: at most 16 messages or 128 KiB of them, then descriptors.
 *
 * @param timeout  nanoseconds; 0: do not wait; FLUX_NEVER: as long as there is nothing.
 *
 * @return 1: something was done, or there is more to do; 0: nothing was ready; FLUX_ECLOSED: a callback
 *         closed the loop, which is gone; FLUX_ETHREAD: of another thread; FLUX_EFORKED: a forked child's;
 *         FLUX_EINVAL: not a loop of flux_loop_open_uring(), or it is being polled.
 *
 * Thread: owner.
 * Cost:   one system call, what is to be armed and waited for included, and one for each batch sent.
 */
FLUX_API int flux_loop_poll_uring(struct flux_loop *loop, flux_ts timeout);

/**
 * Poll until a callback closes the loop.
 *
 * @return FLUX_ECLOSED: so it was; or another error of flux_loop_poll_uring().
 *
 * Thread: owner.
 */
FLUX_API int flux_loop_run_uring(struct flux_loop *loop);

/**
 * Whether the loop is over io_uring.
 *
 * @return 1; 0: over epoll, or of another adapter.
 *
 * Thread: any.
 */
FLUX_API int flux_loop_is_uring(const struct flux_loop *loop);

/**
 * How often a receive found every buffer in use. What comes meanwhile waits in the socket and is received when
 * buffers went back, but a socket holds little: if it is often, raise struct flux_uring_cfg.buffers.
 *
 * @return a count since the loop was opened; 0: never, or not a loop over io_uring.
 *
 * Thread: owner.
 */
FLUX_API uint64_t flux_loop_uring_stalls(const struct flux_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
