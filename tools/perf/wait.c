/* SPDX-License-Identifier: MIT */
/* Waiting on a full or an empty ring in the way a handle was opened with, by file descriptor too. */
#include "perf/wait.h"

#include <poll.h>

#include "perf/ring.h"

/* Whoever should ring may have died: look again after so long. */
#define LOOK_MS 100

static void poll_fd(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	(void)poll(&entry, 1, LOOK_MS);
}

/* Sleep until there may be room for `n`. */
static int writer_sleep(struct flux_ring_writer *writer, uint32_t n)
{
	int rc = flux_ring_writer_arm(writer, n);

	if (rc)
		return rc < 0 ? rc : 0;
	poll_fd(flux_ring_writer_fd(writer));
	flux_ring_writer_clear(writer);
	return 0;
}

static int reader_sleep(struct flux_ring_reader *reader)
{
	int rc = flux_ring_reader_arm(reader);

	if (rc)
		return rc < 0 ? rc : 0;
	poll_fd(flux_ring_reader_fd(reader));
	flux_ring_reader_clear(reader);
	return 0;
}

int perf_wait_room(struct flux_ring_writer *writer, uint32_t n, struct flux_ring_span *span)
{
	int rc;

	if (flux_ring_writer_fd(writer) < 0)
		return flux_ring_claim_wait(writer, n, span, FLUX_NEVER);
	while ((rc = flux_ring_claim(writer, n, span)) == FLUX_EAGAIN)
		if ((rc = writer_sleep(writer, n)) < 0)
			break;
	return rc;
}

int perf_wait_items(struct flux_ring_reader *reader, uint32_t n, struct flux_ring_span *span)
{
	int rc;

	if (flux_ring_reader_fd(reader) < 0)
		return flux_ring_peek_wait(reader, n, span, FLUX_NEVER);
	while ((rc = flux_ring_peek(reader, n, span)) == 0)
		if ((rc = reader_sleep(reader)) < 0)
			break;
	return rc;
}

int perf_wait_record_room(struct flux_ring_writer *writer, uint32_t len, struct flux_ring_record *record)
{
	/* With as much again as may be left over at the wrap. */
	uint32_t slots = 2 * ((len + 8 + PERF_UNIT - 1) / PERF_UNIT);
	int rc;

	if (flux_ring_writer_fd(writer) < 0)
		return flux_ring_record_claim_wait(writer, len, record, FLUX_NEVER);
	while ((rc = flux_ring_record_claim(writer, len, record)) == FLUX_EAGAIN)
		if ((rc = writer_sleep(writer, slots)) < 0)
			break;
	return rc;
}

int perf_wait_record(struct flux_ring_reader *reader, struct flux_ring_record *record)
{
	int rc;

	if (flux_ring_reader_fd(reader) < 0)
		return flux_ring_record_read_wait(reader, record, FLUX_NEVER);
	while ((rc = flux_ring_record_read(reader, record)) == 0)
		if ((rc = reader_sleep(reader)) < 0)
			break;
	return rc;
}
