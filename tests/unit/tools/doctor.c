/* SPDX-License-Identifier: MIT */
/*
 * What fluxdoctor makes of machines that this one is not: /proc and /sys are copies below a directory of
 * the test, system calls fail when told to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <flux/place.h>

#include "doctor/doctor.h"
#include "doctor/uring.h"
#include "tests/lib/inject.h"

static char root[64];
static struct doctor doctor;

/* ---- Another machine ---- */

/* Write a file below the root, with the directories on its way. */
static void put(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(full, 0700) != 0 && errno != EEXIST)
			fail_msg("mkdir %s: %s", full, strerror(errno));
		*p = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
	(void)state;
	strcpy(root, "/tmp/flux-doctor.XXXXXX");
	memset(&doctor, 0, sizeof(doctor));
	doctor.root = root;
	inject_clear();
	return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	inject_clear();
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

/* The row of a key, after the check. */
static const struct doctor_row *row_of(void (*check)(struct doctor *), const char *key)
{
	doctor.count = 0;
	check(&doctor);
	for (uint32_t i = 0; i < doctor.count; i++)
		if (strcmp(doctor.rows[i].key, key) == 0)
			return &doctor.rows[i];
	fail_msg("no row %s", key);
	return NULL;
}

static void expect(const struct doctor_row *row, enum doctor_status status, const char *fact, const char *command)
{
	if (row->status != status || !strstr(row->fact, fact) || !strstr(row->command, command))
		fail_msg("%s: status %d, fact \"%s\", command \"%s\"", row->key, (int)row->status, row->fact, row->command);
	if (command[0] == '\0')
		assert_string_equal(row->command, "");
	assert_int_equal(row->effect[0] == '\0', status == DOCTOR_OK);
}

/* ---- CPUs ---- */

static void test_quota_of_the_second_cgroups(void **state)
{
	static const char file[] = "/sys/fs/cgroup/a/b/cpu.max";

	(void)state;
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_OK, "no cgroup", "");
	put("/proc/self/cgroup", "0::/a/b\n");
	put(file, "max 100000\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_OK, "no cgroup", "");
	put(file, "50000 100000\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_POOR, "0.50 CPUs",
	       "echo max >/sys/fs/cgroup/a/b/cpu.max");
	/* The least of all above counts, the root of a container included. */
	put("/sys/fs/cgroup/cpu.max", "20000 100000\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_POOR, "0.20 CPUs", "echo max >/sys/fs/cgroup/cpu.max");
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/cpu.max", "409600000 100000\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_OK, "4096.00 CPUs", "");
}

static void test_quota_of_the_first_cgroups(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "9:cpuset:/\n4:cpu,cpuacct:/a\n0::/\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_OK, "no cgroup", "");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "25000\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_POOR, "0.25 CPUs",
	       "echo -1 >/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us");
}

/* More than one CPU, and fewer than there are. */
static void test_quota_below_the_cpus(void **state)
{
	struct flux_cpus cpus;

	(void)state;
	assert_int_equal(flux_cpus_allowed(pthread_self(), &cpus), 0);
	if (cpus.count < 2)
		skip();
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
	expect(row_of(doctor_check_quota, "cpu_quota"), DOCTOR_NOTE, "1.50 CPUs", "echo max >");
}

static void test_isolation(void **state)
{
	(void)state;
	put("/sys/devices/system/cpu/isolated", "\n");
	put("/sys/devices/system/cpu/nohz_full", "(null)\n");
	assert_int_equal(row_of(doctor_check_topology, "isolation")->status, DOCTOR_NOTE);
	put("/sys/devices/system/cpu/isolated", "2-3\n");
	expect(row_of(doctor_check_topology, "isolation"), DOCTOR_NOTE, "isolcpus 2-3, nohz_full none",
	       "isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-3");
	put("/sys/devices/system/cpu/nohz_full", "2-3\n");
	expect(row_of(doctor_check_topology, "isolation"), DOCTOR_OK, "isolcpus 2-3, nohz_full 2-3", "");
}

static void test_siblings(void **state)
{
	struct flux_cpus cpus;
	char path[128];
	uint32_t cpu = 0;

	(void)state;
	expect(row_of(doctor_check_topology, "smt"), DOCTOR_OK, "its own core", "");
	assert_int_equal(flux_cpus_allowed(pthread_self(), &cpus), 0);
	while (!flux_cpus_has(&cpus, cpu))
		cpu++;
	put("/sys/devices/system/cpu/smt/active", "1\n");
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	put(path, "0,64\n");
	expect(row_of(doctor_check_topology, "smt"), DOCTOR_NOTE, "is one of 0,64",
	       "echo off >/sys/devices/system/cpu/smt/control");
}

/* ---- io_uring ---- */

static const struct doctor_row *explained(int code)
{
	struct doctor_row *row;

	doctor.count = 0;
	row = doctor_add(&doctor, "io_uring");
	doctor_explain_uring(&doctor, row, code, "the library's words");
	assert_non_null(strstr(row->effect, "the library's words"));
	return row;
}

static void test_each_refusal_has_its_remedy(void **state)
{
	(void)state;
	expect(explained(-EPERM), DOCTOR_MISSING, "a security module", "journalctl");
	expect(explained(-ENOSYS), DOCTOR_MISSING, "older than 5.1", "");
	expect(explained(-EINVAL), DOCTOR_MISSING, "Linux 6.0", "");
	expect(explained(-EOPNOTSUPP), DOCTOR_MISSING, "Linux 6.0", "");
	expect(explained(-ENOMEM), DOCTOR_MISSING, "RLIMIT_MEMLOCK", "LimitMEMLOCK=infinity");
	expect(explained(-EMFILE), DOCTOR_MISSING, "descriptor", "ulimit -n");
	expect(explained(-EIO), DOCTOR_MISSING, "does not work", "");
	put("/proc/self/status", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n");
	expect(explained(-EPERM), DOCTOR_MISSING, "refused by a seccomp filter", "seccomp=unconfined");
	expect(explained(-ENOSYS), DOCTOR_MISSING, "hidden by a seccomp filter", "seccomp=unconfined");
	put("/proc/sys/kernel/io_uring_disabled", "2\n");
	expect(explained(-EPERM), DOCTOR_MISSING, "io_uring_disabled, which is 2", "sysctl -w kernel.io_uring_disabled=0");
	expect(explained(-ENOSYS), DOCTOR_MISSING, "hidden by a seccomp filter", "seccomp=unconfined");
	put("/proc/sys/kernel/io_uring_disabled", "1\n");
	expect(explained(-EPERM), DOCTOR_MISSING, "io_uring_group", "sysctl -w kernel.io_uring_disabled=0");
}

/* ---- Sockets ---- */

static void test_kernels_that_know_no_runs(void **state)
{
	(void)state;
	if (row_of(doctor_check_offload, "gso")->status != DOCTOR_OK ||
	    row_of(doctor_check_offload, "gro")->status != DOCTOR_OK ||
	    row_of(doctor_check_offload, "rxq_ovfl")->status != DOCTOR_OK)
		skip(); /* this one knows none either */
	inject_option(SOL_UDP, UDP_SEGMENT, ENOPROTOOPT);
	expect(row_of(doctor_check_offload, "gso"), DOCTOR_POOR, "UDP_SEGMENT does not work", "");
	(void)row_of(doctor_check_buffers, "rcvbuf");
	assert_false(doctor.use.gso);
	inject_option(SOL_UDP, UDP_GRO, ENOPROTOOPT);
	expect(row_of(doctor_check_offload, "gso"), DOCTOR_OK, "cut by the kernel", "");
	expect(row_of(doctor_check_offload, "gro"), DOCTOR_POOR, "UDP_GRO does not work", "");
	(void)row_of(doctor_check_buffers, "rcvbuf");
	assert_false(doctor.use.gro);
	assert_true(doctor.use.gso);
	inject_option(SOL_SOCKET, SO_RXQ_OVFL, ENOPROTOOPT);
	expect(row_of(doctor_check_offload, "rxq_ovfl"), DOCTOR_NOTE, "tells nothing", "");
}

static void test_batches_refused(void **state)
{
	(void)state;
	expect(row_of(doctor_check_offload, "mmsg"), DOCTOR_OK, "work", "");
	inject_error(INJECT_SEND, EPERM, 0, INJECT_FOREVER);
	expect(row_of(doctor_check_offload, "mmsg"), DOCTOR_MISSING, "refused", "seccomp");
	inject_clear();
	inject_error(INJECT_RECEIVE, ENOSYS, 0, INJECT_FOREVER);
	expect(row_of(doctor_check_offload, "mmsg"), DOCTOR_MISSING, "refused", "seccomp");
}

static void test_short_buffers(void **state)
{
	(void)state;
	inject_rcvbuf(425984);
	expect(row_of(doctor_check_buffers, "rcvbuf"), DOCTOR_POOR, "asks for 4 MiB and gets 208 KiB",
	       "sysctl -w net.core.rmem_max=4194304");
	assert_int_equal(doctor.use.rcvbuf, 212992);
	inject_rcvbuf(8 << 20);
	expect(row_of(doctor_check_buffers, "rcvbuf"), DOCTOR_OK, "asks for 4 MiB and gets 4 MiB", "");
	inject_error(INJECT_SOCKET, EMFILE, 0, INJECT_FOREVER);
	assert_int_equal(row_of(doctor_check_buffers, "rcvbuf")->status, DOCTOR_MISSING);
	assert_string_equal(doctor.use.loop, "epoll");
}

/* ---- Time and memory ---- */

static void test_a_slow_clock(void **state)
{
	static const char dir[] = "/sys/devices/system/clocksource/clocksource0/";
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%scurrent_clocksource", dir);
	put(path, "hpet\n");
	expect(row_of(doctor_check_time, "clock"), DOCTOR_POOR, "hpet, ", "");
	snprintf(path, sizeof(path), "%savailable_clocksource", dir);
	put(path, "hpet tsc acpi_pm\n");
	expect(row_of(doctor_check_time, "clock"), DOCTOR_POOR, "hpet, ",
	       "echo tsc >/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

static void test_no_timers(void **state)
{
	(void)state;
	inject_error(INJECT_TIMERFD, EPERM, 0, INJECT_FOREVER);
	expect(row_of(doctor_check_time, "timer"), DOCTOR_MISSING, "does not work", "seccomp");
}

static void test_large_pages(void **state)
{
	(void)state;
	expect(row_of(doctor_check_memory, "huge_2m"), DOCTOR_NOTE, "has none", "");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
	expect(row_of(doctor_check_memory, "huge_2m"), DOCTOR_NOTE, "3 reserved, 0 free",
	       "echo 67 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	put("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
	put("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
	expect(row_of(doctor_check_memory, "huge_1g"), DOCTOR_OK, "1 reserved, 1 free", "");
}

static void test_transparent_pages(void **state)
{
	static const char file[] = "/sys/kernel/mm/transparent_hugepage/enabled";

	(void)state;
	expect(row_of(doctor_check_memory, "thp"), DOCTOR_OK, "no transparent", "");
	put(file, "always [madvise] never\n");
	expect(row_of(doctor_check_memory, "thp"), DOCTOR_OK, ": madvise", "");
	put(file, "always madvise [never]\n");
	expect(row_of(doctor_check_memory, "thp"), DOCTOR_NOTE, ": never",
	       "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled");
}

static void test_sizes(void **state)
{
	char text[DOCTOR_SIZE_TEXT];

	(void)state;
	assert_string_equal(doctor_size(0, text), "0 bytes");
	assert_string_equal(doctor_size(1023, text), "1023 bytes");
	assert_string_equal(doctor_size(65536, text), "64 KiB");
	assert_string_equal(doctor_size(1536 << 10, text), "1536 KiB");
	assert_string_equal(doctor_size(UINT64_C(1) << 40, text), "1 TiB");
	assert_string_equal(doctor_size(UINT64_C(1) << 60, text), "1048576 TiB");
}

static void test_the_worst_counts(void **state)
{
	(void)state;
	assert_int_equal(doctor_worst(&doctor), DOCTOR_OK);
	doctor_add(&doctor, "a");
	doctor_effect(doctor_add(&doctor, "b"), DOCTOR_POOR, "slow");
	doctor_effect(doctor_add(&doctor, "c"), DOCTOR_NOTE, "so so");
	assert_int_equal(doctor_worst(&doctor), DOCTOR_POOR);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_quota_of_the_second_cgroups),
		CASE(test_quota_of_the_first_cgroups),
		CASE(test_quota_below_the_cpus),
		CASE(test_isolation),
		CASE(test_siblings),
		CASE(test_each_refusal_has_its_remedy),
		CASE(test_kernels_that_know_no_runs),
		CASE(test_batches_refused),
		CASE(test_short_buffers),
		CASE(test_a_slow_clock),
		CASE(test_no_timers),
		CASE(test_large_pages),
		CASE(test_transparent_pages),
		CASE(test_sizes),
		CASE(test_the_worst_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
