/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at any instruction: a process is stepped through an operation on a shared ring, killed after
 * the k-th instruction, for every k (or for some of them, see below), and those that live go on: places
 * are given back, what others publish arrives, no item is torn, doubled or half of what was published
 * together. ring_step [--every N] [--seed N] [--only PART-OF-A-NAME]
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <flux/shared_ring.h>

#include "tests/lib/child.h"
#include "tests/lib/regions.h"

#define CAPACITY 16u
#define OURS     UINT64_C(1)
#define THEIRS   UINT64_C(2)

struct item {
	uint64_t value, check;
};

/* One process's part in the ring. */
struct party {
	struct flux_shared_ring *shared;
	struct flux_ring *ring;
	struct flux_ring_writer w;
	struct flux_ring_reader r;
	bool writes, reads;
};

struct op {
	const char *name;
	uint32_t flags, writers;
	int (*prepare)(struct party *party);
	int (*act)(struct party *party);
	uint32_t together; /* items that the operation publishes together, 0: none */
};

static uint64_t seed = 1;
static uint64_t every; /* step at each k that it divides; 0: about some() of them */
static char why[FLUX_WHY_TEXT];

/* A sanitizer multiplies the instructions, and what a fork costs. */
static uint64_t some(void)
{
	return child_instrumented() ? 6 : 40;
}

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- What the victim does ---- */

static void fill(struct item *item, uint64_t value)
{
	item->value = value;
	item->check = ~value;
}

static int open_writer(struct party *party)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;

	cfg.name = "writer";
	party->writes = true;
	return flux_ring_writer_open(&party->w, party->ring, &cfg);
}

static int join(struct party *party)
{
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

	cfg.start = FLUX_RING_OLDEST;
	cfg.name = "reader";
	party->reads = true;
	return flux_ring_reader_join(&party->r, party->ring, &cfg);
}

static int nothing(struct party *party)
{
	(void)party;
	return 0;
}

static int publish_some(struct party *party, uint32_t claim, uint32_t keep)
{
	struct flux_ring_span span;
	int rc = flux_ring_claim(&party->w, claim, &span);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < keep; i++)
		fill((struct item *)span.at[i >= span.n[0]] + (i >= span.n[0] ? i - span.n[0] : i), THEIRS);
	return flux_ring_publish(&party->w, keep);
}

static int publish(struct party *party)
{
	return publish_some(party, 2, 2);
}

static int publish_part(struct party *party)
{
	return publish_some(party, 4, 1);
}

static int give_up(struct party *party)
{
	return publish_some(party, 3, 0);
}

static int publish_record(struct party *party)
{
	struct flux_ring_record record;
	int rc = flux_ring_record_claim(&party->w, sizeof(struct item), &record);

	if (rc < 0)
		return rc;
	fill(record.data, THEIRS);
	return flux_ring_record_publish(&party->w, sizeof(struct item));
}

static int leave(struct party *party)
{
	flux_ring_reader_leave(&party->r);
	return 0;
}

static int close_writer(struct party *party)
{
	flux_ring_writer_close(&party->w);
	return 0;
}

static int read_two(struct party *party)
{
	struct flux_ring_span span;
	int n = flux_ring_peek(&party->r, 2, &span);

	return n < 0 ? n : flux_ring_release(&party->r, (uint32_t)n);
}

static int read_one_record(struct party *party)
{
	struct flux_ring_record record;
	int n = flux_ring_record_read(&party->r, &record);

	return n < 0 ? n : flux_ring_record_release(&party->r);
}

static int tend(struct party *party)
{
	return flux_ring_tend(party->ring);
}

static int enter(struct party *party, uint32_t open, const struct flux_ring_cfg *cfg)
{
	struct flux_region_cfg region = regions_file_cfg("ring", open);
	int rc = flux_shared_ring_open(&party->shared, &region, cfg, why);

	if (rc == 0)
		party->ring = flux_shared_ring_ring(party->shared);
	return rc;
}

static int attach(struct party *party)
{
	struct party second = { 0 };
	int rc = enter(&second, FLUX_REGION_ATTACH, NULL);

	(void)party;
	if (rc == 0)
		flux_shared_ring_close(second.shared);
	return rc;
}

/* ---- Stepping ---- */

/* A victim, stopped before its operation; 0: ptrace is not allowed. */
static pid_t start(const struct op *op)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct party party = { 0 };

		if (enter(&party, FLUX_REGION_ATTACH, NULL) || op->prepare(&party))
			_exit(1);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(CHILD_SKIP);
		raise(SIGSTOP);
		_exit(op->act(&party) < 0 ? 2 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSTOPPED(status))
		return pid;
	return WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIP ? 0 : -1;
}

/* So many instructions further: 0; 1: it came to its end; -1: it failed. */
static int step(pid_t pid, uint64_t steps)
{
	while (steps--) {
		int status;

		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
			return -1;
		if (WIFEXITED(status))
			return WEXITSTATUS(status) == 0 ? 1 : -1;
		if (!WIFSTOPPED(status))
			return -1;
	}
	return 0;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- Those that live ---- */

/* Take all that there is: how many of theirs, and whether ours was the last; -1: something is wrong. */
static int drain(struct party *me, bool records)
{
	int theirs = 0;
	uint64_t last = 0;

	for (;;) {
		struct flux_ring_record record;
		const struct item *item = NULL;
		int n;

		if (records) {
			n = flux_ring_record_read(&me->r, &record);
			item = n == 1 ? record.data : NULL;
		} else {
			item = flux_ring_peek_one(&me->r);
			n = item != NULL;
		}
		if (n < 0)
			return -1;
		if (!item)
			return last == OURS ? theirs : -1;
		if (item->check != ~item->value || (item->value != OURS && item->value != THEIRS))
			return -1;
		last = item->value;
		theirs += item->value == THEIRS;
		if ((records ? flux_ring_record_release(&me->r) : flux_ring_release(&me->r, 1)) < 0)
			return -1;
	}
}

static int put(struct party *me, bool records)
{
	struct flux_ring_record record;
	struct item *item;

	if (records) {
		if (flux_ring_record_claim(&me->w, sizeof(*item), &record) < 0)
			return -1;
		item = record.data;
		fill(item, OURS);
		return flux_ring_record_publish(&me->w, sizeof(*item));
	}
	item = flux_ring_claim_one(&me->w);
	if (!item)
		return -1;
	fill(item, OURS);
	return flux_ring_publish(&me->w, 1);
}

static uint32_t worst;

static void found(void *ctx, const struct flux_ring_finding *finding)
{
	(void)ctx;
	worst = finding->what;
}

/* After a death (or two): everybody's places are free, and a lap of ours goes through. */
static const char *go_on(struct party *me, const struct op *op, bool finished)
{
	bool records = op->flags & FLUX_RING_RECORDS;
	struct flux_ring_info info;
	int theirs = 0;

	if (flux_ring_check(me->ring, FLUX_RING_CHECK_STILL, found, NULL) > FLUX_RING_LEFT)
		return flux_ring_fault_text(worst);
	if (flux_ring_tend(me->ring) < 0)
		return "tending failed";
	if (flux_ring_check(me->ring, FLUX_RING_CHECK_STILL, found, NULL) != FLUX_RING_CONSISTENT)
		return flux_ring_fault_text(worst);
	if (!me->writes && open_writer(me))
		return "no place for a writer";
	for (uint32_t i = 0; i <= CAPACITY; i++) {
		int n;

		if (put(me, records))
			return "no room";
		n = drain(me, records);
		if (n < 0)
			return "an item is torn, or did not come";
		theirs += n;
	}
	if (op->together && theirs % (int)op->together)
		return "half of what was published together";
	if (finished && op->together && !theirs)
		return "what was published did not come";
	if (op->writers == 1) {
		flux_ring_writer_close(&me->w);
		me->writes = false;
	}
	flux_ring_get_info(me->ring, &info);
	if (info.readers != 1 || info.writers != (op->writers > 1) || info.stuck != UINT32_MAX)
		return "a place was not given back";
	return NULL;
}

static struct flux_ring_cfg cfg_of(const struct op *op)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	cfg.flags = op->flags;
	cfg.capacity = CAPACITY;
	cfg.slot = op->flags & FLUX_RING_RECORDS ? 8 : sizeof(struct item);
	cfg.readers = 4;
	cfg.writers = op->writers;
	return cfg;
}

static int make(struct party *me, const struct op *op)
{
	struct flux_ring_cfg cfg = cfg_of(op);

	memset(me, 0, sizeof(*me));
	if (enter(me, FLUX_REGION_CREATE, &cfg) || join(me))
		return -1;
	return op->writers > 1 ? open_writer(me) : 0;
}

/* How many steps it has, none of which harms: 0: ptrace is refused. */
static uint64_t length(const struct op *op)
{
	pid_t pid = start(op);
	uint64_t n = 0;
	int rc = 0;

	if (pid <= 0)
		return 0;
	while (rc == 0 && n < 1000000) {
		rc = step(pid, 1);
		n++;
	}
	if (rc != 1) {
		end(pid);
		return 0;
	}
	return n;
}

static int report(int number, const struct op *op, const char *suffix, const char *wrong, uint64_t at,
		  uint64_t kills)
{
	if (wrong)
		printf("not ok %d - %s%s: killed behind instruction %llu (seed %llu): %s\n", number, op->name,
		       suffix, (unsigned long long)at, (unsigned long long)seed, wrong);
	else
		printf("ok %d - %s%s: killed at %llu places\n", number, op->name, suffix,
		       (unsigned long long)kills);
	fflush(stdout);
	return wrong != NULL;
}

/* Kill at one place after the other. */
static int kill_at_each(int number, const struct op *op)
{
	struct party me;
	const char *wrong = NULL;
	uint64_t n, kills = 0, at = 0, stride;

	if (make(&me, op)) {
		printf("Bail out! %s: %s\n", op->name, why);
		exit(1);
	}
	n = length(op);
	if (!n) {
		printf("ok %d - %s # SKIP a process may not be stepped here (ptrace)\n", number, op->name);
		flux_shared_ring_close(me.shared);
		return 0;
	}
	wrong = go_on(&me, op, true);
	stride = every ? every : n / some() + 1;
	for (at = rnd() % stride; !wrong && at <= n; at += stride) {
		pid_t pid = start(op);
		int rc = pid > 0 ? step(pid, at) : -1;

		if (rc == 0)
			end(pid);
		wrong = rc < 0 ? "the operation failed" : go_on(&me, op, rc == 1);
		kills++;
	}
	flux_shared_ring_close(me.shared);
	return report(number, op, "", wrong, at, kills);
}

/* Two at the same time, each killed at any place; the second may be one that cleans up after another. */
static int kill_two(int number, const struct op *op, const struct op *other)
{
	struct party me;
	const char *wrong = NULL;
	uint64_t n = 0, m = 0, at = 0, kills = 0;

	if (make(&me, op)) {
		printf("Bail out! %s: %s\n", op->name, why);
		exit(1);
	}
	n = length(op);
	m = length(other);
	wrong = n && m ? go_on(&me, op, false) : NULL;
	for (uint32_t i = 0; n && m && !wrong && i < (every ? 20 : 1) * some(); i++) {
		pid_t first = start(op), second;
		int rc;

		at = rnd() % n;
		rc = first > 0 ? step(first, at) : -1;
		/* Who cleans up finds a dead one; who does not, a living one. */
		if (rc == 0 && other->act == tend)
			end(first);
		second = rc >= 0 ? start(other) : -1;
		if (second > 0 && step(second, rnd() % m) == 0)
			end(second);
		if (rc == 0 && other->act != tend)
			end(first);
		wrong = second <= 0 ? "the operation failed" : go_on(&me, op, false);
		kills++;
	}
	flux_shared_ring_close(me.shared);
	return report(number, op, other->act == tend ? ", and who cleans up" : ", two of them", wrong, at, kills);
}

#define BOTH (FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP)

static const struct op ops[] = {
	{ "R01 publish, several producers", BOTH, 3, open_writer, publish, 2 },
	{ "R01 publish a part, several producers", BOTH, 3, open_writer, publish_part, 1 },
	{ "R01 give up a claim, several producers", 0, 3, open_writer, give_up, 0 },
	{ "R01 publish, one producer", BOTH, 1, open_writer, publish, 2 },
	{ "R01 publish with sums", FLUX_RING_SUMS, 3, open_writer, publish, 2 },
	{ "R01 publish, shared reading", FLUX_RING_SHARE, 3, open_writer, publish, 2 },
	{ "R01 give up, shared reading", FLUX_RING_SHARE, 3, open_writer, publish_part, 1 },
	{ "R01 a record", FLUX_RING_RECORDS, 3, open_writer, publish_record, 1 },
	{ "R01 a record, one producer", FLUX_RING_RECORDS, 1, open_writer, publish_record, 1 },
	{ "R01 a shared record", FLUX_RING_RECORDS | FLUX_RING_SHARE, 3, open_writer, publish_record, 1 },
	{ "R01 a shared record, one producer", FLUX_RING_RECORDS | FLUX_RING_SHARE, 1, open_writer,
	  publish_record, 1 },
	{ "R04 open a writer", 0, 3, nothing, open_writer, 0 },
	{ "R04 open the only writer", 0, 1, nothing, open_writer, 0 },
	{ "R04 close a writer", 0, 3, open_writer, close_writer, 0 },
	{ "R04 join", BOTH, 3, nothing, join, 0 },
	{ "R04 leave", BOTH, 3, join, leave, 0 },
	{ "R04 read", BOTH, 3, join, read_two, 0 },
	{ "R04 read, shared", FLUX_RING_SHARE, 3, join, read_two, 0 },
	{ "R04 read a shared record", FLUX_RING_RECORDS | FLUX_RING_SHARE, 3, join, read_one_record, 0 },
	{ "R04 attach and detach", 0, 3, nothing, attach, 0 },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static const struct op cleaning = { "clean up", 0, 3, nothing, tend, 0 };

int main(int argc, char **argv)
{
	const char *only = "";
	int failed = 0, number = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--every"))
			every = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0) | 1;
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
	}
	if (!regions_dir()) {
		printf("1..0 # SKIP no directory to write to\n");
		return 0;
	}
	for (size_t i = 0; i < OPS; i++) {
		if (!strstr(ops[i].name, only))
			continue;
		failed += kill_at_each(++number, &ops[i]);
		if (ops[i].writers > 1 && ops[i].together) {
			failed += kill_two(++number, &ops[i], &ops[i]);
			failed += kill_two(++number, &ops[i], &cleaning);
		}
	}
	printf("1..%d\n", number);
	regions_remove_dir();
	return failed > 0;
}
