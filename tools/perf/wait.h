/* SPDX-License-Identifier: MIT */
/* Waiting on a full or an empty ring in the way a handle was opened with, by file descriptor too. */
#ifndef FLUX_TOOLS_PERF_WAIT_H
#define FLUX_TOOLS_PERF_WAIT_H

#include <flux/ring.h>

/* For a claim or a peek that found nothing; the results are those of the library's forms that wait. */
int perf_wait_room(struct flux_ring_writer *writer, uint32_t n, struct flux_ring_span *span);
int perf_wait_items(struct flux_ring_reader *reader, uint32_t n, struct flux_ring_span *span);
int perf_wait_record_room(struct flux_ring_writer *writer, uint32_t len, struct flux_ring_record *record);
int perf_wait_record(struct flux_ring_reader *reader, struct flux_ring_record *record);

#endif
