/* SPDX-License-Identifier: MIT */
/*
 * What lies in a ring's block of memory, and what a handle holds. Public only because the hot path
 * is inline: programs use <flux/ring.h> and touch no member that it does not name.
 *
 * The block holds offsets and sequences, no pointers, so it may be mapped anywhere. A word that one
 * side writes while another reads it has a line of its own. Sequences count from 0 and never wrap.
 */
#ifndef FLUX_RING_LAYOUT_H
#define FLUX_RING_LAYOUT_H

#include <flux/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Two cache lines, because processors fetch them in pairs; one on s390x, where a line has 256 bytes. */
#if defined(__s390x__)
#define FLUX_RING_LINE 256
#else
#define FLUX_RING_LINE 128
#endif

/** Most readers, and most writers, of one ring. */
#define FLUX_RING_SEATS 64
/** Longest name of a reader or writer, with its final zero byte. */
#define FLUX_RING_NAME 32

#define FLUX_RING_MAGIC  UINT64_C(0x31474e4952554c46) /* "FLURING1" when little-endian */
#define FLUX_RING_ORDER  0x01020304u
#define FLUX_RING_LAYOUT 1u
/** A gate that holds nobody back. */
#define FLUX_RING_OPEN UINT64_MAX
/** Notes that are kept; see flux_ring_note_next(). */
#define FLUX_RING_NOTES 16

/**
 * Where parties sleep. The word is even while nobody does; a sleeper makes it odd, looks again and
 * sleeps while it has that value; a waker makes it even again, and larger. So a sleeper that comes
 * late can never take an old "asleep" for its own.
 */
struct flux_ring_bell {
	uint32_t word;
	uint32_t pad_;
	/** Seats that wait by file descriptor: readers, writers. */
	uint64_t fds[2];
	uint8_t line_[FLUX_RING_LINE - 24];
};

/** Something that happened to a party; see flux_ring_note_next(). */
struct flux_ring_note {
	uint64_t number; /* one more than its place in the row of all notes; another value: being written */
	uint32_t what;   /**< enum flux_ring_what */
	uint32_t who;    /**< the party's id */
	uint64_t seq;    /**< where it stood */
	uint64_t count;  /**< slots that were lost with it */
	char name[FLUX_RING_NAME];
};

/** The start of the block. */
struct flux_ring_head {
	/* Written once, by flux_ring_init(). */
	uint64_t magic;
	uint32_t order;  /* FLUX_RING_ORDER as its maker's processor writes it */
	uint32_t layout; /* FLUX_RING_LAYOUT */
	uint32_t line;   /* FLUX_RING_LINE */
	uint32_t flags;
	uint64_t bytes; /* of the whole block */
	uint32_t capacity;
	uint32_t slot;
	uint32_t readers;
	uint32_t writers;
	uint64_t at_readers, at_writers; /* offsets from the start of the block */
	uint64_t at_words, at_sums, at_data;
	uint8_t line0_[FLUX_RING_LINE - 88];

	/** Single producer: published up to here. Shared reading of several producers: known to be. */
	uint64_t cursor;
	uint8_t line1_[FLUX_RING_LINE - 8];

	/** Several producers: claimed up to here. */
	uint64_t claimed;
	uint8_t line2_[FLUX_RING_LINE - 8];

	/** Shared reading: taken by readers up to here. */
	uint64_t taken;
	uint8_t line3_[FLUX_RING_LINE - 8];

	/** Nothing below is kept for one who joins; what may be overwritten lies below. Never falls. */
	uint64_t floor;
	/** Where the last readers were when they left. */
	uint64_t left;
	/** Most slots in use that a writer has seen when it looked for room. */
	uint64_t highest;
	uint8_t line4_[FLUX_RING_LINE - 24];

	uint32_t closed;
	uint32_t skips;     /* not 0: there may be slots that are skipped one by one */
	uint64_t in;        /* readers' seats whose gate counts, one bit each */
	uint32_t evictable; /* not 0: a reader may be evicted */
	uint32_t pad_;
	uint64_t aborted; /* claims that became skips */
	uint64_t lost;    /* items that a shared reader took with it */
	uint64_t died;    /* parties that ended without leaving, and were cleaned up after */
	uint64_t evicted; /* readers */
	uint8_t line5_[FLUX_RING_LINE - 56];

	struct flux_ring_bell data; /* rung by publish */
	struct flux_ring_bell room; /* rung by release */

	uint64_t noted; /* notes ever written */
	uint8_t line6_[FLUX_RING_LINE - 8];
	struct flux_ring_note notes[FLUX_RING_NOTES];
};

/** A reader's or a writer's place in the block. */
struct flux_ring_seat {
	/** Reader: nothing at or above may be overwritten. Writer: start of the claim it makes. */
	uint64_t gate;
	/** Writer: length of that claim, 0 when none is open. Shared reader: end of what it took. */
	uint64_t count;
	uint8_t line0_[FLUX_RING_LINE - 16];

	/**
	 * One word, so that a place is never taken by nobody: how often it was taken (24 bits, tells one
	 * holder from the next), the number of the holder's process (32, 0 within one), the state (8).
	 */
	uint64_t holder;
	uint64_t after;    /* readers' seats that it waits for, one bit each */
	uint64_t patience; /* reader: may hold the writer for so many ns, then it is evicted; 0: for ever */
	uint32_t flags;
	uint32_t pad_;
	char name[FLUX_RING_NAME];
	uint8_t line1_[FLUX_RING_LINE - 64];
};

struct flux_wait_ops;
struct flux_ring_peers;
struct flux_ring_regions;

/** A ring as one process sees it: the block's own words, checked once and copied. */
struct flux_ring {
	struct flux_ring_head *head;
	struct flux_ring_seat *readers;
	struct flux_ring_seat *writers;
	uint64_t *words; /* several producers: what is published, by the first slot of each claim */
	uint32_t *sums;
	uint8_t *data;
	uint64_t capacity;
	uint64_t mask;
	uint32_t slot;
	uint32_t flags;
	uint32_t n_readers;
	uint32_t n_writers;
	uint32_t bits;      /* log2 of the capacity */
	uint32_t read_only; /* the block may not be written here */
	const struct flux_wait_ops *wait;
	const struct flux_ring_peers *peers; /* NULL: nobody dies alone */
	uint64_t tended;                     /* when somebody here last looked for the dead */
	const struct flux_mem *mem;          /* flux_ring_create(): who gave `block` */
	void *block;
	uint64_t block_bytes;
	struct flux_ring_regions *regions; /* a ring that can grow: where its slots are; else NULL */
	int32_t fds[2][FLUX_RING_SEATS];   /* doorbells of readers and writers, plus one; kept until the end */
};

/** How a handle waits; part of the handles. */
struct flux_ring_pace {
	uint32_t kind;
	uint32_t spins;
	uint32_t nap_ns;
	uint32_t ticket; /* odd: armed, may sleep while the bell has this value */
	uint64_t at;     /* where the handle was when it last began to wait */
	uint32_t pauses; /* FLUX_WAIT_ADAPTIVE: of its first back-off */
	uint32_t pad_;
};

/*
 * A writer's handle, for one thread. What publish writes does not lie side by side: compilers make one
 * wide store of two, through a vector register, and the next claim waits for it.
 */
struct flux_ring_writer {
	uint64_t next; /* first sequence of the open claim, or of the next one */
	uint64_t mask;
	uint64_t limit; /* a single producer may claim up to here without looking */
	uint8_t *data;
	uint64_t slot;
	uint64_t *cursor;
	struct flux_ring_bell *bell; /* NULL: no reader ever sleeps */
	uint32_t slow;               /* publishing takes more than the cursor */
	uint32_t seat;
	uint64_t end;   /* end of the open claim; `next` when there is none */
	uint64_t room;  /* the same as `limit`, where others have a say in it */
	uint64_t pad;   /* record ring: slots before the record, up to the wrap */
	uint32_t shift; /* record ring: log2 of `slot` */
	uint32_t pad_;
	/* Several producers of slots without sums: they need no call. Else NULL. */
	uint64_t *words;
	struct flux_ring_seat *place;
	struct flux_ring *ring;
	struct flux_ring_pace pace;
	/* Who holds the ring full, where, since when: for eviction. */
	uint64_t stall_gate, stall_since;
	uint32_t stall_id;
	uint32_t pad2_;
	uint8_t line_[FLUX_RING_LINE]; /* what lies behind is in no line of ours */
};

/** A reader's handle, for one thread. */
struct flux_ring_reader {
	uint64_t next;  /* first sequence not released */
	uint64_t limit; /* may be read up to here */
	uint64_t mask;
	uint8_t *data;
	uint64_t slot;
	uint64_t *gate;
	struct flux_ring_bell *bell; /* NULL: nobody who waits for a release ever sleeps */
	uint32_t batch;
	uint32_t slow; /* reading or releasing takes more than the gate */
	uint32_t every;
	uint32_t seat;
	uint64_t scan;  /* known to be published, or taken, up to here; `limit` never lies above */
	uint64_t after; /* seats of the readers that it waits for */
	uint64_t damaged;
	uint64_t missed;
	uint64_t start;
	uint32_t flags;
	uint32_t bad;   /* the next item was found damaged, and shown as such: its slots */
	uint32_t shift; /* record ring: log2 of `slot` */
	uint32_t held;  /* record ring: read and not released */
	uint64_t read;  /* record ring: read, and not yet released, up to here */
	struct flux_ring *ring;
	struct flux_ring_pace pace;
	uint64_t holder;        /* its place is its own while this stands there */
	const uint64_t *cursor; /* one producer's, where nothing else decides what may be read; else NULL */
	uint8_t line_[FLUX_RING_LINE];
};

/* Casts that C and C++ both take without complaint. */
#ifdef __cplusplus
#define FLUX_PTR_(type, ptr) (static_cast<type *>(static_cast<void *>(ptr)))
#define FLUX_U32_(x)         (static_cast<uint32_t>(x))
#define FLUX_INT_(x)         (static_cast<int>(x))
#else
#define FLUX_PTR_(type, ptr) ((type *)(void *)(ptr))
#define FLUX_U32_(x)         ((uint32_t)(x))
#define FLUX_INT_(x)         ((int)(x))
#endif

#define FLUX_LIKELY_(x)   __builtin_expect(!!(x), 1)
#define FLUX_UNLIKELY_(x) __builtin_expect(!!(x), 0)

#ifdef __cplusplus
}
#endif

#endif
