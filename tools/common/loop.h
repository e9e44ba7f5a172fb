/* SPDX-License-Identifier: MIT */
/* The loop of a tool, of the kind that its user asks for: opened, run until told to stop, and closed. */
#ifndef FLUX_TOOLS_COMMON_LOOP_H
#define FLUX_TOOLS_COMMON_LOOP_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <flux/base.h>
#include <flux/loop.h>

/* The words of --loop; LOOP_ANY: none was given. */
enum loop_kind {
	LOOP_ANY,
	LOOP_EVENT,  /* a libevent base in the calling thread */
	LOOP_URING,  /* io_uring in a thread, else none */
	LOOP_THREAD, /* epoll in a thread */
	LOOP_AUTO,   /* io_uring in a thread where it works, else epoll */
};

/* What the command line says; zero is nothing. */
struct loop_options {
	uint32_t kind;    /* enum loop_kind */
	uint32_t idle;    /* enum flux_idle */
	bool idle_chosen; /* by --idle */
};

/* For a tool's --help; the same in every tool. */
#define LOOP_HELP                                                                                      \
	"      --loop KIND     event (libevent, the default), uring (io_uring), thread (epoll in a\n"  \
	"                      thread of its own) or auto (io_uring where it works, else thread)\n"    \
	"      --idle HOW      spin, adaptive (the default: spins, then sleeps) or epoll (sleeps at\n" \
	"                      once; the only one of --loop event)\n"

/* Read the value of --loop or of --idle. Each returns CLI_OK, or CLI_USAGE after a message. */
int loop_parse_kind(struct loop_options *options, const char *text);
int loop_parse_idle(struct loop_options *options, const char *text);

/*
 * When all options are read: fill in what was not given, refuse what does not go together. Without
 * libevent the default is LOOP_AUTO. Returns CLI_OK, or CLI_USAGE after a message.
 */
int loop_settle(struct loop_options *options);

/* The words of the command line. */
const char *loop_kind_name(uint32_t kind);
const char *loop_idle_name(uint32_t idle);

struct loop;

/* What the tool does there. All is called on the loop's thread, and nothing before `start`. */
struct loop_user {
	/* Open what is needed on loop->flux. Returns CLI_OK, or another exit code after a message. */
	int (*start)(void *ctx, struct loop *loop);
	/* SIGINT or SIGTERM came. NULL: the program is ended by them, or does as it has arranged. */
	void (*on_signal)(void *ctx, int number);
	/* The last call, once `start` was called: afterwards the loop is closed with all that is on it. */
	void (*stop)(void *ctx);
	void *ctx;
};

struct loop {
	struct flux_loop *flux;
	uint32_t ran; /* enum loop_kind of what really runs: never LOOP_AUTO */
	/* When loop_run() has returned, of LOOP_AUTO: why it took this one. */
	char why[FLUX_WHY_TEXT];

	/* Private. */
	const struct loop_user *user;
	sem_t ended;
	int signal_fd;
	int status;
	bool started;
	bool stops;
};

/*
 * Run a loop until loop_stop(), and wait for its end. The calling thread runs it (LOOP_EVENT), or waits for
 * the thread that does. Returns CLI_OK, what `start` returned, or CLI_FAILED after a message.
 */
int loop_run(struct loop *loop, const struct loop_options *options, const struct loop_user *user);

/* Have it end, on its thread. Some more callbacks may come before `stop`. */
void loop_stop(struct loop *loop);

/* The same after a message that says why: loop_run() returns CLI_FAILED. */
void loop_fail(struct loop *loop);

#endif
