/* SPDX-License-Identifier: MIT */
/* How far apart the two CPUs are now: a cache line that goes forth and back, ns for one round. */
#include "lib/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ROUNDS 50000u

static _Alignas(128) _Atomic uint32_t ball;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static void play(unsigned cpu, uint32_t own)
{
	bench_pin(cpu);
	for (uint32_t i = own; i < 2 * ROUNDS; i += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != i)
			relax();
		atomic_store_explicit(&ball, i + 1, memory_order_release);
	}
}

static void *other(void *ctx)
{
	(void)ctx;
	play(1, 1);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	uint64_t start;

	if (pthread_create(&thread, NULL, other, NULL) != 0)
		bench_die("pthread_create");
	start = bench_now_ns();
	play(0, 0);
	pthread_join(thread, NULL);
	printf("%.0f\n", (double)(bench_now_ns() - start) / ROUNDS);
	return 0;
}
