/* SPDX-License-Identifier: MIT */
/* A stream of equal messages over Flux at full speed: the sending and the receiving end. */
#ifndef FLUX_BENCH_LIB_FLOOD_H
#define FLUX_BENCH_LIB_FLOOD_H

#include "lib/bench.h"

#include <event2/event.h>
#include <flux/binding.h>

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
	struct event_base *base; /* borrowed */
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flood_outcome outcome;
	uint64_t first_ns, last_ns;
};

/* Listen on any port of loopback; `addr` is told. The base's loop is broken when the sender has closed. */
void flood_receiver_open(struct flood_receiver *receiver, struct event_base *base,
			 const struct bench_options *options, struct flux_addr *addr);
void flood_receiver_close(struct flood_receiver *receiver);

/* Send messages of the size and for the time of `options`, then close and wait for the confirmation. */
void flood_send(const struct flux_addr *to, const struct bench_options *options,
		struct flood_outcome *outcome);

#endif
