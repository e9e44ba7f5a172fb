/* SPDX-License-Identifier: MIT */
/* Forth and back: one side asks over the first ring, the other answers over the second. */
#ifndef FLUX_TOOLS_PERF_ECHO_H
#define FLUX_TOOLS_PERF_ECHO_H

#include <flux/ring.h>

#include "perf/stage.h"

/*
 * Ask until the count is through or told to stop; answer until the first ring is closed. Each returns 0,
 * or the error of a ring that ended it.
 */
int perf_echo_ask(struct perf_stage *stage, struct perf_party *party, struct flux_ring_writer *there,
		  struct flux_ring_reader *back);
int perf_echo_answer(struct perf_stage *stage, struct perf_party *party, struct flux_ring_reader *there,
		     struct flux_ring_writer *back);

#endif
