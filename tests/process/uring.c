/* SPDX-License-Identifier: MIT */
/*
 * Processes over io_uring: killed in mid-flood, many with little memory to lock, those without its clock, and
 * those to whom it is refused, which do all that is asked of a loop by the other way.
 *
 *	uring [ROUNDS]	so many are killed, 50 by default
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include <flux/pub.h>
#include <flux/sub.h>
#include <flux/timer.h>
#include <flux/uring.h>

#include "tests/lib/child.h"

#define PROCESSES 20u

static uint32_t rounds = 50;

/* ---- A process that sends to itself, as fast as it can ---- */

/* Seen by both processes. */
struct board {
	_Atomic uint32_t received;
	uint16_t port;
};

struct flood {
	struct flux_uring_cfg cfg;
	struct board *board;
	struct flux_loop *loop;
	struct flux_pub *pub;
};

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct flood *flood = ctx;

	(void)sub;
	(void)sid;
	(void)msg;
	flood->board->received++;
	return FLUX_TAKE;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	static const char bytes[1000];

	(void)ctx;
	while (flux_pub_send(pub, bytes, sizeof(bytes)) == 0)
		;
}

static int open_flood(struct flood *flood)
{
	struct flux_binding_cfg in = FLUX_BINDING_CFG_INIT, out = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub = { .size = sizeof(sub), .on_message = on_message, .ctx = flood };
	struct flux_pub_cfg pub = { .size = sizeof(pub), .on_writable = on_writable, .ctx = flood };
	struct flux_binding *receiver, *sender;
	struct flux_sub *all;
	char local[FLUX_ADDR_TEXT];
	struct flux_addr addr;
	flux_sid sid;

	CHECK(flux_loop_open_uring(&flood->loop, &flood->cfg, NULL) == 0);
	in.local = "127.0.0.1:0";
	CHECK(flux_binding_open(&receiver, flood->loop, &in) == 0);
	CHECK(flux_sub_open(&all, receiver, 0, &sub) == 0);
	flux_binding_local(receiver, &addr);
	flood->board->port = addr.port;
	CHECK(flux_binding_open(&sender, flood->loop, &out) == 0);
	CHECK(flux_binding_connect(sender, flux_addr_format(&addr, local), &sid) == 0);
	CHECK(flux_pub_open(&flood->pub, sender, sid, &pub) == 0);
	on_writable(flood, flood->pub);
	return 0;
}

static int flood_until(struct flood *flood, uint32_t received)
{
	while (flood->board->received < received)
		CHECK(flux_loop_poll_uring(flood->loop, FLUX_NEVER) >= 0);
	return 0;
}

static struct board *open_board(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(board, MAP_FAILED);
	return board;
}

/* ---- Killed ---- */

static int flood_body(struct child *own, void *arg)
{
	struct flood *flood = arg;

	CHECK(open_flood(flood) == 0);
	child_tell(own, 'o');
	return flood_until(flood, UINT32_MAX);
}

/* Whether the port can be had, once the kernel has put away what the process had in flight. */
static bool port_comes_free(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	for (int i = 0; (rc = bind(fd, (struct sockaddr *)&sin, sizeof(sin))) < 0 && i < 10000; i++)
		poll(NULL, 0, 1); /* nobody tells when */
	close(fd);
	return rc == 0;
}

static void need_uring(void)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char why[FLUX_WHY_TEXT];
	struct flux_loop *loop;

	cfg.require = 1;
	if (flux_loop_open_uring(&loop, &cfg, why) < 0) {
		fprintf(stderr, "# %s\n", why);
		skip();
	}
	flux_loop_close(loop);
}

/* Each time it is gone, whatever was in flight, and nothing holds its port. */
static void i12_killed(void **state)
{
	struct flood flood = { FLUX_URING_CFG_INIT, open_board(), NULL, NULL };

	(void)state;
	need_uring();
	for (uint32_t i = 0; i < rounds; i++) {
		struct child child;

		flood.board->received = 0;
		flood.cfg.no_defer = i % 2;
		flood.cfg.zero_copy = i / 2 % 2;
		child_start(&child, flood_body, &flood);
		assert_int_equal(child_await(&child), 'o');
		while (flood.board->received < 1 + i * 997 % 5000)
			sched_yield();
		child_kill(&child); /* returns when it is gone */
		assert_true(port_comes_free(flood.board->port));
	}
	munmap(flood.board, sizeof(*flood.board));
}

/* ---- Many, with 64 KiB of memory that may be locked, for all of a user's processes ---- */

static int memlock_body(struct child *own, void *arg)
{
	const struct rlimit limit = { 64 << 10, 64 << 10 };
	struct flood *flood = arg;

	CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	(void)child_drop_rights(); /* the limit is for those who lack them */
	flood->board = calloc(1, sizeof(*flood->board));
	CHECK(flood->board && open_flood(flood) == 0 && flood_until(flood, 1000) == 0);
	child_tell(own, 'd');
	(void)child_await(own);
	flux_loop_close(flood->loop);
	free(flood->board);
	return 0;
}

static void i02_memlock(void **state)
{
	struct flood flood = { FLUX_URING_CFG_INIT, NULL, NULL, NULL };
	struct child children[PROCESSES];

	(void)state;
	for (uint32_t i = 0; i < PROCESSES; i++)
		child_start(&children[i], memlock_body, &flood);
	for (uint32_t i = 0; i < PROCESSES; i++)
		assert_int_equal(child_await(&children[i]), 'd');
	for (uint32_t i = 0; i < PROCESSES; i++) {
		child_tell(&children[i], 'q');
		assert_int_equal(child_join(&children[i]), 0);
	}
}

/* ---- Time ---- */

/* Descriptors that are timers. */
static int count_timers(void)
{
	char path[64], target[64];
	int n = 0;

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target)) > 0 && strncmp(target, "anon_inode:[timerfd]", 20) == 0)
			n++;
	}
	return n;
}

static void on_due(void *ctx, struct flux_timer *timer)
{
	(void)timer;
	*(int *)ctx = 1;
}

/* The loop wakes for a deadline, by itself or with the help of so many descriptors. */
static int wake_in_time(int timers)
{
	struct flux_timer *timer;
	struct flux_loop *loop;
	int before = count_timers(), due = 0;
	flux_ts at;

	CHECK(flux_loop_open_uring(&loop, NULL, NULL) == 0 && flux_loop_is_uring(loop));
	CHECK(count_timers() == before + timers);
	CHECK(flux_timer_open(&timer, loop, on_due, &due) == 0);
	for (int i = 0; i < 3; i++) {
		at = flux_loop_now() + FLUX_MS(2);
		due = 0;
		flux_timer_set(timer, at);
		while (!due)
			CHECK(flux_loop_poll_uring(loop, FLUX_NEVER) >= 0);
		CHECK(flux_loop_now() >= at);
	}
	flux_loop_close(loop);
	CHECK(count_timers() == before);
	return 0;
}

#define REGISTER_CLOCK 29u

static int older_clock_body(void *arg)
{
	(void)arg;
	if (!child_forbid_argument(EINVAL, SYS_io_uring_register, 1, REGISTER_CLOCK))
		return CHILD_SKIP;
	return wake_in_time(1);
}

/* A wait is told by the clock of deadlines; before Linux 6.12, where it cannot be, a timerfd does it. */
static void i16_older_clock(void **state)
{
	int rc;

	(void)state;
	need_uring();
	rc = child_run(older_clock_body, NULL);
	if (rc == CHILD_SKIP)
		skip();
	assert_int_equal(rc, 0);
}

static int clock_body(void *arg)
{
	(void)arg;
	return wake_in_time(0);
}

static int has_clock(void *arg)
{
	const uint32_t clock[4] = { CLOCK_BOOTTIME };
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);

	(void)arg;
	return fd >= 0 && syscall(SYS_io_uring_register, fd, REGISTER_CLOCK, clock, 0) == 0;
}

static void time_of_its_own(void **state)
{
	(void)state;
	need_uring();
	if (child_run(has_clock, NULL) != 1)
		skip(); /* before Linux 6.12 */
	assert_int_equal(child_run(clock_body, NULL), 0);
}

/* ---- Refused ---- */

struct refused {
	const char *program;
	int error;
};

static int refused_body(void *arg)
{
	const struct refused *r = arg;

	if (access(r->program, X_OK) < 0) {
		fprintf(stderr, "# %s: not built, or not here\n", r->program);
		return CHILD_SKIP;
	}
	if (!child_forbid(r->error, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, -1))
		return CHILD_SKIP;
	CHECK(setenv("FLUX_TEST_ADAPTER", "io_uring", 1) == 0);
	CHECK(dup2(STDERR_FILENO, STDOUT_FILENO) >= 0); /* its report is not ours */
	execl(r->program, r->program, (char *)NULL);
	CHECK(!"started");
	return 0;
}

/* What every loop is asked to do, by a loop over io_uring where there is none. */
static void i01_refused(void **state)
{
	static const struct refused list[] = {
		{ "tests/loop/transfer", EPERM },
		{ "tests/loop/transfer", ENOSYS },
		{ "tests/loop/closing", EPERM },
		{ "tests/loop/errors", ENOSYS },
		{ "tests/loop/kernel", EPERM },
		{ "tests/loop/udp", ENOSYS },
		{ "tests/loop/guests", EPERM },
		{ "tests/loop/feed", ENOSYS },
		{ "tests/loop/bridge", EPERM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		int rc = child_run(refused_body, (void *)(uintptr_t)&list[i]);

		if (rc == CHILD_SKIP)
			skip();
		assert_int_equal(rc, 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i12_killed),
		cmocka_unit_test(i02_memlock),
		cmocka_unit_test(i16_older_clock),
		cmocka_unit_test(time_of_its_own),
		cmocka_unit_test(i01_refused),
	};

	if (argc > 1)
		rounds = (uint32_t)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
