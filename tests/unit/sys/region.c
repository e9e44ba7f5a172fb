/* SPDX-License-Identifier: MIT */
/* Regions of one process: heap and private mappings, what they refuse, and their pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <flux/region.h>

#include "tests/lib/child.h"
#include "tests/lib/faultmem.h"

static char why[FLUX_WHY_TEXT];

static struct flux_region_info info_of(const struct flux_region *region)
{
	struct flux_region_info info = { .size = sizeof(info) };

	flux_region_get_info(region, &info);
	return info;
}

static void expect_usable(struct flux_region *region, uint64_t bytes)
{
	uint8_t *data = flux_region_data(region);

	assert_int_equal(flux_region_bytes(region), bytes);
	assert_int_equal((uintptr_t)data % 4096, 0);
	for (uint64_t i = 0; i < bytes; i++)
		assert_int_equal(data[i], 0);
	memset(data, 0x5a, bytes);
}

/* ---- What every region is ---- */

static void test_M07_heap_by_the_callers_allocator(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;
	struct faultmem fm;

	(void)state;
	faultmem_init(&fm, 0);
	cfg.bytes = 100001;
	cfg.mem = &fm.mem;
	assert_int_equal(flux_region_open(&region, &cfg, why), 0);
	assert_int_equal(fm.calls, 2);
	assert_true(fm.live_bytes > 100001);
	expect_usable(region, 100001);
	assert_int_equal(info_of(region).state, FLUX_REGION_IS_CREATED | FLUX_REGION_IS_PREFAULTED);
	assert_int_equal(info_of(region).warnings, 0);
	assert_string_equal(flux_region_report(region), "");
	assert_string_equal(why, "");
	assert_int_equal(flux_region_fd(region), -1);
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), FLUX_ENOTSUP);
	assert_int_equal(flux_region_replaced(region), FLUX_ENOTSUP);
	flux_region_close(region);
	assert_int_equal(fm.live_blocks, 0);
	assert_int_equal(fm.live_bytes, 0);
	flux_region_close(NULL);
}

static void anon(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;

	(void)state;
	cfg.backing = FLUX_REGION_ANON;
	cfg.bytes = 10000;
	assert_int_equal(flux_region_open(&region, &cfg, NULL), 0);
	expect_usable(region, 10000);
	assert_int_equal(info_of(region).state, FLUX_REGION_IS_CREATED);
	assert_int_equal(info_of(region).page_bytes, sysconf(_SC_PAGESIZE));
	assert_int_equal(info_of(region).mapped_bytes % (uint64_t)sysconf(_SC_PAGESIZE), 0);
	flux_region_close(region);
}

static void test_M07_an_allocation_fails(void **state)
{
	static const uint32_t backings[] = { FLUX_REGION_HEAP, FLUX_REGION_ANON, FLUX_REGION_MEMFD };
	static const uint32_t allocations[] = { 2, 1, 1 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t n = 1; n <= allocations[i] + 1; n++) {
			struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
			struct flux_region *region = NULL;
			struct faultmem fm;
			int rc;

			faultmem_init(&fm, n);
			cfg.backing = backings[i];
			cfg.bytes = 4096;
			cfg.mem = &fm.mem;
			why[0] = '\0';
			rc = flux_region_open(&region, &cfg, why);
			if (n <= allocations[i]) {
				assert_int_equal(rc, FLUX_ENOMEM);
				assert_null(region);
				assert_non_null(strstr(why, "allocator"));
			} else {
				assert_int_equal(rc, 0);
				flux_region_close(region);
			}
			assert_int_equal(fm.live_blocks, 0);
		}
	}
}

/* Much more than there is: an error, whoever is asked. */
static void too_large(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region = NULL;

	(void)state;
	cfg.bytes = SIZE_MAX / 4;
	cfg.backing = FLUX_REGION_ANON;
	assert_int_equal(flux_region_open(&region, &cfg, why), FLUX_ENOMEM);
	assert_true(strlen(why) > 0);
	cfg.bytes++;
	assert_int_equal(flux_region_open(&region, &cfg, why), FLUX_EINVAL);
	assert_null(region);
}

static void wrong_configurations(void **state)
{
	struct {
		struct flux_region_cfg cfg;
		const char *words;
	} cases[] = {
#define HEAP       .size = sizeof(struct flux_region_cfg), .bytes = 4096
#define FILE_OF(n) HEAP, .backing = FLUX_REGION_FILE, .name = (n)
		{ { HEAP, .backing = 4 }, "backing" },
		{ { HEAP, .open = 3 }, "open" },
		{ { HEAP, .flags = 0x40 }, "flags" },
		{ { HEAP, .huge = 3 }, "flux_want" },
		{ { HEAP, .numa = 3 }, "flux_want" },
		{ { HEAP, .prefault = 3 }, "flux_want" },
		{ { HEAP, .lock = 3 }, "flux_want" },
		{ { HEAP, .numa_policy = 2 }, "numa_policy" },
		{ { HEAP, .numa_node = 1024 }, "numa_node" },
		{ { HEAP, .page_bytes = 4096 }, "page_bytes" },
		{ { .size = sizeof(struct flux_region_cfg) }, "bytes" },
		{ { HEAP, .mode = 0400 }, "mode" },
		{ { FILE_OF("x"), .mode = 0666 }, "mode" },
		{ { FILE_OF("x"), .mode = 04600 }, "mode" },
		{ { FILE_OF(NULL) }, "name" },
		{ { FILE_OF("") }, "name" },
		{ { HEAP, .name = "x" }, "name" },
		{ { HEAP, .open = FLUX_REGION_ATTACH }, "created" },
		{ { HEAP, .backing = FLUX_REGION_ANON, .open = FLUX_REGION_CREATE_OR_ATTACH }, "created" },
		{ { FILE_OF("x"), .flags = FLUX_REGION_READ_ONLY }, "READ_ONLY" },
		{ { FILE_OF("x"), .flags = FLUX_REGION_READ_ONLY_PEERS }, "memfd" },
		{ { HEAP, .flags = FLUX_REGION_NO_FORK }, "ANON" },
		{ { HEAP, .flags = FLUX_REGION_NO_DUMP }, "ANON" },
		{ { HEAP, .backing = FLUX_REGION_MEMFD, .open = FLUX_REGION_ATTACH }, "flux_region_receive" },
		{ { .size = 3 }, "size" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flux_region *region = NULL;

		assert_int_equal(flux_region_open(&region, &cases[i].cfg, why), FLUX_EINVAL);
		assert_null(region);
		if (!strstr(why, cases[i].words))
			fail_msg("\"%s\" does not name %s", why, cases[i].words);
	}
	assert_int_equal(flux_region_open(&(struct flux_region *){ NULL }, NULL, NULL), FLUX_EINVAL);
}

static void a_newer_configuration(void **state)
{
	struct {
		struct flux_region_cfg cfg;
		uint64_t more;
	} newer = { .cfg = { .size = sizeof(newer), .bytes = 1 } };
	struct flux_region *region;

	(void)state;
	assert_int_equal(flux_region_open(&region, &newer.cfg, why), 0);
	flux_region_close(region);
	newer.more = 1;
	assert_int_equal(flux_region_open(&region, &newer.cfg, why), FLUX_E2BIG);
}

static void the_heap_has_no_features(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;

	(void)state;
	cfg.bytes = 100;
	cfg.huge = cfg.numa = cfg.lock = FLUX_WANT_TRY;
	assert_int_equal(flux_region_open(&region, &cfg, why), 0);
	assert_int_equal(info_of(region).warnings, 3);
	assert_non_null(strstr(flux_region_report(region), "large pages"));
	assert_non_null(strstr(flux_region_report(region), "NUMA"));
	assert_non_null(strstr(flux_region_report(region), "locked"));
	flux_region_close(region);
	cfg.lock = FLUX_WANT_REQUIRE;
	assert_int_equal(flux_region_open(&region, &cfg, why), FLUX_ENOTSUP);
	assert_non_null(strstr(why, "FLUX_REGION_ANON"));
}

/* ---- Children and core files ---- */

static int is_mapped_in_child(void *arg)
{
	unsigned char present;

	return mincore(arg, 1, &present) == 0;
}

static void no_fork(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;

	(void)state;
	cfg.backing = FLUX_REGION_ANON;
	cfg.bytes = 4096;
	assert_int_equal(flux_region_open(&region, &cfg, why), 0);
	assert_int_equal(child_run(is_mapped_in_child, flux_region_data(region)), 1);
	flux_region_close(region);
	cfg.flags = FLUX_REGION_NO_FORK;
	assert_int_equal(flux_region_open(&region, &cfg, why), 0);
	assert_int_equal(child_run(is_mapped_in_child, flux_region_data(region)), 0);
	flux_region_close(region);
}

/* The flags that the kernel shows of the mapping that begins at `at`. */
static void flags_of(const void *at, char flags[256])
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;

	flags[0] = '\0';
	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long first, last;

		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			inside = first <= (uintptr_t)at && (uintptr_t)at < last;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, 256, "%.250s", line + 8);
	}
	fclose(smaps);
}

static void no_dump(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;
	char flags[256];

	(void)state;
	cfg.backing = FLUX_REGION_ANON;
	cfg.bytes = 4096;
	cfg.flags = FLUX_REGION_NO_DUMP;
	assert_int_equal(flux_region_open(&region, &cfg, why), 0);
	flags_of(flux_region_data(region), flags);
	flux_region_close(region);
	if (flags[0] == '\0') {
		print_message("# /proc/self/smaps shows no VmFlags\n");
		skip();
	}
	assert_non_null(strstr(flags, " dd "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_M07_heap_by_the_callers_allocator),
		cmocka_unit_test(anon),
		cmocka_unit_test(test_M07_an_allocation_fails),
		cmocka_unit_test(too_large),
		cmocka_unit_test(wrong_configurations),
		cmocka_unit_test(a_newer_configuration),
		cmocka_unit_test(the_heap_has_no_features),
		cmocka_unit_test(no_fork),
		cmocka_unit_test(no_dump),
	};

	return cmocka_run_group_tests_name("sys/region", tests, NULL, NULL);
}
