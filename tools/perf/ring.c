/* SPDX-License-Identifier: MIT */
/* The rings of fluxperf: made as the options say, and opened by the parties. */
#include "perf/ring.h"

#include <stdio.h>

/* The ring that the options speak of; its capacity is 0 if it would be too large. */
static void ring_cfg(const struct perf_options *options, struct flux_ring_cfg *cfg)
{
	bool sleep = options->wait == FLUX_WAIT_BLOCK || options->wait == FLUX_WAIT_FD;
	uint64_t capacity = options->capacity;

	*cfg = (struct flux_ring_cfg)FLUX_RING_CFG_INIT;
	cfg->flags = (perf_kind_shares(options->kind) ? FLUX_RING_SHARE : 0u) |
		     (options->records ? FLUX_RING_RECORDS : 0u) | (options->sums ? FLUX_RING_SUMS : 0u) |
		     (sleep ? FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP : 0u);
	cfg->slot = options->slot;
	cfg->readers = options->readers;
	cfg->writers = options->writers;
	if (perf_kind_many_writers(options->kind) && cfg->writers == 1)
		cfg->writers = 2; /* one writes, but in the way of several */
	if (options->records) {
		/* Room for as many of the longest. */
		cfg->slot = PERF_UNIT;
		capacity *= (options->slot + sizeof(uint64_t) + PERF_UNIT - 1) / PERF_UNIT;
		while (capacity & (capacity - 1))
			capacity += capacity & -capacity;
	}
	cfg->capacity = capacity <= UINT32_MAX ? (uint32_t)capacity : 0;
}

uint64_t perf_ring_bytes(const struct perf_options *options)
{
	struct flux_ring_cfg cfg;

	ring_cfg(options, &cfg);
	return flux_ring_bytes(&cfg);
}

int perf_ring_make(struct perf_ring *ring, const struct perf_options *options, char *why)
{
	struct flux_region_cfg region = FLUX_REGION_CFG_INIT;
	struct flux_ring_cfg cfg;
	int rc;

	*ring = (struct perf_ring){ .ring = NULL };
	ring_cfg(options, &cfg);
	region.backing = FLUX_REGION_ANON;
	region.bytes = flux_ring_bytes(&cfg);
	region.huge = options->huge;
	region.prefault = FLUX_WANT_TRY;
	rc = flux_region_open(&ring->region, &region, why);
	if (rc < 0)
		return rc;
	if (flux_region_report(ring->region)[0])
		cli_warn("%s", flux_region_report(ring->region));
	rc = flux_ring_init(&ring->own, flux_region_data(ring->region), region.bytes, &cfg);
	if (rc < 0) {
		snprintf(why, FLUX_WHY_TEXT, "the ring: %s", flux_strerror(rc));
		flux_region_close(ring->region);
		return rc;
	}
	ring->ring = &ring->own;
	return 0;
}

void perf_ring_end(struct perf_ring *ring)
{
	if (!ring->ring)
		return;
	flux_ring_fini(&ring->own);
	flux_region_close(ring->region);
	ring->ring = NULL;
}

int perf_ring_write(const struct perf_ring *ring, const struct perf_options *options,
		    struct flux_ring_writer *writer, char *why)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	int rc;

	cfg.wait = options->wait;
	cfg.name = "fluxperf";
	rc = flux_ring_writer_open(writer, ring->ring, &cfg);
	if (rc < 0)
		snprintf(why, FLUX_WHY_TEXT, "cannot become a writer: %s", flux_strerror(rc));
	return rc;
}

int perf_ring_read(const struct perf_ring *ring, const struct perf_options *options,
		   struct flux_ring_reader *reader, char *why)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	int rc;

	cfg.wait = options->wait;
	cfg.name = "fluxperf";
	rc = flux_ring_reader_join(reader, ring->ring, &cfg);
	if (rc < 0)
		snprintf(why, FLUX_WHY_TEXT, "cannot become a reader: %s", flux_strerror(rc));
	return rc;
}
