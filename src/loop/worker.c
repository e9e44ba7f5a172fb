/* SPDX-License-Identifier: MIT */
/*
 * A thread that turns a loop. Others reach it through a ring of calls, which the loop reads like any ring:
 * so whatever is to be noticed, a new way to idle or the end, is stored and followed by a call that does
 * nothing, and cannot be slept through.
 */
#include <flux/worker.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <flux/epoll.h>
#include <flux/feed.h>
#include <flux/place.h>

#include "core/base/bits.h"
#include "core/base/cfg.h"
#include "core/base/mem.h"
#include "core/base/time.h"
#include "sys/clock.h"
#include "sys/fork.h"

#define CALLS 256u
#define SPIN  FLUX_US(50)
/* One that spins, and one for everybody else. */
#define SPIN_CPUS_MIN 2u

struct call {
	void (*fn)(void *ctx, struct flux_loop *loop);
	void *ctx;
};

struct flux_worker {
	struct flux_worker_cfg cfg;
	struct flux_loop *loop; /* the thread's; NULL: closed by a callback */
	struct flux_ring *calls;
	struct flux_ring_reader reader;
	struct flux_feed *feed;
	int (*poll)(struct flux_loop *loop, flux_ts timeout); /* the driver's */
	pthread_t thread;
	pthread_t self; /* the same, as it sees itself */
	uint8_t *mark;  /* clear in a forked child, which has no such thread */
	sem_t started;
	int rc; /* of the start */
	char why[FLUX_WHY_TEXT];
	uint32_t cpus; /* that whoever opened it may use */
	uint32_t idle; /* written by any thread */
	uint32_t stop;
	uint32_t ended; /* nobody reads the calls any more */
};

/* ---- In the thread ---- */

static int on_call(void *ctx, struct flux_feed *feed, void *item, uint32_t len)
{
	struct flux_worker *worker = ctx;
	struct call call;

	(void)feed;
	memcpy(&call, item, len);
	call.fn(call.ctx, worker->loop);
	return FLUX_FEED_ON;
}

static int place(struct flux_worker *worker)
{
	const struct flux_worker_cfg *cfg = &worker->cfg;
	int rc = flux_thread_set_name(pthread_self(), cfg->name, worker->why);

	return rc == 0 && cfg->pin ? flux_thread_pin_cpu(pthread_self(), cfg->cpu, worker->why) : rc;
}

static int start(struct flux_worker *worker)
{
	struct flux_feed_cfg feed = FLUX_FEED_CFG_INIT;
	int rc = place(worker);

	if (rc == 0)
		rc = worker->cfg.driver->open(&worker->loop, worker->why, sizeof(worker->why));
	if (rc < 0)
		return rc;
	feed.on_item = on_call;
	feed.ctx = worker;
	rc = flux_feed_open(&worker->feed, worker->loop, &worker->reader, &feed);
	if (rc < 0)
		snprintf(worker->why, sizeof(worker->why), "%s", flux_loop_detail(worker->loop));
	else if (worker->cfg.on_start)
		rc = worker->cfg.on_start(worker->cfg.ctx, worker->loop);
	if (rc < 0)
		flux_loop_close(worker->loop);
	return rc;
}

/* Turn until told to stop. False if a callback closed the loop, or forked, and this is the child. */
static bool turn(struct flux_worker *worker)
{
	flux_ts until = 0; /* FLUX_IDLE_ADAPTIVE: spins */
	bool awake = false;
	int rc = 0;

	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		uint32_t idle = __atomic_load_n(&worker->idle, __ATOMIC_RELAXED);
		flux_ts now = idle == FLUX_IDLE_ADAPTIVE ? flux_clock_now() : 0;
		bool was = awake;

		if (rc > 0)
			until = flux_ts_add(now, worker->cfg.spin);
		awake = idle == FLUX_IDLE_SPIN || (idle == FLUX_IDLE_ADAPTIVE && now < until);
		flux_loop_set_awake(worker->loop, awake);
		rc = worker->poll(worker->loop, awake ? 0 : FLUX_NEVER);
		if (rc == FLUX_ECLOSED || rc == FLUX_EFORKED)
			return false;
		if (was && !awake)
			rc = 0; /* the turn in which all asked to be woken: nothing was done */
	}
	/* What was asked for and not done. */
	while (flux_ring_reader_lag(&worker->reader) > 0) {
		rc = worker->poll(worker->loop, 0);
		if (rc == FLUX_ECLOSED || rc == FLUX_EFORKED)
			return false;
	}
	return true;
}

static void *run(void *arg)
{
	struct flux_worker *worker = arg;
	bool open;
	int rc;

	worker->self = pthread_self();
	worker->poll = worker->cfg.driver->poll;
	rc = start(worker);
	worker->rc = rc;
	sem_post(&worker->started);
	if (rc < 0)
		return NULL;
	open = turn(worker);
	__atomic_store_n(&worker->ended, 1, __ATOMIC_RELEASE);
	if (open && worker->cfg.on_stop)
		worker->cfg.on_stop(worker->cfg.ctx, worker->loop);
	if (open)
		flux_loop_close(worker->loop);
	worker->loop = NULL;
	return NULL;
}

/* ---- Opening ---- */

static int refuse(char *why, int rc, const char *text)
{
	if (why)
		snprintf(why, FLUX_WHY_TEXT, "%s", text);
	return rc;
}

static int check_idle(uint32_t idle, uint32_t cpus, bool force, char *why)
{
	if (idle > FLUX_IDLE_SLEEP)
		return refuse(why, FLUX_EINVAL, "idle is none of FLUX_IDLE_ADAPTIVE, _SPIN, _SLEEP");
	if (idle == FLUX_IDLE_SPIN && cpus < SPIN_CPUS_MIN && !force)
		return refuse(why, FLUX_EUNSAFE,
			      "a spinning thread would take the only CPU that this process may use: "
			      "allow a second one (taskset), idle adaptively, or force_spin");
	return 0;
}

static int read_cfg(struct flux_worker *worker, const struct flux_worker_cfg *user, char *why)
{
	struct flux_worker_cfg *cfg = &worker->cfg;
	int rc = user ? flux_cfg_copy(cfg, sizeof(*cfg), user) : 0;

	if (rc < 0)
		return refuse(why, rc, "the configuration's size is not set, or is of a newer library");
	if (!cfg->driver)
		cfg->driver = &flux_driver_epoll;
	if (!cfg->name)
		cfg->name = "flux";
	if (!cfg->calls)
		cfg->calls = CALLS;
	if (!cfg->spin)
		cfg->spin = SPIN;
	if (!flux_is_pow2(cfg->calls) || cfg->calls < 2)
		return refuse(why, FLUX_EINVAL, "calls is no power of two from 2");
	return check_idle(cfg->idle, worker->cpus, cfg->force_spin, why);
}

static int open_calls(struct flux_worker *worker)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring_reader_cfg reader = FLUX_RING_READER_CFG_INIT;
	int rc;

	cfg.flags = FLUX_RING_READERS_SLEEP;
	cfg.capacity = worker->cfg.calls;
	cfg.slot = sizeof(struct call);
	cfg.readers = 1;
	cfg.writers = FLUX_RING_SEATS;
	rc = flux_ring_create(&worker->calls, &cfg, &flux_mem_libc);
	if (rc < 0)
		return rc;
	reader.wait = FLUX_WAIT_FD;
	return flux_ring_reader_join(&worker->reader, worker->calls, &reader);
}

/* Signals are for the program's own threads. */
static void take_no_signals(pthread_attr_t *attr)
{
#ifdef HAVE_PTHREAD_ATTR_SETSIGMASK_NP
	sigset_t all;

	sigfillset(&all);
	pthread_attr_setsigmask_np(attr, &all);
#else
	(void)attr;
#endif
}

static int launch(struct flux_worker *worker)
{
	pthread_attr_t attr;
	int rc = pthread_attr_init(&attr);

	if (rc != 0)
		return -rc;
	take_no_signals(&attr);
	rc = pthread_create(&worker->thread, &attr, run, worker);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return -rc;
	while (sem_wait(&worker->started) < 0)
		;
	if (worker->rc < 0)
		pthread_join(worker->thread, NULL);
	return worker->rc;
}

static void give(struct flux_worker *worker)
{
	if (worker->reader.ring)
		flux_ring_reader_leave(&worker->reader);
	flux_ring_destroy(worker->calls);
	sem_destroy(&worker->started);
	flux_fork_unmark(worker->mark);
	flux_mem_give(&flux_mem_libc, worker, 1, sizeof(*worker));
}

int flux_worker_open(struct flux_worker **worker, const struct flux_worker_cfg *cfg, char *why)
{
	struct flux_worker *w = flux_mem_take_zeroed(&flux_mem_libc, 1, sizeof(*w));
	struct flux_cpus cpus;
	int rc;

	if (!w)
		return refuse(why, FLUX_ENOMEM, "no memory for a worker");
	sem_init(&w->started, 0, 0);
	w->cpus = flux_cpus_allowed(pthread_self(), &cpus) < 0 ? 1 : cpus.count;
	w->mark = flux_fork_mark();
	rc = w->mark ? read_cfg(w, cfg, why) : refuse(why, FLUX_ENOMEM, "no memory for a worker");
	if (rc == 0) {
		w->idle = w->cfg.idle;
		rc = open_calls(w);
		if (rc == 0)
			rc = launch(w);
		refuse(why, rc, w->why[0] || rc == 0 ? w->why : flux_strerror(rc));
	}
	if (rc < 0) {
		give(w);
		return rc;
	}
	*worker = w;
	return 0;
}

/* ---- From other threads ---- */

static int call(struct flux_worker *worker, void (*fn)(void *ctx, struct flux_loop *loop), void *ctx)
{
	const struct call it = { fn, ctx };
	struct flux_ring_writer writer;
	void *slot;
	int rc;

	if (flux_ring_writer_open(&writer, worker->calls, NULL) < 0)
		return FLUX_EAGAIN;
	slot = flux_ring_claim_one(&writer);
	rc = slot ? 0 : FLUX_EAGAIN;
	if (slot) {
		memcpy(slot, &it, sizeof(it));
		rc = flux_ring_publish(&writer, 1);
	}
	flux_ring_writer_close(&writer);
	return rc;
}

static void nothing(void *ctx, struct flux_loop *loop)
{
	(void)ctx;
	(void)loop;
}

static bool has_ended(const struct flux_worker *worker)
{
	return __atomic_load_n(&worker->ended, __ATOMIC_ACQUIRE);
}

/* Have it look at what was stored before. */
static void wake(struct flux_worker *worker)
{
	if (pthread_equal(pthread_self(), worker->self))
		return; /* it looks when this turn has ended */
	while (!has_ended(worker) && call(worker, nothing, NULL) == FLUX_EAGAIN)
		sched_yield();
}

int flux_worker_call(struct flux_worker *worker, void (*fn)(void *ctx, struct flux_loop *loop), void *ctx)
{
	bool stops = __atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE);

	if (!flux_fork_is_here(worker->mark))
		return FLUX_EFORKED;
	return stops || has_ended(worker) ? FLUX_ECLOSED : call(worker, fn, ctx);
}

int flux_worker_set_idle(struct flux_worker *worker, uint32_t idle, char *why)
{
	int rc = check_idle(idle, worker->cpus, worker->cfg.force_spin, why);

	if (rc < 0)
		return rc;
	if (!flux_fork_is_here(worker->mark))
		return refuse(why, FLUX_EFORKED, "the worker's thread is not in this process, a forked child");
	__atomic_store_n(&worker->idle, idle, __ATOMIC_RELAXED);
	wake(worker);
	return 0;
}

/* Calls that came too late for the loop. */
static void finish(struct flux_worker *worker)
{
	void *item;

	while ((item = flux_ring_peek_one(&worker->reader)) != NULL) {
		(void)on_call(worker, NULL, item, sizeof(struct call));
		(void)flux_ring_release(&worker->reader, 1);
	}
}

void flux_worker_close(struct flux_worker *worker)
{
	/* In a child it stays as it lies: nobody knows what the thread was about when the process forked. */
	if (!worker || !flux_fork_is_here(worker->mark))
		return;
	__atomic_store_n(&worker->stop, 1, __ATOMIC_RELEASE);
	wake(worker);
	pthread_join(worker->thread, NULL);
	finish(worker);
	give(worker);
}
