/* SPDX-License-Identifier: MIT */
/*
 * Faults on purpose. A test build compiles the core with FLUX_MUTATIONS and turns one on at a time: the
 * simulator's oracle has to notice each (tests/sim/mutation_test.c says by which property). In every other
 * build FLUX_MUTATION() is the constant 0.
 */
#ifndef FLUX_CORE_BASE_MUTATION_H
#define FLUX_CORE_BASE_MUTATION_H

#ifdef FLUX_MUTATIONS

#include <stdint.h>

#define FLUX_MUTATION_LIST(X) \
	X(NONE)               \
	X(FORGET_MESSAGE)     \
	X(DELIVER_TWICE)      \
	X(SKIP_FRAGMENT)      \
	X(GIVE_UP)            \
	X(NO_HEARTBEAT)       \
	X(FREE_EARLY)         \
	X(EOS_TOO_SOON)       \
	X(IGNORE_LIMIT)       \
	X(NEW_STAMP)          \
	X(NO_RTX_BIT)         \
	X(SHOW_TWICE)         \
	X(SKIP_HOLD)          \
	X(IGNORE_CWND)        \
	X(IGNORE_RATE)        \
	X(RESEND_NEIGHBOUR)   \
	X(SYNC_FOR_EVER)      \
	X(SYNC_NO_BACKOFF)    \
	X(ACK_BACK)           \
	X(ACK_AHEAD)          \
	X(WINDOW_BACK)        \
	X(ASK_AT_ONCE)        \
	X(ASK_AGAIN)          \
	X(ASK_TOO_MUCH)       \
	X(ANSWER_LONGER)      \
	X(SKIP_CHECKSUM)      \
	X(SAME_LIFE)          \
	X(IDLE_EARLY)         \
	X(IDLE_LATE)          \
	X(CLOSE_EARLY)        \
	X(CLOSE_OFTEN)        \
	X(UNDELIVERED_ZERO)   \
	X(DEADLINE_PAST)      \
	X(UNSEEDED)           \
	X(ALLOC_LATER)        \
	X(SCRIBBLE)           \
	X(LEAK_MEMORY)        \
	X(LEAK_BUFFER)        \
	X(UP_TWICE)           \
	X(CLAIM_SHORT)

#define FLUX_MUTATION_ENUM(name) FLUX_MUT_##name,
enum flux_mutation {
	FLUX_MUTATION_LIST(FLUX_MUTATION_ENUM)
	FLUX_MUT_COUNT
};
#undef FLUX_MUTATION_ENUM

/* Defined by the test: which one is on, and a number that is never the same. */
extern enum flux_mutation flux_mutation;
extern uint64_t flux_mutation_salt;

#define FLUX_MUTATION(name) (flux_mutation == FLUX_MUT_##name)
#define FLUX_MUTATION_SALT  (flux_mutation_salt++)

#else

#define FLUX_MUTATION(name) 0
#define FLUX_MUTATION_SALT  0

#endif

#endif
