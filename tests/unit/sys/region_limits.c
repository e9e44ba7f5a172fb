/* SPDX-License-Identifier: MIT */
/* The limits of a container: its memory cgroup, NUMA calls that are refused, and locked memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sys/kernel_info.h"
#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#define MIB (UINT64_C(1) << 20)

static struct flux_region_cfg cfg_of(uint32_t backing, uint64_t bytes)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;

	cfg.backing = backing;
	cfg.bytes = bytes;
	return cfg;
}

/* ---- The memory cgroup ---- */

/* A cgroup of 16 MiB below the one that we are in, with `arg` as its path; we move into it. */
static bool enter_cgroup(const char *dir, const char *limit_name)
{
	char path[600], pid[32];
	int fd;

	if (mkdir(dir, 0700) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, limit_name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "16777216", 8) != 8)
		return false;
	close(fd);
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, pid, strlen(pid)) < 0)
		return false;
	close(fd);
	return true;
}

/* Where such a cgroup would be. */
static void cgroup_path(char dir[512], const char **limit_name)
{
	char text[4096], *line, *rest = text;
	const char *mount = "/sys/fs/cgroup", *path = "";

	*limit_name = "memory.max";
	flux_kernel_read("/proc/self/cgroup", text, sizeof(text));
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *slash = strchr(line, '/');

		if (slash && strstr(line, ":memory:")) {
			*limit_name = "memory.limit_in_bytes";
			mount = "/sys/fs/cgroup/memory";
			path = slash;
			break;
		}
		if (slash && strncmp(line, "0::", 3) == 0)
			path = slash;
	}
	snprintf(dir, 512, "%s%.300s/flux-test-%d", mount, path, (int)getpid());
}

static int within_16_mib(void *arg)
{
	static const uint32_t backings[] = { FLUX_REGION_HEAP, FLUX_REGION_ANON, FLUX_REGION_MEMFD };
	const char *limit_name;
	char unused[512];
	struct flux_region *region;

	cgroup_path(unused, &limit_name);
	if (!enter_cgroup(arg, limit_name))
		return CHILD_SKIP;
	for (int i = 0; i < 3; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i], 32 * MIB);

		cfg.prefault = FLUX_WANT_REQUIRE;
		CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_ENOMEM);
		CHECK(strstr(regions_why, "memory cgroup allows 16777216"));
		cfg.bytes = 2 * MIB;
		CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
		CHECK(regions_info(region).warnings == 0);
		flux_region_close(region);
		if (backings[i] == FLUX_REGION_ANON) {
			cfg.bytes = 32 * MIB;
			cfg.prefault = cfg.lock = FLUX_WANT_TRY;
			CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
			CHECK(regions_info(region).warnings == 3);
			CHECK(!(regions_info(region).state & FLUX_REGION_IS_PREFAULTED));
			flux_region_close(region);
			cfg.prefault = cfg.lock = FLUX_WANT_NOT;
			CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
			CHECK(regions_info(region).warnings == 1);
			CHECK(strstr(flux_region_report(region), "memory.max"));
			flux_region_close(region);
		}
	}
	return 0;
}

static void test_M05_more_than_the_cgroup_has(void **state)
{
	const char *limit_name;
	char dir[512];
	int status;

	(void)state;
	if (child_instrumented()) {
		print_message("# valgrind and sanitizers need more than 16 MiB themselves\n");
		skip();
	}
	cgroup_path(dir, &limit_name);
	status = child_run(within_16_mib, dir);
	rmdir(dir);
	if (status == CHILD_SKIP) {
		print_message("# no memory cgroup can be made: not root, or the controller is not delegated\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- NUMA ---- */

static int numa_forbidden(void *arg)
{
	static const uint32_t backings[] = { FLUX_REGION_ANON, FLUX_REGION_MEMFD };

	(void)arg;
	CHECK(child_forbid(EPERM, SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, -1));
	for (int i = 0; i < 4; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i / 2], MIB);
		struct flux_region *region;

		cfg.numa = FLUX_WANT_TRY;
		cfg.numa_policy = i % 2 ? FLUX_REGION_NUMA_INTERLEAVE : FLUX_REGION_NUMA_NODE;
		CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
		CHECK(regions_info(region).warnings == 1);
		CHECK(!(regions_info(region).state & FLUX_REGION_IS_NUMA));
#ifdef HAVE_NUMA
		CHECK(strstr(flux_region_report(region), "seccomp"));
#else
		CHECK(strstr(flux_region_report(region), "--with-numa"));
#endif
		memset(flux_region_data(region), 1, MIB);
		flux_region_close(region);
		cfg.numa = FLUX_WANT_REQUIRE;
#ifdef HAVE_NUMA
		CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_EPERM);
#else
		CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_ENOTSUP);
#endif
	}
	return 0;
}

static void test_M02_numa_calls_are_forbidden(void **state)
{
	(void)state;
	assert_int_equal(child_run(numa_forbidden, NULL), 0);
}

#ifdef HAVE_NUMA

static void test_M02_a_node_that_is_not_there(void **state)
{
	struct flux_region_cfg cfg = cfg_of(FLUX_REGION_ANON, MIB);
	struct flux_region *region;

	(void)state;
	cfg.numa_node = 1023;
	cfg.numa = FLUX_WANT_TRY;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_int_equal(regions_info(region).warnings, 1);
	assert_non_null(strstr(flux_region_report(region), "Mems_allowed_list"));
	flux_region_close(region);
	cfg.numa = FLUX_WANT_REQUIRE;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), FLUX_EINVAL);
	assert_non_null(strstr(regions_why, "1023"));
}

/* The policy that the kernel shows of the mapping that begins at `at`. */
static void policy_of(const void *at, char policy[64])
{
	FILE *maps = fopen("/proc/self/numa_maps", "r");
	char line[512];

	policy[0] = '\0';
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long first;
		char words[64];

		if (sscanf(line, "%lx %63s", &first, words) == 2 && first == (uintptr_t)at)
			strcpy(policy, words);
	}
	if (maps)
		fclose(maps);
}

static void test_M08_pages_where_they_are_wanted(void **state)
{
	static const uint32_t backings[] = { FLUX_REGION_ANON, FLUX_REGION_MEMFD };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i / 2], MIB);
		struct flux_region *region;
		char policy[64];
		char *begin;

		cfg.numa = FLUX_WANT_TRY;
		cfg.prefault = FLUX_WANT_TRY;
		cfg.numa_policy = i % 2 ? FLUX_REGION_NUMA_INTERLEAVE : FLUX_REGION_NUMA_NODE;
		assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
		begin = (char *)flux_region_data(region) - (i / 2 ? 4096 : 0);
		policy_of(begin, policy);
		if (!(regions_info(region).state & FLUX_REGION_IS_NUMA) || policy[0] == '\0') {
			print_message("# no NUMA here: %s\n", flux_region_report(region));
			flux_region_close(region);
			skip();
		}
		if (strncmp(policy, i % 2 ? "interleave" : "prefer", i % 2 ? 10 : 6) != 0)
			fail_msg("the policy is %s", policy);
		flux_region_close(region);
	}
}

#endif

/* ---- mlock ---- */

static void need_mlock(void)
{
	if (child_sanitized()) {
		print_message("# a sanitizer makes mlock() do nothing\n");
		skip();
	}
}

static void locked(void **state)
{
	struct flux_region_cfg cfg = cfg_of(FLUX_REGION_ANON, 16384);
	struct flux_region *region;

	(void)state;
	need_mlock();
	cfg.lock = FLUX_WANT_TRY;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	if (!(regions_info(region).state & FLUX_REGION_IS_LOCKED)) {
		assert_non_null(strstr(flux_region_report(region), "RLIMIT_MEMLOCK"));
		flux_region_close(region);
		print_message("# not even 16 KiB may be locked here\n");
		skip();
	}
	assert_int_equal(regions_info(region).warnings, 0);
	flux_region_close(region);
}

static int above_the_limit(void *arg)
{
	struct flux_region_cfg cfg = cfg_of(FLUX_REGION_ANON, MIB);
	struct rlimit lim = { *(rlim_t *)arg, *(rlim_t *)arg };
	struct flux_region *region;

	CHECK(setrlimit(RLIMIT_MEMLOCK, &lim) == 0);
	CHECK(child_drop_rights());
	cfg.lock = FLUX_WANT_TRY;
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	CHECK(regions_info(region).warnings == 1);
	CHECK(!(regions_info(region).state & FLUX_REGION_IS_LOCKED));
	CHECK(strstr(flux_region_report(region), "RLIMIT_MEMLOCK"));
	CHECK(strstr(flux_region_report(region), "ulimit -l"));
	flux_region_close(region);
	cfg.lock = FLUX_WANT_REQUIRE;
	CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_EPERM);
	CHECK(strstr(regions_why, "1048576 bytes are to be locked"));
	return 0;
}

static void lock_above_the_limit(void **state)
{
	rlim_t limits[] = { 0, 65536 };

	(void)state;
	need_mlock();
	assert_int_equal(child_run(above_the_limit, &limits[0]), 0);
	assert_int_equal(child_run(above_the_limit, &limits[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_M05_more_than_the_cgroup_has),
		cmocka_unit_test(test_M02_numa_calls_are_forbidden),
#ifdef HAVE_NUMA
		cmocka_unit_test(test_M02_a_node_that_is_not_there),
		cmocka_unit_test(test_M08_pages_where_they_are_wanted),
#endif
		cmocka_unit_test(locked),
		cmocka_unit_test(lock_above_the_limit),
	};

	return cmocka_run_group_tests_name("sys/region_limits", tests, NULL, NULL);
}
