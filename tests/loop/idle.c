/* SPDX-License-Identifier: MIT */
/* How a worker idles: changed a thousand times under load, and at rest beside a ring of processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sched.h>
#include <semaphore.h>
#include <string.h>

#include <flux/epoll.h>
#include <flux/feed.h>
#include <flux/pub.h>
#include <flux/shared_ring.h>
#include <flux/sub.h>
#include <flux/uring.h>
#include <flux/worker.h>

#include "tests/lib/regions.h"

#define UNUSED(x) (void)(x)

static const uint32_t ways[] = { FLUX_IDLE_ADAPTIVE, FLUX_IDLE_SPIN, FLUX_IDLE_SLEEP };
#define N_WAYS 3

static struct flux_worker_cfg forced(uint32_t idle)
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;

	cfg.idle = idle;
	cfg.force_spin = 1; /* the machine may have one CPU */
	return cfg;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) < 0)
		;
}

/* ---- A stream between two of them ---- */

#define MESSAGES 30000u
/* In the message that is the last. */
#define LAST (UINT64_C(1) << 63)

struct side {
	struct flux_worker *worker;
	struct flux_binding *binding;
	struct flux_pub *pub;
	char local[FLUX_ADDR_TEXT];
	const char *peer;
	uint64_t sent, got, wrong;
	uint64_t limit; /* messages to send */
	sem_t done;
};

static struct side from, to;

static void send_on(struct side *s)
{
	while (s->sent < s->limit) {
		uint64_t value = s->sent | (s->sent + 1 == s->limit ? LAST : 0);

		if (flux_pub_send(s->pub, &value, sizeof(value)) < 0)
			return;
		s->sent++;
	}
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	UNUSED(pub);
	send_on(ctx);
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct side *s = ctx;
	uint64_t value = 0;

	UNUSED(sub);
	UNUSED(sid);
	if (msg->len == sizeof(value))
		memcpy(&value, msg->data, sizeof(value));
	s->wrong += msg->len != sizeof(value) || (value & ~LAST) != s->got;
	s->got++;
	if (value & LAST)
		sem_post(&s->done);
	return FLUX_TAKE;
}

static int start_to(void *ctx, struct flux_loop *loop)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub = FLUX_SUB_CFG_INIT;
	struct flux_sub *unused;
	struct flux_addr local;
	struct side *s = ctx;
	int rc;

	cfg.local = "127.0.0.1:0";
	sub.on_message = on_message;
	sub.ctx = s;
	rc = flux_binding_open(&s->binding, loop, &cfg);
	if (rc == 0)
		rc = flux_sub_open(&unused, s->binding, 0, &sub);
	if (rc == 0) {
		flux_binding_local(s->binding, &local);
		flux_addr_format(&local, s->local);
	}
	return rc;
}

static int start_from(void *ctx, struct flux_loop *loop)
{
	struct flux_pub_cfg pub = FLUX_PUB_CFG_INIT;
	struct side *s = ctx;
	flux_sid sid;
	int rc = flux_binding_open(&s->binding, loop, NULL);

	pub.on_writable = on_writable;
	pub.ctx = s;
	if (rc == 0)
		rc = flux_binding_connect(s->binding, s->peer, &sid);
	if (rc == 0)
		rc = flux_pub_open(&s->pub, s->binding, sid, &pub);
	return rc;
}

static void come_to_an_end(void *ctx, struct flux_loop *loop)
{
	struct side *s = ctx;

	UNUSED(loop);
	s->limit = s->sent < MESSAGES ? MESSAGES : s->sent + 1;
	send_on(s);
}

/* E: a thousand changes of how it idles, all of them under load: every message arrives, once and in order. */
static void change_a_thousand_times(const struct flux_driver *driver)
{
	struct flux_worker_cfg cfg;

	memset(&from, 0, sizeof(from));
	memset(&to, 0, sizeof(to));
	sem_init(&to.done, 0, 0);
	from.limit = UINT64_MAX;
	cfg = forced(FLUX_IDLE_SLEEP);
	cfg.driver = driver;
	cfg.on_start = start_to;
	cfg.ctx = &to;
	assert_int_equal(flux_worker_open(&to.worker, &cfg, NULL), 0);
	from.peer = to.local;
	cfg.on_start = start_from;
	cfg.ctx = &from;
	assert_int_equal(flux_worker_open(&from.worker, &cfg, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(flux_worker_set_idle(i % 2 ? to.worker : from.worker, ways[i / 2 % N_WAYS], NULL), 0);
		sched_yield();
	}
	assert_int_equal(flux_worker_set_idle(to.worker, FLUX_IDLE_SLEEP, NULL), 0);
	assert_int_equal(flux_worker_set_idle(from.worker, FLUX_IDLE_ADAPTIVE, NULL), 0);
	assert_int_equal(flux_worker_call(from.worker, come_to_an_end, &from), 0);
	wait_for(&to.done);
	flux_worker_close(from.worker);
	flux_worker_close(to.worker);
	assert_true(to.got >= MESSAGES);
	assert_int_equal(to.got, from.sent);
	assert_int_equal(to.wrong, 0);
}

static void a_thousand_changes_lose_nothing(void **state)
{
	UNUSED(state);
	change_a_thousand_times(NULL);
}

/* The same over io_uring, or what it falls back to. */
static void a_thousand_changes_over_io_uring(void **state)
{
	UNUSED(state);
#ifdef HAVE_LIBURING
	change_a_thousand_times(&flux_driver_uring);
#else
	skip();
#endif
}

/* ---- Nothing to do ---- */

#define SLEEPS 10u

/* How a worker that listens to a ring between processes spends its time. */
static struct {
	uint64_t sleeps, looks;
	int items;
	struct flux_shared_ring *shared;
	struct flux_ring_reader reader;
	sem_t rested;
} rest;

/* Polls that may sleep, and those that may not. */
static int count_polls(struct flux_loop *loop, flux_ts timeout)
{
	int rc = flux_driver_epoll.poll(loop, timeout);

	if (timeout == 0)
		rest.looks++;
	else if (++rest.sleeps == SLEEPS)
		sem_post(&rest.rested);
	if (rest.looks == 10000000) /* it would spin for ever */
		sem_post(&rest.rested);
	return rc;
}

static int on_ring_item(void *ctx, struct flux_feed *feed, void *item, uint32_t len)
{
	UNUSED(ctx);
	UNUSED(feed);
	UNUSED(item);
	UNUSED(len);
	rest.items++;
	return FLUX_FEED_ON;
}

static int listen(void *ctx, struct flux_loop *loop)
{
	struct flux_feed_cfg cfg = FLUX_FEED_CFG_INIT;
	struct flux_feed *feed;

	UNUSED(ctx);
	cfg.on_item = on_ring_item;
	return flux_feed_open(&feed, loop, &rest.reader, &cfg);
}

static void say_one(struct flux_ring *ring)
{
	struct flux_ring_writer writer;

	assert_int_equal(flux_ring_writer_open(&writer, ring, NULL), 0);
	assert_non_null(flux_ring_claim_one(&writer));
	assert_int_equal(flux_ring_publish(&writer, 1), 0);
	flux_ring_writer_close(&writer);
}

/*
 * A ring between processes is looked at every 25 ms, for a writer that died before he rang. Each such look is a
 * thing done, after which a worker that adapts spins for a moment; and then it sleeps.
 */
static void it_rests_beside_a_ring_of_processes(void **state)
{
	struct flux_driver driver = flux_driver_epoll;
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	struct flux_region_cfg region = FLUX_REGION_CFG_INIT;
	struct flux_ring_cfg ring = FLUX_RING_CFG_INIT;
	struct flux_ring_reader_cfg reader = FLUX_RING_READER_CFG_INIT;
	char why[FLUX_WHY_TEXT];
	struct flux_worker *worker;

	UNUSED(state);
	memset(&rest, 0, sizeof(rest));
	sem_init(&rest.rested, 0, 0);
	assert_non_null(regions_dir());
	region.backing = FLUX_REGION_FILE;
	region.name = regions_path("rest");
	ring.flags = FLUX_RING_READERS_SLEEP;
	ring.capacity = 16;
	ring.slot = 8;
	ring.readers = 1;
	ring.writers = 1;
	assert_int_equal(flux_shared_ring_open(&rest.shared, &region, &ring, why), 0);
	reader.wait = FLUX_WAIT_FD;
	assert_int_equal(flux_ring_reader_join(&rest.reader, flux_shared_ring_ring(rest.shared), &reader), 0);
	driver.poll = count_polls;
	cfg.driver = &driver;
	cfg.spin = 1; /* nanosecond: the clock has passed it when it is looked at again */
	cfg.on_start = listen;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), 0);
	say_one(flux_shared_ring_ring(rest.shared));
	wait_for(&rest.rested);
	flux_worker_close(worker);
	assert_int_equal(rest.items, 1);
	assert_true(rest.sleeps >= SLEEPS);
	assert_true(rest.looks < 10 * SLEEPS);
	flux_ring_reader_leave(&rest.reader);
	flux_shared_ring_close(rest.shared);
	regions_remove_dir();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_changes_lose_nothing),
		cmocka_unit_test(a_thousand_changes_over_io_uring),
		cmocka_unit_test(it_rests_beside_a_ring_of_processes),
	};

	return cmocka_run_group_tests_name("loop/idle", tests, NULL, NULL);
}
