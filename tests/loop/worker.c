/* SPDX-License-Identifier: MIT */
/* Threads of their own: calls into them, ways to idle changed under load, every way to start and to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flux/epoll.h>
#include <flux/feed.h>
#include <flux/place.h>
#include <flux/pub.h>
#include <flux/shared_ring.h>
#include <flux/sub.h>
#include <flux/timer.h>
#include <flux/uring.h>
#include <flux/worker.h>

#include "tests/lib/child.h"
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

/* ---- Calls ---- */

struct tally {
	uint64_t next[4]; /* of each caller */
	uint64_t got, wrong;
	pthread_t thread;
	sem_t done;
	uint64_t want;
};

static struct tally tally;

static void tally_begin(uint64_t want)
{
	memset(&tally, 0, sizeof(tally));
	tally.want = want;
	sem_init(&tally.done, 0, 0);
}

static void count(void *ctx, struct flux_loop *loop)
{
	uint64_t value = (uintptr_t)ctx;

	tally.wrong += !loop || (value & UINT32_MAX) != tally.next[value >> 32]++;
	tally.thread = pthread_self();
	if (++tally.got == tally.want)
		sem_post(&tally.done);
}

struct caller {
	struct flux_worker *worker;
	pthread_t thread;
	uint64_t number;
	uint32_t full;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;

	for (uint64_t i = 0; i < 2000; i++) {
		int rc;

		while ((rc = flux_worker_call(c->worker, count, (void *)(uintptr_t)(c->number << 32 | i))) ==
		       FLUX_EAGAIN) {
			c->full++;
			sched_yield();
		}
		if (rc < 0)
			abort();
	}
	return NULL;
}

static void calls_come_in_order(void **state)
{
	UNUSED(state);
	for (int way = 0; way < N_WAYS; way++) {
		struct flux_worker_cfg cfg = forced(ways[way]);
		struct flux_worker *worker;
		struct caller callers[3];

		tally_begin(6000);
		cfg.calls = 4;
		assert_int_equal(flux_worker_open(&worker, &cfg, NULL), 0);
		for (uint64_t i = 0; i < 3; i++) {
			callers[i] = (struct caller){ .worker = worker, .number = i };
			assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
		}
		for (int i = 0; i < 3; i++)
			pthread_join(callers[i].thread, NULL);
		wait_for(&tally.done);
		assert_int_equal(tally.wrong, 0);
		assert_false(pthread_equal(tally.thread, pthread_self()));
		flux_worker_close(worker);
	}
}

static void what_was_asked_is_done_before_the_end(void **state)
{
	UNUSED(state);
	for (int way = 0; way < N_WAYS; way++) {
		struct flux_worker_cfg cfg = forced(ways[way]);
		struct flux_worker *worker;

		tally_begin(0);
		assert_int_equal(flux_worker_open(&worker, &cfg, NULL), 0);
		for (uint64_t i = 0; i < 200; i++)
			assert_int_equal(flux_worker_call(worker, count, (void *)(uintptr_t)i), 0);
		flux_worker_close(worker);
		assert_int_equal(tally.got, 200);
		assert_int_equal(tally.wrong, 0);
	}
	flux_worker_close(NULL);
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

/* ---- Beginning and end ---- */

struct life {
	int rc;
	uint32_t starts, stops;
	bool close;
	sem_t gone;
	char name[32];
	struct flux_cpus cpus;
	sigset_t signals;
};

static void close_loop(void *ctx, struct flux_timer *timer)
{
	struct life *life = ctx;

	UNUSED(timer);
	life->stops += 100;
}

static int on_start(void *ctx, struct flux_loop *loop)
{
	struct life *life = ctx;
	struct flux_timer *timer;

	life->starts++;
	pthread_getname_np(pthread_self(), life->name, sizeof(life->name));
	if (flux_cpus_allowed(pthread_self(), &life->cpus) < 0)
		life->cpus.count = 0;
	pthread_sigmask(SIG_BLOCK, NULL, &life->signals);
	if (flux_timer_open(&timer, loop, close_loop, life) < 0)
		return FLUX_ENOMEM;
	return life->rc;
}

static void on_stop(void *ctx, struct flux_loop *loop)
{
	struct life *life = ctx;

	UNUSED(loop);
	life->stops++;
}

static void it_is_placed_and_named(void **state)
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	struct flux_cpus mine;
	struct life life = { 0 };
	struct flux_worker *worker;

	UNUSED(state);
	assert_int_equal(flux_cpus_allowed(pthread_self(), &mine), 0);
	cfg.on_start = on_start;
	cfg.on_stop = on_stop;
	cfg.ctx = &life;
	cfg.name = "mail";
	cfg.pin = 1;
	while (!flux_cpus_has(&mine, cfg.cpu))
		cfg.cpu++;
	assert_int_equal(flux_worker_open(&worker, &cfg, NULL), 0);
	assert_string_equal(life.name, "mail");
	assert_int_equal(life.cpus.count, 1);
	assert_true(flux_cpus_has(&life.cpus, cfg.cpu));
#ifdef HAVE_PTHREAD_ATTR_SETSIGMASK_NP
	assert_int_equal(sigismember(&life.signals, SIGTERM), 1);
#endif
	assert_int_equal(life.starts, 1);
	assert_int_equal(life.stops, 0);
	flux_worker_close(worker);
	assert_int_equal(life.stops, 1);
}

static void shut(void *ctx, struct flux_loop *loop)
{
	struct life *life = ctx;

	flux_loop_close(loop);
	sem_post(&life->gone);
}

static void seen(void *ctx, struct flux_loop *loop)
{
	*(int *)ctx = loop ? 1 : 2;
}

/* A callback closes the loop: calls that come too late are refused, or made at the end, without a loop. */
static void a_callback_closes_the_loop(void **state)
{
	UNUSED(state);
	for (int way = 0; way < N_WAYS; way++) {
		struct flux_worker_cfg cfg = forced(ways[way]);
		struct life life = { 0 };
		struct flux_worker *worker;
		int late = 0, rc;

		sem_init(&life.gone, 0, 0);
		cfg.on_start = on_start;
		cfg.on_stop = on_stop;
		cfg.ctx = &life;
		assert_int_equal(flux_worker_open(&worker, &cfg, NULL), 0);
		assert_int_equal(flux_worker_call(worker, shut, &life), 0);
		wait_for(&life.gone);
		rc = flux_worker_call(worker, seen, &late);
		assert_int_equal(flux_worker_set_idle(worker, FLUX_IDLE_SLEEP, NULL), 0);
		flux_worker_close(worker);
		assert_int_equal(late, rc == 0 ? 2 : 0);
		assert_true(rc == 0 || rc == FLUX_ECLOSED);
		assert_int_equal(life.stops, 0);
	}
}

struct hold {
	struct flux_worker *worker;
	sem_t in, go;
	uint32_t again, closes;
};

static void hold_on(void *ctx, struct flux_loop *loop)
{
	struct hold *hold = ctx;

	(void)loop;
	sem_post(&hold->in);
	wait_for(&hold->go);
}

static void close_it(void *ctx, struct flux_loop *loop)
{
	if (loop)
		flux_loop_close(loop);
	((struct hold *)ctx)->closes++;
}

static void once_more(void *ctx, struct flux_loop *loop)
{
	struct hold *hold = ctx;

	(void)loop;
	hold->again++;
	(void)!flux_worker_call(hold->worker, once_more, hold);
}

static void idle_inside(void *ctx, struct flux_loop *loop)
{
	struct hold *hold = ctx;

	(void)loop;
	assert_int_equal(flux_worker_set_idle(hold->worker, FLUX_IDLE_ADAPTIVE, NULL), 0);
}

static void *close_worker(void *arg)
{
	flux_worker_close(((struct hold *)arg)->worker);
	return NULL;
}

/* What waits when it is closed is called in turns: it may close the loop, ask again, or for another idle. */
static void closed_while_calls_wait(void **state)
{
	static void (*const fns[])(void *, struct flux_loop *) = { close_it, once_more, idle_inside };

	UNUSED(state);
	for (int i = 0; i < 3; i++) {
		struct flux_worker_cfg cfg = forced(FLUX_IDLE_SLEEP);
		struct hold hold = { .again = 0 };
		pthread_t closer;

		cfg.calls = 2;
		sem_init(&hold.in, 0, 0);
		sem_init(&hold.go, 0, 0);
		assert_int_equal(flux_worker_open(&hold.worker, &cfg, NULL), 0);
		assert_int_equal(flux_worker_call(hold.worker, hold_on, &hold), 0);
		wait_for(&hold.in);
		assert_int_equal(flux_worker_call(hold.worker, fns[i], &hold), 0);
		assert_int_equal(pthread_create(&closer, NULL, close_worker, &hold), 0);
		sem_post(&hold.go);
		pthread_join(closer, NULL);
		assert_int_equal(hold.closes, i == 0);
		assert_int_equal(hold.again > 0, i == 1);
	}
}

static int worker_in_child(void *arg)
{
	struct flux_worker *worker = arg;
	char why[FLUX_WHY_TEXT];

	CHECK(flux_worker_call(worker, seen, NULL) == FLUX_EFORKED);
	CHECK(flux_worker_set_idle(worker, FLUX_IDLE_SLEEP, why) == FLUX_EFORKED);
	CHECK(strstr(why, "forked"));
	flux_worker_close(worker); /* waits for nobody */
	return 0;
}

/* E05: its thread is not in a child, which is told; the parent's goes on. */
static void e05_forked(void **state)
{
	struct flux_worker_cfg cfg = forced(FLUX_IDLE_SLEEP);
	struct flux_worker *worker;
	int late = 0;

	UNUSED(state);
	assert_int_equal(flux_worker_open(&worker, &cfg, NULL), 0);
	assert_int_equal(child_run(worker_in_child, worker), 0);
	assert_int_equal(flux_worker_call(worker, seen, &late), 0);
	flux_worker_close(worker);
	assert_int_equal(late, 1);
}

static int no_driver(struct flux_loop **loop, char *why, size_t why_cap)
{
	UNUSED(loop);
	snprintf(why, why_cap, "no such loop here");
	return FLUX_ENOTSUP;
}

static void refusals(void **state)
{
	const struct flux_driver none = { sizeof(none), "none", no_driver, NULL };
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	struct life life = { .rc = FLUX_EREFUSED };
	struct flux_worker *worker = NULL;
	char why[FLUX_WHY_TEXT];

	UNUSED(state);
	cfg.idle = 7;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EINVAL);
	assert_non_null(strstr(why, "FLUX_IDLE_ADAPTIVE"));
	cfg = forced(0);
	cfg.calls = 3;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EINVAL);
	cfg = forced(0);
	cfg.name = "far too long for a thread";
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EINVAL);
	assert_true(why[0] != 0);
	cfg = forced(0);
	cfg.pin = 1;
	cfg.cpu = FLUX_CPUS_MAX;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EINVAL);
	cfg = forced(0);
	cfg.driver = &none;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_ENOTSUP);
	assert_string_equal(why, "no such loop here");
	cfg = forced(0);
	cfg.on_start = on_start;
	cfg.ctx = &life;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EREFUSED);
	assert_int_equal(life.starts, 1);
	cfg.size = 2;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EINVAL);
	assert_null(worker);
}

/* One CPU for all: to spin there is refused, at the start and later, unless forced. */
static void spinning_on_the_only_cpu(void **state)
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	struct flux_worker *worker;
	char why[FLUX_WHY_TEXT];
	cpu_set_t before, one;
	unsigned int cpu = 0;

	UNUSED(state);
	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof(one), &one), 0);
	cfg.idle = FLUX_IDLE_SPIN;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), FLUX_EUNSAFE);
	assert_non_null(strstr(why, "second"));
	cfg.idle = FLUX_IDLE_ADAPTIVE;
	assert_int_equal(flux_worker_open(&worker, &cfg, why), 0);
	assert_int_equal(flux_worker_set_idle(worker, FLUX_IDLE_SPIN, why), FLUX_EUNSAFE);
	assert_int_equal(flux_worker_set_idle(worker, 9, why), FLUX_EINVAL);
	flux_worker_close(worker);
	cfg = forced(FLUX_IDLE_SPIN);
	assert_int_equal(flux_worker_open(&worker, &cfg, why), 0);
	flux_worker_close(worker);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof(before), &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_come_in_order),
		cmocka_unit_test(what_was_asked_is_done_before_the_end),
		cmocka_unit_test(a_thousand_changes_lose_nothing),
		cmocka_unit_test(a_thousand_changes_over_io_uring),
		cmocka_unit_test(it_rests_beside_a_ring_of_processes),
		cmocka_unit_test(it_is_placed_and_named),
		cmocka_unit_test(a_callback_closes_the_loop),
		cmocka_unit_test(closed_while_calls_wait),
		cmocka_unit_test(e05_forked),
		cmocka_unit_test(refusals),
		cmocka_unit_test(spinning_on_the_only_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
