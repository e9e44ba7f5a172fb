/* SPDX-License-Identifier: MIT */
/*
 * Leaves a ring behind for fluxring to look at: ring_leave PATH KIND [stay].
 * KIND: slots, lossy, sums, records, shared, claim (several writers, one claim open). Items 0 to 4 are
 * published, the first two are released by a reader; then it kills itself, or with "stay" tells "ready"
 * and lives until its standard input ends. ring_leave PATH spoil damages the ring that is there.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <flux/shared_ring.h>

#define ITEMS 5u

static const struct kind {
	const char *name;
	uint32_t flags, writers;
} kinds[] = {
	{ "slots", 0, 1 },
	{ "lossy", FLUX_RING_LOSSY, 1 },
	{ "sums", FLUX_RING_SUMS, 1 },
	{ "records", FLUX_RING_RECORDS, 1 },
	{ "shared", FLUX_RING_SHARE, 1 },
	{ "claim", 0, 4 },
};

static struct flux_shared_ring *shared;
static struct flux_ring *ring;
static struct flux_ring_writer writer;
static struct flux_ring_reader reader;
static char why[FLUX_WHY_TEXT];

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ring_leave: %s %s\n", what, why);
	exit(1);
}

static void open_ring(const char *path, const struct kind *kind)
{
	struct flux_region_cfg region = FLUX_REGION_CFG_INIT;
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	region.backing = FLUX_REGION_FILE;
	region.open = kind ? FLUX_REGION_CREATE : FLUX_REGION_ATTACH;
	region.name = path;
	if (kind) {
		cfg.flags = kind->flags;
		cfg.writers = kind->writers;
		cfg.capacity = 16;
		cfg.slot = 32;
	}
	need(flux_shared_ring_open(&shared, &region, kind ? &cfg : NULL, why) == 0, "open");
	ring = flux_shared_ring_ring(shared);
}

static void write_item(uint32_t number)
{
	struct flux_ring_record record;
	struct flux_ring_span span;
	void *to;

	if (ring->flags & FLUX_RING_RECORDS) {
		need(flux_ring_record_claim(&writer, 24, &record) == 0, "claim");
		to = record.data;
	} else {
		need(flux_ring_claim(&writer, 1, &span) == 0, "claim");
		to = span.at[0];
	}
	memset(to, 0, 24);
	snprintf(to, 24, "item %u", number);
	if (ring->flags & FLUX_RING_RECORDS)
		need(flux_ring_record_publish(&writer, 24) == 0, "publish");
	else
		need(flux_ring_publish(&writer, 1) == 0, "publish");
}

static void read_two(void)
{
	struct flux_ring_record record;
	struct flux_ring_span span;

	if (ring->flags & FLUX_RING_LOSSY)
		return;
	if (ring->flags & FLUX_RING_RECORDS) {
		for (int i = 0; i < 2; i++)
			need(flux_ring_record_read(&reader, &record) == 1, "read");
		flux_ring_record_release(&reader);
	} else {
		need(flux_ring_peek(&reader, 2, &span) == 2, "peek");
		need(flux_ring_release(&reader, 2) == 0, "release");
	}
}

static void use(void)
{
	struct flux_ring_writer_cfg writing = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_reader_cfg reading = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_span span;

	writing.name = "pen";
	reading.name = "eye \"1\"";
	need(flux_ring_reader_join(&reader, ring, &reading) == 0, "join");
	need(flux_ring_writer_open(&writer, ring, &writing) == 0, "writer");
	for (uint32_t i = 0; i < ITEMS; i++)
		write_item(i);
	read_two();
	if (ring->n_writers > 1)
		need(flux_ring_claim(&writer, 3, &span) == 0, "open claim");
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;

	need(argc >= 3, "PATH KIND [stay]");
	if (strcmp(argv[2], "spoil") == 0) {
		open_ring(argv[1], NULL);
		ring->head->floor = 1000;
		flux_shared_ring_close(shared);
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, argv[2]) == 0)
			kind = &kinds[i];
	need(kind != NULL, "which kind?");
	open_ring(argv[1], kind);
	use();
	if (argc == 3)
		raise(SIGKILL);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	flux_shared_ring_close(shared);
	return 0;
}
