/* SPDX-License-Identifier: MIT */
/* Readers of a shared ring that are stopped, killed and started again, as whole processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include <flux/shared_ring.h>

#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#define CAPACITY 32u
#define RESTARTS 200

static struct flux_shared_ring *ours;
static struct flux_ring *ring;
static struct flux_ring_writer w;
static char why[FLUX_WHY_TEXT];

static int open_ring(struct flux_shared_ring **shared, uint32_t open)
{
	struct flux_region_cfg region = regions_file_cfg("ring", open);
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	cfg.flags = FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	cfg.capacity = CAPACITY;
	cfg.slot = sizeof(uint64_t);
	return flux_shared_ring_open(shared, &region, open == FLUX_REGION_CREATE ? &cfg : NULL, why);
}

static int setup(void **state)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;

	(void)state;
	cfg.wait = FLUX_WAIT_BLOCK;
	if (!regions_dir() || open_ring(&ours, FLUX_REGION_CREATE))
		return -1;
	ring = flux_shared_ring_ring(ours);
	return flux_ring_writer_open(&w, ring, &cfg);
}

static int teardown(void **state)
{
	(void)state;
	flux_ring_writer_close(&w);
	flux_shared_ring_close(ours);
	regions_remove_dir();
	return 0;
}

static flux_ts soon(void)
{
	return flux_wait_linux.now(NULL) + FLUX_S(30);
}

static int put(uint64_t value)
{
	struct flux_ring_span span;
	int rc = flux_ring_claim_wait(&w, 1, &span, soon());

	if (rc < 0)
		return rc;
	memcpy(span.at[0], &value, sizeof(value));
	return flux_ring_publish(&w, 1);
}

/* Read numbers without a gap until the ring is closed; FLUX_EEVICTED is told by 'e'. */
static int read_on(struct child *own, void *arg)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_shared_ring *shared;
	struct flux_ring_reader r;
	struct flux_ring_span span;
	uint64_t next = 0, value;
	int rc;

	CHECK(open_ring(&shared, FLUX_REGION_ATTACH) == 0);
	cfg.wait = FLUX_WAIT_BLOCK;
	cfg.evict_after = *(flux_ts *)arg;
	cfg.name = "reader";
	CHECK(flux_ring_reader_join(&r, flux_shared_ring_ring(shared), &cfg) == 0);
	child_tell(own, 'j');
	while ((rc = flux_ring_peek_wait(&r, 1, &span, soon())) > 0) {
		memcpy(&value, span.at[0], sizeof(value));
		rc = flux_ring_release(&r, 1);
		if (rc < 0)
			break;
		CHECK(!next || value == next);
		next = value + 1;
	}
	if (rc == FLUX_EEVICTED)
		child_tell(own, 'e');
	else
		CHECK(rc == FLUX_ECLOSED);
	flux_ring_reader_leave(&r);
	flux_shared_ring_close(shared);
	return 0;
}

/* R11: one of three is stopped; the others go on without a gap, and on SIGCONT it learns of it. */
static void r11_one_is_stopped(void **state)
{
	flux_ts patience[3] = { 0, FLUX_MS(500), 0 };
	struct flux_ring_note note;
	struct flux_ring_info info;
	struct child children[3];
	uint64_t cursor = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		child_start(&children[i], read_on, &patience[i]);
		assert_int_equal(child_await(&children[i]), 'j');
	}
	assert_int_equal(kill(children[1].pid, SIGSTOP), 0);
	for (uint64_t i = 1; i < 10 * CAPACITY; i++)
		assert_int_equal(put(i), 0);
	do
		assert_int_equal(flux_ring_note_next(ring, &cursor, &note), 1);
	while (note.what != FLUX_RING_READER_EVICTED);
	assert_string_equal(note.name, "reader");
	flux_ring_get_info(ring, &info);
	assert_int_equal(info.evicted, 1);
	assert_int_equal(info.died, 0);
	assert_int_equal(kill(children[1].pid, SIGCONT), 0);
	assert_int_equal(child_await(&children[1]), 'e');
	assert_int_equal(child_join(&children[1]), 0);
	for (uint64_t i = 10 * CAPACITY; i < 20 * CAPACITY; i++)
		assert_int_equal(put(i), 0);
	flux_ring_close(ring);
	assert_int_equal(child_join(&children[0]), 0);
	assert_int_equal(child_join(&children[2]), 0);
}

/* R05: killed and started again at once, many times: a new identity each time, one registration left. */
static void r05_killed_and_started_again(void **state)
{
	flux_ts patience = 0;
	struct flux_ring_info info;
	struct child child;

	(void)state;
	for (uint64_t i = 1; i <= RESTARTS; i++) {
		child_start(&child, read_on, &patience);
		assert_int_equal(child_await(&child), 'j');
		assert_int_equal(put(i), 0);
		if (i < RESTARTS)
			child_kill(&child);
	}
	flux_ring_get_info(ring, &info);
	assert_int_equal(info.readers, 1);
	assert_int_equal(info.died, RESTARTS - 1);
	flux_ring_close(ring);
	assert_int_equal(child_join(&child), 0);
}

/* R26: the last reader is killed: who writes can know, and is told so once. */
static void r26_nobody_listens(void **state)
{
	flux_ts patience = 0;
	struct flux_ring_note note;
	struct child child;
	uint64_t cursor = 0;
	int told = 0;

	(void)state;
	child_start(&child, read_on, &patience);
	assert_int_equal(child_await(&child), 'j');
	assert_int_equal(flux_ring_readers(ring), 1);
	child_kill(&child);
	assert_int_equal(put(1), 0);
	assert_int_equal(flux_ring_tend(ring), 1);
	assert_int_equal(flux_ring_readers(ring), 0);
	assert_int_equal(flux_ring_tend(ring), 0);
	while (flux_ring_note_next(ring, &cursor, &note))
		told += note.what == FLUX_RING_NO_READERS;
	assert_int_equal(told, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(r11_one_is_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(r05_killed_and_started_again, setup, teardown),
		cmocka_unit_test_setup_teardown(r26_nobody_listens, setup, teardown),
	};

	return cmocka_run_group_tests_name("process/ring_stop", tests, NULL, NULL);
}
