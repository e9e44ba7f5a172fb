/* SPDX-License-Identifier: MIT */
/*
 * Shared regions when processes die: who is seen to live, what the next start finds, what a forked child
 * keeps. A process is killed when it has said that it is ready, and is gone when the test goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/lib/child.h"
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

/* Open "a" in the way of *arg, show the number of the member in it, and live until killed. */
static int holder(struct child *own, void *arg)
{
	int rc;
	struct flux_region *region = regions_open("a", *(uint32_t *)arg, 0, &rc);

	if (!region) {
		child_tell(own, 'f');
		return 1;
	}
	*(uint32_t *)flux_region_data(region) = regions_info(region).member;
	child_tell(own, 'r');
	child_await(own);
	flux_region_close(region);
	return 0;
}

static struct child start_holder(uint32_t open)
{
	struct child child;

	child_start(&child, holder, &open);
	assert_int_equal(child_await(&child), 'r');
	return child;
}

/* ---- R06: starting again ---- */

static void test_R06_a_killed_owner_and_a_start_at_once(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct child child = start_holder(i % 2 ? CREATE : JOIN);
		struct flux_region *region;
		int rc;

		assert_null(regions_open("a", CREATE, 0, &rc));
		assert_int_equal(rc, FLUX_EEXIST);
		child_kill(&child);
		region = must_open("a", CREATE, FLUX_REGION_KEEP);
		assert_int_equal(*(uint32_t *)flux_region_data(region), 0);
		assert_int_not_equal(regions_info(region).incarnation, last);
		last = regions_info(region).incarnation;
		flux_region_close(region);
	}
	assert_int_equal(regions_count_files(), 1);
}

static void test_R06_a_time_in_the_future_means_nothing(void **state)
{
	struct timespec times[2] = { { .tv_sec = 4102444800 }, { .tv_sec = 4102444800 } };
	struct child child = start_holder(CREATE);
	struct flux_region *region;
	int rc;

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, regions_path("a"), times, 0), 0);
	assert_null(regions_open("a", CREATE, 0, &rc));
	assert_int_equal(rc, FLUX_EEXIST);
	child_kill(&child);
	region = must_open("a", CREATE, 0);
	flux_region_close(region);
}

/* Who reads a dead process's file sees what it wrote. */
static void a_dead_ones_file_is_read(void **state)
{
	struct child child = start_holder(CREATE);
	struct flux_region *region;
	uint32_t member;

	(void)state;
	child_kill(&child);
	region = must_open("a", ATTACH, FLUX_REGION_READ_ONLY);
	member = *(uint32_t *)flux_region_data(region);
	assert_int_not_equal(member, 0);
	assert_int_equal(flux_region_member_alive(region, member), 0);
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), 0);
	flux_region_close(region);
}

/* ---- Life and death ---- */

static void members_live_and_die(void **state)
{
	struct flux_region *region = must_open("a", CREATE, 0);
	uint32_t *cell = flux_region_data(region), first, second;
	struct child child = start_holder(ATTACH);

	(void)state;
	first = *cell;
	assert_int_equal(flux_region_member_alive(region, first), 1);
	/* A stopped process lives. */
	kill(child.pid, SIGSTOP);
	assert_int_equal(flux_region_member_alive(region, first), 1);
	kill(child.pid, SIGCONT);
	child_kill(&child);
	assert_int_equal(flux_region_member_alive(region, first), 0);

	/* One that comes back is another. */
	child = start_holder(ATTACH);
	second = *cell;
	assert_int_not_equal(first, second);
	assert_int_equal(flux_region_member_alive(region, first), 0);
	assert_int_equal(flux_region_member_alive(region, second), 1);
	child_tell(&child, 'x');
	assert_int_equal(child_join(&child), 0);
	assert_int_equal(flux_region_member_alive(region, second), 0);
	flux_region_close(region);
}

/* The owner dies, another lives: joining meets it, and only creating replaces. */
static void an_owner_dies_among_others(void **state)
{
	struct child owner = start_holder(CREATE), member = start_holder(ATTACH);
	struct flux_region *joined, *made;

	(void)state;
	child_kill(&owner);
	joined = must_open("a", JOIN, 0);
	assert_int_equal(regions_info(joined).state, FLUX_REGION_IS_OWNER);
	assert_int_equal(flux_region_member_alive(joined, *(uint32_t *)flux_region_data(joined)), 1);
	flux_region_close(joined);

	child_kill(&member);
	owner = start_holder(CREATE);
	member = start_holder(ATTACH);
	child_kill(&owner);
	joined = must_open("a", ATTACH, 0);
	made = must_open("a", CREATE, 0);
	assert_int_not_equal(regions_info(joined).incarnation, regions_info(made).incarnation);
	assert_int_equal(flux_region_replaced(joined), 1);
	assert_int_equal(flux_region_replaced(made), 0);
	/* Those of the old one still have each other. */
	assert_int_equal(flux_region_member_alive(joined, *(uint32_t *)flux_region_data(joined)), 1);
	flux_region_close(made);
	flux_region_close(joined);
	child_kill(&member);
}

/* ---- fork() ---- */

static int every_call_once(void *arg)
{
	struct flux_region *region = arg;
	struct flux_region_info info = regions_info(region);

	CHECK(info.state & FLUX_REGION_IS_FORKED);
	CHECK(flux_region_fd(region) == -1);
	CHECK(flux_region_member_alive(region, FLUX_REGION_OWNER) == FLUX_ECLOSED);
	CHECK(flux_region_member_alive(region, info.member) == FLUX_ECLOSED);
	CHECK(flux_region_replaced(region) == FLUX_ECLOSED);
	CHECK(flux_region_send(region, 0, regions_why) == FLUX_ECLOSED);
	CHECK(strcmp(flux_region_report(region), "") == 0);
	CHECK(flux_region_bytes(region) == 10000);
	CHECK(strcmp(flux_region_data(region), "parent") == 0);
	flux_region_close(region);
	return 0;
}

static void test_R25_a_forked_child_harms_nothing(void **state)
{
	struct flux_region *region = must_open("a", CREATE, 0);

	(void)state;
	strcpy(flux_region_data(region), "parent");
	assert_int_equal(child_run(every_call_once, region), 0);
	assert_int_equal(regions_count_files(), 1);
	assert_string_equal(flux_region_data(region), "parent");
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), 1);
	flux_region_close(region);
	assert_int_equal(regions_count_files(), 0);
}

/* Open it, leave a child behind that goes on, and die; the grandchild's pid is in the region. */
static int parent_of_a_survivor(struct child *own, void *arg)
{
	int rc;
	struct flux_region *region = regions_open("a", CREATE, 0, &rc);
	pid_t pid;

	(void)arg;
	if (!region)
		return 1;
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		*(pid_t *)flux_region_data(region) = 0; /* its own copy: nobody sees that */
		child_tell(own, 'c');
		alarm(60); /* should the test end before it kills us */
		for (;;)
			pause();
	}
	*(pid_t *)flux_region_data(region) = pid;
	child_tell(own, 'r');
	for (;;)
		pause();
}

static void a_child_without_exec_keeps_nothing_alive(void **state)
{
	struct child child;
	struct flux_region *region;
	pid_t survivor;

	(void)state;
	child_start(&child, parent_of_a_survivor, NULL);
	/* One of each, in any order: both are as far as that. */
	assert_int_equal(child_await(&child) + child_await(&child), 'r' + 'c');
	region = must_open("a", ATTACH, 0);
	survivor = *(pid_t *)flux_region_data(region);
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), 1);
	child_kill(&child);
	assert_int_equal(kill(survivor, 0), 0);
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), 0);
	flux_region_close(region);
	flux_region_close(must_open("a", CREATE, 0));
	kill(survivor, SIGKILL);
}

#define OPENERS  3
#define CHILDREN 40

static bool enough;

static void *open_and_close(void *arg)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		struct flux_region_cfg cfg = regions_file_cfg(arg, CREATE);
		struct flux_region *region;
		char why[FLUX_WHY_TEXT];

		cfg.flags = FLUX_REGION_KEEP;
		if (flux_region_open(&region, &cfg, why) < 0) {
			fprintf(stderr, "# %s\n", why);
			return arg;
		}
		flux_region_close(region);
	}
	return NULL;
}

/* At whatever moment of an opening thread a child is born, no lock is left in it. */
static void children_born_while_others_open(void **state)
{
	static char names[OPENERS][2] = { "a", "b", "c" };
	pthread_t threads[OPENERS];
	pid_t children[CHILDREN];
	void *failed;

	(void)state;
	__atomic_store_n(&enough, false, __ATOMIC_RELAXED);
	for (int i = 0; i < OPENERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, names[i]), 0);
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			alarm(60);
			for (;;)
				pause();
		}
		sched_yield();
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	for (int i = 0; i < OPENERS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	for (int i = 0; i < OPENERS; i++)
		flux_region_close(must_open(names[i], CREATE, 0));
	for (int i = 0; i < CHILDREN; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	assert_int_equal(regions_count_files(), 0);
}

/* ---- memfd between processes ---- */

static int socket_of_child;

static int receiver(struct child *own, void *arg)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;

	if (arg && !child_drop_rights())
		return 1;
	cfg.backing = FLUX_REGION_MEMFD;
	cfg.open = FLUX_REGION_ATTACH;
	if (flux_region_receive(&region, socket_of_child, &cfg, regions_why) != 0) {
		fprintf(stderr, "# %s\n", regions_why);
		return 1;
	}
	strcpy((char *)flux_region_data(region) + 8, "hello");
	*(uint32_t *)flux_region_data(region) = regions_info(region).member;
	child_tell(own, 'r');
	for (;;)
		pause();
}

/* `stranger`: to a process of another user. */
static void cross(const char *stranger)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;
	struct child child;
	uint32_t member;
	int pair[2];

	cfg.backing = FLUX_REGION_MEMFD;
	cfg.bytes = 10000;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	socket_of_child = pair[1];
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	child_start(&child, receiver, (void *)(uintptr_t)stranger);
	assert_int_equal(flux_region_send(region, pair[0], regions_why), 0);
	assert_int_equal(child_await(&child), 'r');
	member = *(uint32_t *)flux_region_data(region);
	assert_string_equal((char *)flux_region_data(region) + 8, "hello");
	assert_int_equal(flux_region_member_alive(region, member), 1);
	child_kill(&child);
	assert_int_equal(flux_region_member_alive(region, member), 0);
	flux_region_close(region);
	close(pair[0]);
	close(pair[1]);
}

static void a_memfd_crosses_to_another_process(void **state)
{
	(void)state;
	cross(NULL);
}

static void a_memfd_crosses_to_another_user(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("# only root can become another user\n");
		skip();
	}
	cross("nobody");
}

/* ---- R22: containers ---- */

/* A process in namespaces of its own, where it is number 1 and sees no other /dev/shm. */
static int in_sandbox(struct child *own, void *arg)
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWPID | CLONE_NEWIPC) < 0) {
		child_tell(own, 's');
		return CHILD_SKIP;
	}
	pid = fork();
	if (pid == 0)
		_exit(getpid() == 1 ? holder(own, arg) : 1);
	/* Only the inner one may keep the pipes. */
	close(own->said);
	close(own->told);
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void test_R22_namespaces_that_share_a_directory(void **state)
{
	uint32_t create = CREATE, attach = ATTACH;
	struct child first, second;
	struct flux_region *region;
	uint32_t members[2];
	int word;

	(void)state;
	child_start(&first, in_sandbox, &create);
	word = child_await(&first);
	if (word == 's') {
		child_join(&first);
		print_message("# no PID namespace can be made: not root\n");
		skip();
	}
	assert_int_equal(word, 'r');
	region = must_open("a", ATTACH, 0);
	members[0] = *(uint32_t *)flux_region_data(region);
	child_start(&second, in_sandbox, &attach);
	assert_int_equal(child_await(&second), 'r');
	members[1] = *(uint32_t *)flux_region_data(region);
	/* Both are process 1 where they are; the locks tell them apart. */
	assert_int_equal(flux_region_member_alive(region, members[0]), 1);
	assert_int_equal(flux_region_member_alive(region, members[1]), 1);
	child_tell(&second, 'x');
	assert_int_equal(child_join(&second), 0);
	assert_int_equal(flux_region_member_alive(region, members[0]), 1);
	assert_int_equal(flux_region_member_alive(region, members[1]), 0);
	child_tell(&first, 'x');
	assert_int_equal(child_join(&first), 0);
	assert_int_equal(flux_region_member_alive(region, FLUX_REGION_OWNER), 0);
	flux_region_close(region);
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
		WITH_DIR(test_R06_a_killed_owner_and_a_start_at_once),
		WITH_DIR(test_R06_a_time_in_the_future_means_nothing),
		WITH_DIR(a_dead_ones_file_is_read),
		WITH_DIR(members_live_and_die),
		WITH_DIR(an_owner_dies_among_others),
		WITH_DIR(test_R25_a_forked_child_harms_nothing),
		WITH_DIR(a_child_without_exec_keeps_nothing_alive),
		WITH_DIR(children_born_while_others_open),
		cmocka_unit_test(a_memfd_crosses_to_another_process),
		cmocka_unit_test(a_memfd_crosses_to_another_user),
		WITH_DIR(test_R22_namespaces_that_share_a_directory),
	};

	return cmocka_run_group_tests_name("process/region_death", tests, NULL, NULL);
}
