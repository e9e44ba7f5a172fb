/* SPDX-License-Identifier: MIT */
/* A loop from the inside: its members, whether a callback is running, and the words of the last error. */
#ifndef FLUX_LOOP_LOOP_H
#define FLUX_LOOP_LOOP_H

#include <stdbool.h>

#include <flux/loop.h>

#include "core/base/heap.h"
#include "core/base/list.h"
#include "loop/member.h"
#include "sys/fork.h"

#define FLUX_LOOP_DETAIL 320

struct flux_loop {
	struct flux_loop_ops ops;
	void *host;
	const struct flux_mem *mem;
	struct flux_list members; /* those that have turns */
	struct flux_list idlers;  /* the others */
	struct flux_heap timers;  /* timer.c */
	uint32_t n_members;       /* that have turns */
	uint32_t n_timers;        /* open ones */
	struct flux_member timer; /* deadline.c */
	flux_ts armed;            /* when it is due */
	flux_ts turn_now;         /* when the turn began */
	const void *owner;        /* names the thread that turns the loop */
	uint8_t *mark;            /* clear in a forked child */
	bool busy;                /* inside on_fd, on_turn or the end: callbacks may be on the stack */
	bool turning;             /* inside on_turn, where rearm would be answered too soon */
	bool flushing;            /* in its second half: some members have sent */
	bool asked;               /* ops.rearm was called and its turn has not come */
	bool again;               /* work came up inside the turn */
	bool missed;              /* a turn came while it was busy: ask again */
	bool reap;                /* a closed member waits for its end */
	bool keeps_time;          /* there is such a timer */
	bool awake;               /* the host does not sleep: nobody has to be woken */
	bool closing;             /* flux_loop_close() was called inside a callback */
	bool paused;              /* nothing of ours is on the host's loop */
	bool forsaken;            /* ... because a forked child ran it */
	char detail[FLUX_LOOP_DETAIL];
};

/* Call the timers that are due; when the next one is. */
void flux_timers_run(struct flux_loop *loop, flux_ts now);
flux_ts flux_timers_deadline(const struct flux_loop *loop);

/* Have the loop's own timer, if it has one, be due at `due` or before. */
void flux_loop_arm(struct flux_loop *loop, flux_ts due);

/* Have a turn run soon. */
void flux_loop_ask(struct flux_loop *loop);

/* Keep the words of an error. Returns `code`. */
int flux_loop_fail(struct flux_loop *loop, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what flux_cfg_copy() refused. */
int flux_cfg_fail(struct flux_loop *loop, int code);

/* pause.c: take what is watched off the host, in the child that has found itself to be one. */
void flux_loop_forsake(struct flux_loop *loop);

/* Whether this is the process that the loop lives in; a forked child may only close its copy. */
static inline bool flux_loop_is_here(const struct flux_loop *loop)
{
	return flux_fork_is_here(loop->mark) || loop->closing;
}

/*
 * Whether the caller owns the loop: a forked child does not. Nor does another thread, which is checked by
 * debug builds only. If not, flux_loop_stranger() is what to return, and the words that flux_loop_detail()
 * has for that thread name `function`.
 */
#ifdef FLUX_DEBUG
#define FLUX_OWNED(loop) (flux_loop_is_here(loop) && flux_loop_owned(loop, __func__))
bool flux_loop_owned(const struct flux_loop *loop, const char *function);
#else
#define FLUX_OWNED(loop) flux_loop_is_here(loop)
#endif
int flux_loop_stranger(struct flux_loop *loop);

#endif
