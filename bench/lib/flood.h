/* SPDX-License-Identifier: MIT */
/* A stream of equal messages over Flux at full speed: the sending and the receiving end. */
#ifndef FLUX_BENCH_LIB_FLOOD_H
#define FLUX_BENCH_LIB_FLOOD_H

#include "lib/host.h"

#include <flux/binding.h>
#include <flux/timer.h>

/* What one end saw. */
struct flood_outcome {
	uint64_t messages, sum;
	uint64_t ns; /* receiver: from the first message to the last */
	uint64_t cpu_ns;
	uint64_t datagrams, bytes, lost, retransmitted, kernel_drops;
	uint64_t calls;   /* system calls that sent, or received, the datagrams */
	uint32_t offload; /* 1: it was in force here to the end */
};

struct flood_receiver {
	/* When the sender has closed, and a moment has passed. */
	void (*on_end)(void *ctx);
	void *ctx;

	uint32_t work; /* times that each message is read */
	struct flood_outcome outcome;
	uint64_t first_ns, last_ns;
	struct flux_timer *linger;
};

/* Listen on any port of loopback; `addr` is told. It ends with the loop. */
void flood_receiver_open(struct flood_receiver *receiver, struct flux_loop *loop,
			 const struct bench_options *options, struct flux_addr *addr);

/*
 * Send messages of the size and for the time of `options`, on a loop as they say and on the second CPU,
 * then close and wait for the confirmation. Returns the name of the loop that ran.
 */
const char *flood_send(const struct flux_addr *to, const struct bench_options *options,
		       struct flood_outcome *outcome);

#endif
