/* SPDX-License-Identifier: MIT */
/* Pinning, naming and scheduling threads, locking memory; and the words for each refusal. */
#include <flux/place.h>

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "sys/kernel_info.h"
#include "sys/place_cpus.h"

/* A real-time thread, a second one, and a CPU for everything that keeps a machine alive. */
#define RT_CPUS_MIN 3u

#define RT_PRIORITY_MAX 99
#define NAME_MAX_BYTES  15u

/* Room for a list of CPUs within an explanation. */
#define LIST_WORDS 128

/* `rc`, with its words if the caller wants them. */
static int refuse(char *why, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(char *why, int rc, const char *format, ...)
{
	va_list args;

	if (!why)
		return rc;
	va_start(args, format);
	vsnprintf(why, FLUX_WHY_TEXT, format, args);
	va_end(args);
	return rc;
}

static int done(char *why)
{
	if (why)
		why[0] = '\0';
	return 0;
}

/* ---- CPUs ---- */

static int pin(pthread_t thread, const struct flux_cpus *cpus, char *why)
{
	union {
		cpu_set_t set;
		unsigned char room[FLUX_CPUS_MAX / 8];
	} mask;
	char asked[LIST_WORDS], allowed[LIST_WORDS];
	struct flux_cpus now;
	int rc;

	CPU_ZERO_S(sizeof(mask), &mask.set);
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX; cpu++)
		if (flux_cpus_has(cpus, cpu))
			CPU_SET_S(cpu, sizeof(mask), &mask.set);
	rc = pthread_setaffinity_np(thread, sizeof(mask), &mask.set);
	if (rc == 0)
		return done(why);
	if (rc != EINVAL)
		return refuse(why, -rc, "sched_setaffinity: %s%s", strerror(rc),
			      rc == EPERM ? ": a seccomp filter forbids it" : "");
	if (flux_cpus_allowed(thread, &now) < 0)
		memset(&now, 0, sizeof(now));
	return refuse(why, FLUX_EINVAL,
		      "no CPU of %s can be used: it does not exist, is offline, or the cpuset does not have it; "
		      "the thread may run on %s now (Cpus_allowed_list in /proc/self/status)",
		      flux_cpus_format(cpus, asked, sizeof(asked)),
		      flux_cpus_format(&now, allowed, sizeof(allowed)));
}

int flux_thread_pin_cpu(pthread_t thread, uint32_t cpu, char *why)
{
	struct flux_cpus one = { .count = 1 };

	if (cpu >= FLUX_CPUS_MAX)
		return refuse(why, FLUX_EINVAL, "CPU %u: numbers go from 0 to %u", cpu, FLUX_CPUS_MAX - 1);
	one.bits[cpu / 64] = UINT64_C(1) << cpu % 64;
	return pin(thread, &one, why);
}

int flux_thread_pin_node(pthread_t thread, uint32_t node, char *why)
{
	struct flux_cpus cpus;
	int rc = flux_cpus_of_node(node, &cpus);

	if (rc == FLUX_EINVAL)
		return refuse(why, rc, "there is no NUMA node %u: see /sys/devices/system/node/online", node);
	if (rc < 0)
		return refuse(why, rc, "the CPUs of NUMA node %u are not known: %s", node, strerror(-rc));
	if (cpus.count == 0)
		return refuse(why, FLUX_EINVAL, "NUMA node %u has memory only, no CPU", node);
	return pin(thread, &cpus, why);
}

/* ---- Names ---- */

int flux_thread_set_name(pthread_t thread, const char *name, char *why)
{
	size_t len = name ? strnlen(name, NAME_MAX_BYTES + 1) : 0;
	int rc;

	if (len == 0 || len > NAME_MAX_BYTES)
		return refuse(why, FLUX_EINVAL, "the name of a thread has 1 to %u bytes", NAME_MAX_BYTES);
	rc = pthread_setname_np(thread, name);
	return rc == 0 ? done(why) : refuse(why, -rc, "naming the thread: %s", strerror(rc));
}

/* ---- Scheduling ---- */

/* Reasons to keep a real-time thread away from this machine; 0 if there is none. */
static int check_danger(char *why)
{
	char text[32], list[LIST_WORDS];
	struct flux_cpus cpus = { 0 };
	cpu_set_t set;

	if (flux_kernel_read("/proc/sys/kernel/sched_rt_runtime_us", text, sizeof(text)) > 0 &&
	    strncmp(text, "-1", 2) == 0)
		return refuse(why, FLUX_EUNSAFE,
			      "kernel.sched_rt_runtime_us is -1: nothing would stop a real-time thread that spins; "
			      "\"sysctl -w kernel.sched_rt_runtime_us=950000\" as root, or FLUX_SCHED_FORCE");
	/* Of the first thread: the calling one may be pinned already. */
	CPU_ZERO(&set);
	if (sched_getaffinity(getpid(), sizeof(set), &set) == 0) {
		for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				cpus.bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
		cpus.count = (uint32_t)CPU_COUNT(&set);
	} else if (errno == EINVAL) {
		cpus.count = RT_CPUS_MIN; /* more CPUs than a cpu_set_t has: enough of them */
	}
	if (cpus.count < RT_CPUS_MIN)
		return refuse(why, FLUX_EUNSAFE,
			      "the process may use %u CPU(s) (%s): a real-time thread that spins would starve the "
			      "rest of it, and maybe the machine; use at least %u, or FLUX_SCHED_FORCE",
			      cpus.count, flux_cpus_format(&cpus, list, sizeof(list)), RT_CPUS_MIN);
	return 0;
}

int flux_thread_set_sched(pthread_t thread, uint32_t sched, int priority, uint32_t flags, char *why)
{
	static const int policies[] = { SCHED_OTHER, SCHED_RR, SCHED_FIFO };
	struct sched_param param = { .sched_priority = priority };
	bool realtime = sched != FLUX_SCHED_NORMAL;
	struct rlimit lim = { 0 };
	int rc;

	if (sched > FLUX_SCHED_FIFO || flags & ~FLUX_SCHED_FORCE)
		return refuse(why, FLUX_EINVAL, "sched or flags has no such value");
	if (realtime ? priority < 1 || priority > RT_PRIORITY_MAX : priority != 0)
		return refuse(why, FLUX_EINVAL, "priority is 1 to %d for real-time threads, 0 for normal ones",
			      RT_PRIORITY_MAX);
	if (realtime && !(flags & FLUX_SCHED_FORCE)) {
		rc = check_danger(why);
		if (rc < 0)
			return rc;
	}
	rc = pthread_setschedparam(thread, policies[sched], &param);
	if (rc == 0)
		return done(why);
	if (rc != EPERM)
		return refuse(why, -rc, "sched_setscheduler: %s", strerror(rc));
	getrlimit(RLIMIT_RTPRIO, &lim);
	return refuse(why, FLUX_EPERM,
		      "priority %d is above RLIMIT_RTPRIO, %llu: raise it by \"ulimit -r %d\", LimitRTPRIO= of "
		      "systemd, or CAP_SYS_NICE; in a cgroup of version 1 cpu.rt_runtime_us must not be 0",
		      priority, (unsigned long long)lim.rlim_cur, priority);
}

/* ---- Memory ---- */

/* Bytes mapped now, as the kernel counts them against the limit. */
static uint64_t mapped_bytes(void)
{
	uint64_t pages = 0;

	(void)flux_kernel_number("/proc/self/statm", &pages);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int flux_memory_lock(uint32_t flags, char *why)
{
	char words[FLUX_WHY_TEXT / 2];
	int rc;

	if (flags & ~FLUX_MEMORY_FUTURE)
		return refuse(why, FLUX_EINVAL, "flags is 0 or FLUX_MEMORY_FUTURE");
	if (mlockall(MCL_CURRENT | (flags & FLUX_MEMORY_FUTURE ? MCL_FUTURE : 0)) == 0)
		return done(why);
	rc = errno;
	flux_kernel_memlock_words(mapped_bytes(), words, sizeof(words));
	return refuse(why, rc == ENOMEM || rc == EPERM ? FLUX_EPERM : -rc, "mlockall: %s: %s", strerror(rc),
		      words);
}
