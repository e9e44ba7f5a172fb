/* SPDX-License-Identifier: MIT */
/*
 * The file of a ring: left by a crash, spoilt, too large for its file system, cut while others attach,
 * shared by two containers. What holds for every region is tested in region_*.c; this is about rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <flux/shared_ring.h>

#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#define CREATE 0u
#define ATTACH 1u
#define JOIN   2u

#define HEADER 4096 /* of the region, before the ring */

static char why[FLUX_WHY_TEXT];

static struct flux_ring_cfg shape(uint32_t capacity)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	cfg.capacity = capacity;
	cfg.slot = 8;
	cfg.writers = 2;
	return cfg;
}

static int open_ring(struct flux_shared_ring **shared, uint32_t open, uint32_t flags, uint32_t capacity)
{
	struct flux_region_cfg region = regions_file_cfg("ring", open);
	struct flux_ring_cfg cfg = shape(capacity);

	region.flags = flags;
	return flux_shared_ring_open(shared, &region, open == ATTACH ? NULL : &cfg, why);
}

/* ---- R06: a stale file ---- */

/* Takes every place that it can, claims, and waits for its death. */
static int user(struct child *own, void *arg)
{
	struct flux_shared_ring *shared;
	struct flux_ring_writer writer;
	struct flux_ring_reader reader;
	struct flux_ring_span span;

	(void)arg;
	CHECK(open_ring(&shared, JOIN, 0, 16) == 0);
	CHECK(flux_ring_reader_join(&reader, flux_shared_ring_ring(shared), NULL) == 0);
	CHECK(flux_ring_writer_open(&writer, flux_shared_ring_ring(shared), NULL) == 0);
	CHECK(flux_ring_claim(&writer, 3, &span) == 0);
	child_tell(own, 'r');
	return child_await(own) == 'x' ? 0 : 1;
}

/* A message from one end to the other, and a clean ring behind it. */
static void works(struct flux_shared_ring *shared)
{
	struct flux_ring *ring = flux_shared_ring_ring(shared);
	struct flux_ring_writer writer;
	struct flux_ring_reader reader;
	struct flux_ring_span span;

	assert_int_equal(flux_ring_reader_join(&reader, ring, NULL), 0);
	assert_int_equal(flux_ring_writer_open(&writer, ring, NULL), 0);
	assert_int_equal(flux_ring_claim(&writer, 1, &span), 0);
	memset(span.at[0], 7, 8);
	assert_int_equal(flux_ring_publish(&writer, 1), 0);
	assert_int_equal(flux_ring_peek(&reader, 1, &span), 1);
	assert_int_equal(*(const char *)span.at[0], 7);
	assert_int_equal(flux_ring_release(&reader, 1), 0);
	flux_ring_writer_close(&writer);
	flux_ring_reader_leave(&reader);
	assert_int_equal(flux_ring_check(ring, FLUX_RING_CHECK_STILL, NULL, NULL), FLUX_RING_CONSISTENT);
}

static void test_R06_killed_and_started_at_once(void **state)
{
	static const uint32_t ways[] = { JOIN, CREATE, ATTACH };

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		struct flux_shared_ring *shared;
		struct child child;

		child_start(&child, user, NULL);
		assert_int_equal(child_await(&child), 'r');
		child_kill(&child);
		/* Attaching finds the dead one's ring and goes on with it; the others start anew. */
		assert_int_equal(open_ring(&shared, ways[i % 3], 0, 16), 0);
		works(shared);
		flux_shared_ring_close(shared);
	}
}

/* A crash of the machine leaves any part of the file, the rest zeros or missing. */
static void test_R06_partly_written(void **state)
{
	struct flux_shared_ring *shared;
	struct stat st;
	char *whole;
	int fd;

	(void)state;
	assert_int_equal(open_ring(&shared, CREATE, FLUX_REGION_KEEP, 16), 0);
	flux_shared_ring_close(shared);
	fd = open(regions_path("ring"), O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	whole = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, whole, (size_t)st.st_size), st.st_size);
	close(fd);
	for (off_t kept = 0; kept < st.st_size; kept += kept < HEADER ? 512 : st.st_size / 8) {
		for (int zeros = 0; zeros < 2; zeros++) {
			unlink(regions_path("ring"));
			fd = open(regions_path("ring"), O_RDWR | O_CREAT, 0600);
			assert_int_equal(write(fd, whole, (size_t)kept), kept);
			assert_int_equal(ftruncate(fd, zeros ? st.st_size : kept), 0);
			close(fd);
			assert_int_equal(open_ring(&shared, kept % 1024 ? JOIN : CREATE, 0, 16), 0);
			works(shared);
			flux_shared_ring_close(shared);
		}
	}
	free(whole);
}

/* ---- R08, R06: no room ---- */

static int on_one_mib(void *arg)
{
	struct flux_shared_ring *shared, *hog;

	(void)arg;
	if (!child_mount(regions_dir(), "tmpfs", "size=1m,mode=0700"))
		return CHILD_SKIP;
	CHECK(open_ring(&shared, CREATE, 0, 1u << 18) == FLUX_ENOSPC);
	CHECK(strstr(why, "bytes needed") && strstr(why, "1048576 available"));
	CHECK(regions_count_files() == 0);
	/* Full, and then freed. */
	{
		struct flux_region_cfg region = regions_file_cfg("hog", CREATE);
		struct flux_ring_cfg cfg = shape(1u << 15);

		CHECK(flux_shared_ring_open(&hog, &region, &cfg, why) == 0);
	}
	CHECK(open_ring(&shared, JOIN, 0, 1u << 15) == FLUX_ENOSPC);
	flux_shared_ring_close(hog);
	CHECK(open_ring(&shared, JOIN, 0, 1u << 15) == 0);
	flux_shared_ring_close(shared);
	CHECK(regions_count_files() == 0);
	return 0;
}

static void test_R08_a_small_dev_shm(void **state)
{
	int status = child_run(on_one_mib, NULL);

	(void)state;
	if (status == CHILD_SKIP) {
		print_message("# no tmpfs can be mounted: not root\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- R09: another library made it ---- */

static void poke(off_t at, uint32_t value)
{
	int fd = open(regions_path("ring"), O_RDWR);

	assert_int_equal(pwrite(fd, &value, sizeof(value), at), sizeof(value));
	close(fd);
}

static void copy_file(char *to, size_t bytes)
{
	int fd = open(regions_path("ring"), O_RDONLY);

	assert_int_equal(read(fd, to, bytes), bytes);
	close(fd);
}

static void test_R09_every_word_of_the_ring_has_its_error(void **state)
{
	static const struct {
		off_t at;
		uint32_t value;
		int code;
	} words[] = {
		{ offsetof(struct flux_ring_head, magic), 1, FLUX_EMAGIC },
		{ offsetof(struct flux_ring_head, order), 0x04030201u, FLUX_EBYTEORDER },
		{ offsetof(struct flux_ring_head, layout), FLUX_RING_LAYOUT + 1, FLUX_ELAYOUT },
		{ offsetof(struct flux_ring_head, line), 64, FLUX_ELAYOUT },
		{ offsetof(struct flux_ring_head, slot), 16, FLUX_ESIZE },
		{ offsetof(struct flux_ring_head, capacity), 32, FLUX_ESIZE },
		{ offsetof(struct flux_ring_head, readers), 5, FLUX_ESIZE },
		{ offsetof(struct flux_ring_head, writers), 99, FLUX_ESIZE },
		{ offsetof(struct flux_ring_head, at_data), 8, FLUX_ESIZE },
	};
	static char before[HEADER + 8192], after[sizeof(before)];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct flux_shared_ring *shared;
		size_t bytes;

		assert_int_equal(open_ring(&shared, CREATE, FLUX_REGION_KEEP, 16), 0);
		bytes = HEADER + flux_region_bytes(flux_shared_ring_region(shared));
		assert_true(bytes <= sizeof(before));
		flux_shared_ring_close(shared);
		poke(HEADER + words[i].at, words[i].value);
		copy_file(before, bytes);
		assert_int_equal(open_ring(&shared, ATTACH, 0, 0), words[i].code);
		assert_int_equal(open_ring(&shared, ATTACH, FLUX_REGION_READ_ONLY, 0), words[i].code);
		assert_non_null(strstr(why, "no ring of ours"));
		copy_file(after, bytes);
		assert_memory_equal(before, after, bytes);
	}
}

/* ---- R10: cut while others attach ---- */

#define ROUNDS 10000

/* Creates, cuts and removes, until the other end is gone. */
static int vandal(struct child *own, void *arg)
{
	struct flux_shared_ring *shared;
	uint32_t i = 0;
	char c;

	(void)arg;
	fcntl(own->said, F_SETFL, O_NONBLOCK);
	child_tell(own, 'r');
	while (read(own->said, &c, 1) != 1) {
		if (open_ring(&shared, CREATE, 0, 16) < 0)
			continue;
		sched_yield();
		if (i++ % 2 && ftruncate(flux_region_fd(flux_shared_ring_region(shared)), 0) < 0)
			return 1;
		sched_yield();
		flux_shared_ring_close(shared);
	}
	return 0;
}

static int attacher(void *arg)
{
	uint32_t met[2] = { 0 };

	for (int i = 0; i < *(int *)arg || !met[0] || !met[1]; i++) {
		struct flux_shared_ring *shared = NULL;
		int rc = open_ring(&shared, ATTACH, i % 2 ? FLUX_REGION_READ_ONLY : 0, 0);

		if (rc != 0 && rc != -ENOENT && rc != FLUX_EAGAIN && rc != FLUX_ETRUNCATED && rc != FLUX_EMAGIC) {
			fprintf(stderr, "# round %d: %d, %s\n", i, rc, why);
			return 1;
		}
		met[rc == 0]++;
		flux_shared_ring_close(rc == 0 ? shared : NULL);
	}
	return 0;
}

static void test_R10_attaching_while_it_is_cut(void **state)
{
	int rounds = child_instrumented() ? ROUNDS / 20 : ROUNDS;
	struct child child;
	int status;

	(void)state;
	child_start(&child, vandal, NULL);
	assert_int_equal(child_await(&child), 'r');
	status = child_run(attacher, &rounds);
	child_tell(&child, 'x');
	assert_int_equal(child_join(&child), 0);
	assert_int_equal(status, 0);
}

/* ---- R22: containers ---- */

#define MESSAGES 100000u

static int sandboxed(struct child *own, int (*body)(struct child *own))
{
	pid_t pid;
	int status;

	if (unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS) < 0) {
		child_tell(own, 's');
		return CHILD_SKIP;
	}
	pid = fork();
	if (pid == 0)
		_exit(getpid() == 1 ? body(own) : 1);
	close(own->said);
	close(own->told);
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Sends numbers, then dies at the word with a claim open and its place taken. */
static int send_all(struct child *own)
{
	struct flux_shared_ring *shared;
	struct flux_ring_writer writer;
	struct flux_ring_span span;

	CHECK(open_ring(&shared, JOIN, FLUX_REGION_KEEP, 256) == 0);
	CHECK(flux_ring_writer_open(&writer, flux_shared_ring_ring(shared), NULL) == 0);
	child_tell(own, 'r');
	CHECK(child_await(own) == 'g');
	for (uint64_t i = 0; i < MESSAGES; i++) {
		CHECK(flux_ring_claim_wait(&writer, 1, &span, flux_wait_linux.now(NULL) + FLUX_S(60)) == 0);
		memcpy(span.at[0], &i, sizeof(i));
		CHECK(flux_ring_publish(&writer, 1) == 0);
	}
	CHECK(flux_ring_claim(&writer, 1, &span) == 0);
	child_tell(own, 'd');
	(void)child_await(own);
	_exit(0);
}

static uint32_t dead_parties(const struct flux_ring *ring)
{
	struct flux_ring_party party;
	uint32_t n = 0;

	for (int writers = 0; writers < 2; writers++)
		for (uint32_t i = 0; flux_ring_get_party(ring, writers, i, &party) == 0; i++)
			n += party.dead;
	return n;
}

/* Receives them all; sees the other alive until it is dead, and then within a second. */
static int receive_all(struct child *own)
{
	struct flux_shared_ring *shared;
	struct flux_ring_reader reader;
	struct flux_ring_span span;
	struct flux_ring_info info;
	struct flux_ring *ring;
	flux_ts since;

	CHECK(open_ring(&shared, JOIN, FLUX_REGION_KEEP, 256) == 0);
	ring = flux_shared_ring_ring(shared);
	CHECK(flux_ring_reader_join(&reader, ring, NULL) == 0);
	child_tell(own, 'r');
	for (uint64_t i = 0; i < MESSAGES; i++) {
		CHECK(flux_ring_peek_wait(&reader, 1, &span, flux_wait_linux.now(NULL) + FLUX_S(60)) == 1);
		CHECK(memcmp(span.at[0], &i, sizeof(i)) == 0);
		CHECK(flux_ring_release(&reader, 1) == 0);
	}
	CHECK(dead_parties(ring) == 0);
	child_tell(own, 'd');
	CHECK(child_await(own) == 'k');
	since = flux_wait_linux.now(NULL);
	do {
		CHECK(flux_ring_peek(&reader, 1, &span) == 0);
		flux_ring_get_info(ring, &info);
		CHECK(flux_wait_linux.now(NULL) - since < FLUX_S(child_instrumented() ? 20 : 1));
	} while (!info.died);
	CHECK(info.aborted == 1);
	flux_ring_reader_leave(&reader);
	CHECK(flux_ring_check(ring, 0, NULL, NULL) == FLUX_RING_CONSISTENT);
	flux_shared_ring_close(shared);
	return 0;
}

static int sender(struct child *own, void *arg)
{
	(void)arg;
	return sandboxed(own, send_all);
}

static int receiver(struct child *own, void *arg)
{
	(void)arg;
	return sandboxed(own, receive_all);
}

static void test_R22_two_sandboxes_share_a_directory(void **state)
{
	struct child from, to;
	int word;

	(void)state;
	child_start(&to, receiver, NULL);
	word = child_await(&to);
	if (word == 's') {
		child_join(&to);
		print_message("# no PID namespace can be made: not root\n");
		skip();
	}
	assert_int_equal(word, 'r');
	child_start(&from, sender, NULL);
	assert_int_equal(child_await(&from), 'r');
	child_tell(&from, 'g');
	assert_int_equal(child_await(&from), 'd');
	assert_int_equal(child_await(&to), 'd');
	/* It ends without leaving. */
	child_tell(&from, 'x');
	assert_int_equal(child_join(&from), 0);
	child_tell(&to, 'k');
	assert_int_equal(child_join(&to), 0);
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
		WITH_DIR(test_R06_killed_and_started_at_once),
		WITH_DIR(test_R06_partly_written),
		WITH_DIR(test_R08_a_small_dev_shm),
		WITH_DIR(test_R09_every_word_of_the_ring_has_its_error),
		WITH_DIR(test_R10_attaching_while_it_is_cut),
		WITH_DIR(test_R22_two_sandboxes_share_a_directory),
	};

	return cmocka_run_group_tests_name("process/ring_file", tests, NULL, NULL);
}
