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

/* Its pages are there before anything is measured. */
static void region_cfg(const struct perf_options *options, uint32_t backing, struct flux_region_cfg *cfg)
{
	*cfg = (struct flux_region_cfg)FLUX_REGION_CFG_INIT;
	cfg->backing = backing;
	cfg->huge = options->huge;
	cfg->prefault = FLUX_WANT_TRY;
}

static void tell(const struct flux_region *region)
{
	if (flux_region_report(region)[0])
		cli_warn("%s", flux_region_report(region));
}

static int make_own(struct perf_ring *ring, const struct perf_options *options,
		    const struct flux_ring_cfg *cfg, char *why)
{
	struct flux_region_cfg region;
	int rc;

	region_cfg(options, FLUX_REGION_ANON, &region);
	region.bytes = flux_ring_bytes(cfg);
	rc = flux_region_open(&ring->region, &region, why);
	if (rc < 0)
		return rc;
	tell(ring->region);
	rc = flux_ring_init(&ring->own, flux_region_data(ring->region), region.bytes, cfg);
	if (rc < 0) {
		snprintf(why, FLUX_WHY_TEXT, "the ring: %s", flux_strerror(rc));
		flux_region_close(ring->region);
		return rc;
	}
	ring->ring = &ring->own;
	return 0;
}

/* `cfg` is NULL for one that is there. */
static int open_shared(struct perf_ring *ring, const struct perf_options *options, const char *name,
		       const struct flux_ring_cfg *cfg, char *why)
{
	struct flux_region_cfg region;
	int rc;

	region_cfg(options, FLUX_REGION_FILE, &region);
	region.name = name;
	region.open = cfg ? FLUX_REGION_CREATE : FLUX_REGION_ATTACH;
	rc = flux_shared_ring_open(&ring->shared, &region, cfg, why);
	if (rc < 0)
		return rc;
	if (cfg)
		tell(flux_shared_ring_region(ring->shared));
	ring->ring = flux_shared_ring_ring(ring->shared);
	return 0;
}

int perf_ring_make(struct perf_ring *ring, const struct perf_options *options, const char *name, char *why)
{
	struct flux_ring_cfg cfg;

	*ring = (struct perf_ring){ .ring = NULL };
	ring_cfg(options, &cfg);
	return options->processes ? open_shared(ring, options, name, &cfg, why) :
				    make_own(ring, options, &cfg, why);
}

int perf_ring_attach(struct perf_ring *ring, const struct perf_options *options, const char *name, char *why)
{
	*ring = (struct perf_ring){ .ring = NULL };
	return open_shared(ring, options, name, NULL, why);
}

void perf_ring_end(struct perf_ring *ring)
{
	if (!ring->ring)
		return;
	if (!ring->shared)
		flux_ring_fini(&ring->own);
	flux_shared_ring_close(ring->shared);
	flux_region_close(ring->region);
	*ring = (struct perf_ring){ .ring = NULL };
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
