/* SPDX-License-Identifier: MIT */
/*
 * The hot path of slot rings, inline. Included by <flux/ring.h>.
 *
 * Edges of memory order are named; each release tells its acquire, and doc/memory-order.md lists them.
 */
#ifndef FLUX_RING_SLOTS_H
#define FLUX_RING_SLOTS_H

#include <flux/error.h>
#include <flux/ring_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Slots back to back: `n[0]` from `at[0]`, then `n[1]` from `at[1]` (the start of the ring). */
struct flux_ring_span {
	void *at[2];
	uint32_t n[2];
	uint64_t seq; /**< sequence of the first */
};

/* The part that is not inline: a look at the other side, and kinds beyond one producer. */
FLUX_API FLUX_MUST_CHECK int flux_ring_claim_slow_(struct flux_ring_writer *writer, uint32_t least,
						   uint32_t most);
FLUX_API FLUX_MUST_CHECK int flux_ring_publish_slow_(struct flux_ring_writer *writer, uint32_t n);
FLUX_API FLUX_MUST_CHECK int flux_ring_peek_slow_(struct flux_ring_reader *reader, uint32_t n);
FLUX_API int flux_ring_release_slow_(struct flux_ring_reader *reader);
FLUX_API void flux_ring_wake_(struct flux_ring *ring, struct flux_ring_bell *bell);
FLUX_API FLUX_MUST_CHECK int flux_ring_writer_pause_(struct flux_ring_writer *writer, uint32_t *round,
						     flux_ts deadline);
FLUX_API FLUX_MUST_CHECK int flux_ring_reader_pause_(struct flux_ring_reader *reader, uint32_t *round,
						     flux_ts deadline);

/* The slot of a sequence. A multiplication costs what a shift does here: it is on no chain. */
static inline uint8_t *flux_ring_at_(uint8_t *data, uint64_t mask, uint64_t slot, uint64_t seq)
{
	return data + (seq & mask) * slot;
}

/* Nothing: also tells the compiler that a span is always set. */
static inline int flux_ring_no_span_(struct flux_ring_span *span, int rc)
{
	span->at[0] = span->at[1] = NULL;
	span->n[0] = span->n[1] = 0;
	span->seq = 0;
	return rc;
}

static inline void flux_ring_span_(struct flux_ring_span *span, uint8_t *data, uint64_t mask, uint64_t slot,
				   uint64_t seq, uint32_t n)
{
	uint64_t to_wrap = mask + 1 - (seq & mask);
	uint32_t first = n < to_wrap ? n : FLUX_U32_(to_wrap);

	span->at[0] = flux_ring_at_(data, mask, slot, seq);
	span->at[1] = data;
	span->n[0] = first;
	span->n[1] = n - first;
	span->seq = seq;
}

/*
 * Ring if somebody sleeps. B1: the fence stands between the caller's store (cursor, word or gate) and
 * the look at the bell; it pairs with B2 in bell.c, between the sleeper's mark and its second look.
 */
static inline void flux_ring_bell_(struct flux_ring *ring, struct flux_ring_bell *bell)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (FLUX_UNLIKELY_(__atomic_load_n(&bell->word, __ATOMIC_RELAXED) & 1))
		flux_ring_wake_(ring, bell);
}

/* ---- Writing ---- */

/*
 * Several producers: claim what there is known to be room for. 0: the call has to, which looks for room
 * and knows why there is none.
 */
static inline int flux_ring_claim_many_(struct flux_ring_writer *writer, uint32_t n)
{
	uint64_t *claimed = &writer->ring->head->claimed;
	uint64_t at = __atomic_load_n(claimed, __ATOMIC_RELAXED);
	uint64_t room = writer->room - at;

	/* More room than slots cannot be, whatever stands there. */
	if (writer->end != writer->next || n > room || room - 1 > writer->mask)
		return 0;
	/* R16, as in multi.c. */
	__atomic_store_n(&writer->place->gate, at, __ATOMIC_RELEASE);
	__atomic_store_n(&writer->place->count, n, __ATOMIC_RELAXED);
	/* R10: the intent before the claim; pairs with A10 in info.c and claims.c. */
	if (!__atomic_compare_exchange_n(claimed, &at, at + n, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		/* As in multi.c: our intent must not stand for another's claim. */
		__atomic_store_n(&writer->place->count, 0, __ATOMIC_RELAXED);
		return 0;
	}
	writer->next = writer->limit = at;
	return 1;
}

/* Several producers: publish all of the claim, which is not empty, by the word of its first slot. */
static inline int flux_ring_publish_many_(struct flux_ring_writer *writer, uint32_t n)
{
	uint64_t lap = (writer->next | writer->mask) + 1;

	/* R3: the slots of the claim before its word; pairs with A3 in barrier.c and share.c. */
	__atomic_store_n(&writer->words[writer->next & writer->mask], lap << 1 | (n - 1), __ATOMIC_RELEASE);
	__atomic_store_n(&writer->place->count, 0, __ATOMIC_RELEASE);
	writer->next = writer->limit = writer->end;
	if (writer->bell)
		flux_ring_bell_(writer->ring, writer->bell);
	return 0;
}

/**
 * Claim `n` slots to be written in place, all or none. Finish with flux_ring_publish() or
 * flux_ring_abort(); with several producers readers wait for an unfinished claim. A single producer
 * may claim anew instead: that replaces the claim.
 *
 * @param n     1 to the capacity.
 * @param span  [out] empty without success.
 *
 * @return 0; or
 *         FLUX_EAGAIN  no room: a reader holds it;
 *         FLUX_ECLOSED the ring was closed;
 *         FLUX_EINVAL  `n` is larger than the ring, or this is a ring of records;
 *         FLUX_EBUSY   several producers: the last claim of this writer is not finished.
 *
 * Thread: producer.
 * Cost:   lock-free; no allocation; no system call, but on a full ring between processes, where at most
 *         every 10 ms one looks for the dead.
 */
static inline FLUX_MUST_CHECK int flux_ring_claim(struct flux_ring_writer *writer, uint32_t n,
						  struct flux_ring_span *span)
{
	if (FLUX_UNLIKELY_(writer->limit - writer->next < n) &&
	    !(writer->words && flux_ring_claim_many_(writer, n))) {
		int rc = flux_ring_claim_slow_(writer, n, n);

		if (rc < 0)
			return flux_ring_no_span_(span, rc);
	}
	writer->end = writer->next + n;
	flux_ring_span_(span, writer->data, writer->mask, writer->slot, writer->next, n);
	return 0;
}

/**
 * Claim as many as there is room for, up to `n`.
 *
 * @return how many, 1 or more; or as flux_ring_claim().
 *
 * Thread: producer.
 * Cost:   as flux_ring_claim().
 */
static inline FLUX_MUST_CHECK int flux_ring_claim_some(struct flux_ring_writer *writer, uint32_t n,
						       struct flux_ring_span *span)
{
	if (FLUX_UNLIKELY_(writer->limit - writer->next < n) &&
	    !(writer->words && flux_ring_claim_many_(writer, n))) {
		int rc = flux_ring_claim_slow_(writer, 1, n);

		if (rc < 0)
			return flux_ring_no_span_(span, rc);
		n = FLUX_U32_(rc);
	}
	writer->end = writer->next + n;
	flux_ring_span_(span, writer->data, writer->mask, writer->slot, writer->next, n);
	return FLUX_INT_(n);
}

/**
 * Claim one slot: the shortest way.
 *
 * @return the slot; NULL if there is no room or the ring was closed (flux_ring_claim() tells which).
 *
 * Thread: producer.
 * Cost:   as flux_ring_claim().
 */
static inline FLUX_MUST_CHECK void *flux_ring_claim_one(struct flux_ring_writer *writer)
{
	if (FLUX_UNLIKELY_(writer->limit == writer->next) &&
	    !(writer->words && flux_ring_claim_many_(writer, 1)) && flux_ring_claim_slow_(writer, 1, 1) < 0)
		return NULL;
	writer->end = writer->next + 1;
	return flux_ring_at_(writer->data, writer->mask, writer->slot, writer->next);
}

/**
 * Publish the first `n` slots of the claim; the rest of it is given up. Nothing is visible before.
 *
 * @return 0; FLUX_EINVAL: more than was claimed.
 *
 * Thread: producer.
 * Cost:   one store; a fence if FLUX_RING_READERS_SLEEP, and a system call if one of them does.
 */
static inline int flux_ring_publish(struct flux_ring_writer *writer, uint32_t n)
{
	uint64_t next = writer->next + n;

	if (FLUX_UNLIKELY_(n > writer->end - writer->next))
		return FLUX_EINVAL;
	if (FLUX_UNLIKELY_(writer->slow)) {
		if (writer->words && n && next == writer->end)
			return flux_ring_publish_many_(writer, n);
		return flux_ring_publish_slow_(writer, n);
	}
	writer->next = next;
	writer->end = next;
	/* R1: the slots before the cursor; pairs with A1 in barrier.c. */
	__atomic_store_n(writer->cursor, next, __ATOMIC_RELEASE);
	if (writer->bell)
		flux_ring_bell_(writer->ring, writer->bell);
	return 0;
}

/** Give up the claim. Readers of several producers skip it, and it is counted. Thread: producer. */
static inline void flux_ring_abort(struct flux_ring_writer *writer)
{
	(void)flux_ring_publish(writer, 0);
}

/**
 * flux_ring_claim() that waits for room, in the way the writer was opened with.
 *
 * @param deadline  on the clock of the ring's flux_wait_ops; FLUX_NEVER; 0: do not wait.
 *
 * @return as flux_ring_claim(), but for FLUX_EAGAIN: FLUX_ETIMEDOUT; FLUX_ENOTSUP: the handle waits by
 *         file descriptor, or has no clock for a deadline.
 *
 * Thread: producer.
 * Cost:   that of enum flux_wait while it waits.
 */
static inline FLUX_MUST_CHECK int flux_ring_claim_wait(struct flux_ring_writer *writer, uint32_t n,
						       struct flux_ring_span *span, flux_ts deadline)
{
	uint32_t round = 0;
	int rc;

	while ((rc = flux_ring_claim(writer, n, span)) == FLUX_EAGAIN) {
		rc = flux_ring_writer_pause_(writer, &round, deadline);
		if (rc < 0)
			break;
	}
	return rc;
}

/* ---- Reading ---- */

/* One producer, and nothing else to ask: see what he published. 0: nothing, the call knows why. */
static inline int flux_ring_look_(struct flux_ring_reader *reader)
{
	uint64_t end;

	if (!reader->cursor)
		return 0;
	/* A1: pairs with R1. */
	end = __atomic_load_n(reader->cursor, __ATOMIC_ACQUIRE);
	/* The capacity bounds all arithmetic with what others wrote. */
	if (end - reader->next - 1 > reader->mask)
		return 0;
	reader->limit = reader->scan = end;
	return 1;
}

/**
 * Look at up to `n` items, in place. They stay until released; peeking again shows the same ones.
 *
 * @param n     at least 1; cut to the reader's batch.
 * @param span  [out] empty unless the result is positive, or FLUX_EBADMSG: then the one damaged item.
 *
 * @return how many; 0 if there is nothing to read now; or
 *         FLUX_ECLOSED  the ring was closed and all was read;
 *         FLUX_EBADMSG  the next item does not have its checksum: flux_ring_skip() passes it;
 *         FLUX_EEVICTED it held a writer for longer than `evict_after`: leave and join again;
 *         FLUX_EPROTO   more is published than the ring can hold: somebody wrote over it;
 *         FLUX_ENOTSUP  a lossy reader, which cannot read in place: see flux_ring_copy().
 *
 * Thread: consumer.
 * Cost:   lock-free; no allocation; no system call, but between processes, where at most every 10 ms one
 *         looks for the dead if an open claim is in the way.
 */
static inline FLUX_MUST_CHECK int flux_ring_peek(struct flux_ring_reader *reader, uint32_t n,
						 struct flux_ring_span *span)
{
	uint64_t known;
	int rc = 0;

	if (n > reader->batch)
		n = reader->batch;
	if (FLUX_UNLIKELY_(reader->limit == reader->next) && !flux_ring_look_(reader)) {
		rc = flux_ring_peek_slow_(reader, n);
		if (rc <= 0 && rc != FLUX_EBADMSG)
			return flux_ring_no_span_(span, rc);
	}
	known = rc < 0 ? 1 : reader->limit - reader->next;
	if (known < n)
		n = FLUX_U32_(known);
	flux_ring_span_(span, reader->data, reader->mask, reader->slot, reader->next, n);
	return rc < 0 ? rc : FLUX_INT_(n);
}

/**
 * Look at one item: the shortest way.
 *
 * @return the slot, until it is released; NULL if flux_ring_peek() has none to show.
 *
 * Thread: consumer.
 * Cost:   as flux_ring_peek().
 */
static inline FLUX_MUST_CHECK void *flux_ring_peek_one(struct flux_ring_reader *reader)
{
	if (FLUX_UNLIKELY_(reader->limit == reader->next) && !flux_ring_look_(reader) &&
	    flux_ring_peek_slow_(reader, 1) <= 0)
		return NULL;
	return flux_ring_at_(reader->data, reader->mask, reader->slot, reader->next);
}

/**
 * Release the `n` oldest items; any part of what was peeked, as early as wanted.
 *
 * @return 0; FLUX_EINVAL: more than was shown; FLUX_EEVICTED: of a reader with `evict_after`: what it read
 *         since its last good release may have been overwritten meanwhile.
 *
 * Thread: consumer.
 * Cost:   one store; a fence if FLUX_RING_WRITERS_SLEEP, and a system call if one of them does.
 */
static inline int flux_ring_release(struct flux_ring_reader *reader, uint32_t n)
{
	if (FLUX_UNLIKELY_(n > reader->limit - reader->next))
		return FLUX_EINVAL;
	reader->next += n;
	if (FLUX_UNLIKELY_(reader->slow))
		return flux_ring_release_slow_(reader);
	/* R2: reading before the gate; pairs with A2 in room.c and, for readers after us, in barrier.c. */
	__atomic_store_n(reader->gate, reader->next, __ATOMIC_RELEASE);
	if (reader->bell)
		flux_ring_bell_(reader->ring, reader->bell);
	return 0;
}

/**
 * flux_ring_peek() that waits for an item, in the way the reader was opened with.
 *
 * @param deadline  as in flux_ring_claim_wait().
 *
 * @return how many, at least 1; or as flux_ring_peek(), FLUX_ETIMEDOUT, FLUX_ENOTSUP as in
 *         flux_ring_claim_wait().
 *
 * Thread: consumer.
 * Cost:   that of enum flux_wait while it waits.
 */
static inline FLUX_MUST_CHECK int flux_ring_peek_wait(struct flux_ring_reader *reader, uint32_t n,
						      struct flux_ring_span *span, flux_ts deadline)
{
	uint32_t round = 0;
	int rc;

	while (!(rc = flux_ring_peek(reader, n, span))) {
		rc = flux_ring_reader_pause_(reader, &round, deadline);
		if (rc < 0)
			break;
	}
	return rc;
}

/**
 * Pass one item that flux_ring_peek() or the record form called FLUX_EBADMSG. Counted in
 * flux_ring_reader.damaged.
 *
 * @return 0; FLUX_EINVAL: the next item is not damaged.
 *
 * Thread: consumer.
 */
FLUX_API int flux_ring_skip(struct flux_ring_reader *reader);

/** What a handler wants next. */
enum flux_ring_next {
	FLUX_RING_ON = 0,   /**< go on */
	FLUX_RING_STOP = 1, /**< this item is done; return */
	FLUX_RING_AGAIN = 2 /**< this item is not done: keep it, return, show it again next time */
};

/** Called for each item; `last` is not 0 at the end of a batch. Returns enum flux_ring_next. */
typedef int (*flux_ring_handler)(void *ctx, void *item, uint64_t seq, int last);

/**
 * Hand what there is to `handler`, up to `most` items, and release it. Never waits.
 *
 * @return how many were done; 0 if there is nothing to read now; or as flux_ring_peek().
 *
 * Thread: consumer. The handler may publish into other rings, and in this one with the try forms.
 * Cost:   as flux_ring_peek(), and the handler.
 */
static inline int flux_ring_poll(struct flux_ring_reader *reader, uint32_t most, flux_ring_handler handler,
				 void *ctx)
{
	struct flux_ring_span span;
	int n = flux_ring_peek(reader, most, &span);
	int done = 0;
	int next = FLUX_RING_ON;
	uint32_t held = 0;

	while (done < n && next == FLUX_RING_ON) {
		uint32_t i = FLUX_U32_(done);
		uint32_t part = i < span.n[0] ? 0 : 1;
		uint8_t *item = FLUX_PTR_(uint8_t, span.at[part]) + (part ? i - span.n[0] : i) * reader->slot;

		next = handler(ctx, item, span.seq + i, done + 1 == n);
		if (next == FLUX_RING_AGAIN)
			break;
		done++;
		if (++held == reader->every) {
			(void)flux_ring_release(reader, held);
			held = 0;
		}
	}
	if (held)
		(void)flux_ring_release(reader, held);
	return n < 0 ? n : done;
}

/**
 * Copy up to `n` items out and release them. The only way to read for a lossy reader: what a writer
 * overwrote meanwhile is never delivered.
 *
 * @param items   [out] room for `n` slots.
 * @param missed  [out] how many sequences were lost before the first item, exactly; always 0 for a
 *                reader that is not lossy. Set with every result that is not negative.
 *
 * @return how many; 0 if there is nothing to read now; or as flux_ring_peek().
 *
 * Thread: consumer.
 * Cost:   a copy.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_copy(struct flux_ring_reader *reader, uint32_t n, void *items,
					    uint64_t *missed);

/* ---- Without checks ---- */

/*
 * For one writer and readers that see everything, no sums, no sleepers, slots. Nothing is asked and
 * nothing is refused: a writer that runs ahead of a reader by more than the capacity overwrites what
 * that reader has not read, a reader that runs ahead of the writer reads rubbish.
 */

/** The slot `ahead` behind the next sequence, with the line 512 bytes on fetched for writing. */
static inline void *flux_ring_ultra_claim(struct flux_ring_writer *writer, uint32_t ahead)
{
	uint8_t *at = flux_ring_at_(writer->data, writer->mask, writer->slot, writer->next + ahead);

	__builtin_prefetch(at + 512, 1);
	return at;
}

/** Publish `n` slots that flux_ring_ultra_claim() showed. */
static inline void flux_ring_ultra_publish(struct flux_ring_writer *writer, uint32_t n)
{
	writer->next += n;
	writer->end = writer->next;
	if (writer->limit < writer->next)
		writer->limit = writer->next;
	/* R1, as in flux_ring_publish(). */
	__atomic_store_n(writer->cursor, writer->next, __ATOMIC_RELEASE);
}

/** How many items are published and not released; pairs with R1. */
static inline uint64_t flux_ring_ultra_ready(const struct flux_ring_reader *reader,
					     const struct flux_ring_head *head)
{
	return __atomic_load_n(&head->cursor, __ATOMIC_ACQUIRE) - reader->next;
}

/** The slot `ahead` behind the oldest that is not released. */
static inline void *flux_ring_ultra_peek(const struct flux_ring_reader *reader, uint32_t ahead)
{
	return flux_ring_at_(reader->data, reader->mask, reader->slot, reader->next + ahead);
}

/** Release `n` items that flux_ring_ultra_peek() showed. */
static inline void flux_ring_ultra_release(struct flux_ring_reader *reader, uint32_t n)
{
	reader->next += n;
	if (reader->limit < reader->next)
		reader->limit = reader->next;
	if (reader->scan < reader->next)
		reader->scan = reader->next;
	/* R2, as in flux_ring_release(). */
	__atomic_store_n(reader->gate, reader->next, __ATOMIC_RELEASE);
}

#ifdef __cplusplus
}
#endif

#endif
