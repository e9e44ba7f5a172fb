/* SPDX-License-Identifier: MIT */
/*
 * Bodies of tests that need a process of their own: to be killed, to lose rights, to live in another
 * namespace. A body returns 0; CHECK() returns from it with the words on standard error.
 */
#ifndef FLUX_TESTS_LIB_CHILD_H
#define FLUX_TESTS_LIB_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <sys/types.h>

/* What a body returns: the rest of it cannot be done on this machine. */
#define CHILD_SKIP 77

#define CHECK(condition)                                                                          \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "# %s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			return 1;                                                                 \
		}                                                                                 \
	} while (0)

/* Run `body` in a forked process to its end: what it returned, or 128 and the signal that ended it. */
int child_run(int (*body)(void *), void *arg);

/* A process that goes on until it is told. */
struct child {
	pid_t pid;
	int said; /* the body's messages are read here */
	int told; /* ours to the body are written here */
};

/* Start `body`; it has its own ends of the two pipes. */
void child_start(struct child *child, int (*body)(struct child *own, void *arg), void *arg);
/* One byte each way: tell and await; a body that ended says nothing, which is -1. */
void child_tell(const struct child *child, char c);
int child_await(const struct child *child);
/* The end: of its own accord, or killed and gone when the call returns. */
int child_join(struct child *child);
void child_kill(struct child *child);

/* ---- For bodies ---- */

/* Become nobody, without any privilege. False if we never had the right to. */
bool child_drop_rights(void);
/* A mount namespace of one's own with a tmpfs of `options` on `dir`. */
bool child_mount(const char *dir, const char *type, const char *options);
/* From now on these system calls fail with `error`; ends with -1. */
bool child_forbid(int error, ...);
/* So does one of them, if its argument `n` (the first is 0) is `value`. */
bool child_forbid_argument(int error, int call, unsigned int n, uint32_t value);

/* Whether a sanitizer runs us: it takes the place of some calls, mlock() for one. */
bool child_sanitized(void);
/* Whether valgrind or a sanitizer runs us: they use memory and limits of their own. */
bool child_instrumented(void);

#endif
