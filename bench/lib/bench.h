/* SPDX-License-Identifier: MIT */
/* What the measurements have in common: clocks, pinning, a second process, options. */
#ifndef FLUX_BENCH_LIB_BENCH_H
#define FLUX_BENCH_LIB_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cpus.h"

/* What every program here takes: --size, --seconds; and what some do. */
struct bench_options {
	uint32_t size; /* bytes of a message or a datagram */
	double seconds;
	bool listen;
	bool spread;      /* pin to two CPUs; --nopin: leave it to the kernel */
	bool offload;     /* --offload, --no-offload: runs of datagrams through the kernel as one */
	const char *addr; /* HOST:PORT, or NULL */
	/* For lib/host.h: --loop event|uring|thread|auto, --idle spin|adaptive|epoll; NULL: not given. */
	const char *loop, *idle;
	uint32_t sessions;     /* --sessions N */
	uint32_t rate;         /* --rate N, messages a second */
	bool singly;           /* --singly: each message by calls of its own, not several small ones at a time */
	uint32_t max_datagram; /* --max-datagram N; 0: the default */
	uint32_t work;         /* --work N: read each message so often, so that the receiver is the slower end */
	bool unbounded;        /* --unbounded: receive until there is nothing, whoever else waits */
};

/* Parse; prints usage and exits with 2 on error. The defaults are what `options` holds before. */
void bench_parse(struct bench_options *options, int argc, char **argv);

uint64_t bench_now_ns(void);

/* CPU time of this process so far, user and system. */
uint64_t bench_cpu_ns(void);

/* The CPUs that the program was given. First called before any pinning, by bench_pin() at the latest. */
const struct cpus *bench_cpus(void);

/* Run this thread on the nth of them only, modulo their number. */
void bench_pin(unsigned nth);

/* Print "program: what: errno" and exit with 1. */
void bench_die(const char *what) __attribute__((noreturn));

/*
 * Fork; the child runs `child`, which may report through the fd and must not return, and the
 * parent gets the pid and the other end of that pipe.
 */
pid_t bench_fork(void (*child)(int fd, void *ctx), void *ctx, int *fd);

/* Read or write exactly `len` bytes of the pipe, or die. */
void bench_get(int fd, void *data, size_t len);
void bench_put(int fd, const void *data, size_t len);

/* Write every byte of a message, and read every one: the work that both ways must do. */
void bench_fill(void *data, uint32_t len, uint64_t number);
uint64_t bench_sum(const void *data, uint32_t len);

#endif
