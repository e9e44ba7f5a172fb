/* SPDX-License-Identifier: MIT */
/* Many at one name: one attaches while another creates, cuts and removes; several create at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#define CREATE 0u
#define ATTACH 1u
#define JOIN   2u

#define ROUNDS 10000

/* Of both outcomes so many are waited for; usually they have come long before. */
#define MET_MIN 20

/* Create, cut to nothing or in the middle, remove; and once more, until the other end is gone. */
static int vandal(struct child *own, void *arg)
{
	(void)arg;
	fcntl(own->said, F_SETFL, O_NONBLOCK);
	child_tell(own, 'r');
	for (uint32_t i = 0;; i++) {
		struct flux_region *region;
		char c;
		int rc;

		if (read(own->said, &c, 1) == 1)
			return 0;
		region = regions_open("a", i % 2 ? JOIN : CREATE, 0, &rc);
		if (region) {
			int fd = flux_region_fd(region);

			sched_yield();
			if (i % 3 == 0 && ftruncate(fd, 0) < 0)
				return 1;
			if (i % 3 == 1 && (ftruncate(fd, 5000) < 0 || ftruncate(fd, 16384) < 0))
				return 1;
			flux_region_close(region);
		} else if (rc != FLUX_EEXIST && rc != FLUX_EAGAIN) {
			/* Joining may meet what the last round left: it was cut, so it is no region now. */
			fprintf(stderr, "# the vandal: %d, %s\n", rc, regions_why);
			return 1;
		}
	}
}

/* What attaching may meet; anything else, a signal above all, is a failure. */
static bool is_clean(int rc)
{
	switch (rc) {
	case 0:
	case -ENOENT:
	case FLUX_EAGAIN:
	case FLUX_ETRUNCATED:
	case FLUX_EMAGIC:
	case FLUX_ESIZE:
		return true;
	default:
		return false;
	}
}

static int attacher(void *arg)
{
	uint32_t met[2] = { 0 };

	/* With nothing but refusals, or nothing but successes, it would prove little. */
	for (int i = 0; i < *(int *)arg || met[0] < MET_MIN || met[1] < MET_MIN; i++) {
		struct flux_region_cfg cfg = regions_file_cfg("a", ATTACH);
		struct flux_region *region = NULL;
		int rc;

		cfg.flags = i % 2 ? FLUX_REGION_READ_ONLY : 0;
		cfg.prefault = i % 4 / 2 ? FLUX_WANT_TRY : FLUX_WANT_NOT;
		rc = flux_region_open(&region, &cfg, regions_why);
		if (!is_clean(rc)) {
			fprintf(stderr, "# round %d: %d, %s\n", i, rc, regions_why);
			return 1;
		}
		met[rc == 0]++;
		if (region && regions_info(region).bytes != 10000)
			return 1;
		flux_region_close(region);
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

/* ---- Several creators ---- */

/* In each round: open, say so, and close when told. */
static int creator(struct child *own, void *arg)
{
	uint32_t how = *(uint32_t *)arg;

	for (;;) {
		struct flux_region *region;
		int rc, word = child_await(own);

		if (word != 'o')
			return word == 'x' ? 0 : 1;
		region = regions_open("a", how, FLUX_REGION_KEEP, &rc);
		if (!region && rc != FLUX_EEXIST) {
			fprintf(stderr, "# %d, %s\n", rc, regions_why);
			return 1;
		}
		child_tell(own, !region ? 'e' : regions_info(region).state & FLUX_REGION_IS_OWNER ? 'o' :
												    'm');
		if (child_await(own) != 'c')
			return 1;
		flux_region_close(region);
		child_tell(own, 'd');
	}
}

#define CREATORS 3

/* However they meet, one owns it; by creating the others are refused, by joining they are members. */
static void one_owner_of(uint32_t how, int other_word)
{
	struct child children[CREATORS];
	int rounds = child_instrumented() ? 20 : 300;

	for (int i = 0; i < CREATORS; i++)
		child_start(&children[i], creator, &how);
	for (int round = 0; round < rounds; round++) {
		int owners = 0, others = 0;

		for (int i = 0; i < CREATORS; i++)
			child_tell(&children[i], 'o');
		for (int i = 0; i < CREATORS; i++) {
			int word = child_await(&children[i]);

			owners += word == 'o';
			others += word == other_word;
		}
		for (int i = 0; i < CREATORS; i++)
			child_tell(&children[i], 'c');
		for (int i = 0; i < CREATORS; i++)
			assert_int_equal(child_await(&children[i]), 'd');
		assert_int_equal(owners, 1);
		assert_int_equal(others, CREATORS - 1);
	}
	for (int i = 0; i < CREATORS; i++)
		child_tell(&children[i], 'x');
	for (int i = 0; i < CREATORS; i++)
		assert_int_equal(child_join(&children[i]), 0);
}

static void one_of_several_creates(void **state)
{
	(void)state;
	one_owner_of(CREATE, 'e');
}

static void one_of_several_that_join_creates(void **state)
{
	(void)state;
	one_owner_of(JOIN, 'm');
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
		WITH_DIR(test_R10_attaching_while_it_is_cut),
		WITH_DIR(one_of_several_creates),
		WITH_DIR(one_of_several_that_join_creates),
	};

	return cmocka_run_group_tests_name("process/region_race", tests, NULL, NULL);
}
