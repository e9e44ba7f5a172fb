/* SPDX-License-Identifier: MIT */
/* Threads of their own: calls into them, every way to start and to end. */
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

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <flux/epoll.h>
#include <flux/place.h>
#include <flux/timer.h>
#include <flux/uring.h>
#include <flux/worker.h>

#include "tests/lib/child.h"

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

/* What is seen of both processes. */
struct both {
	struct flux_worker *worker;
	sem_t done;
	uint32_t *calls; /* shared */
	int status;
};

static void count_call(void *ctx, struct flux_loop *loop)
{
	struct both *both = ctx;

	UNUSED(loop);
	__atomic_fetch_add(both->calls, 1, __ATOMIC_RELAXED);
	sem_post(&both->done);
}

/* The child returns from it as if nothing had been; one that goes on and on is killed for its processor time. */
static void fork_here(void *ctx, struct flux_loop *loop)
{
	const struct rlimit second = { 1, 1 };
	struct both *both = ctx;
	pid_t child;

	UNUSED(loop);
	if (flux_worker_call(both->worker, count_call, both) < 0)
		return;
	fflush(NULL);
	child = fork();
	if (child == 0)
		setrlimit(RLIMIT_CPU, &second);
	else
		waitpid(child, &both->status, 0);
}

/* A call that forks: what waits behind it is done once, by the parent, and the child's thread ends. */
static void e05_forked_inside(void **state)
{
	struct flux_worker_cfg cfg = forced(FLUX_IDLE_SLEEP);
	struct both both = { .status = -1 };

	UNUSED(state);
	both.calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(both.calls, MAP_FAILED);
	sem_init(&both.done, 0, 0);
	assert_int_equal(flux_worker_open(&both.worker, &cfg, NULL), 0);
	assert_int_equal(flux_worker_call(both.worker, fork_here, &both), 0);
	wait_for(&both.done);
	flux_worker_close(both.worker);
	assert_true(WIFEXITED(both.status));
	assert_int_equal(*both.calls, 1);
	munmap(both.calls, 4096);
	sem_destroy(&both.done);
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
		cmocka_unit_test(it_is_placed_and_named),
		cmocka_unit_test(a_callback_closes_the_loop),
		cmocka_unit_test(closed_while_calls_wait),
		cmocka_unit_test(e05_forked),
		cmocka_unit_test(e05_forked_inside),
		cmocka_unit_test(refusals),
		cmocka_unit_test(spinning_on_the_only_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
