/* SPDX-License-Identifier: MIT */
/* Starting and pinning the threads of a measurement, and its clock. */
#include "ring/work.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "lib/bench.h"

void work_pin(uint32_t nth)
{
	static cpu_set_t allowed; /* as it was before the first pin, which threads inherit */
	static bool known;
	cpu_set_t one;

	if (!known && sched_getaffinity(0, sizeof(allowed), &allowed))
		bench_die("sched_getaffinity");
	known = true;
	nth %= (uint32_t)CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && nth-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		bench_die("sched_setaffinity");
}

struct runner {
	const struct work *work;
	void *ring;
	work_body body;
	uint32_t me, cpu;
	uint32_t *ready, *go;
	uint64_t sum, done_ns;
	pthread_t thread;
};

static void *run(void *arg)
{
	struct runner *runner = arg;

	work_pin(runner->cpu);
	__atomic_fetch_add(runner->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(runner->go, __ATOMIC_ACQUIRE))
		sched_yield();
	runner->sum = runner->body(runner->work, runner->ring, runner->me);
	runner->done_ns = bench_now_ns();
	return NULL;
}

double work_run(const struct work *work, void *ring, work_body writer, work_body reader, uint64_t *sum)
{
	uint32_t all = work->writers + work->readers;
	struct runner *runners = calloc(all, sizeof(*runners));
	uint32_t ready = 0, go = 0;
	uint64_t start, end = 0;

	for (uint32_t i = 0; i < all; i++) {
		bool reads = i >= work->writers;

		/* Writers from the first CPU up, readers from the second, modulo what there is. */
		runners[i] = (struct runner){ work, ring, reads ? reader : writer,
					      reads ? i - work->writers : i,
					      reads ? 1 + i - work->writers : i, &ready, &go, 0, 0, 0 };
		if (pthread_create(&runners[i].thread, NULL, run, &runners[i]))
			bench_die("pthread_create");
	}
	while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < all)
		sched_yield();
	start = bench_now_ns();
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	*sum = 0;
	for (uint32_t i = 0; i < all; i++) {
		pthread_join(runners[i].thread, NULL);
		if (i < work->writers)
			continue;
		*sum += runners[i].sum;
		end = runners[i].done_ns > end ? runners[i].done_ns : end;
	}
	free(runners);
	return (double)(end - start) * 1e-9;
}

uint64_t work_expected(const struct work *work)
{
	uint64_t words = work->slot / 8;
	uint64_t n = work->count / work->writers * work->writers;
	uint64_t sum = words * (n * (n - 1) / 2) + n * (words * (words - 1) / 2);

	return work->share ? sum : sum * work->readers;
}
