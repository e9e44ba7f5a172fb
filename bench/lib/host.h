/* SPDX-License-Identifier: MIT */
/* The loop of a measurement, of the kind that --loop and --idle name. */
#ifndef FLUX_BENCH_LIB_HOST_H
#define FLUX_BENCH_LIB_HOST_H

#include "lib/bench.h"

#include "common/loop.h"

/* loop_run() as the options say, on the nth CPU if they spread; exits with 1 when it fails. */
void bench_host_run(const struct bench_options *options, unsigned nth, struct loop *loop,
		    const struct loop_user *user);

/* The word of the loop that ran: "event", "uring" or "thread". */
const char *bench_host_name(const struct loop *loop);

#endif
