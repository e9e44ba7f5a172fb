/* SPDX-License-Identifier: MIT */
/*
 * Rings: slots or records passed between threads, in place, through a block of memory of any kind.
 * Usable alone, without a loop. doc/rings.md tells how to choose; the hot path is inline, below.
 */
#ifndef FLUX_RING_H
#define FLUX_RING_H

#include <flux/error.h>
#include <flux/ring_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- How to wait ---- */

/** How a handle waits for items or for room. The cost while idle is in the last words. */
enum flux_wait {
	FLUX_WAIT_ADAPTIVE = 0, /**< pauses of 1 us, 25 in a flood, then gives the processor away: one core */
	FLUX_WAIT_SPIN = 1,     /**< looks without pause, for least latency: one core, and the line */
	FLUX_WAIT_YIELD = 2,    /**< gives the processor away each time: one core, shared */
	FLUX_WAIT_SLEEP = 3,    /**< naps of `nap_ns`: a few per cent */
	FLUX_WAIT_BLOCK = 4,    /**< sleeps in the kernel until rung: nothing */
	FLUX_WAIT_FD = 5        /**< a file descriptor for an event loop: nothing */
};

/** Who waits by a file descriptor, and who rings it. */
enum flux_bell {
	FLUX_BELL_HERE = 0,  /**< both in this process */
	FLUX_BELL_MINE = 1,  /**< this process waits, others ring */
	FLUX_BELL_THEIRS = 2 /**< another process waits, this one rings */
};

/** What waiting needs of the system. The ring itself calls no clock, futex or file. */
struct flux_wait_ops {
	/** Nanoseconds on a monotonic clock: deadlines are on it. */
	flux_ts (*now)(void *ctx);
	void (*yield)(void *ctx);
	void (*nap)(void *ctx, uint32_t ns);
	/**
	 * Sleep while *word is `value`, until rung or `deadline` (FLUX_NEVER: none); may return early.
	 * `shared` is not 0 if another process may be the one who rings.
	 */
	void (*sleep)(void *ctx, uint32_t *word, uint32_t value, flux_ts deadline, int shared);
	/** Wake all who sleep at `word`. */
	void (*wake)(void *ctx, uint32_t *word, int shared);
	/**
	 * A file descriptor that turns readable when rung, or an error. `party` is a number from 0 of the
	 * one who waits by it; `whose` is an enum flux_bell.
	 */
	int (*fd_open)(void *ctx, uint32_t party, int whose);
	void (*fd_close)(void *ctx, int fd);
	void (*fd_ring)(void *ctx, int fd);
	/** Make it unreadable again. */
	void (*fd_clear)(void *ctx, int fd);
	void *ctx;
};

/** futex, eventfd and CLOCK_BOOTTIME. */
FLUX_API extern const struct flux_wait_ops flux_wait_linux;

/* ---- The ring ---- */

/** flux_ring_cfg.flags. */
enum flux_ring_flags {
	FLUX_RING_SHARE = 1,          /**< each item goes to one reader; else every reader sees everything */
	FLUX_RING_LOSSY = 2,          /**< the writer never waits, it overwrites; one writer, slots only */
	FLUX_RING_RECORDS = 4,        /**< messages of any length, made of slots; see <flux/ring_record.h> */
	FLUX_RING_SUMS = 8,           /**< a CRC32C with each slot or record, verified by the reader */
	FLUX_RING_READERS_SLEEP = 16, /**< readers may BLOCK or use an FD: each publish pays a fence */
	FLUX_RING_WRITERS_SLEEP = 32, /**< writers, and readers after others, may: each release pays it */
	FLUX_RING_PROCESSES = 64      /**< more than one process maps the block */
};

/** Start from FLUX_RING_CFG_INIT. */
struct flux_ring_cfg {
	uint32_t size;                    /**< set by the initialiser */
	uint32_t flags;                   /**< enum flux_ring_flags */
	uint32_t capacity;                /**< slots: a power of two, 2 to 2^30 */
	uint32_t slot;                    /**< bytes of a slot, 1 to 2^20; slots lie back to back; records: a power of two from 8 */
	uint32_t readers;                 /**< most readers at a time, 1 to FLUX_RING_SEATS */
	uint32_t writers;                 /**< 1: a single producer; 2 to FLUX_RING_SEATS: that many at a time */
	const struct flux_wait_ops *wait; /**< borrowed; NULL: handles can only spin, without deadline */
	/**
	 * 0, or a power of two from `capacity` to 2^30: flux_ring_resize() may give the ring up to so many
	 * slots. For rings of flux_ring_create() that one producer writes and every reader sees whole,
	 * without sums; each look of a reader for more then takes a call.
	 */
	uint32_t most;
	uint32_t reserved; /**< 0 */
};

#define FLUX_RING_CFG_INIT                                                              \
	{                                                                               \
		sizeof(struct flux_ring_cfg), 0, 1024, 64, 4, 1, &flux_wait_linux, 0, 0 \
	}

/**
 * How large a block the ring needs.
 *
 * @return bytes; 0 if flux_ring_init() would refuse `cfg`.
 *
 * Thread: any.
 * Cost:   none.
 */
FLUX_API uint64_t flux_ring_bytes(const struct flux_ring_cfg *cfg);

/**
 * Lay a new ring into a block of memory, of whatever kind.
 *
 * @param ring   [out] in the caller's memory; lives as long as its handles; ends with flux_ring_fini().
 * @param block  aligned to FLUX_RING_LINE; its content does not matter.
 * @param bytes  at least flux_ring_bytes(cfg).
 *
 * @return 0; or
 *         FLUX_EINVAL    a member of `cfg` is out of range, or `block` is not aligned or too small;
 *         FLUX_ENOTSUP   FLUX_RING_LOSSY together with records, sharing or several writers; or `most`,
 *                        which takes flux_ring_create(), with any of these, sums or processes;
 *         FLUX_E2BIG     `cfg` is of a newer library and asks for what this one lacks.
 *
 * Thread: setup.
 * Cost:   writes all of the block but the slots.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_init(struct flux_ring *ring, void *block, uint64_t bytes,
					    const struct flux_ring_cfg *cfg);

/**
 * Use a ring that somebody laid into `block`, perhaps at another address or in another process.
 *
 * @param wait  as in flux_ring_cfg.
 *
 * @return 0; or, with nothing in the block changed,
 *         FLUX_EINVAL      `block` is not aligned, or shorter than a head;
 *         FLUX_EMAGIC      it does not start as a ring does, or is not finished;
 *         FLUX_EBYTEORDER  it was made by a processor of the other byte order;
 *         FLUX_ELAYOUT     it was made by a library with another layout, or for other cache lines;
 *         FLUX_ESIZE       its sizes contradict each other or `bytes`.
 *
 * Thread: setup.
 * Cost:   reads the head.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_attach(struct flux_ring *ring, void *block, uint64_t bytes,
					      const struct flux_wait_ops *wait);

/**
 * Who of those that use a block lives: for rings between processes. <flux/shared_ring.h> has it ready for
 * regions; this is for memory that you share in your own way.
 */
struct flux_ring_peers {
	uint32_t self; /**< the number of this process, not 0, never used before; stays until it ends */
	/**
	 * 0: the process of this number is dead, or has given up its part for good; it never comes back.
	 * Anything else: it lives, or one cannot know. It may be called by any thread, with system calls.
	 */
	int (*alive)(void *ctx, uint32_t member);
	void *ctx;
};

/**
 * Say who lives. Whoever died then no longer holds anybody: its place is given back, its gate opens, a
 * claim it left becomes a skip, which `aborted` counts.
 *
 * @param peers  borrowed until flux_ring_fini().
 *
 * Thread: setup, before the first handle.
 * Cost:   none.
 */
FLUX_API void flux_ring_set_peers(struct flux_ring *ring, const struct flux_ring_peers *peers);

/**
 * Clean up after parties that died. Handles do it by themselves, at most every 10 ms, when they find
 * nothing to read or no room for that reason, and so do joining and opening. Call it to know earlier,
 * as where a writer wants to hear that the last reader is gone.
 *
 * @return how many parties; 0 without flux_ring_set_peers(); FLUX_EPERM: the block is read-only.
 *
 * Thread: any.
 * Cost:   one call of `alive` for each place that another process has.
 */
FLUX_API int flux_ring_tend(struct flux_ring *ring);

/** Close the doorbells of `ring`; its handles end first. The block stays as it is. Thread: setup. */
FLUX_API void flux_ring_fini(struct flux_ring *ring);

/**
 * A ring in memory of its own.
 *
 * @param ring  [out] set only on success; ends with flux_ring_destroy().
 * @param mem   borrowed; for instance &flux_mem_libc.
 *
 * @return 0; FLUX_ENOMEM; or as flux_ring_init().
 *
 * Thread: setup.
 * Cost:   two allocations, three with `most`; writes all of the block but the slots.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_create(struct flux_ring **ring, const struct flux_ring_cfg *cfg,
					      const struct flux_mem *mem);

/** Give back what flux_ring_create() took; the handles end first. NULL is allowed. Thread: setup. */
FLUX_API void flux_ring_destroy(struct flux_ring *ring);

/**
 * Close: nothing more is published. Everybody who waits is woken; a writer gets FLUX_ECLOSED when it
 * next has to look for room, a reader when it has read all that was published before.
 *
 * For an end without loss, the last producer closes after its last publish.
 *
 * Thread: any, any number of times.
 * Cost:   up to two system calls.
 */
FLUX_API void flux_ring_close(struct flux_ring *ring);

/* ---- Handles ---- */

/** Start from FLUX_RING_WRITER_CFG_INIT. */
struct flux_ring_writer_cfg {
	uint32_t size;    /**< set by the initialiser */
	uint32_t wait;    /**< enum flux_wait: what to do on a full ring */
	uint32_t spins;   /**< pauses before it yields, naps or blocks; 0: a default */
	uint32_t nap_ns;  /**< FLUX_WAIT_SLEEP; 0: 50 us */
	const char *name; /**< for people, cut to FLUX_RING_NAME - 1 bytes; NULL: none */
};

#define FLUX_RING_WRITER_CFG_INIT                                  \
	{                                                          \
		sizeof(struct flux_ring_writer_cfg), 0, 0, 0, NULL \
	}

/**
 * Become a writer. A single producer goes on where the last one ended.
 *
 * @param writer  [out] in the caller's memory, best a thread's stack; ends with flux_ring_writer_close().
 * @param cfg     NULL: all defaults.
 *
 * @return 0; or
 *         FLUX_EBUSY    all places of writers are taken;
 *         FLUX_EPERM    the block is read-only;
 *         FLUX_ENOTSUP  this way of waiting was not prepared for (FLUX_RING_WRITERS_SLEEP);
 *         FLUX_EINVAL, FLUX_E2BIG  `cfg`; or the error of the file descriptor.
 *
 * Thread: producer; the handle then belongs to one thread at a time.
 * Cost:   looks through the places; FLUX_WAIT_FD may open a file.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_writer_open(struct flux_ring_writer *writer, struct flux_ring *ring,
						   const struct flux_ring_writer_cfg *cfg);

/** An open claim is aborted. Thread: producer. */
FLUX_API void flux_ring_writer_close(struct flux_ring_writer *writer);

/**
 * Go on in a larger or smaller region of slots, from the next one on: to grow where there is no room, to
 * shrink when idle. Nothing is copied, lost or reordered: readers drain the old region and follow. What
 * lies in the old one does not count against the new one's room. The old one is freed when the last
 * reader has followed and the writer looks for room, or calls this again, of whatever capacity. Regions but
 * the first are aligned as the allocator does. A ring of records smaller than it was made takes shorter ones.
 *
 * @param capacity  slots: a power of two, 2 to `most`; the one it has already: nothing but to free.
 *
 * @return 0: the ring has that capacity, and only one region if it had it before; or, nothing changed,
 *         FLUX_EAGAIN   readers still hold the region before the present one: try again later;
 *         FLUX_EBUSY    a claim is open: publish or abort it;
 *         FLUX_EINVAL   `capacity` is out of range;
 *         FLUX_ENOTSUP  the ring was made without `most`;
 *         FLUX_ENOMEM   by the allocator of flux_ring_create(), which is called in this thread.
 *
 * Thread: producer.
 * Cost:   an allocation (growing back to the first capacity: none), a fence, a free.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_resize(struct flux_ring_writer *writer, uint32_t capacity);

/** flux_ring_reader_cfg.start. */
enum flux_ring_start {
	FLUX_RING_NOW = 0,   /**< what is claimed after the call */
	FLUX_RING_OLDEST = 1 /**< the oldest that is still kept whole */
};

/** flux_ring_reader_cfg.flags. */
enum flux_ring_reader_flags {
	FLUX_READER_LOSSY = 1 /**< never holds the writer; on rings of one writer, slots, not shared */
};

/** Start from FLUX_RING_READER_CFG_INIT. */
struct flux_ring_reader_cfg {
	uint32_t size;   /**< set by the initialiser */
	uint32_t wait;   /**< enum flux_wait: what to do on an empty ring */
	uint32_t spins;  /**< as in flux_ring_writer_cfg */
	uint32_t nap_ns; /**< as in flux_ring_writer_cfg */
	uint32_t start;  /**< enum flux_ring_start; with FLUX_RING_SHARE it is where the others are */
	uint32_t batch;  /**< most items of one peek; 0: no limit */
	uint32_t every;  /**< flux_ring_poll() releases after so many items; 0: at the end of the batch */
	uint32_t flags;  /**< enum flux_ring_reader_flags */
	const char *name;
	const uint32_t *after; /**< readers' ids: sees an item when all of these have released it */
	uint32_t n_after;      /**< how many */
	uint32_t reserved;     /**< 0 */
	/**
	 * How long, in ns, it may hold a writer that finds no room, then it is evicted: its calls say
	 * FLUX_EEVICTED, and it holds nobody. 0: for ever, as long as it lives. Each release then
	 * takes a call. A writer that waits by file descriptor must look by a timer.
	 */
	flux_ts evict_after;
};

#define FLUX_RING_READER_CFG_INIT                                                             \
	{                                                                                     \
		sizeof(struct flux_ring_reader_cfg), 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0, 0 \
	}

/**
 * Become a reader, also while others write and read. From its start position (flux_ring_reader.start)
 * it sees every item once, in order, and holds back the writer until it releases.
 *
 * @param reader  [out] in the caller's memory; ends with flux_ring_reader_leave().
 * @param cfg     NULL: all defaults.
 *
 * @return 0; or
 *         FLUX_EBUSY    all places of readers are taken;
 *         FLUX_ECLOSED  a reader named in `after` is gone;
 *         FLUX_EPERM    the block is read-only, and only lossy readers need no place in it;
 *         FLUX_ENOTSUP  this way of waiting was not prepared for, or the ring is of a kind that cannot
 *                       do it: `after` with sharing, or without any reader that holds the writer; lossy
 *                       or with `evict_after` where the ring can grow: it may free what they read;
 *         FLUX_EINVAL, FLUX_E2BIG  `cfg`; or the error of the file descriptor.
 *
 * Thread: consumer; the handle then belongs to one thread at a time.
 * Cost:   looks through the places; FLUX_WAIT_FD may open a file.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_reader_join(struct flux_ring_reader *reader, struct flux_ring *ring,
						   const struct flux_ring_reader_cfg *cfg);

/**
 * Leave. What it has not released no longer holds the writer, nor readers that wait for this one; on a
 * shared ring, what it took and did not release is gone. When the last reader leaves, what none of
 * them has released is kept for the next one that joins.
 *
 * Thread: consumer.
 */
FLUX_API void flux_ring_reader_leave(struct flux_ring_reader *reader);

/** The id by which others name this reader in `after` or flux_ring_get_reader(). Thread: consumer. */
FLUX_API uint32_t flux_ring_reader_id(const struct flux_ring_reader *reader);

/** Not released yet: published items above its position, about. Thread: consumer. */
FLUX_API uint64_t flux_ring_reader_lag(const struct flux_ring_reader *reader);

/* ---- Waiting by file descriptor ---- */

/**
 * The descriptor of a handle opened with FLUX_WAIT_FD. Watch it for reading; when it is readable call
 * the clear form, use the try forms until nothing is left, then arm. Between processes look again after
 * 25 ms even if it is not: who would have rung may have died before he did.
 *
 * @return a descriptor owned by the ring; FLUX_ENOTSUP: the handle waits in another way.
 *
 * Thread: owner of the handle.
 */
FLUX_API int flux_ring_reader_fd(const struct flux_ring_reader *reader);
/** The same for a writer. */
FLUX_API int flux_ring_writer_fd(const struct flux_ring_writer *writer);

/** Take the ring's signal off the descriptor, before reading the ring. Cost: one system call. */
FLUX_API void flux_ring_reader_clear(struct flux_ring_reader *reader);
/** The same for a writer. */
FLUX_API void flux_ring_writer_clear(struct flux_ring_writer *writer);

/**
 * Ask for the descriptor to be rung at the next publish (release, for readers after others).
 *
 * @return 0: armed, go to sleep; 1: there is something to read already; FLUX_ENOTSUP: the handle waits in
 *         another way; or an error of flux_ring_peek() or flux_ring_record_read(): FLUX_ECLOSED when
 *         nothing is left, FLUX_EBUSY on a shared ring of records while one is held.
 *
 * Thread: owner of the handle.
 * Cost:   one fence, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_reader_arm(struct flux_ring_reader *reader);
/**
 * Ask for the descriptor to be rung at the next release.
 *
 * @param n  slots, 1 to the capacity.
 *
 * @return 0: armed, go to sleep; 1: there is room for `n` already; FLUX_ECLOSED; FLUX_EINVAL: `n`;
 *         FLUX_ENOTSUP: the handle waits in another way.
 *
 * Thread: owner of the handle.
 * Cost:   one fence, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_writer_arm(struct flux_ring_writer *writer, uint32_t n);

/* ---- Looking at it ---- */

/** A ring at one moment; the numbers are read one after the other, while others go on. */
struct flux_ring_info {
	uint64_t capacity;  /**< now; see flux_ring_resize() */
	uint64_t published; /**< sequences claimed (several producers) or published (one), ever */
	uint64_t oldest;    /**< the lowest sequence that somebody still holds */
	uint64_t used;      /**< slots that hold something, 0 to capacity; more while a region is left */
	uint64_t free;      /**< what a writer may claim now */
	uint64_t highest;   /**< largest `used` that a writer met when it looked for room */
	uint64_t aborted;   /**< claims of several producers that became skips: by abort, or by death */
	uint64_t lost;      /**< items that shared readers had taken and not released when they died */
	uint64_t died;      /**< parties that died, and were cleaned up after */
	uint64_t evicted;   /**< readers that were evicted */
	uint32_t readers;   /**< that are in */
	uint32_t writers;
	uint32_t gating; /**< id of the reader that holds `oldest`; UINT32_MAX: none does */
	uint32_t closed;
	uint32_t stuck; /**< several producers: the writer with the oldest open claim; UINT32_MAX: none */
	uint32_t flags;
	char name[FLUX_RING_NAME]; /**< of the reader `gating` */
};

/** Fill `info`. Thread: any. Cost: reads each place. */
FLUX_API void flux_ring_get_info(const struct flux_ring *ring, struct flux_ring_info *info);

/**
 * How many readers hold the writers: those that are in and are not lossy. A writer whose items nobody
 * would read learns it here; see also FLUX_RING_NO_READERS.
 *
 * Thread: any.
 * Cost:   one load. One that died counts until flux_ring_tend() finds it.
 */
static inline uint32_t flux_ring_readers(const struct flux_ring *ring)
{
	return FLUX_U32_(__builtin_popcountll(__atomic_load_n(&ring->head->in, __ATOMIC_RELAXED)));
}

/** flux_ring_note.what */
enum flux_ring_what {
	FLUX_RING_WRITER_DIED = 1,    /**< `count` slots of its claim, from `seq` on, are skipped */
	FLUX_RING_READER_DIED = 2,    /**< it had released up to `seq`; `count`: see flux_ring_info.lost */
	FLUX_RING_READER_EVICTED = 3, /**< it held the writers at `seq` */
	FLUX_RING_NO_READERS = 4      /**< the last reader that holds the writers, `who`, is gone */
};

/**
 * What happened to the parties, one note after the other; the last FLUX_RING_NOTES are kept in the block.
 * Each who looks sees each note once (twice, if the one who wrote it died at that moment).
 *
 * @param cursor  [in,out] the caller's place: 0 to begin with what is kept.
 * @param note    [out] set if the result is 1.
 *
 * @return 1; 0: no more now.
 *
 * Thread: any.
 * Cost:   a copy of 64 bytes.
 */
FLUX_API int flux_ring_note_next(const struct flux_ring *ring, uint64_t *cursor, struct flux_ring_note *note);

/** A reader as others see it. */
struct flux_ring_reader_info {
	uint64_t gate; /**< first sequence not released; FLUX_RING_OPEN if it holds nothing */
	uint64_t lag;  /**< published and not released by it */
	uint64_t after;
	uint32_t flags;
	char name[FLUX_RING_NAME];
};

/**
 * Look at a reader.
 *
 * @return 0; FLUX_ECLOSED: it has left; FLUX_EINVAL: no such id.
 *
 * Thread: any.
 */
FLUX_API FLUX_MUST_CHECK int flux_ring_get_reader(const struct flux_ring *ring, uint32_t id,
						  struct flux_ring_reader_info *info);

#ifdef __cplusplus
}
#endif

#include <flux/ring_slots.h>
#include <flux/ring_record.h>
#include <flux/ring_check.h>

#endif
