/* SPDX-License-Identifier: MIT */
/* A libevent adapter that knows no budget: the opposite of flux/event.h, to compare with. */
#ifndef FLUX_BENCH_LIB_GREEDY_H
#define FLUX_BENCH_LIB_GREEDY_H

#include <flux/loop.h>

struct event_base;

/* flux_loop_open_event(), but a socket that is ready is read until it is empty. */
int greedy_open(struct flux_loop **loop, struct event_base *base);

#endif
