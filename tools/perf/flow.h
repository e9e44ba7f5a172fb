/* SPDX-License-Identifier: MIT */
/* One way: what writers and readers do. */
#ifndef FLUX_TOOLS_PERF_FLOW_H
#define FLUX_TOOLS_PERF_FLOW_H

#include <flux/ring.h>

#include "perf/stage.h"

/*
 * Write the party's share, or until told to stop; read until the ring is closed and empty. Each returns
 * 0, or the error of the ring that ended it.
 */
int perf_flow_write(struct perf_stage *stage, struct perf_party *party, struct flux_ring_writer *writer);
int perf_flow_read(struct perf_stage *stage, struct perf_party *party, struct flux_ring_reader *reader);

#endif
