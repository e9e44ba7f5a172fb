/* SPDX-License-Identifier: MIT */
/* One step of waiting, in the way a handle was opened with. The system's part comes by a table. */
#include "core/base/bits.h"
#include "core/ring/ring.h"

/*
 * Pauses of one back-off: the two sides then work in long runs instead of fighting over the same lines.
 * Where runs are long, the first back-off grows to MOST_PAUSES, about 25 us.
 */
#define PAUSES      64u
#define MOST_PAUSES 1024u
/* Long is an item for so many pauses, about 0.1 us each: then nobody waits for a single one. */
#define PAUSES_ITEM 4u
/* Back-offs before the processor is given away: adaptive, and before a nap or a sleep. */
#define ADAPTIVE_SPINS 64u
#define BLOCK_SPINS    4u
#define NAP_NS         50000u

static void relax(uint32_t n)
{
	while (n--) {
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ __volatile__("isb" ::
					     : "memory");
#else
		__asm__ __volatile__("" ::
					     : "memory");
#endif
	}
}

int flux_ring_pace_init(struct flux_ring *ring, struct flux_ring_pace *pace, uint32_t side, uint32_t seat,
			bool may_sleep)
{
	switch (pace->kind) {
	case FLUX_WAIT_ADAPTIVE:
		pace->pauses = PAUSES;
		if (!pace->spins)
			pace->spins = ADAPTIVE_SPINS;
		return 0;
	case FLUX_WAIT_SPIN:
		return 0;
	case FLUX_WAIT_YIELD:
		return ring->wait ? 0 : FLUX_ENOTSUP;
	case FLUX_WAIT_SLEEP:
		if (!pace->nap_ns)
			pace->nap_ns = NAP_NS;
		return ring->wait ? 0 : FLUX_ENOTSUP;
	case FLUX_WAIT_BLOCK:
		if (!pace->spins)
			pace->spins = BLOCK_SPINS;
		return ring->wait && may_sleep ? 0 : FLUX_ENOTSUP;
	case FLUX_WAIT_FD:
		if (!ring->wait || !may_sleep)
			return FLUX_ENOTSUP;
		return flux_ring_fd(ring, side, seat, true);
	default:
		return FLUX_EINVAL;
	}
}

/* 0: go on; FLUX_ETIMEDOUT; FLUX_ENOTSUP: nobody can tell the time. */
static int check_deadline(const struct flux_wait_ops *ops, flux_ts deadline)
{
	if (deadline == FLUX_NEVER)
		return 0;
	if (!deadline)
		return FLUX_ETIMEDOUT;
	if (!ops)
		return FLUX_ENOTSUP;
	return ops->now(ops->ctx) >= deadline ? FLUX_ETIMEDOUT : 0;
}

/* Longest sleep where the one who rings may die before he does, or has to look for the evictable. */
#define SLEEP_NS FLUX_MS(25)

/* Sleep until rung; not for long where nobody may ring. */
static void sleep_at(struct flux_ring *ring, struct flux_ring_bell *bell, uint32_t ticket, flux_ts deadline)
{
	const struct flux_wait_ops *ops = ring->wait;
	bool shared = flux_ring_is(ring, FLUX_RING_PROCESSES);

	if (shared || __atomic_load_n(&ring->head->evictable, __ATOMIC_RELAXED)) {
		flux_ts soon = ops->now(ops->ctx) + SLEEP_NS;

		deadline = deadline < soon ? deadline : soon;
	}
	ops->sleep(ops->ctx, &bell->word, ticket, deadline, shared);
}

/* The handle begins to wait at `at`: how long at first, by what it did since it last did. */
static void adapt(struct flux_ring_pace *pace, uint64_t at, uint64_t capacity)
{
	uint64_t run = at - pace->at;

	pace->at = at;
	/* A quarter of the ring at once: any more, and the other side would wait for this one. */
	if (run < capacity / 4 && run >= pace->pauses / PAUSES_ITEM)
		pace->pauses = flux_min_u32(2 * pace->pauses, MOST_PAUSES);
	else if (run > capacity / 2 || run < pace->pauses / (2 * PAUSES_ITEM))
		pace->pauses = flux_max_u32(pace->pauses / 2, PAUSES);
}

static int step(struct flux_ring *ring, struct flux_ring_pace *pace, struct flux_ring_bell *bell,
		uint32_t round, flux_ts deadline)
{
	const struct flux_wait_ops *ops = ring->wait;
	int rc = 0;

	if (pace->kind == FLUX_WAIT_FD)
		return FLUX_ENOTSUP;
	/* One who spins asks the clock less often than the ring. */
	if (pace->kind != FLUX_WAIT_SPIN || round % PAUSES == 0)
		rc = check_deadline(ops, deadline);
	if (rc < 0)
		return rc;
	if (pace->kind == FLUX_WAIT_SPIN) {
		relax(1);
		return 0;
	}
	if (round < pace->spins || !ops) {
		relax(round || pace->kind != FLUX_WAIT_ADAPTIVE ? PAUSES : pace->pauses);
		return 0;
	}
	if (pace->kind == FLUX_WAIT_SLEEP) {
		ops->nap(ops->ctx, pace->nap_ns);
	} else if (pace->kind != FLUX_WAIT_BLOCK) {
		ops->yield(ops->ctx);
	} else if (!(pace->ticket & 1)) {
		pace->ticket = flux_ring_arm(bell);
	} else {
		sleep_at(ring, bell, pace->ticket, deadline);
		pace->ticket = 0;
	}
	return 0;
}

int flux_ring_writer_pause_(struct flux_ring_writer *writer, uint32_t *round, flux_ts deadline)
{
	if (!*round)
		adapt(&writer->pace, writer->next, writer->mask + 1);
	return step(writer->ring, &writer->pace, &writer->ring->head->room, (*round)++, deadline);
}

/* Where a reader sleeps: items come by publish, or by the release of those ahead. */
static struct flux_ring_bell *bell_of(const struct flux_ring_reader *reader)
{
	return reader->after ? &reader->ring->head->room : &reader->ring->head->data;
}

int flux_ring_reader_pause_(struct flux_ring_reader *reader, uint32_t *round, flux_ts deadline)
{
	if (!*round)
		adapt(&reader->pace, reader->next, reader->mask + 1);
	return step(reader->ring, &reader->pace, bell_of(reader), (*round)++, deadline);
}

int flux_ring_reader_fd(const struct flux_ring_reader *reader)
{
	return reader->pace.kind == FLUX_WAIT_FD ? reader->ring->fds[SIDE_READERS][reader->seat] - 1 :
						   FLUX_ENOTSUP;
}

int flux_ring_writer_fd(const struct flux_ring_writer *writer)
{
	return writer->pace.kind == FLUX_WAIT_FD ? writer->ring->fds[SIDE_WRITERS][writer->seat] - 1 :
						   FLUX_ENOTSUP;
}

void flux_ring_reader_clear(struct flux_ring_reader *reader)
{
	const struct flux_wait_ops *ops = reader->ring->wait;

	if (reader->pace.kind == FLUX_WAIT_FD)
		ops->fd_clear(ops->ctx, flux_ring_reader_fd(reader));
}

void flux_ring_writer_clear(struct flux_ring_writer *writer)
{
	const struct flux_wait_ops *ops = writer->ring->wait;

	if (writer->pace.kind == FLUX_WAIT_FD)
		ops->fd_clear(ops->ctx, flux_ring_writer_fd(writer));
}

/* As reading looks: what it finds is what will be read, verified if it has a sum. */
static int look_again(struct flux_ring_reader *reader)
{
	int rc;

	if (flux_ring_is(reader->ring, FLUX_RING_RECORDS))
		return flux_ring_record_read_slow_(reader);
	if (reader->flags & FLUX_READER_LOSSY)
		return flux_ring_refresh(reader, 1);
	rc = flux_ring_peek_slow_(reader, 1);
	return rc == FLUX_EBADMSG ? 1 : rc;
}

int flux_ring_reader_arm(struct flux_ring_reader *reader)
{
	struct flux_ring_bell *bell = bell_of(reader);
	int rc;

	if (reader->pace.kind != FLUX_WAIT_FD)
		return FLUX_ENOTSUP;
	if ((flux_ring_is(reader->ring, FLUX_RING_RECORDS) ? reader->read : reader->next) < reader->limit)
		return 1;
	__atomic_fetch_or(&bell->fds[SIDE_READERS], 1ull << reader->seat, __ATOMIC_RELAXED);
	(void)flux_ring_arm(bell);
	rc = look_again(reader);
	return rc > 0 ? 1 : rc;
}
