/* SPDX-License-Identifier: MIT */
/* Regions that are found by a name: made, attached, refused; whose files are safe, and which are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/lib/child.h"
#include "tests/lib/faultmem.h"
#include "tests/lib/regions.h"

#define CREATE 0u
#define ATTACH 1u
#define JOIN   2u

static struct flux_region *must_open(const char *name, uint32_t open, uint32_t flags)
{
	int rc;
	struct flux_region *region = regions_open(name, open, flags, &rc);

	if (rc != 0)
		fail_msg("%s: %s: %s", name, flux_errname(rc), regions_why);
	return region;
}

/* It fails with `code`, in words that have `words` in them. */
static void must_fail(const char *name, uint32_t open, uint32_t flags, int code, const char *words)
{
	int rc;
	struct flux_region *region = regions_open(name, open, flags, &rc);

	if (rc != code || region || !strstr(regions_why, words))
		fail_msg("%s: %d instead of %d, \"%s\" has no \"%s\"", name, rc, code, regions_why, words);
}

static void write_file(const char *name, const char *text, size_t len, mode_t mode)
{
	int fd = open(regions_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(regions_path(name), &st), 0);
	return st.st_mode & 07777;
}

/* ---- Made and attached ---- */

static void created_and_attached(void **state)
{
	struct flux_region *maker = must_open("a", CREATE, 0), *other = must_open("a", ATTACH, 0);
	struct flux_region_info mine = regions_info(maker), its = regions_info(other);
	char *data = flux_region_data(maker);

	(void)state;
	for (int i = 0; i < 10000; i++)
		assert_int_equal(data[i], 0);
	strcpy(data + 9000, "hello");
	assert_string_equal((char *)flux_region_data(other) + 9000, "hello");
	assert_int_equal((uintptr_t)data % 4096, 0);

	assert_int_equal(mine.state, FLUX_REGION_IS_CREATED | FLUX_REGION_IS_OWNER);
	assert_int_equal(its.state, 0);
	assert_int_equal(its.bytes, 10000);
	assert_int_equal(its.mapped_bytes, mine.mapped_bytes);
	assert_int_equal(its.incarnation, mine.incarnation);
	assert_int_not_equal(mine.incarnation, 0);
	assert_int_equal(its.kind, TEST_KIND);
	assert_int_equal(its.kind_version, TEST_VERSION);
	assert_true(flux_region_fd(other) >= 0);

	assert_int_not_equal(mine.member, its.member);
	assert_true(mine.member > 0 && its.member > 0);
	assert_int_equal(flux_region_member_alive(maker, FLUX_REGION_OWNER), 1);
	assert_int_equal(flux_region_member_alive(other, FLUX_REGION_OWNER), 1);
	assert_int_equal(flux_region_member_alive(maker, mine.member), 1);
	assert_int_equal(flux_region_member_alive(maker, its.member), 1);
	assert_int_equal(flux_region_member_alive(other, mine.member), 1);
	assert_int_equal(flux_region_member_alive(other, UINT32_C(1) << 30), FLUX_EINVAL);
	flux_region_close(other);
	assert_int_equal(flux_region_member_alive(maker, its.member), 0);
	assert_int_equal(flux_region_replaced(maker), 0);
	flux_region_close(maker);
	assert_int_equal(regions_count_files(), 0);
}

static void the_owner_leaves_first(void **state)
{
	struct flux_region *maker = must_open("a", CREATE, 0), *other = must_open("a", ATTACH, 0);

	(void)state;
	flux_region_close(maker);
	assert_int_equal(flux_region_replaced(other), 1);
	assert_int_equal(flux_region_member_alive(other, FLUX_REGION_OWNER), 0);
	memset(flux_region_data(other), 1, 10000);
	flux_region_close(other);
	must_fail("a", ATTACH, 0, -ENOENT, "\"a\"");
}

static void kept(void **state)
{
	struct flux_region *region = must_open("a", CREATE, FLUX_REGION_KEEP);

	(void)state;
	strcpy(flux_region_data(region), "left");
	flux_region_close(region);
	region = must_open("a", ATTACH, 0);
	assert_string_equal(flux_region_data(region), "left");
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), 0);
	flux_region_close(region);
	assert_int_equal(regions_count_files(), 1);
	/* Nobody has it open: it is made anew. */
	region = must_open("a", CREATE, 0);
	assert_string_equal(flux_region_data(region), "");
	flux_region_close(region);
	assert_int_equal(regions_count_files(), 0);
}

static void one_owner(void **state)
{
	struct flux_region *first, *second, *third;

	(void)state;
	first = must_open("a", JOIN, 0);
	must_fail("a", CREATE, 0, FLUX_EEXIST, "living");
	second = must_open("a", JOIN, 0);
	assert_int_equal(regions_info(first).state, FLUX_REGION_IS_CREATED | FLUX_REGION_IS_OWNER);
	assert_int_equal(regions_info(second).state, 0);
	assert_int_equal(regions_info(first).incarnation, regions_info(second).incarnation);
	flux_region_close(first);

	/* The name went with the owner: the next is another. */
	third = must_open("a", JOIN, 0);
	assert_int_not_equal(regions_info(second).incarnation, regions_info(third).incarnation);
	assert_int_equal(flux_region_replaced(second), 1);
	assert_int_equal(flux_region_replaced(third), 0);
	flux_region_close(second);
	flux_region_close(third);
	assert_int_equal(regions_count_files(), 0);
}

/* An owner that keeps the file leaves it to the members: one of the next becomes its owner. */
static void an_owner_follows(void **state)
{
	struct flux_region *first = must_open("a", CREATE, FLUX_REGION_KEEP), *second, *third;

	(void)state;
	second = must_open("a", ATTACH, 0);
	flux_region_close(first);
	assert_int_equal(flux_region_member_alive(second, FLUX_REGION_OWNER), 0);
	third = must_open("a", JOIN, 0);
	assert_int_equal(regions_info(third).state, FLUX_REGION_IS_OWNER);
	assert_int_equal(flux_region_member_alive(second, FLUX_REGION_OWNER), 1);
	flux_region_close(second);
	flux_region_close(third);
	assert_int_equal(regions_count_files(), 0);
}

static void read_only(void **state)
{
	struct flux_region *maker = must_open("a", CREATE, FLUX_REGION_KEEP), *reader;
	struct flux_region_info info;

	(void)state;
	reader = must_open("a", ATTACH, FLUX_REGION_READ_ONLY);
	info = regions_info(reader);
	assert_int_equal(info.state, FLUX_REGION_IS_READ_ONLY);
	assert_int_equal(info.member, 0);
	strcpy(flux_region_data(maker), "seen");
	assert_string_equal(flux_region_data(reader), "seen");
	/* Not even by force: its file is open for reading only. */
	assert_int_equal(mprotect(flux_region_data(reader), 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(flux_region_member_alive(reader, FLUX_REGION_OWNER), 1);
	flux_region_close(maker);
	/* A reader keeps nothing alive. */
	assert_int_equal(flux_region_member_alive(reader, FLUX_REGION_OWNER), 0);
	maker = must_open("a", JOIN, 0);
	assert_int_equal(regions_info(maker).state, FLUX_REGION_IS_CREATED | FLUX_REGION_IS_OWNER);
	assert_int_equal(flux_region_replaced(reader), 1);
	flux_region_close(reader);
	flux_region_close(maker);
}

static void pages_of_files(void **state)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", CREATE);
	struct flux_region *region, *other;

	(void)state;
	cfg.prefault = FLUX_WANT_REQUIRE;
	cfg.huge = FLUX_WANT_TRY;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_true(regions_info(region).state & FLUX_REGION_IS_PREFAULTED);
	assert_int_equal(regions_info(region).warnings, 1);
	assert_non_null(strstr(flux_region_report(region), "hugetlbfs"));
	cfg = regions_file_cfg("a", ATTACH);
	cfg.prefault = FLUX_WANT_REQUIRE;
	cfg.flags = FLUX_REGION_READ_ONLY;
	assert_int_equal(flux_region_open(&other, &cfg, regions_why), 0);
	assert_true(regions_info(other).state & FLUX_REGION_IS_PREFAULTED);
	flux_region_close(other);
	flux_region_close(region);
	cfg = regions_file_cfg("a", CREATE);
	cfg.huge = FLUX_WANT_REQUIRE;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), FLUX_ENOTSUP);
	assert_non_null(strstr(regions_why, "mount -t hugetlbfs"));
	assert_int_equal(regions_count_files(), 0);
}

static void test_M07_an_allocation_fails(void **state)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", CREATE);
	struct flux_region *region = NULL;
	struct faultmem fm;

	(void)state;
	faultmem_init(&fm, 1);
	cfg.mem = &fm.mem;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), FLUX_ENOMEM);
	assert_int_equal(regions_count_files(), 0);
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_int_equal(fm.live_blocks, 1);
	flux_region_close(region);
	assert_int_equal(fm.live_blocks, 0);
	assert_int_equal(fm.calls, 2);
}

/* ---- Names ---- */

static void names(void **state)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", CREATE);
	struct flux_region *region, *other;
	char longer[300], here[512];

	(void)state;
	must_fail(".", CREATE, 0, FLUX_EINVAL, "names no file");
	must_fail("..", CREATE, 0, FLUX_EINVAL, "names no file");
	must_fail("/tmp/", CREATE, 0, FLUX_EINVAL, "names no file");
	must_fail("/no-such-directory/x", CREATE, 0, -ENOENT, "/no-such-directory");
	must_fail("/no-such-file", ATTACH, 0, -ENOENT, "no-such-file");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	must_fail(longer, CREATE, 0, -ENAMETOOLONG, "too long");
	longer[255] = '\0';
	flux_region_close(must_open(longer, CREATE, 0));

	/* A relative path goes by where we are when it is opened, and is found again at the end. */
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(regions_dir()), 0);
	cfg.dir = "/no-such-directory";
	cfg.name = "./a";
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_int_equal(chdir("/"), 0);
	other = must_open(regions_path("a"), ATTACH, 0);
	assert_int_equal(flux_region_replaced(region), 0);
	flux_region_close(other);
	flux_region_close(region);
	assert_int_equal(regions_count_files(), 0);
	assert_int_equal(chdir(here), 0);
}

static void in_dev_shm(void **state)
{
	struct flux_region_cfg cfg = regions_file_cfg(NULL, CREATE);
	struct flux_region *region;
	char name[64], path[80];

	(void)state;
	if (access("/dev/shm", W_OK) < 0) {
		print_message("# /dev/shm cannot be written here\n");
		skip();
	}
	snprintf(name, sizeof(name), "flux-test-%d", (int)getpid());
	snprintf(path, sizeof(path), "/dev/shm/%s", name);
	cfg.dir = NULL;
	cfg.name = name;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_int_equal(access(path, F_OK), 0);
	flux_region_close(region);
	assert_int_equal(access(path, F_OK), -1);
}

static int limited(void *arg)
{
	struct rlimit lim = { 4096, 4096 };
	int rc;

	(void)arg;
	CHECK(setrlimit(RLIMIT_FSIZE, &lim) == 0);
	CHECK(regions_open("a", CREATE, 0, &rc) == NULL);
	CHECK(rc == -EFBIG);
	CHECK(strstr(regions_why, "RLIMIT_FSIZE"));
	return 0;
}

static void a_file_size_limit_is_no_signal(void **state)
{
	(void)state;
	assert_int_equal(child_run(limited, NULL), 0);
	assert_int_equal(regions_count_files(), 0);
}

/* ---- Safety ---- */

static void test_X09_modes_whatever_the_umask(void **state)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", CREATE);
	mode_t before = umask(0);
	struct flux_region *region = must_open("a", CREATE, 0);

	(void)state;
	assert_int_equal(mode_of("a"), 0600);
	flux_region_close(region);
	umask(0777);
	cfg.mode = 0660;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_int_equal(mode_of("a"), 0660);
	flux_region_close(region);
	umask(before);
}

static void test_X09_no_symbolic_link_is_followed(void **state)
{
	struct flux_region *region = must_open("target", CREATE, 0);
	char target[512];

	(void)state;
	snprintf(target, sizeof(target), "%s", regions_path("target"));
	assert_int_equal(symlink(target, regions_path("link")), 0);
	assert_int_equal(symlink("/nowhere", regions_path("dangling")), 0);
	for (uint32_t open = CREATE; open <= JOIN; open++) {
		must_fail("link", open, 0, -ELOOP, "symbolic link");
		must_fail("dangling", open, 0, -ELOOP, "symbolic link");
	}
	must_fail("link", ATTACH, FLUX_REGION_READ_ONLY, -ELOOP, "symbolic link");
	flux_region_close(region);
	unlink(regions_path("link"));
	unlink(regions_path("dangling"));
	assert_int_equal(regions_count_files(), 0);
}

static void test_X09_files_that_are_not_ours(void **state)
{
	static const char text[] = "Dear diary, today I was nearly mapped and overwritten.";
	char back[sizeof(text)];
	int fd;

	(void)state;
	write_file("diary", text, sizeof(text), 0600);
	for (uint32_t open = CREATE; open <= JOIN; open++)
		must_fail("diary", open, 0, FLUX_EMAGIC, "region");
	fd = open(regions_path("diary"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, back, sizeof(back)), sizeof(text));
	assert_string_equal(back, text);
	close(fd);
	unlink(regions_path("diary"));

	assert_int_equal(mkdir(regions_path("dir"), 0700), 0);
	must_fail("dir", CREATE, 0, -EISDIR, "dir");
	must_fail("dir", ATTACH, 0, -EISDIR, "dir");
	must_fail("dir", ATTACH, FLUX_REGION_READ_ONLY, FLUX_EUNSAFE, "regular");
	rmdir(regions_path("dir"));

	assert_int_equal(mkfifo(regions_path("fifo"), 0600), 0);
	must_fail("fifo", CREATE, 0, FLUX_EUNSAFE, "regular");
	must_fail("fifo", ATTACH, FLUX_REGION_READ_ONLY, FLUX_EUNSAFE, "regular");
	unlink(regions_path("fifo"));
}

static void test_X09_writable_by_all(void **state)
{
	struct flux_region *region = must_open("a", CREATE, FLUX_REGION_KEEP);

	(void)state;
	flux_region_close(region);
	assert_int_equal(chmod(regions_path("a"), 0602), 0);
	for (uint32_t open = CREATE; open <= JOIN; open++)
		must_fail("a", open, 0, FLUX_EUNSAFE, "writable by everybody");
	must_fail("a", ATTACH, FLUX_REGION_ANY_OWNER, FLUX_EUNSAFE, "writable by everybody");
	assert_int_equal(chmod(regions_path("a"), 0600), 0);
	flux_region_close(must_open("a", CREATE, 0));
}

static void test_X09_another_owner(void **state)
{
	struct flux_region *region;

	(void)state;
	if (geteuid() != 0) {
		print_message("# only root can give a file away\n");
		skip();
	}
	region = must_open("a", CREATE, FLUX_REGION_KEEP);
	flux_region_close(region);
	assert_int_equal(chown(regions_path("a"), 65534, 65534), 0);
	for (uint32_t open = CREATE; open <= JOIN; open++)
		must_fail("a", open, 0, FLUX_EUNSAFE, "belongs to user 65534");
	flux_region_close(must_open("a", ATTACH, FLUX_REGION_ANY_OWNER));
	unlink(regions_path("a"));
}

static void test_R06_what_a_crash_may_leave(void **state)
{
	static const char zeros[5000];
	static const struct {
		const char *text;
		size_t len;
	} remains[] = { { zeros, 0 }, { zeros, 100 }, { zeros, 4096 }, { zeros, 5000 }, { "FLUXREGN", 8 } };

	(void)state;
	for (size_t i = 0; i < sizeof(remains) / sizeof(remains[0]); i++) {
		write_file("a", remains[i].text, remains[i].len, 0600);
		must_fail("a", ATTACH, 0, remains[i].len < 4096 && (i == 4 || remains[i].len < 8) ? FLUX_ETRUNCATED : FLUX_EMAGIC,
			  "");
		flux_region_close(must_open("a", i % 2 ? JOIN : CREATE, 0));
		assert_int_equal(regions_count_files(), 0);
	}
}

static int make_dir(void **state)
{
	(void)state;
	return regions_dir() ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	regions_remove_dir();
	return 0;
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(created_and_attached),
		WITH_DIR(the_owner_leaves_first),
		WITH_DIR(kept),
		WITH_DIR(one_owner),
		WITH_DIR(an_owner_follows),
		WITH_DIR(read_only),
		WITH_DIR(pages_of_files),
		WITH_DIR(test_M07_an_allocation_fails),
		WITH_DIR(names),
		WITH_DIR(in_dev_shm),
		WITH_DIR(a_file_size_limit_is_no_signal),
		WITH_DIR(test_X09_modes_whatever_the_umask),
		WITH_DIR(test_X09_no_symbolic_link_is_followed),
		WITH_DIR(test_X09_files_that_are_not_ours),
		WITH_DIR(test_X09_writable_by_all),
		WITH_DIR(test_X09_another_owner),
		WITH_DIR(test_R06_what_a_crash_may_leave),
	};

	return cmocka_run_group_tests_name("sys/region_file", tests, NULL, NULL);
}
