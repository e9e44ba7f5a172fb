/* SPDX-License-Identifier: MIT */
/* R14: question and answer over two rings whose readers sleep; one lost wake-up would stop both. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <flux/ring.h>

#include "tests/stress/item.h"
#include "tests/stress/ring.h"

#define PATIENCE_MS 20000

struct side {
	struct flux_ring_writer w;
	struct flux_ring_reader r;
	uint64_t count, seed;
	const char *why;
};

static int wait_fd(struct flux_ring_reader *reader)
{
	int rc = flux_ring_reader_arm(reader);
	struct pollfd p = { .fd = flux_ring_reader_fd(reader), .events = POLLIN };

	if (rc)
		return rc;
	if (poll(&p, 1, PATIENCE_MS) != 1)
		return FLUX_ETIMEDOUT;
	flux_ring_reader_clear(reader);
	return 1;
}

int stress_peek(struct flux_ring_reader *reader, uint32_t most, struct flux_ring_span *span)
{
	int n;

	if (reader->pace.kind != FLUX_WAIT_FD)
		return flux_ring_peek_wait(reader, most, span,
					   flux_wait_linux.now(NULL) + FLUX_MS(PATIENCE_MS));
	while (!(n = flux_ring_peek(reader, most, span))) {
		n = wait_fd(reader);
		if (n < 0)
			break;
	}
	return n;
}

static int receive(struct side *side, uint64_t number)
{
	struct flux_ring_span span;
	int n = stress_peek(&side->r, 1, &span);

	if (n < 0)
		return n;
	n = *(uint64_t *)span.at[0] == number ? 0 : FLUX_EPROTO;
	flux_ring_release(&side->r, 1);
	return n;
}

static int transmit(struct side *side, uint64_t number)
{
	struct flux_ring_span span;
	int rc = flux_ring_claim(&side->w, 1, &span);

	if (rc)
		return rc;
	/* 0 to 3 us, so that the other side is met at every stage of falling asleep. */
	for (volatile uint64_t i = rnd(&side->seed) % 3000; i; i--)
		;
	*(uint64_t *)span.at[0] = number;
	return flux_ring_publish(&side->w, 1);
}

static void *answer(void *arg)
{
	struct side *side = arg;
	int rc = 0;

	for (uint64_t i = 0; i < side->count && !rc; i++) {
		rc = receive(side, i);
		if (!rc)
			rc = transmit(side, i);
	}
	side->why = rc ? flux_errname(rc) : NULL;
	return NULL;
}

static void *ask(void *arg)
{
	struct side *side = arg;
	int rc = 0;

	for (uint64_t i = 0; i < side->count && !rc; i++) {
		rc = transmit(side, i);
		if (!rc)
			rc = receive(side, i);
	}
	side->why = rc ? flux_errname(rc) : NULL;
	return NULL;
}

const char *stress_pingpong(uint32_t waits, uint64_t count, uint64_t seed, char *why)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring_reader_cfg rcfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring *rings[2];
	struct side sides[2];
	pthread_t threads[2];

	cfg.flags = FLUX_RING_READERS_SLEEP;
	cfg.capacity = 2;
	cfg.slot = 8;
	rcfg.wait = waits;
	rcfg.spins = 1;
	for (int i = 0; i < 2; i++)
		if (flux_ring_create(&rings[i], &cfg, &flux_mem_libc) < 0)
			abort();
	for (int i = 0; i < 2; i++) {
		sides[i].count = count;
		sides[i].seed = seed + (uint64_t)i;
		if (flux_ring_writer_open(&sides[i].w, rings[i], NULL) < 0 ||
		    flux_ring_reader_join(&sides[i].r, rings[!i], &rcfg) < 0)
			abort();
	}
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, i ? answer : ask, &sides[i]))
			abort();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		flux_ring_destroy(rings[i]);
	if (!sides[0].why && !sides[1].why)
		return NULL;
	snprintf(why, 120, "%s, %s", sides[0].why ? sides[0].why : "-", sides[1].why ? sides[1].why : "-");
	return why;
}
