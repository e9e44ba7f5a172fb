/* SPDX-License-Identifier: MIT */
/* What the files of the ring share: seats, publication words, the look at the other side. */
#ifndef FLUX_CORE_RING_RING_H
#define FLUX_CORE_RING_RING_H

#include <stdbool.h>
#include <string.h>

#include <flux/ring.h>

/* Set by flux_ring_init() beside the caller's flags. */
#define FLUX_RING_MULTI (1u << 16)

#define FLUX_RING_CALLERS                                                                    \
	((uint32_t)(FLUX_RING_SHARE | FLUX_RING_LOSSY | FLUX_RING_RECORDS | FLUX_RING_SUMS | \
		    FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP | FLUX_RING_PROCESSES))

/* flux_ring_reader.flags beside the caller's: the place has a patience. */
#define READER_EVICTABLE (1u << 16)

/* States of a seat. Nobody but its holder touches a seat, until the holder is known to be dead. */
enum {
	SEAT_FREE,
	SEAT_TAKING, /* its holder sets it up */
	SEAT_USED,
	SEAT_EVICTED, /* its gate counts no longer; the holder, or its death, gives it back */
	SEAT_CLEARING /* its holder is dead; whose number stands there cleans up */
};
enum {
	SIDE_READERS,
	SIDE_WRITERS
};

/* The word of a seat's holder. */
static inline uint64_t flux_ring_holder(uint32_t turn, uint32_t member, uint32_t state)
{
	return (uint64_t)turn << 40 | (uint64_t)member << 8 | state;
}

static inline uint32_t flux_ring_holder_turn(uint64_t holder)
{
	return (uint32_t)(holder >> 40);
}

static inline uint32_t flux_ring_holder_member(uint64_t holder)
{
	return (uint32_t)(holder >> 8);
}

static inline uint32_t flux_ring_holder_state(uint64_t holder)
{
	return holder & 0xff;
}

/* The id of a party: its place and its turn there. */
static inline uint32_t flux_ring_id(uint32_t place, uint64_t holder)
{
	return place | flux_ring_holder_turn(holder) << 8;
}

static inline bool flux_ring_is(const struct flux_ring *ring, uint32_t flag)
{
	return ring->flags & flag;
}

/* Whether `slots` are told what is published claim by claim, not by a cursor. */
static inline bool flux_ring_by_words(uint32_t flags)
{
	return (flags & FLUX_RING_MULTI) || (~flags & (FLUX_RING_SHARE | FLUX_RING_RECORDS)) == 0;
}

/*
 * The word of a published claim: which lap of the ring, whether it is a skip, how many slots. Zero
 * matches no sequence. The laps of 2^62 sequences differ.
 */
static inline uint64_t flux_ring_word(const struct flux_ring *ring, uint64_t seq, uint64_t n, bool skip)
{
	return ((seq >> ring->bits) + 1) << (ring->bits + 1) | (uint64_t)skip << ring->bits | (n - 1);
}

static inline bool flux_ring_word_is(const struct flux_ring *ring, uint64_t word, uint64_t seq)
{
	return word >> (ring->bits + 1) == (seq >> ring->bits) + 1;
}

static inline uint64_t flux_ring_word_n(const struct flux_ring *ring, uint64_t word)
{
	return (word & ring->mask) + 1;
}

static inline bool flux_ring_word_skips(const struct flux_ring *ring, uint64_t word)
{
	return word >> ring->bits & 1;
}

/* Slots free between a writer's position and the lowest gate: 0 to capacity in any order of reading. */
static inline uint64_t flux_ring_free(uint64_t tail, uint64_t gate, uint64_t capacity)
{
	uint64_t used = tail - gate;

	return used > capacity ? 0 : capacity - used;
}

/* Raise *word to at least `value`. */
static inline void flux_ring_raise(uint64_t *word, uint64_t value, int order)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (old < value &&
	       !__atomic_compare_exchange_n(word, &old, value, true, order, __ATOMIC_RELAXED))
		;
}

/* Copy a configuration of the caller over the defaults in `known`: 0, or FLUX_E2BIG, FLUX_EINVAL. */
int flux_ring_cfg_read(void *known, uint32_t known_bytes, const void *cfg);

/* layout.c: attach a ring whose head was copied to `there`; only what is written once is looked at. */
int flux_ring_attach_by(struct flux_ring *ring, void *block, uint64_t bytes,
			const struct flux_ring_head *there, const struct flux_wait_ops *wait);

/* resize.c: where the slots are, of a ring that can grow. */

/* The slots of the sequences from `from` on. */
struct flux_ring_region {
	uint64_t from;
	uint64_t capacity;
	uint8_t *data; /* NULL: none */
};

/* Where the writer writes, and what is left below. */
struct flux_ring_pair {
	struct flux_ring_region now, old;
};

/* The regions at this moment. A ring that cannot grow has one, from 0 on. */
void flux_ring_where(const struct flux_ring *ring, struct flux_ring_pair *pair);
/* Have a reader read at `at`, below `end`, in its region: how far that goes. */
uint64_t flux_ring_enter(struct flux_ring_reader *reader, uint64_t at, uint64_t end);
/* The writer's: free the old region if it can be. Whether there is none any more. */
bool flux_ring_tidy(struct flux_ring *ring);
/* The regions of a ring that is otherwise ready: 0 or FLUX_ENOMEM. */
int flux_ring_regions_create(struct flux_ring *ring, uint32_t most);
void flux_ring_regions_destroy(struct flux_ring *ring);

/* room.c: what readers hold. */

/* The lowest gate, FLUX_RING_OPEN if no reader holds anything; *place is whose, if not NULL. */
uint64_t flux_ring_lowest(const struct flux_ring *ring, uint32_t *place);
/* Whether a reader was evicted, so that its gate no longer counts. */
bool flux_ring_is_out(const struct flux_ring *ring, uint32_t place);
/* Where a writer stands that has to look at its readers: raises *room if there is more by now. */
void flux_ring_look(struct flux_ring *ring, uint64_t *room, uint64_t tail);
/* Whether nobody holds anything below `seq`, nor ever will. The writer's. */
bool flux_ring_is_passed(struct flux_ring *ring, uint64_t seq);
bool flux_ring_is_closed(const struct flux_ring *ring);

/* multi.c: several producers. */

/*
 * Claim `least` to `most` slots at the common position, with a record the room before the wrap if it
 * does not fit there; *start is where. How many, or an error.
 */
int flux_ring_multi_claim(struct flux_ring_writer *writer, uint64_t least, uint64_t most, uint64_t *start);
/* Publish `n` of the open claim and turn the rest into a skip. */
void flux_ring_multi_publish(struct flux_ring_writer *writer, uint64_t n);

/* Publish `n` slots from `seq` on by their word. */
void flux_ring_publish_word(struct flux_ring *ring, uint64_t seq, uint64_t n);

/* barrier.c: what may be read. */

/* Renew reader->limit: how many may be read, about `n` if there are so many; 0; or FLUX_ECLOSED. */
int flux_ring_refresh(struct flux_ring_reader *reader, uint64_t n);
/* Move the gate of a reader that is not shared, and ring. */
void flux_ring_gate(struct flux_ring_reader *reader);

/* share.c: each item to one. */

/* Take up to `n` items; the end of those that may be read now, from reader->next on. */
uint64_t flux_ring_share_take(struct flux_ring_reader *reader, uint64_t n);
void flux_ring_share_release(struct flux_ring_reader *reader);

/* lossy.c */

/* Room by overwriting: announce it, raise writer->limit. A count, or FLUX_EINVAL. */
int flux_ring_lossy_room(struct flux_ring_writer *writer, uint32_t most);
int flux_ring_lossy_copy(struct flux_ring_reader *reader, uint32_t n, void *items, uint64_t *missed);

/* sums.c: CRC32C per slot or record. */

void flux_ring_sums_write(struct flux_ring *ring, uint64_t seq, uint64_t n);
/* Verify up to `n` slots and set reader->limit behind the good ones: how many; or FLUX_EBADMSG. */
int flux_ring_sums_verify(struct flux_ring_reader *reader, uint64_t n, uint64_t ready);

/* Of a record; record.c. */
uint32_t flux_ring_record_sum(uint32_t len, uint32_t slots, const void *data);

/* bell.c, pace.c: doorbells, and ways of waiting. */

/* Say that somebody is about to sleep: the bell's value to sleep at. Look again after this. */
uint32_t flux_ring_arm(struct flux_ring_bell *bell);
/* Wake everybody, asleep or about to be. */
void flux_ring_wake_all(struct flux_ring *ring, struct flux_ring_bell *bell);
/* Have the descriptor of a place in ring->fds, ours or another process's: 0 or an error. */
int flux_ring_fd(struct flux_ring *ring, uint32_t side, uint32_t seat, bool mine);
/* Prepare a handle's way of waiting: 0, FLUX_EINVAL, FLUX_ENOTSUP or the error of the descriptor. */
int flux_ring_pace_init(struct flux_ring *ring, struct flux_ring_pace *pace, uint32_t side, uint32_t seat,
			bool may_sleep);

/* seat.c: places of readers and writers. */

/* Take a free place that no bit of `not` names: its number, or FLUX_EBUSY. */
int flux_ring_seat_take(struct flux_ring *ring, uint32_t side, uint64_t not, const char *name);
/* The place is set up: its holder's word. R11: pairs with A11. */
uint64_t flux_ring_seat_use(struct flux_ring_seat *seat);
void flux_ring_seat_give(struct flux_ring_seat *seat);
void flux_ring_seat_name(const struct flux_ring_seat *seat, char name[FLUX_RING_NAME]);
/* A reader's gate no longer counts. True if it was the last one. */
bool flux_ring_gate_open(struct flux_ring *ring, uint32_t place);

/* dead.c: cleaning up after parties that died. */

/* Whether the holder of a place is known to be dead. */
bool flux_ring_is_dead(const struct flux_ring *ring, uint64_t holder);

/* Nothing to read, or no room: look for a cause now and then. True if something changed: look again. */
bool flux_ring_mind(struct flux_ring *ring);
/*
 * claims.c: what a dead producer had claimed. True when nothing of it is in the way any more; *skipped is
 * how many slots were passed over now.
 */
bool flux_ring_settle(struct flux_ring *ring, uint32_t place, uint64_t *skipped);

/* writer.c: no room, see whether something can be done about it. True: look again. */
bool flux_ring_relieve(struct flux_ring_writer *writer);

/* evict.c: readers that hold the writers for too long. */

/* There is no room: evict who holds it, if it is time. True if somebody was. */
bool flux_ring_evict(struct flux_ring_writer *writer);
/* Whether this reader was evicted. */
bool flux_ring_is_evicted(const struct flux_ring_reader *reader);

/* note.c */
void flux_ring_note(struct flux_ring *ring, uint32_t what, uint32_t who, const struct flux_ring_seat *seat,
		    uint64_t count);

#endif
