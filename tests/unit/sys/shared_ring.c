/* SPDX-License-Identifier: MIT */
/* Rings in shared memory, between two handles as between two processes; tests/process/ has real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include <flux/shared_ring.h>

#include "tests/lib/child.h"
#include "tests/lib/faultmem.h"
#include "tests/lib/regions.h"

#define FLAGS (FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP)

static struct flux_shared_ring *a, *b;
static struct flux_ring_writer w, v;
static struct flux_ring_reader r;
static struct flux_ring_span span;
static char why[FLUX_WHY_TEXT];

static struct flux_ring_cfg ring_cfg(uint32_t flags, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	cfg.flags = flags;
	cfg.capacity = 16;
	cfg.slot = 8;
	cfg.writers = writers;
	return cfg;
}

static int open_file(struct flux_shared_ring **shared, uint32_t open, uint32_t flags,
		     const struct flux_ring_cfg *ring)
{
	struct flux_region_cfg cfg = regions_file_cfg("ring", open);

	cfg.flags = flags;
	return flux_shared_ring_open(shared, &cfg, ring, why);
}

static void open_both(uint32_t flags, uint32_t writers)
{
	struct flux_ring_cfg cfg = ring_cfg(flags, writers);

	assert_int_equal(open_file(&a, FLUX_REGION_CREATE, 0, &cfg), 0);
	assert_int_equal(open_file(&b, FLUX_REGION_ATTACH, 0, NULL), 0);
}

static int close_both(void **state)
{
	(void)state;
	flux_shared_ring_close(b);
	flux_shared_ring_close(a);
	a = b = NULL;
	return regions_count_files();
}

static void put(struct flux_ring_writer *writer, uint64_t value)
{
	void *item = flux_ring_claim_one(writer);

	assert_non_null(item);
	memcpy(item, &value, sizeof(value));
	assert_int_equal(flux_ring_publish(writer, 1), 0);
}

static uint64_t get(void)
{
	void *item = flux_ring_peek_one(&r);
	uint64_t value;

	if (!item)
		return UINT64_MAX;
	memcpy(&value, item, sizeof(value));
	assert_int_equal(flux_ring_release(&r, 1), 0);
	return value;
}

static void to_and_fro(void **state)
{
	(void)state;
	open_both(0, 1);
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(b), NULL), 0);
	assert_int_equal(flux_ring_writer_open(&w, flux_shared_ring_ring(a), NULL), 0);
	for (uint64_t i = 0; i < 100; i++) {
		put(&w, i);
		assert_int_equal(get(), i);
	}
	flux_ring_writer_close(&w);
	flux_ring_reader_leave(&r);
}

/* What is there must be what was asked for; the words say what differs. */
static void shapes_agree(void **state)
{
	struct flux_ring_cfg cfg = ring_cfg(0, 1);
	struct flux_region *region;
	int rc;

	(void)state;
	open_both(0, 1);
	cfg.slot = 16;
	assert_int_equal(open_file(&b, FLUX_REGION_CREATE_OR_ATTACH, 0, &cfg), FLUX_ESIZE);
	cfg = ring_cfg(FLUX_RING_SUMS, 1);
	assert_int_equal(open_file(&b, FLUX_REGION_ATTACH, 0, &cfg), FLUX_ESIZE);
	assert_non_null(strstr(why, "flags"));
	cfg = ring_cfg(0, 1);
	cfg.slot = 4;
	assert_int_equal(open_file(&b, FLUX_REGION_ATTACH, 0, &cfg), FLUX_ESIZE);
	assert_non_null(strstr(why, "slot 8"));
	cfg.capacity = 17;
	assert_int_equal(open_file(&b, FLUX_REGION_ATTACH, 0, &cfg), FLUX_EINVAL);
	assert_non_null(strstr(why, "power of two"));
	/* A region of something else. */
	region = regions_open("other", FLUX_REGION_CREATE, 0, &rc);
	assert_non_null(region);
	{
		struct flux_region_cfg other = regions_file_cfg("other", FLUX_REGION_ATTACH);
		struct flux_shared_ring *none;

		assert_int_equal(flux_shared_ring_open(&none, &other, NULL, why), FLUX_EKIND);
		other.backing = FLUX_REGION_ANON;
		assert_int_equal(flux_shared_ring_open(&none, &other, NULL, why), FLUX_EINVAL);
	}
	flux_region_close(region);
}

/* Who may only read looks on: no place, no gate, no effect. */
static void read_only(void **state)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_shared_ring *c;
	struct flux_ring_info info;
	uint64_t items[4], missed;

	(void)state;
	open_both(FLAGS, 1);
	assert_int_equal(open_file(&c, FLUX_REGION_ATTACH, FLUX_REGION_READ_ONLY, NULL), 0);
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(c), &cfg), FLUX_EPERM);
	assert_int_equal(flux_ring_writer_open(&v, flux_shared_ring_ring(c), NULL), FLUX_EPERM);
	assert_int_equal(flux_ring_tend(flux_shared_ring_ring(c)), FLUX_EPERM);
	cfg.flags = FLUX_READER_LOSSY;
	cfg.wait = FLUX_WAIT_BLOCK;
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(c), &cfg), FLUX_ENOTSUP);
	cfg.wait = FLUX_WAIT_SPIN;
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(c), &cfg), 0);
	assert_int_equal(flux_ring_writer_open(&w, flux_shared_ring_ring(a), NULL), 0);
	put(&w, 7);
	put(&w, 8);
	assert_int_equal(flux_ring_copy(&r, 4, items, &missed), 2);
	assert_int_equal(items[1], 8);
	assert_int_equal(missed, 0);
	flux_ring_get_info(flux_shared_ring_ring(c), &info);
	assert_int_equal(info.readers, 0);
	assert_int_equal(info.published, 2);
	flux_ring_reader_leave(&r);
	flux_shared_ring_close(c);
}

/* A handle that is closed without its parties having left is as a process that died. */
static void closed_is_dead(void **state)
{
	struct flux_ring_info info;

	(void)state;
	open_both(0, 2);
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(a), NULL), 0);
	assert_int_equal(flux_ring_writer_open(&w, flux_shared_ring_ring(a), NULL), 0);
	assert_int_equal(flux_ring_writer_open(&v, flux_shared_ring_ring(b), NULL), 0);
	assert_int_equal(flux_ring_claim(&v, 3, &span), 0);
	put(&w, 5);
	assert_int_equal(get(), UINT64_MAX);
	flux_shared_ring_close(b);
	b = NULL;
	assert_int_equal(flux_ring_tend(flux_shared_ring_ring(a)), 1);
	assert_int_equal(get(), 5);
	flux_ring_get_info(flux_shared_ring_ring(a), &info);
	assert_int_equal(info.aborted, 1);
	assert_int_equal(info.died, 1);
}

static bool readable(int fd)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	return poll(&poll_fd, 1, 0) == 1;
}

/* A descriptor that another process rings; its name goes with the ring's. */
static void doorbell(void **state)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct stat st;
	int fd;

	(void)state;
	open_both(FLAGS, 1);
	cfg.wait = FLUX_WAIT_FD;
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(b), &cfg), 0);
	assert_int_equal(flux_ring_writer_open(&w, flux_shared_ring_ring(a), NULL), 0);
	fd = flux_ring_reader_fd(&r);
	assert_int_equal(regions_count_files(), 2);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	for (uint64_t i = 0; i < 50; i++) {
		assert_int_equal(flux_ring_reader_arm(&r), 0);
		assert_false(readable(fd));
		put(&w, i);
		assert_true(readable(fd));
		flux_ring_reader_clear(&r);
		assert_false(readable(fd));
		assert_int_equal(get(), i);
	}
	flux_ring_reader_leave(&r);
}

static void by_socket(void **state)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_ring_reader_cfg rcfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_cfg ring = ring_cfg(FLAGS, 1);
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	cfg.backing = FLUX_REGION_MEMFD;
	assert_int_equal(flux_shared_ring_open(&a, &cfg, &ring, why), 0);
	assert_int_equal(flux_region_send(flux_shared_ring_region(a), ends[0], why), 0);
	cfg.open = FLUX_REGION_ATTACH;
	assert_int_equal(flux_shared_ring_receive(&b, ends[1], &cfg, why), 0);
	rcfg.wait = FLUX_WAIT_FD; /* no directory to have a bell in */
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(b), &rcfg), FLUX_ENOTSUP);
	rcfg.wait = FLUX_WAIT_BLOCK;
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(b), &rcfg), 0);
	assert_int_equal(flux_ring_writer_open(&w, flux_shared_ring_ring(a), NULL), 0);
	put(&w, 3);
	assert_int_equal(get(), 3);
	flux_ring_reader_leave(&r);
	close(ends[0]);
	close(ends[1]);
}

/* R25: what a forked child does with the handles concerns its own copy only, which is closed. */
static int use_all(void *arg)
{
	struct flux_ring_reader other;

	(void)arg;
	CHECK(flux_ring_readers(flux_shared_ring_ring(a)) == 1);
	CHECK(get() == 1);
	(void)!flux_ring_claim(&w, 4, &span);
	(void)flux_ring_publish(&w, 4);
	for (int i = 0; i < 40; i++)
		if (flux_ring_claim(&w, 1, &span) == 0)
			(void)flux_ring_publish(&w, 1);
	CHECK(flux_ring_claim_wait(&w, 16, &span, FLUX_NEVER) == FLUX_ECLOSED);
	(void)!flux_ring_reader_join(&other, flux_shared_ring_ring(a), NULL);
	(void)flux_ring_tend(flux_shared_ring_ring(a));
	flux_ring_reader_leave(&r);
	flux_ring_writer_close(&w);
	flux_shared_ring_close(b);
	flux_shared_ring_close(a);
	return 0;
}

static void r25_fork(void **state)
{
	(void)state;
	open_both(FLAGS, 1);
	assert_int_equal(flux_ring_reader_join(&r, flux_shared_ring_ring(b), NULL), 0);
	assert_int_equal(flux_ring_writer_open(&w, flux_shared_ring_ring(a), NULL), 0);
	put(&w, 1);
	put(&w, 2);
	assert_int_equal(child_run(use_all, NULL), 0);
	assert_int_equal(regions_count_files(), 1);
	put(&w, 3);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(get(), i);
	assert_int_equal(get(), UINT64_MAX);
	flux_ring_reader_leave(&r);
}

/* No memory at any step: an error, and nothing left. */
static void no_memory(void **state)
{
	struct flux_ring_cfg ring = ring_cfg(0, 1);
	struct faultmem faults;

	(void)state;
	for (uint32_t fail = 1; fail <= 2; fail++) {
		struct flux_region_cfg cfg = regions_file_cfg("ring", FLUX_REGION_CREATE);

		faultmem_init(&faults, fail);
		cfg.mem = &faults.mem;
		assert_int_equal(flux_shared_ring_open(&a, &cfg, &ring, why), FLUX_ENOMEM);
		assert_int_equal(faults.live_blocks, 0);
		assert_int_equal(regions_count_files(), 0);
	}
	a = NULL;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(to_and_fro, close_both),
		cmocka_unit_test_teardown(shapes_agree, close_both),
		cmocka_unit_test_teardown(read_only, close_both),
		cmocka_unit_test_teardown(closed_is_dead, close_both),
		cmocka_unit_test_teardown(doorbell, close_both),
		cmocka_unit_test_teardown(by_socket, close_both),
		cmocka_unit_test_teardown(r25_fork, close_both),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("sys/shared_ring", tests, make_dir, remove_dir);
}
