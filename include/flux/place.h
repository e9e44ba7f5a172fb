/* SPDX-License-Identifier: MIT */
/*
 * Where threads run and how: CPUs, names, real-time scheduling, locked memory. For the application's own
 * threads as much as for ours; every refusal is explained in a buffer of the caller.
 */
#ifndef FLUX_PLACE_H
#define FLUX_PLACE_H

#include <pthread.h>

#include <flux/base.h>
#include <flux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** CPUs are numbered from 0 to one less than this. */
#define FLUX_CPUS_MAX 4096u

/** A set of CPUs. */
struct flux_cpus {
	uint64_t bits[FLUX_CPUS_MAX / 64]; /**< CPU n is bit n % 64 of bits[n / 64] */
	uint32_t count;                    /**< how many bits are set */
};

/** Whether `cpu` is in the set; 0 for numbers that no CPU has. */
static inline int flux_cpus_has(const struct flux_cpus *cpus, uint32_t cpu)
{
	return cpu < FLUX_CPUS_MAX && (cpus->bits[cpu / 64] >> cpu % 64 & 1) != 0;
}

/**
 * The CPUs that a thread may run on: what taskset, a cpuset or an earlier pinning left of them.
 *
 * @param thread  a thread of this process, pthread_self() for the calling one.
 * @param cpus    [out] set only on success.
 *
 * @return 0; or a negative errno value: -ESRCH, the thread has ended.
 *
 * Thread: any.
 * Cost:   one system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_cpus_allowed(pthread_t thread, struct flux_cpus *cpus);

/**
 * The CPUs that were isolated at boot (isolcpus=): a hint of where spinning threads are expected. The
 * kernel places nothing there by itself, so a thread has to be pinned.
 *
 * @param cpus  [out] set only on success; empty if none is isolated.
 *
 * @return 0; or a negative errno value: /sys is not there.
 *
 * Thread: any.
 * Cost:   reads a file of /sys.
 */
FLUX_API FLUX_MUST_CHECK int flux_cpus_isolated(struct flux_cpus *cpus);

/**
 * The CPUs of a NUMA node, whether or not this process may use them.
 *
 * @param node  0 to 1023.
 * @param cpus  [out] set only on success.
 *
 * @return 0; FLUX_EINVAL: no such node; or a negative errno value: /sys is not there.
 *
 * Thread: any.
 * Cost:   reads a file of /sys.
 */
FLUX_API FLUX_MUST_CHECK int flux_cpus_of_node(uint32_t node, struct flux_cpus *cpus);

/**
 * Let a thread run on one CPU only. It moves there at once.
 *
 * @param thread  a thread of this process, pthread_self() for the calling one.
 * @param cpu     0 to FLUX_CPUS_MAX - 1.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes: on failure which CPUs there are.
 *
 * @return 0; FLUX_EINVAL: no such CPU, or a cpuset keeps the process from it; -ESRCH: the thread has
 *         ended; FLUX_EPERM: a seccomp filter forbids it.
 *
 * Thread: any.
 * Cost:   a system call or two.
 */
FLUX_API FLUX_MUST_CHECK int flux_thread_pin_cpu(pthread_t thread, uint32_t cpu, char *why);

/**
 * Let a thread run on the CPUs of a NUMA node only, as far as the process may use them.
 *
 * @param node  0 to 1023.
 * @param why   [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; or as flux_thread_pin_cpu(); FLUX_EINVAL also if no CPU of the node is allowed.
 *
 * Thread: any.
 * Cost:   reads a file of /sys; a system call or two.
 */
FLUX_API FLUX_MUST_CHECK int flux_thread_pin_node(pthread_t thread, uint32_t node, char *why);

/**
 * Name a thread as top and debuggers show it.
 *
 * @param name  1 to 15 bytes, zero-terminated.
 * @param why   [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; FLUX_EINVAL: empty or longer; or a negative errno value.
 *
 * Thread: any.
 * Cost:   one system call; for another thread a file of /proc.
 */
FLUX_API FLUX_MUST_CHECK int flux_thread_set_name(pthread_t thread, const char *name, char *why);

/** How the kernel chooses among threads. */
enum flux_sched {
	FLUX_SCHED_NORMAL = 0, /**< fair shares; what every thread starts with */
	FLUX_SCHED_RR,         /**< before all normal ones, in turn with its equals */
	FLUX_SCHED_FIFO        /**< before all normal ones, as long as it likes */
};

/** For flux_thread_set_sched(): do it on too few CPUs, or without the kernel's own throttle, too. */
#define FLUX_SCHED_FORCE 1u

/**
 * Set the scheduling class of a thread. A real-time thread that never sleeps takes its CPU from
 * everything else, kernel threads included, and can stop a machine. Therefore it is refused, unless
 * forced, where fewer than 3 CPUs are usable (those allowed to the first thread of the process), and
 * where kernel.sched_rt_runtime_us is -1: then nothing leaves 5 % of the time to the others.
 *
 * @param sched     enum flux_sched.
 * @param priority  1 to 99 for the real-time classes, low is enough; 0 for FLUX_SCHED_NORMAL.
 * @param flags     0 or FLUX_SCHED_FORCE.
 * @param why       [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; FLUX_EINVAL: a value is out of range; FLUX_EUNSAFE: too dangerous here, see `why`;
 *         FLUX_EPERM: RLIMIT_RTPRIO is too low, see `why`; -ESRCH: the thread has ended.
 *
 * Thread: any.
 * Cost:   a few system calls.
 */
FLUX_API FLUX_MUST_CHECK int flux_thread_set_sched(pthread_t thread, uint32_t sched, int priority,
						   uint32_t flags, char *why);

/** For flux_memory_lock(): what is mapped later too. Later mappings above the limit then fail. */
#define FLUX_MEMORY_FUTURE 1u

/**
 * Keep all memory of the process from being swapped out; every page is made present, stacks included.
 *
 * @param flags  0: what is mapped now; FLUX_MEMORY_FUTURE: and what will be.
 * @param why    [out] NULL, or FLUX_WHY_TEXT bytes: on failure the limit and how to raise it.
 *
 * @return 0; FLUX_EINVAL: an unknown flag; FLUX_EPERM: RLIMIT_MEMLOCK is too low.
 *
 * Thread: any; once, when everything is set up.
 * Cost:   one system call that touches all pages.
 */
FLUX_API FLUX_MUST_CHECK int flux_memory_lock(uint32_t flags, char *why);

#ifdef __cplusplus
}
#endif

#endif
