/* SPDX-License-Identifier: MIT */
/* What the measurements have in common: clocks, pinning, a second process, options. */
#include "lib/bench.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void usage(const char *program)
{
	fprintf(stderr,
		"Usage: %s [-l] [--size BYTES] [--seconds S] [--nopin] [--offload | --no-offload] "
		"[--loop KIND] [--idle HOW] [--sessions N] [--rate N] [--work N] [--unbounded] "
		"[--singly] [--max-datagram N] [HOST:PORT]\n",
		program);
	exit(2);
}

static const struct option longs[] = {
	{ "size", required_argument, NULL, 's' },
	{ "seconds", required_argument, NULL, 't' },
	{ "nopin", no_argument, NULL, 'n' },
	{ "offload", no_argument, NULL, 'o' },
	{ "no-offload", no_argument, NULL, 'O' },
	{ "loop", required_argument, NULL, 'L' },
	{ "idle", required_argument, NULL, 'I' },
	{ "sessions", required_argument, NULL, 'S' },
	{ "rate", required_argument, NULL, 'r' },
	{ "unbounded", no_argument, NULL, 'u' },
	{ "work", required_argument, NULL, 'w' },
	{ "singly", no_argument, NULL, '1' },
	{ "max-datagram", required_argument, NULL, 'd' },
	{ NULL, 0, NULL, 0 },
};

static void parse_option(struct bench_options *options, int option, const char *program)
{
	switch (option) {
	case 's':
		options->size = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 't':
		options->seconds = strtod(optarg, NULL);
		break;
	case 'n':
		options->spread = false;
		break;
	case 'o':
	case 'O':
		options->offload = option == 'o';
		break;
	case 'l':
		options->listen = true;
		break;
	case '1':
		options->singly = true;
		break;
	case 'd':
		options->max_datagram = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'L':
		options->loop = optarg;
		break;
	case 'I':
		options->idle = optarg;
		break;
	case 'S':
		options->sessions = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'r':
		options->rate = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'w':
		options->work = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'u':
		options->unbounded = true;
		break;
	default:
		usage(program);
	}
}

void bench_parse(struct bench_options *options, int argc, char **argv)
{
	int option;

	options->spread = true;
	options->sessions = options->sessions ? options->sessions : 1;
	options->rate = options->rate ? options->rate : 1000;
	options->work = 1;
	while ((option = getopt_long(argc, argv, "l", longs, NULL)) != -1)
		parse_option(options, option, argv[0]);
	if (optind < argc)
		options->addr = argv[optind];
	if (argc - optind > 1 || options->size == 0 || options->seconds <= 0 || options->sessions == 0 ||
	    options->rate == 0)
		usage(argv[0]);
}

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct cpus cpus; /* as they were before the first pin, which threads inherit */

static void find_cpus(void)
{
	if (cpus_allowed(&cpus) < 0)
		bench_die("sched_getaffinity");
}

const struct cpus *bench_cpus(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_cpus);
	return &cpus;
}

void bench_pin(unsigned nth)
{
	if (cpus_pin(bench_cpus(), nth, NULL) < 0)
		bench_die("sched_setaffinity");
}

void bench_die(const char *what)
{
	perror(what);
	exit(1);
}

pid_t bench_fork(void (*child)(int fd, void *ctx), void *ctx, int *fd)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends) != 0)
		bench_die("pipe");
	pid = fork();
	if (pid < 0)
		bench_die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		child(ends[1], ctx);
		_exit(0);
	}
	close(ends[1]);
	*fd = ends[0];
	return pid;
}

void bench_get(int fd, void *data, size_t len)
{
	ssize_t n = read(fd, data, len); /* shorter than PIPE_BUF: whole or not at all */

	if (n != (ssize_t)len)
		bench_die("the other process");
}

void bench_put(int fd, const void *data, size_t len)
{
	if (write(fd, data, len) != (ssize_t)len)
		bench_die("the other process");
}

void bench_fill(void *data, uint32_t len, uint64_t number)
{
	unsigned char *at = data;

	for (; len >= sizeof(number); at += sizeof(number), len -= (uint32_t)sizeof(number))
		memcpy(at, &number, sizeof(number));
	memset(at, (int)number, len);
}

uint64_t bench_sum(const void *data, uint32_t len)
{
	const unsigned char *at = data;
	uint64_t sum = 0;
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= (uint32_t)sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	while (len-- > 0)
		sum += *at++;
	return sum;
}
