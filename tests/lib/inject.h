/* SPDX-License-Identifier: MIT */
/*
 * System calls that fail when a test says so. A program that uses it links with $(INJECT_WRAP), which
 * lead the library's calls here first; nothing of it is in the library.
 */
#ifndef FLUX_TESTS_LIB_INJECT_H
#define FLUX_TESTS_LIB_INJECT_H

#include <stdint.h>

enum inject_call {
	INJECT_SEND,    /* sendmmsg(), or sendmsg() */
	INJECT_RECEIVE, /* recvmmsg(), or recvmsg() */
	INJECT_SETSOCKOPT,
	INJECT_GETSOCKOPT,
	INJECT_SOCKET,
	INJECT_TIMERFD,
	INJECT_GETRANDOM,
	INJECT_CALLS
};

#define INJECT_FOREVER UINT32_MAX

/* Forget all rules and counts. */
void inject_clear(void);
/* After `skip` more calls that work, `times` calls fail with `error`. One rule for each call. */
void inject_error(enum inject_call call, int error, uint32_t skip, uint32_t times);
/* setsockopt() of this option fails with `error`, every time. 0 ends it. */
void inject_option(int level, int name, int error);
/* getsockopt(SO_RCVBUF) answers `bytes`. 0 ends it. */
void inject_rcvbuf(int bytes);
/* A sendmmsg() takes at most `datagrams`. 0 ends it. */
void inject_send_limit(uint32_t datagrams);
/* One in `n` messages of sendmmsg() is taken and lost, drawn from a fixed seed. 0 ends it. */
void inject_loss(uint32_t n);
/* How often it was called since inject_clear(), failures included. */
uint64_t inject_count(enum inject_call call);

#endif
