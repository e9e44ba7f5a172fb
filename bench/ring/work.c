/* SPDX-License-Identifier: MIT */
/* Starting and pinning the threads or processes of a measurement, and its clocks. */
#include "ring/work.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/bench.h"

/* Where everybody begins at once. */
struct gate {
	uint32_t ready, go;
};

struct runner {
	const struct work *work;
	void *ring;
	struct gate *gate;
	work_open open;
	work_body body;
	uint32_t me, cpu;
	bool reads;
	/* What comes of it. */
	uint64_t sum, done_ns, cpu_ns;
	union {
		pthread_t thread;
		pid_t process;
	} id;
};

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *run(void *arg)
{
	struct runner *runner = arg;
	uint64_t before;

	bench_pin(runner->cpu);
	if (runner->open)
		runner->open(runner->work, runner->ring, runner->me, runner->reads);
	__atomic_fetch_add(&runner->gate->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&runner->gate->go, __ATOMIC_ACQUIRE))
		sched_yield();
	before = thread_ns();
	runner->sum = runner->body(runner->work, runner->ring, runner->me);
	runner->done_ns = bench_now_ns();
	runner->cpu_ns = thread_ns() - before;
	return NULL;
}

static void start(struct runner *runner)
{
	pid_t pid;

	if (!runner->work->processes) {
		if (pthread_create(&runner->id.thread, NULL, run, runner))
			bench_die("pthread_create");
		return;
	}
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (!pid) {
		run(runner);
		_exit(0);
	}
	runner->id.process = pid;
}

static void join(struct runner *runner)
{
	int status = 0;

	if (!runner->work->processes)
		pthread_join(runner->id.thread, NULL);
	else if (waitpid(runner->id.process, &status, 0) < 0 || status)
		bench_die("a process");
}

void work_run(const struct work *work, void *ring, work_open open, work_body writer, work_body reader,
	      struct result *result)
{
	uint32_t readers = work->together ? 1 : work->readers;
	uint32_t all = work->writers + readers;
	size_t bytes = sizeof(struct gate) + all * sizeof(struct runner);
	/* Shared, because what comes of it comes from processes. */
	struct gate *gate = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct runner *runners = (struct runner *)(void *)(gate + 1);
	uint64_t begin, end = 0;

	if (gate == MAP_FAILED)
		bench_die("mmap");
	for (uint32_t i = 0; i < all; i++) {
		bool reads = i >= work->writers;
		uint32_t me = reads ? i - work->writers : i;

		/* Writers from the first CPU up, readers from the second, modulo what there is. */
		runners[i] = (struct runner){ .work = work, .ring = ring, .gate = gate, .open = open, .body = reads ? reader : writer, .me = me, .cpu = reads ? me + 1 : me, .reads = reads };
		start(&runners[i]);
	}
	while (__atomic_load_n(&gate->ready, __ATOMIC_ACQUIRE) < all)
		sched_yield();
	begin = bench_now_ns();
	__atomic_store_n(&gate->go, 1, __ATOMIC_RELEASE);
	result->sum = result->cpu_ns = 0;
	for (uint32_t i = 0; i < all; i++) {
		join(&runners[i]);
		result->cpu_ns += runners[i].cpu_ns;
		if (!runners[i].reads)
			continue;
		result->sum += runners[i].sum;
		end = runners[i].done_ns > end ? runners[i].done_ns : end;
	}
	result->seconds = (double)(end - begin) * 1e-9;
	munmap(gate, bytes);
}

uint64_t work_expected(const struct work *work)
{
	uint64_t words = work->slot / 8;
	uint64_t n = work_total(work);
	uint64_t sum = words * (n * (n - 1) / 2) + n * (words * (words - 1) / 2);

	return work->share ? sum : sum * work->readers * (work->twice ? 2 : 1);
}
