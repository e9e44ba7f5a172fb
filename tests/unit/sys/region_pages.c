/* SPDX-License-Identifier: MIT */
/* Large pages and prefault: with them, without them, and where they are refused at the first touch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>

#include "sys/kernel_info.h"
#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define MIB (UINT64_C(1) << 20)

static struct flux_region_cfg cfg_of(uint32_t backing, uint64_t bytes)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;

	cfg.backing = backing;
	cfg.bytes = bytes;
	return cfg;
}

/* ---- Large pages ---- */

/* More large pages than are free, so that there are never enough. */
static bool more_than_free(uint64_t page, uint64_t *bytes)
{
	uint64_t total, free_pages;

	if (!flux_kernel_huge_pages(page, &total, &free_pages))
		return false;
	*bytes = (free_pages + 1) * page;
	return true;
}

static void test_M01_required_and_not_there(void **state)
{
	static const struct {
		uint64_t page;
		const char *words;
	} sizes[] = { { FLUX_PAGE_2M, "sysctl -w vm.nr_hugepages=" }, { FLUX_PAGE_1G, "vm.nr_hugepages" } };
	static const uint32_t backings[] = { FLUX_REGION_ANON, FLUX_REGION_MEMFD };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i / 2], 0);
		struct flux_region *region = NULL;
		int rc;

		cfg.huge = FLUX_WANT_REQUIRE;
		cfg.page_bytes = sizes[i % 2].page;
		if (!more_than_free(cfg.page_bytes, &cfg.bytes)) {
			print_message("# this kernel has no pages of %" PRIu64 " KiB\n", cfg.page_bytes / 1024);
			cfg.bytes = 1;
			assert_int_equal(flux_region_open(&region, &cfg, regions_why), FLUX_ENOTSUP);
			continue;
		}
		rc = flux_region_open(&region, &cfg, regions_why);
		assert_int_equal(rc, FLUX_ENOMEM);
		assert_null(region);
		if (!strstr(regions_why, sizes[i % 2].words))
			fail_msg("\"%s\" does not tell the remedy", regions_why);
	}
}

static void test_M01_tried_and_not_there(void **state)
{
	static const uint32_t backings[] = { FLUX_REGION_ANON, FLUX_REGION_MEMFD };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i], 0);
		struct flux_region *region;

		cfg.huge = FLUX_WANT_TRY;
		if (!more_than_free(FLUX_PAGE_2M, &cfg.bytes))
			cfg.bytes = 1;
		assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
		assert_false(regions_info(region).state & FLUX_REGION_IS_HUGE);
		assert_int_equal(regions_info(region).page_bytes, sysconf(_SC_PAGESIZE));
		assert_int_equal(regions_info(region).warnings, 1);
		assert_non_null(strstr(flux_region_report(region), "normal pages instead\n"));
		((volatile char *)flux_region_data(region))[cfg.bytes - 1] = 1;
		flux_region_close(region);
	}
}

/* Pages that root adds for the time of a test, and takes away again. */
static uint64_t pages_before;
/* Only one test on this machine counts or changes them at a time: locked while it is open. */
static int pages_fd = -1;

#define NR_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static bool add_pages(unsigned more)
{
	uint64_t free_pages, total;
	char text[32];
	int fd;

	if (!flux_kernel_huge_pages(FLUX_PAGE_2M, &pages_before, &free_pages))
		return false;
	fd = open(NR_PAGES, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(text, sizeof(text), "%" PRIu64, pages_before + more);
	if (write(fd, text, strlen(text)) < 0)
		total = 0;
	close(fd);
	return flux_kernel_huge_pages(FLUX_PAGE_2M, &total, &free_pages) && free_pages >= more;
}

static int note_pages(void **state)
{
	uint64_t free_pages;

	(void)state;
	pages_fd = open(NR_PAGES, O_RDONLY | O_CLOEXEC);
	if (pages_fd >= 0)
		flock(pages_fd, LOCK_EX);
	flux_kernel_huge_pages(FLUX_PAGE_2M, &pages_before, &free_pages);
	return 0;
}

static int return_pages(void **state)
{
	uint64_t total, free_pages;
	char text[32];
	int fd;

	(void)state;
	if (flux_kernel_huge_pages(FLUX_PAGE_2M, &total, &free_pages) && total != pages_before) {
		fd = open(NR_PAGES, O_WRONLY | O_CLOEXEC);
		snprintf(text, sizeof(text), "%" PRIu64, pages_before);
		if (write(fd, text, strlen(text)) < 0)
			print_message("# the number of large pages could not be restored\n");
		close(fd);
	}
	if (pages_fd >= 0)
		close(pages_fd);
	return 0;
}

static void need_pages(unsigned more)
{
	if (!add_pages(more)) {
		print_message("# no large pages can be reserved: not root, or memory is in pieces\n");
		skip();
	}
}

static int is_gone_in_child(void *arg)
{
	unsigned char present;

	return mincore(arg, 4096, &present) < 0 ? 0 : 1;
}

static void test_M01_required_and_there(void **state)
{
	static const uint32_t backings[] = { FLUX_REGION_ANON, FLUX_REGION_MEMFD };

	(void)state;
	need_pages(2);
	for (int i = 0; i < 2; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i], 3 * MIB);
		struct flux_region *region;
		struct flux_region_info info;
		uint64_t total, free_before, free_after;

		assert_true(flux_kernel_huge_pages(FLUX_PAGE_2M, &total, &free_before));
		cfg.huge = FLUX_WANT_REQUIRE;
		cfg.flags = FLUX_REGION_NO_DUMP;
		if (flux_region_open(&region, &cfg, regions_why) != 0)
			fail_msg("%s", regions_why);
		info = regions_info(region);
		assert_int_equal(info.state & ~FLUX_REGION_IS_OWNER,
				 FLUX_REGION_IS_CREATED | FLUX_REGION_IS_HUGE | FLUX_REGION_IS_PREFAULTED);
		assert_int_equal(info.page_bytes, FLUX_PAGE_2M);
		assert_int_equal(info.mapped_bytes, 2 * FLUX_PAGE_2M);
		assert_int_equal(info.warnings, 0);
		assert_true(flux_kernel_huge_pages(FLUX_PAGE_2M, &total, &free_after));
		assert_int_equal(free_after, free_before - 2);
		memset(flux_region_data(region), 1, 3 * MIB);
		/* A private large page in a child might kill one of the two: the child has none. */
		if (backings[i] == FLUX_REGION_ANON)
			assert_int_equal(child_run(is_gone_in_child, flux_region_data(region)), 0);
		flux_region_close(region);
	}
}

static int populate_refused(void *arg)
{
	struct flux_region_cfg cfg = cfg_of(FLUX_REGION_ANON, MIB);
	struct flux_region *region;

	(void)arg;
	/* As a limit of the cgroup answers: mmap() works, and no page comes. */
	CHECK(child_forbid_argument(ENOMEM, SYS_madvise, 2, MADV_POPULATE_WRITE));
	cfg.huge = FLUX_WANT_REQUIRE;
	CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_ENOMEM);
	CHECK(strstr(regions_why, "hugetlb.max"));
	cfg.huge = FLUX_WANT_TRY;
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	CHECK(regions_info(region).page_bytes == (uint64_t)sysconf(_SC_PAGESIZE));
	CHECK(!(regions_info(region).state & FLUX_REGION_IS_HUGE));
	CHECK(strstr(flux_region_report(region), "hugetlb.max"));
	memset(flux_region_data(region), 1, MIB);
	flux_region_close(region);
	return 0;
}

static void test_M01_there_and_refused_at_the_touch(void **state)
{
	(void)state;
	need_pages(1);
	assert_int_equal(child_run(populate_refused, NULL), 0);
}

static int on_hugetlbfs(void *arg)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", FLUX_REGION_CREATE);
	struct flux_region *region, *other;
	struct flux_region_info info;

	(void)arg;
	if (!child_mount(regions_dir(), "hugetlbfs", "pagesize=2M"))
		return CHILD_SKIP;
	cfg.huge = FLUX_WANT_REQUIRE;
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	info = regions_info(region);
	CHECK(info.state & FLUX_REGION_IS_HUGE && info.page_bytes == FLUX_PAGE_2M);
	strcpy(flux_region_data(region), "large");
	cfg = regions_file_cfg("a", FLUX_REGION_ATTACH);
	CHECK(flux_region_open(&other, &cfg, regions_why) == 0);
	CHECK(regions_info(other).state & FLUX_REGION_IS_HUGE);
	CHECK(strcmp(flux_region_data(other), "large") == 0);
	flux_region_close(other);
	flux_region_close(region);
	CHECK(regions_count_files() == 0);
	cfg = regions_file_cfg("a", FLUX_REGION_CREATE);
	CHECK(more_than_free(FLUX_PAGE_2M, &cfg.bytes));
	CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_ENOMEM);
	CHECK(strstr(regions_why, "vm.nr_hugepages"));
	CHECK(regions_count_files() == 0);
	return 0;
}

static void test_M01_file_on_hugetlbfs(void **state)
{
	int status;

	(void)state;
	need_pages(2);
	assert_non_null(regions_dir());
	status = child_run(on_hugetlbfs, NULL);
	regions_remove_dir();
	if (status == CHILD_SKIP) {
		print_message("# hugetlbfs cannot be mounted: not root\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- Prefault ---- */

/* Minor faults of one write to every page. */
static long lap(volatile char *data, uint64_t bytes)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (uint64_t at = 0; at < bytes; at += 4096)
		data[at] = 1;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

static void test_M04_no_fault_after_prefault(void **state)
{
	static const uint32_t backings[] = { FLUX_REGION_HEAP, FLUX_REGION_ANON, FLUX_REGION_MEMFD };
	static char warm[3 * 4096];

	(void)state;
	if (child_instrumented()) {
		print_message("# valgrind and sanitizers touch pages of their own\n");
		skip();
	}
	lap(warm, sizeof(warm));
	for (int i = 0; i < 3; i++) {
		struct flux_region_cfg cfg = cfg_of(backings[i], 4 * MIB);
		struct flux_region *region;

		cfg.prefault = FLUX_WANT_REQUIRE;
		assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
		assert_true(regions_info(region).state & FLUX_REGION_IS_PREFAULTED);
		assert_int_equal(lap(flux_region_data(region), 4 * MIB), 0);
		flux_region_close(region);
	}
}

static int old_kernel(void *arg)
{
	struct flux_region_cfg cfg = cfg_of(FLUX_REGION_ANON, MIB);
	struct flux_region *region;

	(void)arg;
	CHECK(child_forbid_argument(EINVAL, SYS_madvise, 2, MADV_POPULATE_WRITE));
	cfg.prefault = FLUX_WANT_REQUIRE;
	CHECK(flux_region_open(&region, &cfg, regions_why) == FLUX_ENOTSUP);
	CHECK(strstr(regions_why, "5.14"));
	cfg.prefault = FLUX_WANT_TRY;
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	CHECK(regions_info(region).warnings == 1);
	CHECK(strstr(flux_region_report(region), "5.14"));
	CHECK(!(regions_info(region).state & FLUX_REGION_IS_PREFAULTED));
	flux_region_close(region);
	return 0;
}

static void test_M04_a_kernel_that_cannot(void **state)
{
	(void)state;
	assert_int_equal(child_run(old_kernel, NULL), 0);
}

#define WITH_PAGES(test) cmocka_unit_test_setup_teardown(test, note_pages, return_pages)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAGES(test_M01_required_and_not_there),
		WITH_PAGES(test_M01_tried_and_not_there),
		WITH_PAGES(test_M01_required_and_there),
		WITH_PAGES(test_M01_there_and_refused_at_the_touch),
		WITH_PAGES(test_M01_file_on_hugetlbfs),
		cmocka_unit_test(test_M04_no_fault_after_prefault),
		cmocka_unit_test(test_M04_a_kernel_that_cannot),
	};

	return cmocka_run_group_tests_name("sys/region_pages", tests, NULL, NULL);
}
