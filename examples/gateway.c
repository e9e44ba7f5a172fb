/* SPDX-License-Identifier: MIT */
/*
 * A ring in shared memory, continued on another host: "gateway RING HOST:PORT" sends what is written into
 * RING, "gateway -l HOST:PORT RING" writes what comes into RING. With "lines" at both ends, two programs
 * that know nothing of a network talk across it; each end may wait for the other for as long as it takes.
 */
#include <stdio.h>
#include <string.h>

#include <flux/bridge.h>
#include <flux/epoll.h>
#include <flux/shared_ring.h>

static struct flux_shared_ring *open_ring(const char *name)
{
	struct flux_region_cfg region = FLUX_REGION_CFG_INIT;
	struct flux_ring_cfg ring = FLUX_RING_CFG_INIT;
	struct flux_shared_ring *shared;
	char why[FLUX_WHY_TEXT];
	int rc;

	region.backing = FLUX_REGION_FILE;
	region.flags = FLUX_REGION_KEEP;
	region.open = FLUX_REGION_CREATE_OR_ATTACH;
	region.name = name;
	ring.flags = FLUX_RING_RECORDS | FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	ring.capacity = 4096;
	ring.slot = 16;
	ring.writers = 8;
	rc = flux_shared_ring_open(&shared, &region, &ring, why);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", name, why);
	return rc < 0 ? NULL : shared;
}

static void on_event(void *done, struct flux_binding *binding, const struct flux_event *event)
{
	struct flux_addr local;
	char text[FLUX_ADDR_TEXT];

	flux_binding_local(binding, &local);
	if (event->type == FLUX_EVENT_UP)
		fprintf(stderr, "connected, from %s\n", flux_addr_format(&local, text));
	else if (event->type == FLUX_EVENT_CLOSED && done) /* who listens waits for the next */
		*(int *)done = 1;
}

int main(int argc, char **argv)
{
	int listens = argc == 4 && !strcmp(argv[1], "-l"), done = 0, rc;
	struct flux_ring_reader_cfg reader_cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_writer_cfg writer_cfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_ring_reader reader;
	struct flux_ring_writer writer;
	struct flux_shared_ring *shared;
	struct flux_bridge *bridge;
	struct flux_binding *binding;
	struct flux_loop *loop;
	struct flux_addr local;
	char text[FLUX_ADDR_TEXT];
	flux_sid sid;

	if (argc != 3 && !listens) {
		fprintf(stderr, "Usage: %s RING HOST:PORT\n       %s -l HOST:PORT RING\n", argv[0], argv[0]);
		return 2;
	}
	shared = open_ring(argv[listens ? 3 : 1]);
	if (!shared || flux_loop_open_epoll(&loop) < 0)
		return 1;
	cfg.local = listens ? argv[2] : NULL;
	cfg.on_event = on_event;
	cfg.ctx = listens ? NULL : &done;
	reader_cfg.wait = writer_cfg.wait = FLUX_WAIT_FD;
	reader_cfg.start = FLUX_RING_OLDEST;
	rc = flux_binding_open(&binding, loop, &cfg);
	if (rc == 0 && listens) {
		rc = flux_ring_writer_open(&writer, flux_shared_ring_ring(shared), &writer_cfg);
		if (rc == 0)
			rc = flux_bridge_open_in(&bridge, binding, 0, &writer, NULL);
		flux_binding_local(binding, &local);
		fprintf(stderr, "listening on %s\n", flux_addr_format(&local, text));
	} else if (rc == 0) {
		rc = flux_ring_reader_join(&reader, flux_shared_ring_ring(shared), &reader_cfg);
		if (rc == 0)
			rc = flux_binding_connect(binding, argv[2], &sid);
		if (rc == 0)
			rc = flux_bridge_open_out(&bridge, binding, sid, &reader, NULL);
	}
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", flux_strerror(rc), flux_loop_detail(loop));
	while (rc == 0 && !done)
		(void)flux_loop_poll_epoll(loop, FLUX_NEVER);
	flux_loop_close(loop);
	flux_shared_ring_close(shared);
	return rc < 0;
}
