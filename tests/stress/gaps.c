/* SPDX-License-Identifier: MIT */
/* R14: items at gaps of 0 to 3 us for one reader that sleeps; how long did any of them lie there? */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <flux/ring.h>

#include "tests/stress/item.h"
#include "tests/stress/ring.h"

struct gaps {
	struct flux_ring_writer w;
	struct flux_ring_reader r;
	uint64_t count, seed;
	flux_ts worst;
	const char *wrote, *read;
};

struct stamped {
	uint64_t number;
	flux_ts at;
};

static flux_ts now(void)
{
	return flux_wait_linux.now(NULL);
}

static void *write_with_gaps(void *arg)
{
	struct gaps *gaps = arg;
	int rc = 0;

	for (uint64_t i = 0; i < gaps->count && !rc; i++) {
		flux_ts start = now();
		flux_ts gap = (flux_ts)(rnd(&gaps->seed) % 3000);
		struct flux_ring_span span;

		while (now() - start < gap)
			;
		rc = flux_ring_claim_wait(&gaps->w, 1, &span, now() + FLUX_S(60));
		if (rc < 0)
			break;
		*(struct stamped *)span.at[0] = (struct stamped){ i, now() };
		rc = flux_ring_publish(&gaps->w, 1);
	}
	gaps->wrote = rc ? flux_errname(rc) : NULL;
	return NULL;
}

static void *read_asleep(void *arg)
{
	struct gaps *gaps = arg;

	for (uint64_t next = 0; next < gaps->count;) {
		struct flux_ring_span span;
		int n = stress_peek(&gaps->r, 64, &span);
		flux_ts woken = now();

		if (n < 0) {
			gaps->read = flux_errname(n);
			break;
		}
		for (uint32_t i = 0; i < (uint32_t)n; i++) {
			uint32_t part = i >= span.n[0];
			const struct stamped *item = span.at[part];

			item += part ? i - span.n[0] : i;
			if (item->number != next++)
				gaps->read = "an item is missing";
			if (woken - item->at > gaps->worst)
				gaps->worst = woken - item->at;
		}
		flux_ring_release(&gaps->r, (uint32_t)n);
	}
	return NULL;
}

const char *stress_gaps(uint32_t waits, uint64_t count, uint64_t seed, uint64_t worst_ms, char *why)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring_reader_cfg rcfg = FLUX_RING_READER_CFG_INIT;
	struct gaps gaps = { .count = count, .seed = seed };
	struct flux_ring *ring;
	pthread_t threads[2];

	cfg.flags = FLUX_RING_READERS_SLEEP;
	cfg.capacity = 64;
	cfg.slot = sizeof(struct stamped);
	rcfg.wait = waits;
	rcfg.spins = 1;
	if (flux_ring_create(&ring, &cfg, &flux_mem_libc) < 0 ||
	    flux_ring_writer_open(&gaps.w, ring, NULL) < 0 ||
	    flux_ring_reader_join(&gaps.r, ring, &rcfg) < 0)
		abort();
	if (pthread_create(&threads[0], NULL, write_with_gaps, &gaps) ||
	    pthread_create(&threads[1], NULL, read_asleep, &gaps))
		abort();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	flux_ring_destroy(ring);
	printf("# the item that lay longest: %llu us\n", (unsigned long long)(gaps.worst / 1000));
	if (gaps.wrote || gaps.read)
		snprintf(why, 120, "writer: %s, reader: %s", gaps.wrote ? gaps.wrote : "-",
			 gaps.read ? gaps.read : "-");
	else if (worst_ms && gaps.worst > FLUX_MS(worst_ms))
		snprintf(why, 120, "an item lay for more than %llu ms", (unsigned long long)worst_ms);
	else
		return NULL;
	return why;
}
