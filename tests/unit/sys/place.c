/* SPDX-License-Identifier: MIT */
/* Pinning, naming and scheduling of threads, locked memory, and what is said when it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <flux/place.h>

#include "sys/kernel_info.h"
#include "sys/place_cpus.h"
#include "tests/lib/child.h"

static char why[FLUX_WHY_TEXT];

/* ---- Lists of CPUs ---- */

static void lists(void **state)
{
	static const struct {
		const char *text, *same;
		uint32_t count;
	} good[] = {
		{ "", "none", 0 },
		{ "\n", "none", 0 },
		{ "0\n", "0", 1 },
		{ "0-3,8\n", "0-3,8", 5 },
		{ "1,0,2,2", "0-2", 3 },
		{ "63-64,4095", "63-64,4095", 3 },
		{ "0-4095", "0-4095", 4096 },
	};
	static const char *const bad[] = { "x", "-1", "3-", "3-x", "4-3", "4096", "0-4096", "1;2", " 1" };
	struct flux_cpus cpus;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(flux_cpus_parse(good[i].text, &cpus), 0);
		assert_int_equal(cpus.count, good[i].count);
		assert_string_equal(flux_cpus_format(&cpus, text, sizeof(text)), good[i].same);
	}
	cpus.count = 99;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(flux_cpus_parse(bad[i], &cpus), FLUX_EINVAL);
	assert_int_equal(cpus.count, 99);
	assert_int_equal(flux_cpus_has(&cpus, 4095), 1);
	assert_int_equal(flux_cpus_has(&cpus, 4096), 0);
	/* Cut, and terminated. */
	assert_int_equal(flux_cpus_parse("1,3,5,7,9", &cpus), 0);
	assert_string_equal(flux_cpus_format(&cpus, text, 5), "1,3,");
}

static void of_the_system(void **state)
{
	struct flux_cpus cpus, node;
	cpu_set_t set;

	(void)state;
	assert_int_equal(flux_cpus_allowed(pthread_self(), &cpus), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(cpus.count, CPU_COUNT(&set));
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		assert_int_equal(flux_cpus_has(&cpus, cpu), CPU_ISSET(cpu, &set) != 0);
	if (access("/sys/devices/system/node/node0/cpulist", R_OK) < 0) {
		print_message("# /sys shows no NUMA nodes\n");
		skip();
	}
	assert_int_equal(flux_cpus_isolated(&cpus), 0);
	assert_int_equal(flux_cpus_of_node(0, &node), 0);
	assert_int_equal(flux_cpus_of_node(1023, &node), FLUX_EINVAL);
}

/* ---- Pinning ---- */

static void to_each_cpu(void **state)
{
	struct flux_cpus before, now;

	(void)state;
	assert_int_equal(flux_cpus_allowed(pthread_self(), &before), 0);
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX; cpu++) {
		if (!flux_cpus_has(&before, cpu))
			continue;
		assert_int_equal(flux_thread_pin_cpu(pthread_self(), cpu, why), 0);
		assert_string_equal(why, "");
		assert_int_equal(sched_getcpu(), (int)cpu);
		assert_int_equal(flux_cpus_allowed(pthread_self(), &now), 0);
		assert_int_equal(now.count, 1);
		assert_int_equal(flux_cpus_has(&now, cpu), 1);
	}
	if (flux_thread_pin_node(pthread_self(), 0, why) != 0) {
		print_message("# %s\n", why);
		skip();
	}
	assert_int_equal(flux_cpus_allowed(pthread_self(), &now), 0);
	assert_true(now.count >= 1);
}

static void *waiting(void *arg)
{
	char c;

	return read(*(int *)arg, &c, 1) < 0 ? NULL : arg;
}

static void another_thread(void **state)
{
	struct flux_cpus before, other;
	pthread_t thread;
	char name[32];
	uint32_t cpu = 0;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(flux_cpus_allowed(pthread_self(), &before), 0);
	while (!flux_cpus_has(&before, cpu))
		cpu++;
	assert_int_equal(pthread_create(&thread, NULL, waiting, &pipes[0]), 0);
	assert_int_equal(flux_thread_pin_cpu(thread, cpu, why), 0);
	assert_int_equal(flux_thread_set_name(thread, "flux-test", why), 0);
	assert_int_equal(flux_cpus_allowed(thread, &other), 0);
	assert_int_equal(other.count, 1);
	assert_int_equal(flux_cpus_has(&other, cpu), 1);
	assert_int_equal(pthread_getname_np(thread, name, sizeof(name)), 0);
	assert_string_equal(name, "flux-test");
	assert_int_equal(flux_cpus_allowed(pthread_self(), &other), 0);
	assert_int_equal(other.count, before.count);
	close(pipes[1]);
	pthread_join(thread, NULL);
	close(pipes[0]);
}

static void cpus_that_are_not_there(void **state)
{
	struct flux_cpus allowed;
	char list[128];

	(void)state;
	assert_int_equal(flux_cpus_allowed(pthread_self(), &allowed), 0);
	if (flux_cpus_has(&allowed, FLUX_CPUS_MAX - 1)) {
		print_message("# this machine has every CPU there can be\n");
		skip();
	}
	assert_int_equal(flux_thread_pin_cpu(pthread_self(), FLUX_CPUS_MAX - 1, why), FLUX_EINVAL);
	assert_non_null(strstr(why, "4095"));
	assert_non_null(strstr(why, flux_cpus_format(&allowed, list, sizeof(list))));
	assert_int_equal(flux_thread_pin_cpu(pthread_self(), FLUX_CPUS_MAX, why), FLUX_EINVAL);
	assert_non_null(strstr(why, "0 to 4095"));
	assert_int_equal(flux_thread_pin_cpu(pthread_self(), FLUX_CPUS_MAX, NULL), FLUX_EINVAL);
	if (flux_thread_pin_node(pthread_self(), 1023, why) == FLUX_EINVAL)
		assert_non_null(strstr(why, "no NUMA node 1023"));
}

static int pinning_forbidden(void *arg)
{
	struct flux_cpus cpus;

	(void)arg;
	CHECK(child_forbid(EPERM, SYS_sched_setaffinity, SYS_sched_getaffinity, -1));
	CHECK(flux_thread_pin_cpu(pthread_self(), 0, why) == FLUX_EPERM);
	CHECK(strstr(why, "seccomp"));
	CHECK(flux_cpus_allowed(pthread_self(), &cpus) == -EPERM);
	return 0;
}

static void test_M02_pinning_is_forbidden(void **state)
{
	(void)state;
	assert_int_equal(child_run(pinning_forbidden, NULL), 0);
}

/* ---- Names ---- */

static int naming(void *arg)
{
	char name[32];

	(void)arg;
	CHECK(flux_thread_set_name(pthread_self(), "fifteen-letters", why) == 0);
	CHECK(pthread_getname_np(pthread_self(), name, sizeof(name)) == 0);
	CHECK(strcmp(name, "fifteen-letters") == 0);
	CHECK(flux_thread_set_name(pthread_self(), "sixteen-letters!", why) == FLUX_EINVAL);
	CHECK(strstr(why, "1 to 15"));
	CHECK(flux_thread_set_name(pthread_self(), "", why) == FLUX_EINVAL);
	CHECK(flux_thread_set_name(pthread_self(), NULL, NULL) == FLUX_EINVAL);
	return 0;
}

static void named(void **state)
{
	(void)state;
	assert_int_equal(child_run(naming, NULL), 0);
}

/* ---- Scheduling ---- */

static void values_out_of_range(void **state)
{
	(void)state;
	assert_int_equal(flux_thread_set_sched(pthread_self(), 3, 1, 0, why), FLUX_EINVAL);
	assert_int_equal(flux_thread_set_sched(pthread_self(), FLUX_SCHED_RR, 1, 2, why), FLUX_EINVAL);
	assert_int_equal(flux_thread_set_sched(pthread_self(), FLUX_SCHED_RR, 0, 0, why), FLUX_EINVAL);
	assert_int_equal(flux_thread_set_sched(pthread_self(), FLUX_SCHED_FIFO, 100, 0, why), FLUX_EINVAL);
	assert_non_null(strstr(why, "1 to 99"));
	assert_int_equal(flux_thread_set_sched(pthread_self(), FLUX_SCHED_NORMAL, 1, 0, why), FLUX_EINVAL);
	assert_int_equal(flux_thread_set_sched(pthread_self(), FLUX_SCHED_NORMAL, 0, 0, why), 0);
}

static int on_one_cpu(void *arg)
{
	char text[32] = "";

	(void)arg;
	CHECK(flux_thread_pin_cpu(pthread_self(), (uint32_t)sched_getcpu(), why) == 0);
	CHECK(flux_thread_set_sched(pthread_self(), FLUX_SCHED_FIFO, 1, 0, why) == FLUX_EUNSAFE);
	flux_kernel_read("/proc/sys/kernel/sched_rt_runtime_us", text, sizeof(text));
	CHECK(strstr(why, strncmp(text, "-1", 2) == 0 ? "sched_rt_runtime_us is -1" : "may use 1 CPU"));
	CHECK(strstr(why, "FLUX_SCHED_FORCE"));
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	return 0;
}

static void refused_on_few_cpus(void **state)
{
	(void)state;
	assert_int_equal(child_run(on_one_cpu, NULL), 0);
}

static int forced(void *arg)
{
	struct sched_param param;

	(void)arg;
	if (flux_thread_set_sched(pthread_self(), FLUX_SCHED_FIFO, 2, FLUX_SCHED_FORCE, why) == FLUX_EPERM)
		return CHILD_SKIP;
	CHECK(sched_getscheduler(0) == SCHED_FIFO);
	CHECK(sched_getparam(0, &param) == 0 && param.sched_priority == 2);
	CHECK(flux_thread_set_sched(pthread_self(), FLUX_SCHED_RR, 1, FLUX_SCHED_FORCE, why) == 0);
	CHECK(sched_getscheduler(0) == SCHED_RR);
	CHECK(flux_thread_set_sched(pthread_self(), FLUX_SCHED_NORMAL, 0, 0, why) == 0);
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	return 0;
}

static void done_when_forced(void **state)
{
	int status = child_run(forced, NULL);

	(void)state;
	if (status == CHILD_SKIP) {
		print_message("# real-time scheduling is not allowed to this user\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* A file that says -1 takes the place of the kernel's setting, for this process only. */
static int without_throttle(void *arg)
{
	char fake[64];
	int fd;

	(void)arg;
	if (!child_mount("/mnt", "tmpfs", "size=64k"))
		return CHILD_SKIP;
	snprintf(fake, sizeof(fake), "/mnt/runtime");
	fd = open(fake, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, "-1\n", 3) == 3);
	close(fd);
	if (mount(fake, "/proc/sys/kernel/sched_rt_runtime_us", "", MS_BIND, "") < 0)
		return CHILD_SKIP;
	CHECK(flux_thread_set_sched(pthread_self(), FLUX_SCHED_RR, 1, 0, why) == FLUX_EUNSAFE);
	CHECK(strstr(why, "sched_rt_runtime_us is -1"));
	CHECK(strstr(why, "FLUX_SCHED_FORCE"));
	return 0;
}

static void refused_without_the_kernels_throttle(void **state)
{
	int status = child_run(without_throttle, NULL);

	(void)state;
	if (status == CHILD_SKIP) {
		print_message("# nothing can be mounted: not root\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static int without_rights(void *arg)
{
	struct rlimit none = { 0, 0 };

	(void)arg;
	CHECK(setrlimit(RLIMIT_RTPRIO, &none) == 0);
	CHECK(child_drop_rights());
	CHECK(flux_thread_set_sched(pthread_self(), FLUX_SCHED_FIFO, 7, FLUX_SCHED_FORCE, why) == FLUX_EPERM);
	CHECK(strstr(why, "RLIMIT_RTPRIO"));
	CHECK(strstr(why, "ulimit -r 7"));
	return 0;
}

static void refused_without_rights(void **state)
{
	(void)state;
	assert_int_equal(child_run(without_rights, NULL), 0);
}

/* ---- Memory ---- */

static int lock_all(void *arg)
{
	struct rlimit lim = { 65536, 65536 };

	(void)arg;
	CHECK(flux_memory_lock(2, why) == FLUX_EINVAL);
	if (geteuid() == 0) {
		CHECK(flux_memory_lock(0, why) == 0);
		CHECK(flux_memory_lock(FLUX_MEMORY_FUTURE, why) == 0);
		CHECK(munlockall() == 0);
	}
	CHECK(setrlimit(RLIMIT_MEMLOCK, &lim) == 0);
	CHECK(child_drop_rights());
	CHECK(flux_memory_lock(0, why) == FLUX_EPERM);
	CHECK(strstr(why, "may lock 65536 in all (RLIMIT_MEMLOCK)"));
	CHECK(flux_memory_lock(0, NULL) == FLUX_EPERM);
	return 0;
}

static void all_memory(void **state)
{
	(void)state;
	if (child_instrumented()) {
		print_message("# valgrind and sanitizers map more than can be locked, or lock nothing\n");
		skip();
	}
	assert_int_equal(child_run(lock_all, NULL), 0);
}

/* What a test changed for its own thread is undone for the next. */
static int restore(void **state)
{
	cpu_set_t *set = *state;

	return sched_setaffinity(0, sizeof(*set), set);
}

static int remember(void **state)
{
	static cpu_set_t set;

	*state = &set;
	return sched_getaffinity(0, sizeof(set), &set);
}

#define PINNING(test) cmocka_unit_test_setup_teardown(test, remember, restore)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(of_the_system),
		PINNING(to_each_cpu),
		PINNING(another_thread),
		PINNING(cpus_that_are_not_there),
		cmocka_unit_test(test_M02_pinning_is_forbidden),
		cmocka_unit_test(named),
		cmocka_unit_test(values_out_of_range),
		cmocka_unit_test(refused_on_few_cpus),
		cmocka_unit_test(done_when_forced),
		cmocka_unit_test(refused_without_the_kernels_throttle),
		cmocka_unit_test(refused_without_rights),
		cmocka_unit_test(all_memory),
	};

	return cmocka_run_group_tests_name("sys/place", tests, NULL, NULL);
}
