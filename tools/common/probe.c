/* SPDX-License-Identifier: MIT */
/* How far apart two CPUs are now: two threads hand a cache line to and fro. */
#include "common/probe.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

#define ROUNDS  20000u
#define WARM_UP 100u
#define END     UINT32_MAX
/* Where the processors are shared, a round trip may take milliseconds: enough is enough. */
#define MOST_NS 100000000u

struct probe {
	_Alignas(128) uint32_t line; /* odd: on its way forth; even: back again */
	_Alignas(128) const struct cpus *cpus;
	uint64_t ns;
	uint32_t rounds;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *answer(void *arg)
{
	struct probe *probe = arg;

	(void)!cpus_pin(probe->cpus, 1, NULL);
	for (uint32_t seen = 0; seen != END;) {
		seen = __atomic_load_n(&probe->line, __ATOMIC_ACQUIRE);
		if (seen % 2 && seen != END)
			__atomic_store_n(&probe->line, seen + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *ask(void *arg)
{
	struct probe *probe = arg;
	uint64_t start;

	(void)!cpus_pin(probe->cpus, 0, NULL);
	start = now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		__atomic_store_n(&probe->line, 2 * i + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&probe->line, __ATOMIC_ACQUIRE) != 2 * i + 2)
			;
		probe->rounds++;
		if (i == WARM_UP) {
			start = now_ns();
			probe->rounds = 0;
		}
		if (i % 16 == 0 && now_ns() - start > MOST_NS)
			break;
	}
	probe->ns = now_ns() - start;
	__atomic_store_n(&probe->line, END, __ATOMIC_RELEASE);
	return NULL;
}

double probe_line(const struct cpus *cpus)
{
	struct probe probe = { 0, cpus, 0, 0 };
	pthread_t asks, answers;

	if (cpus_nth(cpus, 0) == cpus_nth(cpus, 1) || pthread_create(&answers, NULL, answer, &probe))
		return 0;
	if (pthread_create(&asks, NULL, ask, &probe) == 0)
		pthread_join(asks, NULL);
	else
		__atomic_store_n(&probe.line, END, __ATOMIC_RELEASE);
	pthread_join(answers, NULL);
	return probe.rounds ? (double)probe.ns / probe.rounds : 0;
}
