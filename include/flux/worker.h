/* SPDX-License-Identifier: MIT */
/*
 * A thread of its own that turns a loop: pinned and named if wanted, spinning or sleeping as told, and told
 * otherwise while it runs. Bindings and all else on its loop are made and used in that thread: in on_start,
 * in callbacks, and in what flux_worker_call() brings there.
 */
#ifndef FLUX_WORKER_H
#define FLUX_WORKER_H

#include <flux/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_worker;

/** What it does while there is nothing to do. */
enum flux_idle {
	FLUX_IDLE_ADAPTIVE = 0, /**< spins for a while, then sleeps: quick while busy, costs nothing for long */
	FLUX_IDLE_SPIN = 1,     /**< never sleeps: least latency, a CPU of its own */
	FLUX_IDLE_SLEEP = 2     /**< sleeps at once: least CPU */
};

/** Start from FLUX_WORKER_CFG_INIT; 0 and NULL mean the default. */
struct flux_worker_cfg {
	uint32_t size; /**< set by the initialiser */
	uint32_t idle; /**< enum flux_idle */
	/** What kind of loop: &flux_driver_epoll, flux_driver_uring of libflux-uring; NULL: epoll. */
	const struct flux_driver *driver;
	const char *name;    /**< of the thread, 1 to 15 bytes; NULL: "flux" */
	uint32_t pin;        /**< 1: run on `cpu` only */
	uint32_t cpu;        /**< 0 to FLUX_CPUS_MAX - 1; see flux/place.h */
	uint32_t force_spin; /**< 1: FLUX_IDLE_SPIN even on a single CPU, which it takes from all others */
	uint32_t calls;      /**< most calls that wait, a power of two from 2; 0: 256 */
	flux_ts spin;        /**< FLUX_IDLE_ADAPTIVE: for so long after the last thing done; 0: 50 us */
	/**
	 * In the thread, before the first turn. Negative: flux_worker_open() fails with that code.
	 * It does not close the loop. NULL: nothing.
	 */
	int (*on_start)(void *ctx, struct flux_loop *loop);
	/** In the thread, after the last turn, before its loop is closed, which it leaves to us. NULL: nothing. */
	void (*on_stop)(void *ctx, struct flux_loop *loop);
	void *ctx;
};

#define FLUX_WORKER_CFG_INIT                           \
	{                                              \
		.size = sizeof(struct flux_worker_cfg) \
	}

/**
 * Start a thread with a loop, and wait until it runs. It takes no signals (with glibc 2.32 or later).
 *
 * @param worker  [out] set only on success; ends with flux_worker_close().
 * @param cfg     NULL: all defaults. Its strings and driver are used until this returns.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes: the words of a refusal; on success those of a fallback,
 *                or "".
 *
 * @return 0; or
 *         FLUX_EINVAL, FLUX_E2BIG  `cfg`: see `why`;
 *         FLUX_EUNSAFE  FLUX_IDLE_SPIN where the thread may use fewer than two CPUs: allow more, choose
 *                       another way, or force_spin;
 *         FLUX_ENOMEM, -EAGAIN  no memory, no thread: raise RLIMIT_NPROC or the cgroup's pids.max;
 *         a code of flux_thread_pin_cpu(), flux_thread_set_name(), the driver or on_start.
 *
 * Thread: any.
 * Cost:   a thread.
 */
FLUX_API FLUX_MUST_CHECK int flux_worker_open(struct flux_worker **worker, const struct flux_worker_cfg *cfg,
					      char *why);

/**
 * Idle in another way, from its next turn on. Nothing is lost: descriptors stay watched while it spins, and
 * a sleeping one is woken.
 *
 * @param idle  enum flux_idle.
 * @param why   [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; FLUX_EINVAL; FLUX_EUNSAFE as flux_worker_open(); FLUX_EFORKED: in a forked child, where no
 *         such thread is, and flux_worker_close() does nothing either.
 *
 * Thread: any.
 * Cost:   a few system calls.
 */
FLUX_API FLUX_MUST_CHECK int flux_worker_set_idle(struct flux_worker *worker, uint32_t idle, char *why);

/**
 * Have `fn` called in the thread, in a turn of its loop, after those that were asked for before by the same
 * thread. Each that was taken is called, by flux_worker_close() at the latest.
 *
 * @param fn   its `loop` is NULL, and the thread whoever closes the worker, if a callback closed the loop.
 * @param ctx  borrowed until then.
 *
 * @return 0; FLUX_EAGAIN: `calls` of them wait, or 64 threads ask at this moment: later; FLUX_ECLOSED:
 *         the worker is being closed, or a callback has closed its loop; FLUX_EFORKED.
 *
 * Thread: any.
 * Cost:   lock-free, a few atomic operations; a system call if the thread sleeps.
 */
FLUX_API FLUX_MUST_CHECK int flux_worker_call(struct flux_worker *worker,
					      void (*fn)(void *ctx, struct flux_loop *loop), void *ctx);

/**
 * Stop the thread: what was asked for by flux_worker_call() is done, on_stop is called, the loop is closed.
 * If a callback closes the loop before, the thread ends then, without on_stop, and waits for this.
 *
 * @param worker  NULL is allowed.
 *
 * Thread: any but its own; nobody uses it any more.
 */
FLUX_API void flux_worker_close(struct flux_worker *worker);

#ifdef __cplusplus
}
#endif

#endif
