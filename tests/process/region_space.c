/* SPDX-License-Identifier: MIT */
/* Shared regions where there is no room or no right: an error with its reason, and nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#define CREATE 0u
#define ATTACH 1u
#define JOIN   2u

#define MIB (UINT64_C(1) << 20)

static int open_sized(const char *name, uint64_t bytes, struct flux_region **region)
{
	struct flux_region_cfg cfg = regions_file_cfg(name, CREATE);

	cfg.bytes = bytes;
	return flux_region_open(region, &cfg, regions_why);
}

/* ---- R08: the file system is too small ---- */

static uint64_t free_blocks(void)
{
	struct statfs fs;

	return statfs(regions_dir(), &fs) == 0 ? fs.f_bfree : 0;
}

static int on_one_mib(void *arg)
{
	struct flux_region *region = NULL, *second = NULL;
	uint64_t before;

	(void)arg;
	if (!child_mount(regions_dir(), "tmpfs", "size=1m,mode=0700"))
		return CHILD_SKIP;
	before = free_blocks();
	CHECK(open_sized("a", 4 * MIB, &region) == FLUX_ENOSPC);
	CHECK(!region);
	CHECK(strstr(regions_why, "4198400 bytes needed"));
	CHECK(strstr(regions_why, "1048576 available"));
	CHECK(regions_count_files() == 0);
	CHECK(free_blocks() == before);

	/* What fits is there to the last byte, and what is left is too little for a second. */
	CHECK(open_sized("a", 600000, &region) == 0);
	memset(flux_region_data(region), 1, 600000);
	CHECK(open_sized("b", 600000, &second) == FLUX_ENOSPC);
	CHECK(regions_count_files() == 1);
	flux_region_close(region);
	CHECK(free_blocks() == before);
	return 0;
}

/* The room that is needed is taken by the dead one that is to be replaced. */
static int dead_one_in_the_way(void *arg)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", CREATE);
	struct flux_region *region;

	(void)arg;
	if (!child_mount(regions_dir(), "tmpfs", "size=1m,mode=0700"))
		return CHILD_SKIP;
	cfg.bytes = 900000;
	cfg.flags = FLUX_REGION_KEEP;
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	flux_region_close(region);
	CHECK(open_sized("b", 900000, &region) == FLUX_ENOSPC);
	CHECK(open_sized("a", 900000, &region) == 0);
	flux_region_close(region);
	CHECK(regions_count_files() == 0);
	return 0;
}

/* Full when it starts, free when it tries again. */
static int full_and_freed(void *arg)
{
	struct flux_region *hog, *region;

	(void)arg;
	if (!child_mount(regions_dir(), "tmpfs", "size=1m,mode=0700"))
		return CHILD_SKIP;
	CHECK(open_sized("hog", 1000000, &hog) == 0);
	CHECK(open_sized("a", 100000, &region) == FLUX_ENOSPC);
	flux_region_close(hog);
	CHECK(open_sized("a", 100000, &region) == 0);
	flux_region_close(region);
	return 0;
}

static int no_inode_left(void *arg)
{
	struct flux_region *region;

	(void)arg;
	if (!child_mount(regions_dir(), "tmpfs", "size=1m,nr_inodes=1,mode=0700"))
		return CHILD_SKIP;
	CHECK(open_sized("a", 100, &region) == FLUX_ENOSPC);
	CHECK(strstr(regions_why, "inode"));
	CHECK(regions_count_files() == 0);
	return 0;
}

/* ---- Rights ---- */

static int on_read_only_mount(void *arg)
{
	struct flux_region *region;
	int rc;

	(void)arg;
	region = regions_open("a", CREATE, FLUX_REGION_KEEP, &rc);
	CHECK(rc == 0);
	flux_region_close(region);
	if (!child_mount("/mnt", "tmpfs", "size=1m"))
		return CHILD_SKIP;
	CHECK(mount(regions_dir(), regions_dir(), "", MS_BIND, "") == 0);
	CHECK(mount("none", regions_dir(), "", MS_BIND | MS_REMOUNT | MS_RDONLY, "") == 0);
	CHECK(!regions_open("b", CREATE, 0, &rc));
	CHECK(rc == -EROFS);
	CHECK(strstr(regions_why, "Read-only file system"));
	CHECK(!regions_open("a", CREATE, 0, &rc));
	CHECK(rc == -EROFS);
	CHECK(!regions_open("a", ATTACH, 0, &rc));
	CHECK(rc == -EROFS);
	/* Who only reads may. */
	region = regions_open("a", ATTACH, FLUX_REGION_READ_ONLY, &rc);
	CHECK(rc == 0);
	CHECK(flux_region_member_alive(region, FLUX_REGION_OWNER) == 0);
	flux_region_close(region);
	return 0;
}

static int without_rights(void *arg)
{
	struct flux_region *region;
	int rc;

	(void)arg;
	region = regions_open("a", CREATE, 0, &rc);
	CHECK(rc == 0);
	CHECK(chmod(regions_dir(), 0755) == 0);
	if (geteuid() == 0) {
		/* Another user, root's files: not even a look inside. */
		CHECK(child_drop_rights());
		for (uint32_t open = CREATE; open <= JOIN; open++) {
			CHECK(!regions_open("a", open, 0, &rc));
			CHECK(rc == -EACCES);
			CHECK(strstr(regions_why, "ermission denied"));
		}
	} else {
		CHECK(chmod(regions_dir(), 0500) == 0);
	}
	CHECK(!regions_open("b", CREATE, 0, &rc));
	CHECK(rc == -EACCES);
	CHECK(strstr(regions_why, "ermission denied"));
	CHECK(flux_region_member_alive(region, FLUX_REGION_OWNER) == 1);
	chmod(regions_dir(), 0700);
	flux_region_close(region);
	return 0;
}

/* A group that shares on purpose: the member of the group is another user. */
static int of_the_group(void *arg)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", CREATE);
	struct flux_region *region, *other;

	(void)arg;
	if (geteuid() != 0)
		return CHILD_SKIP;
	cfg.mode = 0660;
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	CHECK(chmod(regions_dir(), 0755) == 0);
	CHECK(chown(regions_path("a"), 0, 65534) == 0);
	CHECK(child_drop_rights());
	cfg = regions_file_cfg("a", ATTACH);
	CHECK(flux_region_open(&other, &cfg, regions_why) == FLUX_EUNSAFE);
	CHECK(strstr(regions_why, "belongs to user 0, we are 65534"));
	cfg.flags = FLUX_REGION_ANY_OWNER;
	CHECK(flux_region_open(&other, &cfg, regions_why) == 0);
	CHECK(flux_region_member_alive(region, regions_info(other).member) == 1);
	flux_region_close(other);
	flux_region_close(region);
	return 0;
}

/* ---- Running them ---- */

static void run(int (*body)(void *), const char *needs)
{
	int status;

	assert_non_null(regions_dir());
	status = child_run(body, NULL);
	regions_remove_dir();
	if (status == CHILD_SKIP) {
		print_message("# %s: not root\n", needs);
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_R08_a_small_dev_shm(void **state)
{
	(void)state;
	run(on_one_mib, "no tmpfs can be mounted");
}

static void test_R08_a_dead_one_in_the_way(void **state)
{
	(void)state;
	run(dead_one_in_the_way, "no tmpfs can be mounted");
}

static void test_R06_full_and_freed(void **state)
{
	(void)state;
	run(full_and_freed, "no tmpfs can be mounted");
}

static void test_R08_no_inode(void **state)
{
	(void)state;
	run(no_inode_left, "no tmpfs can be mounted");
}

static void a_read_only_directory(void **state)
{
	(void)state;
	run(on_read_only_mount, "nothing can be mounted");
}

static void test_X09_without_rights(void **state)
{
	(void)state;
	run(without_rights, "");
}

static void test_X09_shared_with_a_group(void **state)
{
	(void)state;
	run(of_the_group, "a file cannot be given to a group");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_R08_a_small_dev_shm),
		cmocka_unit_test(test_R08_a_dead_one_in_the_way),
		cmocka_unit_test(test_R06_full_and_freed),
		cmocka_unit_test(test_R08_no_inode),
		cmocka_unit_test(a_read_only_directory),
		cmocka_unit_test(test_X09_without_rights),
		cmocka_unit_test(test_X09_shared_with_a_group),
	};

	return cmocka_run_group_tests_name("process/region_space", tests, NULL, NULL);
}
