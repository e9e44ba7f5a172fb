/* SPDX-License-Identifier: MIT */
/* fluxring tail: look on at what goes through a ring, without a place in it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ring/ring.h"

#define COPY_BYTES (1u << 20)
#define COPY_ITEMS 64u
#define NAP_NS     10000000u

struct tail {
	const struct ring_options *options;
	const struct flux_region *region;
	struct flux_ring *ring;
	struct flux_ring_reader reader;
	uint8_t *items;
	uint32_t most;  /* items of one copy */
	uint64_t pass;  /* items to come that are not shown */
	uint64_t shown; /* the sequence of the next one */
};

static void dump(uint64_t seq, const uint8_t *item, uint32_t bytes)
{
	printf("%" PRIu64 "\n", seq);
	for (uint32_t at = 0; at < bytes; at += 16) {
		printf("  %05x ", at);
		for (uint32_t i = at; i < at + 16; i++)
			i < bytes ? (void)printf(" %02x", item[i]) : (void)printf("   ");
		printf("  |");
		for (uint32_t i = at; i < at + 16 && i < bytes; i++)
			putchar(item[i] >= 0x20 && item[i] < 0x7f ? item[i] : '.');
		puts("|");
	}
}

static void show(struct tail *tail, uint32_t n)
{
	uint32_t slot = tail->ring->slot;

	for (uint32_t i = 0; i < n; i++, tail->shown++) {
		if (tail->pass) {
			tail->pass--;
			continue;
		}
		if (tail->options->raw)
			fwrite(tail->items + (size_t)i * slot, slot, 1, stdout);
		else
			dump(tail->shown, tail->items + (size_t)i * slot, slot);
	}
}

static void say_missed(struct tail *tail, uint64_t missed)
{
	if (!missed)
		return;
	tail->shown += missed;
	/* What was not to be shown may as well be missed. */
	if (missed > tail->pass)
		cli_warn("%" PRIu64 " items were overwritten before they could be read", missed - tail->pass);
	tail->pass = missed < tail->pass ? tail->pass - missed : 0;
}

/* Nothing more now: CLI_OK to look again, else the end. */
static bool rests(struct tail *tail)
{
	if (!tail->options->follow)
		return false;
	if (fflush(stdout) != 0)
		return false;
	if (flux_region_replaced(tail->region) == 1) {
		cli_warn("its owner closed it, or a new one was created: start again to follow that");
		return false;
	}
	flux_wait_linux.nap(flux_wait_linux.ctx, NAP_NS);
	return true;
}

static int run(struct tail *tail)
{
	for (;;) {
		uint64_t missed = 0;
		int n = flux_ring_copy(&tail->reader, tail->most, tail->items, &missed);

		if (n == FLUX_EBADMSG) {
			cli_warn("item %" PRIu64 " does not have its checksum", tail->shown);
			if (flux_ring_skip(&tail->reader) < 0)
				return CLI_FAILED;
			tail->shown++;
			continue;
		}
		if (n == FLUX_ECLOSED)
			return CLI_OK;
		if (n < 0)
			return cli_fail("it cannot be read: %s", flux_strerror(n));
		say_missed(tail, missed);
		show(tail, (uint32_t)n);
		if (n == 0 && !rests(tail))
			return CLI_OK;
	}
}

/* Why nobody can look on at this kind of ring. */
static int refuse(const struct flux_ring_info *info, const struct flux_ring *ring)
{
	const char *what = info->flags & FLUX_RING_RECORDS ? "records, of which the next is only found by one who keeps "
							     "them from being overwritten" :
			   info->flags & FLUX_RING_SHARE   ? "items that each go to one reader, and an onlooker is none" :
			   ring->n_writers > 1             ? "claims of several producers, which an onlooker cannot tell from "
							     "older ones" :
							     NULL;

	return what ? cli_fail("this ring holds %s: join it as a reader, or see \"fluxring info\"", what) : CLI_OK;
}

static int start(struct tail *tail)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	uint64_t kept;
	int rc;

	cfg.start = FLUX_RING_OLDEST;
	cfg.flags = FLUX_READER_LOSSY;
	rc = flux_ring_reader_join(&tail->reader, tail->ring, &cfg);
	if (rc < 0)
		return cli_fail("it cannot be read: %s", flux_strerror(rc));
	kept = flux_ring_reader_lag(&tail->reader);
	tail->shown = tail->reader.start;
	tail->pass = kept > tail->options->last ? kept - tail->options->last : 0;
	tail->most = COPY_BYTES / tail->ring->slot < COPY_ITEMS ? COPY_BYTES / tail->ring->slot : COPY_ITEMS;
	tail->items = malloc((size_t)tail->most * tail->ring->slot);
	return tail->items ? CLI_OK : cli_fail("no memory");
}

int ring_tail(const struct ring_options *options)
{
	struct flux_shared_ring *shared;
	struct flux_ring_info info;
	struct tail tail = { .options = options };
	int rc;

	if (ring_open_or_say(options, false, &shared) != CLI_OK)
		return CLI_FAILED;
	tail.ring = flux_shared_ring_ring(shared);
	tail.region = flux_shared_ring_region(shared);
	flux_ring_get_info(tail.ring, &info);
	rc = refuse(&info, tail.ring);
	if (rc == CLI_OK)
		rc = start(&tail);
	if (rc == CLI_OK)
		rc = run(&tail);
	free(tail.items);
	flux_shared_ring_close(shared);
	return rc == CLI_OK ? cli_close_stdout() : rc;
}
