/* SPDX-License-Identifier: MIT */
/*
 * Processes that attach, publish, consume and detach while one of them is killed every 20 ms; each comes
 * back at once. One that is never killed reads everything: nothing that was published is lost, torn,
 * doubled or out of its writer's order, and nobody waits for the dead.
 * ring_kill [--seconds N] [--seed N] [--limit-ms N] [--only KIND]
 */

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <flux/shared_ring.h>

#include "tests/lib/regions.h"

#define WORKERS   4u /* the first half writes, the others read */
#define CAPACITY  64u
#define BATCH     4u
#define LIVES     65536u
#define KILL_MS   20
#define SEEN_BITS 22

struct item {
	uint64_t life, number, check;
};

/* What the processes tell each other beside the ring. */
struct board {
	uint64_t lives;            /* writers that ever opened */
	uint64_t published[LIVES]; /* by each of them, at least */
	uint64_t read, longest_ns, torn, doubled, stop, starved;
	uint32_t seen[1u << SEEN_BITS]; /* shared reading: laps at which a sequence was read */
};

struct kind {
	const char *name;
	uint32_t flags;
};

static const struct kind kinds[] = {
	{ "broadcast", 0 },
	{ "sums", FLUX_RING_SUMS },
	{ "records", FLUX_RING_RECORDS },
	{ "shared", FLUX_RING_SHARE },
	{ "shared-records", FLUX_RING_SHARE | FLUX_RING_RECORDS },
};

static struct board *board;
static const struct kind *kind;
static uint64_t seed = 1, limit_ms = 20000;
static double seconds = 1.5;
static char why[FLUX_WHY_TEXT];

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static flux_ts now(void)
{
	return flux_wait_linux.now(NULL);
}

static flux_ts deadline(void)
{
	return now() + FLUX_MS(limit_ms);
}

static void note_wait(flux_ts since)
{
	uint64_t waited = now() - since, old = __atomic_load_n(&board->longest_ns, __ATOMIC_RELAXED);

	while (old < waited && !__atomic_compare_exchange_n(&board->longest_ns, &old, waited, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void count(uint64_t *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static bool stopped(void)
{
	return __atomic_load_n(&board->stop, __ATOMIC_RELAXED) != 0;
}

static struct flux_shared_ring *enter(uint32_t open)
{
	struct flux_region_cfg region = regions_file_cfg("ring", open);
	struct flux_ring_cfg ring = FLUX_RING_CFG_INIT;
	struct flux_shared_ring *shared;

	ring.flags = kind->flags | FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	ring.capacity = CAPACITY;
	ring.slot = kind->flags & FLUX_RING_RECORDS ? 8 : sizeof(struct item);
	ring.readers = 8;
	ring.writers = 4;
	region.flags = FLUX_REGION_KEEP;
	if (flux_shared_ring_open(&shared, &region, open == FLUX_REGION_CREATE ? &ring : NULL, why) < 0) {
		fprintf(stderr, "# %s\n", why);
		_exit(3);
	}
	return shared;
}

/* ---- Writers ---- */

/* Sometimes linger with an open claim, so that death comes there too. */
static void linger(void)
{
	if (rnd() % 1024 == 0)
		nanosleep(&(struct timespec){ 0, (long)(rnd() % 2000000) }, NULL);
}

static void fill(struct item *item, uint64_t life, uint64_t number)
{
	*item = (struct item){ life, number, ~(life << 32 ^ number) };
}

static int write_record(struct flux_ring_writer *w, uint64_t life, uint64_t number)
{
	struct flux_ring_record record;
	int rc = flux_ring_record_claim_wait(w, sizeof(struct item), &record, deadline());

	if (rc < 0)
		return rc;
	fill(record.data, life, number);
	linger();
	return flux_ring_record_publish(w, sizeof(struct item)) < 0 ? -1 : 1;
}

static int write_items(struct flux_ring_writer *w, uint64_t life, uint64_t number)
{
	uint32_t n = 1 + (uint32_t)(rnd() % BATCH);
	struct flux_ring_span span;
	int rc = flux_ring_claim_wait(w, n, &span, deadline());

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		fill((struct item *)span.at[i >= span.n[0]] + (i >= span.n[0] ? i - span.n[0] : i), life,
		     number + i);
	linger();
	return flux_ring_publish(w, n) < 0 ? -1 : (int)n;
}

static void write_for_a_while(struct flux_ring *ring)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	struct flux_ring_writer w;
	uint64_t life, number = 0;

	cfg.wait = FLUX_WAIT_BLOCK;
	if (flux_ring_writer_open(&w, ring, &cfg)) {
		count(&board->starved);
		return;
	}
	life = __atomic_fetch_add(&board->lives, 1, __ATOMIC_RELAXED) % LIVES;
	for (uint64_t left = rnd() % 20000; left && !stopped(); left--) {
		flux_ts since = now();
		int n = kind->flags & FLUX_RING_RECORDS ? write_record(&w, life, number) :
							  write_items(&w, life, number);

		note_wait(since);
		if (n < 0)
			break;
		number += (uint64_t)n;
		__atomic_store_n(&board->published[life], number, __ATOMIC_RELEASE);
		if (rnd() % 64 == 0)
			sched_yield();
	}
	flux_ring_writer_close(&w);
}

/* ---- Readers ---- */

static uint64_t next_of[LIVES]; /* the number that is expected of each life, plus one; 0: none yet */

static void check(const struct item *item, uint64_t seq)
{
	struct item copy = *item;

	if (copy.check != ~(copy.life << 32 ^ copy.number) || copy.life >= LIVES) {
		count(&board->torn);
		return;
	}
	if (kind->flags & FLUX_RING_SHARE) {
		uint32_t lap = (uint32_t)(seq >> SEEN_BITS) + 1;

		if (__atomic_exchange_n(&board->seen[seq & ((1u << SEEN_BITS) - 1)], lap, __ATOMIC_RELAXED) == lap)
			count(&board->doubled);
	} else if (next_of[copy.life] && next_of[copy.life] != copy.number + 1) {
		count(&board->doubled);
	}
	next_of[copy.life] = copy.number + 2;
	count(&board->read);
}

/* One batch: how many, 0 for none within a short while, or an error. */
static int read_some(struct flux_ring_reader *r, flux_ts until)
{
	struct flux_ring_span span;
	struct flux_ring_record record;
	int n;

	if (kind->flags & FLUX_RING_RECORDS) {
		n = flux_ring_record_read_wait(r, &record, until);
		if (n > 0)
			check(record.data, record.seq);
		linger();
		if (n > 0)
			flux_ring_record_release(r);
	} else {
		n = flux_ring_peek_wait(r, 1 + (uint32_t)(rnd() % BATCH), &span, until);
		for (int i = 0; i < n; i++)
			check((struct item *)span.at[i >= (int)span.n[0]] +
				      (i >= (int)span.n[0] ? i - (int)span.n[0] : i),
			      span.seq + (uint64_t)i);
		linger();
		if (n > 0)
			flux_ring_release(r, (uint32_t)n);
	}
	return n == FLUX_ETIMEDOUT ? 0 : n;
}

static int join(struct flux_ring_reader *r, struct flux_ring *ring)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

	cfg.wait = FLUX_WAIT_BLOCK;
	return flux_ring_reader_join(r, ring, &cfg);
}

static void read_for_a_while(struct flux_ring *ring)
{
	struct flux_ring_reader r;

	if (join(&r, ring)) {
		count(&board->starved);
		return;
	}
	memset(next_of, 0, sizeof(next_of));
	for (uint64_t left = rnd() % 20000; left && !stopped(); left--) {
		flux_ts since = now();
		int n = 0;

		while (!n && !stopped() && now() < since + FLUX_MS(limit_ms))
			n = read_some(&r, now() + FLUX_MS(200));
		if (n <= 0 && stopped())
			break; /* nobody writes any more */
		note_wait(since);
		if (n <= 0)
			break;
	}
	flux_ring_reader_leave(&r);
}

/* ---- The processes ---- */

static void worker(uint32_t number)
{
	while (!stopped()) {
		struct flux_shared_ring *shared = enter(FLUX_REGION_ATTACH);

		for (uint64_t n = 1 + rnd() % 4; n && !stopped(); n--)
			(number < WORKERS / 2 ? write_for_a_while : read_for_a_while)(
				flux_shared_ring_ring(shared));
		flux_shared_ring_close(shared);
	}
	_exit(0);
}

static pid_t start(uint32_t number)
{
	pid_t pid;

	seed = rnd();
	pid = fork();
	if (pid == 0) {
		seed ^= (uint64_t)getpid() << 32;
		worker(number);
	}
	return pid;
}

static pid_t start_killer(void)
{
	pid_t pid = fork(), workers[WORKERS];
	flux_ts end = now() + (flux_ts)(seconds * 1e9);

	if (pid)
		return pid;
	for (uint32_t i = 0; i < WORKERS; i++)
		workers[i] = start(i);
	while (now() < end) {
		uint32_t i = (uint32_t)(rnd() % WORKERS);

		nanosleep(&(struct timespec){ 0, KILL_MS * 1000000 }, NULL);
		kill(workers[i], SIGKILL);
		waitpid(workers[i], NULL, 0);
		workers[i] = start(i);
	}
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < WORKERS; i++)
		waitpid(workers[i], NULL, 0);
	_exit(0);
}

/* The one that is never killed: it reads, and knows at the end what should have come. */
static const char *watch(struct flux_ring *ring, struct flux_ring_reader *r, struct flux_ring_info *info)
{
	pid_t killer = start_killer();
	int n = 0;

	memset(next_of, 0, sizeof(next_of));
	while (n >= 0 && (waitpid(killer, NULL, WNOHANG) == 0 || n > 0))
		n = read_some(r, now() + FLUX_MS(50));
	(void)flux_ring_tend(ring);
	while (n >= 0 && (n = read_some(r, now() + FLUX_MS(100))) > 0)
		;
	flux_ring_get_info(ring, info);
	if (n < 0)
		return flux_errname(n);
	if (board->torn)
		return "an item was torn";
	if (board->doubled)
		return "an item came twice, or out of its writer's order";
	if (board->starved)
		return "no place was free for one that came back";
	if (info->readers != 1 || info->writers || info->stuck != UINT32_MAX || info->used)
		return "something was left behind";
	if (flux_ring_check(ring, FLUX_RING_CHECK_STILL, NULL, NULL) != FLUX_RING_CONSISTENT)
		return "the checker finds something";
	if (!info->died || !board->read)
		return "nothing happened";
	for (uint64_t i = 0; !(kind->flags & FLUX_RING_SHARE) && i < board->lives && i < LIVES; i++)
		if (next_of[i] && next_of[i] - 1 < board->published[i])
			return "what was published did not come";
	if (board->longest_ns > FLUX_MS(limit_ms))
		return "somebody waited for too long";
	return NULL;
}

static int run(int number)
{
	struct flux_shared_ring *shared;
	struct flux_ring_reader r;
	struct flux_ring_info info;
	const char *wrong;
	uint64_t first = seed;

	memset(board, 0, sizeof(*board));
	shared = enter(FLUX_REGION_CREATE);
	if (join(&r, flux_shared_ring_ring(shared)))
		return 1;
	wrong = watch(flux_shared_ring_ring(shared), &r, &info);
	printf("%s %d - R03 %s: %llu read, %llu died, %llu claims skipped, longest wait %.1f ms (seed %llu)%s%s\n",
	       wrong ? "not ok" : "ok", number, kind->name, (unsigned long long)board->read,
	       (unsigned long long)info.died, (unsigned long long)info.aborted, (double)board->longest_ns * 1e-6,
	       (unsigned long long)first, wrong ? ": " : "", wrong ? wrong : "");
	fflush(stdout);
	flux_ring_reader_leave(&r);
	flux_shared_ring_close(shared);
	unlink(regions_path("ring"));
	return wrong != NULL;
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	int failed = 0, number = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds"))
			seconds = strtod(argv[i + 1], NULL);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0) | 1;
		else if (!strcmp(argv[i], "--limit-ms"))
			limit_ms = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
	}
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED || !regions_dir()) {
		printf("1..0 # SKIP no directory to write to\n");
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		kind = &kinds[i];
		if (!only || !strcmp(only, kind->name))
			failed += run(++number);
	}
	printf("1..%d\n", number);
	regions_remove_dir();
	return failed > 0;
}
