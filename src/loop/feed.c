/* SPDX-License-Identifier: MIT */
/*
 * Rings read by a loop. While there is something to read the loop comes back by itself; only when all is
 * read does the reader ask to be rung (B2 in bell.c), at the end of a turn, so that the writers' cost is
 * one wake-up a turn at most. A loop that stays awake never asks: it looks.
 */
#include <flux/feed.h>

#include "core/base/cfg.h"
#include "core/base/mem.h"
#include "core/base/time.h"
#include "loop/loop.h"
#include "loop/member.h"
#include "sys/clock.h"

#define BUDGET 64u
/* Items between two looks at the clock, one by one. */
#define BATCH 16u
/* A turn may take this long to hand out; then the others on the loop have their turn. */
#define FEED_TIME FLUX_US(32)

/* Between processes, one who would have rung may have died before he did. */
#define LOOK_AGAIN FLUX_MS(25)

struct flux_feed {
	struct flux_member member;
	struct flux_ring_reader *reader;
	struct flux_feed_cfg cfg;
	flux_ts look_at; /* even if nobody rings */
	uint32_t batch;  /* items that may be held at a time */
	bool records;
	bool paused; /* by the user, or by an item that was kept */
	bool ended;  /* nothing will come */
};

static struct flux_feed *feed_of(const struct flux_member *member)
{
	return FLUX_CONTAINER(member, struct flux_feed, member);
}

/* Not in a forked child: what is in a ring is for one process. */
static bool is_open(const struct flux_feed *feed)
{
	return !feed->member.closing && !feed->paused && !feed->ended && flux_loop_is_here(feed->member.loop);
}

/* ---- Handing out ---- */

/* What a look said, if it found nothing. True: go on all the same. */
static bool passed(struct flux_feed *feed, int rc)
{
	bool skipped = rc == FLUX_EBADMSG && !flux_ring_skip(feed->reader);

	if (rc < 0) {
		feed->ended = rc != FLUX_EBADMSG;
		if (feed->cfg.on_error)
			feed->cfg.on_error(feed->cfg.ctx, feed, rc);
	}
	return skipped;
}

/* Gather up to `most` items, in place: how many, or an error if the first one is none. */
static int gather(struct flux_feed *feed, struct flux_ring_record *records, struct flux_feed_item *items,
		  uint32_t most)
{
	struct flux_ring_span span;
	uint32_t n = 0;
	int rc = 0;

	if (feed->records) {
		while (n < most && (rc = flux_ring_record_read(feed->reader, &records[n])) == 1) {
			items[n] = (struct flux_feed_item){ records[n].data, records[n].len, 0 };
			n++;
		}
		return n ? (int)n : rc; /* what stopped it comes first next time */
	}
	rc = flux_ring_peek(feed->reader, most, &span);
	for (; (int)n < rc; n++) {
		uint32_t part = n >= span.n[0];
		uint8_t *at = (uint8_t *)span.at[part] + (part ? n - span.n[0] : n) * feed->reader->slot;

		items[n] = (struct flux_feed_item){ at, (uint32_t)feed->reader->slot, 0 };
	}
	return rc;
}

/* How many of them are done. */
static uint32_t hand_over(struct flux_feed *feed, const struct flux_feed_item *items, uint32_t n)
{
	const struct flux_feed_cfg *cfg = &feed->cfg;
	uint32_t done = 0;

	if (cfg->on_batch)
		return cfg->on_batch(cfg->ctx, feed, items, n);
	while (done < n && is_open(feed) &&
	       cfg->on_item(cfg->ctx, feed, items[done].data, items[done].len) != FLUX_FEED_KEEP)
		done++;
	return done;
}

/* Hand out up to `n` items and release those that are done: how many. */
static uint32_t read_some(struct flux_feed *feed, uint32_t n)
{
	struct flux_ring_record records[FLUX_FEED_BATCH];
	struct flux_feed_item items[FLUX_FEED_BATCH];
	int there = gather(feed, records, items, n);
	uint32_t done;
	int rc;

	if (there <= 0)
		return passed(feed, there);
	n = (uint32_t)there;
	done = hand_over(feed, items, n);
	if (done < n && is_open(feed))
		feed->paused = true;
	if (!feed->records)
		rc = done ? flux_ring_release(feed->reader, done) : 0;
	else if (done < n)
		rc = flux_ring_record_release_before(feed->reader, &records[done]);
	else
		rc = flux_ring_record_release(feed->reader);
	(void)passed(feed, rc);
	return done;
}

/* Hand out this turn's share: how many items. */
static uint32_t drain(struct flux_feed *feed)
{
	flux_ts until = flux_ts_add(flux_clock_now(), FEED_TIME);
	uint32_t done = 0;

	while (done < feed->cfg.budget && is_open(feed)) {
		uint32_t n = feed->cfg.budget - done < feed->batch ? feed->cfg.budget - done : feed->batch;
		uint32_t some = read_some(feed, n);

		done += some;
		if (some == 0 || (feed->cfg.budget > done && flux_clock_now() > until))
			break;
	}
	if (done && feed->cfg.on_end && !feed->member.closing)
		feed->cfg.on_end(feed->cfg.ctx, feed);
	return done;
}

/* ---- A member of the loop ---- */

static void on_fd(struct flux_member *member, uint32_t events)
{
	(void)events;
	if (member->closing)
		return;
	flux_ring_reader_clear(feed_of(member)->reader);
	flux_member_touch(member);
}

static void advance(struct flux_member *member, flux_ts now)
{
	struct flux_feed *feed = feed_of(member);
	int rc;

	if (!is_open(feed) || (!member->active && !member->loop->awake && now < feed->look_at))
		return;
	member->active = false;
	feed->look_at = FLUX_NEVER;
	/* One who is busy writes on meanwhile: look once more before asking to be rung. */
	if (drain(feed) > 0 || !flux_loop_is_here(member->loop)) { /* or when it is adopted */
		flux_member_touch(member);
		return;
	}
	if (!is_open(feed) || member->loop->awake)
		return;
	rc = flux_ring_reader_arm(feed->reader);
	if (rc > 0)
		flux_member_touch(member);
	else if (rc < 0)
		(void)passed(feed, rc);
	else if (feed->reader->ring->flags & FLUX_RING_PROCESSES)
		feed->look_at = flux_ts_add(now, LOOK_AGAIN);
}

static void flush(struct flux_member *member)
{
	(void)member;
}

static flux_ts deadline(const struct flux_member *member)
{
	return is_open(feed_of(member)) ? feed_of(member)->look_at : FLUX_NEVER;
}

static void close_member(struct flux_member *member)
{
	(void)flux_member_close(member);
}

static void give(struct flux_feed *feed)
{
	const struct flux_mem *mem = feed->member.loop->mem;

	flux_member_leave(&feed->member);
	flux_mem_give(mem, feed, 1, sizeof(*feed));
}

static void sweep(struct flux_member *member)
{
	if (member->closing)
		give(feed_of(member));
}

static const struct flux_member_ops member_ops = {
	.on_fd = on_fd,
	.advance = advance,
	.flush = flush,
	.deadline = deadline,
	.close = close_member,
	.sweep = sweep,
};

/* ---- The user's calls ---- */

static int check(struct flux_loop *loop, const struct flux_ring_reader *reader, const struct flux_feed_cfg *cfg)
{
	if (!cfg->on_item && !cfg->on_batch)
		return flux_loop_fail(loop, FLUX_EINVAL, "a feed needs on_item or on_batch");
	if (flux_ring_reader_fd(reader) < 0)
		return flux_loop_fail(loop, FLUX_ENOTSUP,
				      "the ring's reader does not wait by descriptor: open it with FLUX_WAIT_FD");
	if (reader->flags & FLUX_READER_LOSSY)
		return flux_loop_fail(loop, FLUX_ENOTSUP, "a lossy reader has to copy: use flux_ring_copy()");
	return 0;
}

int flux_feed_open(struct flux_feed **feed, struct flux_loop *loop, struct flux_ring_reader *reader,
		   const struct flux_feed_cfg *cfg)
{
	uint32_t flags = reader->ring->flags;
	struct flux_feed *f;
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	f = flux_mem_take_zeroed(loop->mem, 1, sizeof(*f));
	if (!f)
		return flux_loop_fail(loop, FLUX_ENOMEM, "no memory for a feed");
	f->reader = reader;
	f->records = flags & FLUX_RING_RECORDS;
	f->batch = f->records && flags & FLUX_RING_SHARE ? 1 : BATCH;
	f->look_at = FLUX_NEVER;
	rc = flux_cfg_copy(&f->cfg, sizeof(f->cfg), cfg);
	if (rc < 0)
		rc = flux_cfg_fail(loop, rc);
	else
		rc = check(loop, reader, &f->cfg);
	if (rc == 0)
		rc = flux_member_join(&f->member, loop, &member_ops);
	if (rc < 0) {
		flux_mem_give(loop->mem, f, 1, sizeof(*f));
		return rc;
	}
	if (!f->cfg.budget)
		f->cfg.budget = BUDGET;
	if (f->cfg.on_batch && f->batch > 1)
		f->batch = FLUX_FEED_BATCH;
	rc = flux_member_watch(&f->member, flux_ring_reader_fd(reader), FLUX_LOOP_IN);
	if (rc < 0) {
		give(f);
		return rc;
	}
	flux_member_touch(&f->member);
	*feed = f;
	return 0;
}

void flux_feed_pause(struct flux_feed *feed)
{
	if (FLUX_OWNED(feed->member.loop))
		feed->paused = true;
}

void flux_feed_resume(struct flux_feed *feed)
{
	if (!FLUX_OWNED(feed->member.loop) || feed->member.closing)
		return;
	feed->paused = false;
	flux_member_touch(&feed->member);
}

void flux_feed_close(struct flux_feed *feed)
{
	if (feed && FLUX_OWNED(feed->member.loop))
		(void)flux_member_close(&feed->member);
}
