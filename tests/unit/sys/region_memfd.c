/* SPDX-License-Identifier: MIT */
/* Regions without a name: their seals, and the way over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/lib/child.h"
#include "tests/lib/regions.h"

static int pair[2];

static struct flux_region_cfg memfd_cfg(uint32_t open, uint32_t flags)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;

	cfg.backing = FLUX_REGION_MEMFD;
	cfg.open = open;
	cfg.flags = flags;
	cfg.bytes = open == FLUX_REGION_CREATE ? 10000 : 0;
	cfg.kind = TEST_KIND;
	cfg.kind_version = TEST_VERSION;
	return cfg;
}

static struct flux_region *create(uint32_t flags)
{
	struct flux_region_cfg cfg = memfd_cfg(FLUX_REGION_CREATE, flags);
	struct flux_region *region;

	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	return region;
}

static struct flux_region *receive(uint32_t flags, int code, const char *words)
{
	struct flux_region_cfg cfg = memfd_cfg(FLUX_REGION_ATTACH, flags);
	struct flux_region *region = NULL;
	int rc = flux_region_receive(&region, pair[1], &cfg, regions_why);

	if (rc != code || !strstr(regions_why, words))
		fail_msg("%d instead of %d, \"%s\" has no \"%s\"", rc, code, regions_why, words);
	return region;
}

/* What no library of ours sends: `len` bytes and `fds` times the same fd. */
static void send_raw(const char *bytes, size_t len, int fd, size_t fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fds > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (size_t i = 0; i < fds; i++)
			memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(pair[0], &msg, MSG_NOSIGNAL), len);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void passed(void **state)
{
	struct flux_region *maker = create(0), *other;

	(void)state;
	assert_int_equal(flux_region_send(maker, pair[0], regions_why), 0);
	other = receive(0, 0, "");
	strcpy(flux_region_data(other), "back");
	assert_string_equal(flux_region_data(maker), "back");
	assert_int_equal(regions_info(maker).state, FLUX_REGION_IS_CREATED | FLUX_REGION_IS_OWNER);
	assert_int_equal(regions_info(other).state, 0);
	assert_int_equal(regions_info(other).incarnation, regions_info(maker).incarnation);
	assert_int_equal(regions_info(other).bytes, 10000);
	assert_int_equal(flux_region_replaced(other), FLUX_ENOTSUP);

	/* Each one's life shows by itself, though both look at one file. */
	assert_int_equal(flux_region_member_alive(other, FLUX_REGION_OWNER), 1);
	assert_int_equal(flux_region_member_alive(maker, regions_info(other).member), 1);
	assert_int_equal(flux_region_member_alive(other, regions_info(maker).member), 1);
	flux_region_close(maker);
	assert_int_equal(flux_region_member_alive(other, FLUX_REGION_OWNER), 0);
	assert_string_equal(flux_region_data(other), "back");
	/* Any holder may pass it on. */
	assert_int_equal(flux_region_send(other, pair[0], regions_why), 0);
	maker = receive(0, 0, "");
	flux_region_close(other);
	assert_string_equal(flux_region_data(maker), "back");
	flux_region_close(maker);
}

static void sealed(void **state)
{
	struct flux_region *region = create(0);
	int fd = flux_region_fd(region);

	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	flux_region_close(region);
}

static void read_only_peers(void **state)
{
	struct flux_region *maker = create(FLUX_REGION_READ_ONLY_PEERS), *reader;

	(void)state;
	assert_int_equal(flux_region_send(maker, pair[0], regions_why), 0);
	receive(0, FLUX_EPERM, "FLUX_REGION_READ_ONLY");
	assert_int_equal(flux_region_send(maker, pair[0], regions_why), 0);
	reader = receive(FLUX_REGION_READ_ONLY, 0, "");
	assert_int_equal(regions_info(reader).state, FLUX_REGION_IS_READ_ONLY);
	strcpy(flux_region_data(maker), "seen");
	assert_string_equal(flux_region_data(reader), "seen");
	assert_int_equal(mprotect(flux_region_data(reader), 4096, PROT_READ | PROT_WRITE), -1);
	/* Nor by opening it anew: the seal is of the file. */
	assert_true(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, flux_region_fd(maker), 0) == MAP_FAILED);
	flux_region_close(reader);
	flux_region_close(maker);
}

static void what_is_no_region(void **state)
{
	int plain = memfd_create("plain", MFD_CLOEXEC | MFD_ALLOW_SEALING), before = count_fds();
	struct flux_region *region = create(0);

	(void)state;
	send_raw("FLUXREGN", 8, -1, 0);
	receive(0, FLUX_EPROTO, "no region");
	send_raw("anything", 8, flux_region_fd(region), 1);
	receive(0, FLUX_EPROTO, "no region");
	send_raw("FLUX", 4, flux_region_fd(region), 1);
	receive(0, FLUX_EPROTO, "no region");
	send_raw("FLUXREGN", 8, plain, 1);
	receive(0, FLUX_EUNSAFE, "F_SEAL_SHRINK");
	assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	send_raw("FLUXREGN", 8, plain, 1);
	receive(0, FLUX_ETRUNCATED, "cut");
	assert_int_equal(ftruncate(plain, 8192), 0);
	send_raw("FLUXREGN", 8, plain, 1);
	receive(0, FLUX_EMAGIC, "FLUXREGN");
	/* The pipe of a stranger has no seals at all. */
	send_raw("FLUXREGN", 8, STDOUT_FILENO, 1);
	receive(0, FLUX_EUNSAFE, "F_SEAL_SHRINK");
	/* More fds than one: none of the others stays with us. */
	send_raw("FLUXREGN", 8, plain, 4);
	receive(0, FLUX_EMAGIC, "");
	flux_region_close(region);
	assert_int_equal(count_fds(), before);
	close(plain);
}

static int without_an_fd_left(void *arg)
{
	struct flux_region_cfg cfg = memfd_cfg(FLUX_REGION_ATTACH, 0);
	struct flux_region *region = arg;
	struct rlimit lim;

	/* The lowest number that is free is the first that is not allowed. */
	CHECK(flux_region_send(region, pair[0], regions_why) == 0);
	lim.rlim_cur = lim.rlim_max = (rlim_t)dup(0);
	close((int)lim.rlim_cur);
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	CHECK(flux_region_receive(&region, pair[1], &cfg, regions_why) == -EMFILE);
	CHECK(strstr(regions_why, "ulimit -n"));
	return 0;
}

static int sender_without_an_fd(void *arg)
{
	struct flux_region_cfg cfg = memfd_cfg(FLUX_REGION_CREATE, 0);
	struct rlimit none = { 0, 0 };
	struct flux_region *region = arg;

	/* A handle that fork() gave us is of no use for this: one of our own. */
	CHECK(flux_region_send(region, pair[0], regions_why) == FLUX_ECLOSED);
	CHECK(flux_region_open(&region, &cfg, regions_why) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(flux_region_send(region, pair[0], regions_why) == -EMFILE);
	CHECK(strstr(regions_why, "/proc"));
	flux_region_close(region);
	CHECK(flux_region_open(&region, &cfg, regions_why) == -EMFILE);
	CHECK(strstr(regions_why, "memfd_create"));
	return 0;
}

static void need_the_fd_limit(void)
{
	if (child_instrumented() && !child_sanitized()) {
		print_message("# valgrind has a limit of fds of its own\n");
		skip();
	}
}

static void no_fd_left(void **state)
{
	struct flux_region *region;

	(void)state;
	need_the_fd_limit();
	region = create(0);
	assert_int_equal(child_run(sender_without_an_fd, region), 0);
	assert_int_equal(flux_region_send(region, pair[0], regions_why), 0);
	flux_region_close(receive(0, 0, ""));
	flux_region_close(region);
}

static int receive_without_an_fd(void *arg)
{
	struct flux_region *region = create(0);
	int rc = without_an_fd_left(region);

	(void)arg;
	flux_region_close(region);
	return rc;
}

static void no_fd_left_to_receive(void **state)
{
	(void)state;
	need_the_fd_limit();
	assert_int_equal(child_run(receive_without_an_fd, NULL), 0);
}

static void the_socket(void **state)
{
	struct flux_region_cfg cfg = memfd_cfg(FLUX_REGION_ATTACH, 0);
	struct flux_region *region = create(0);

	(void)state;
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	receive(0, FLUX_EAGAIN, "recvmsg");
	assert_int_equal(fcntl(pair[1], F_SETFL, 0), 0);
	assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
	receive(0, FLUX_ECLOSED, "closed");
	assert_int_equal(shutdown(pair[1], SHUT_RD), 0);
	assert_int_equal(flux_region_send(region, pair[0], regions_why), -EPIPE);
	assert_int_equal(flux_region_send(region, -1, regions_why), -EBADF);
	assert_int_equal(flux_region_receive(&region, -1, &cfg, regions_why), -EBADF);
	cfg.open = FLUX_REGION_CREATE;
	cfg.bytes = 1;
	assert_int_equal(flux_region_receive(&region, pair[1], &cfg, regions_why), FLUX_EINVAL);
	flux_region_close(region);

	cfg = (struct flux_region_cfg)FLUX_REGION_CFG_INIT;
	cfg.bytes = 1;
	assert_int_equal(flux_region_open(&region, &cfg, regions_why), 0);
	assert_int_equal(flux_region_send(region, pair[0], regions_why), FLUX_ENOTSUP);
	assert_int_equal(flux_region_send(region, pair[0], NULL), FLUX_ENOTSUP);
	flux_region_close(region);
}

static void wishes_of_the_receiver(void **state)
{
	struct flux_region_cfg cfg = memfd_cfg(FLUX_REGION_ATTACH, FLUX_REGION_NO_FORK | FLUX_REGION_NO_DUMP);
	struct flux_region *maker = create(0), *other;

	(void)state;
	cfg.prefault = FLUX_WANT_REQUIRE;
	cfg.bytes = 10000;
	assert_int_equal(flux_region_send(maker, pair[0], regions_why), 0);
	assert_int_equal(flux_region_receive(&other, pair[1], &cfg, regions_why), 0);
	assert_int_equal(regions_info(other).state, FLUX_REGION_IS_PREFAULTED);
	flux_region_close(other);
	cfg.bytes = 9999;
	assert_int_equal(flux_region_send(maker, pair[0], regions_why), 0);
	assert_int_equal(flux_region_receive(&other, pair[1], &cfg, regions_why), FLUX_ESIZE);
	flux_region_close(maker);
}

static int connect_stream(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static int connect_packets(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int hang_up(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

#define STREAM(test)  cmocka_unit_test_setup_teardown(test, connect_stream, hang_up)
#define PACKETS(test) cmocka_unit_test_setup_teardown(test, connect_packets, hang_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM(passed),
		PACKETS(passed),
		STREAM(sealed),
		STREAM(read_only_peers),
		STREAM(what_is_no_region),
		PACKETS(what_is_no_region),
		STREAM(no_fd_left),
		STREAM(no_fd_left_to_receive),
		PACKETS(no_fd_left_to_receive),
		STREAM(the_socket),
		STREAM(wishes_of_the_receiver),
	};

	return cmocka_run_group_tests_name("sys/region_memfd", tests, NULL, NULL);
}
