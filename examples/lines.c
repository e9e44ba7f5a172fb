/* SPDX-License-Identifier: MIT */
/*
 * Lines through shared memory, between any number of processes: "lines read NAME" prints what others
 * send, "lines write NAME" sends its input, a line a record. Kill any of them at any time. What is
 * written while nobody reads is kept, once there is a file.
 */
#include <stdio.h>
#include <string.h>

#include <flux/shared_ring.h>

static int write_lines(struct flux_ring *ring)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_writer writer;
	struct flux_ring_record record;
	char line[4096];
	int rc;

	cfg.wait = FLUX_WAIT_BLOCK;
	cfg.name = "lines";
	rc = flux_ring_writer_open(&writer, ring, &cfg);
	while (rc == 0 && fgets(line, sizeof(line), stdin)) {
		uint32_t len = (uint32_t)strlen(line);

		/* Waits for readers that are behind, and for the first one to come when it is full. */
		rc = flux_ring_record_claim_wait(&writer, len, &record, FLUX_NEVER);
		if (rc < 0)
			break;
		memcpy(record.data, line, len);
		rc = flux_ring_record_publish(&writer, len);
	}
	if (rc == 0)
		flux_ring_writer_close(&writer);
	return rc;
}

static int read_lines(struct flux_ring *ring)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_reader reader;
	struct flux_ring_record record;
	int rc;

	cfg.wait = FLUX_WAIT_BLOCK;
	cfg.start = FLUX_RING_OLDEST;
	cfg.name = "lines";
	rc = flux_ring_reader_join(&reader, ring, &cfg);
	if (rc < 0)
		return rc;
	while ((rc = flux_ring_record_read_wait(&reader, &record, FLUX_NEVER)) == 1) {
		fwrite(record.data, 1, record.len, stdout);
		fflush(stdout);
		flux_ring_record_release(&reader);
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct flux_region_cfg region = FLUX_REGION_CFG_INIT;
	struct flux_ring_cfg ring = FLUX_RING_CFG_INIT;
	struct flux_shared_ring *shared;
	char why[FLUX_WHY_TEXT];
	int writes = argc == 3 && !strcmp(argv[1], "write"), rc;

	if (argc != 3 || (!writes && strcmp(argv[1], "read") != 0)) {
		fprintf(stderr, "Usage: %s read|write NAME   (a file in /dev/shm, or a path)\n", argv[0]);
		return 2;
	}
	region.backing = FLUX_REGION_FILE;
	region.flags = FLUX_REGION_KEEP; /* what was written last stays there for the next reader */
	region.name = argv[2];
	ring.flags = FLUX_RING_RECORDS | FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	ring.capacity = 4096;
	ring.slot = 16;
	ring.writers = 8;
	region.open = FLUX_REGION_ATTACH;
	rc = flux_shared_ring_open(&shared, &region, &ring, why);
	if (rc == -ENOENT) {
		region.open = FLUX_REGION_CREATE_OR_ATTACH;
		rc = flux_shared_ring_open(&shared, &region, &ring, why);
	}
	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", argv[2], why);
		return 1;
	}
	rc = writes ? write_lines(flux_shared_ring_ring(shared)) : read_lines(flux_shared_ring_ring(shared));
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", argv[2], flux_strerror(rc));
	flux_shared_ring_close(shared);
	return rc < 0;
}
