/* SPDX-License-Identifier: MIT */
/* Writers: opening, closing, and what the inline path leaves to a call. */
#include "core/ring/ring.h"

/* A single producer goes on behind the last one, of whom the seat (A6) brought the cursor. */
static uint64_t take_over(struct flux_ring *ring)
{
	uint64_t at = __atomic_load_n(&ring->head->cursor, __ATOMIC_RELAXED);

	/* Who dies between a record's word and the cursor has published it: shared readers go by the word. */
	if (flux_ring_by_words(ring->flags))
		for (uint64_t last = at + ring->capacity; at < last;) {
			uint64_t word = __atomic_load_n(&ring->words[at & ring->mask], __ATOMIC_ACQUIRE);

			if (!flux_ring_word_is(ring, word, at))
				break;
			at += flux_ring_word_n(ring, word);
		}
	__atomic_store_n(&ring->head->cursor, at, __ATOMIC_RELEASE); /* R1 */
	return at;
}

int flux_ring_writer_open(struct flux_ring_writer *writer, struct flux_ring *ring,
			  const struct flux_ring_writer_cfg *cfg)
{
	struct flux_ring_writer_cfg known = { sizeof(known), 0, 0, 0, NULL };
	struct flux_ring_seat *seat;
	struct flux_ring_pair pair;
	int rc = cfg ? flux_ring_cfg_read(&known, sizeof(known), cfg) : 0;
	int place;

	if (rc == 0 && ring->read_only)
		rc = FLUX_EPERM;
	if (rc < 0)
		return rc;
	(void)flux_ring_tend(ring);
	place = flux_ring_seat_take(ring, SIDE_WRITERS, 0, known.name);
	if (place < 0)
		return place;
	seat = &ring->writers[place];
	memset(writer, 0, sizeof(*writer));
	writer->pace = (struct flux_ring_pace){ .kind = known.wait, .spins = known.spins, .nap_ns = known.nap_ns };
	rc = flux_ring_pace_init(ring, &writer->pace, SIDE_WRITERS, (uint32_t)place,
				 flux_ring_is(ring, FLUX_RING_WRITERS_SLEEP));
	if (rc < 0) {
		flux_ring_seat_give(seat);
		return rc;
	}
	writer->ring = ring;
	writer->seat = (uint32_t)place;
	flux_ring_where(ring, &pair);
	writer->mask = pair.now.capacity - 1;
	writer->data = pair.now.data;
	writer->slot = ring->slot;
	writer->shift = (uint32_t)__builtin_ctz(ring->slot);
	writer->cursor = &ring->head->cursor;
	writer->bell = flux_ring_is(ring, FLUX_RING_READERS_SLEEP) ? &ring->head->data : NULL;
	writer->slow = flux_ring_by_words(ring->flags) || flux_ring_is(ring, FLUX_RING_SUMS);
	if (flux_ring_is(ring, FLUX_RING_MULTI) && !flux_ring_is(ring, FLUX_RING_RECORDS | FLUX_RING_SUMS)) {
		writer->words = ring->words;
		writer->place = seat;
	}
	if (!flux_ring_is(ring, FLUX_RING_MULTI)) {
		writer->next = take_over(ring);
		writer->end = writer->limit = writer->room = writer->next;
	} else {
		__atomic_store_n(&seat->count, 0, __ATOMIC_RELAXED);
	}
	(void)flux_ring_seat_use(seat);
	return 0;
}

void flux_ring_writer_close(struct flux_ring_writer *writer)
{
	if (flux_ring_is(writer->ring, FLUX_RING_RECORDS))
		flux_ring_record_abort(writer);
	else if (flux_ring_is(writer->ring, FLUX_RING_MULTI) && writer->end != writer->next)
		flux_ring_multi_publish(writer, 0);
	flux_ring_seat_give(&writer->ring->writers[writer->seat]);
}

/* A single producer's room, up to `most`: a count of at least `least`, or an error. */
static int single_room(struct flux_ring_writer *writer, uint32_t least, uint32_t most)
{
	struct flux_ring *ring = writer->ring;
	uint64_t room;

	if (flux_ring_is_closed(ring))
		return FLUX_ECLOSED;
	if (flux_ring_is(ring, FLUX_RING_LOSSY))
		return flux_ring_lossy_room(writer, most);
	flux_ring_look(ring, &writer->limit, writer->next);
	room = writer->limit - writer->next;
	if (room < least)
		return FLUX_EAGAIN;
	return (int)(room < most ? room : most);
}

bool flux_ring_relieve(struct flux_ring_writer *writer)
{
	bool died = flux_ring_mind(writer->ring);

	return flux_ring_evict(writer) || died;
}

static int claim(struct flux_ring_writer *writer, uint32_t least, uint32_t most)
{
	uint64_t start;
	int n;

	if (!flux_ring_is(writer->ring, FLUX_RING_MULTI))
		return single_room(writer, least, most);
	n = flux_ring_multi_claim(writer, least, most, &start);
	if (n > 0)
		writer->next = writer->limit = start;
	return n;
}

int flux_ring_claim_slow_(struct flux_ring_writer *writer, uint32_t least, uint32_t most)
{
	uint64_t capacity = writer->mask + 1;
	int n;

	if (flux_ring_is(writer->ring, FLUX_RING_RECORDS) || least > capacity)
		return FLUX_EINVAL;
	if (most > capacity)
		most = (uint32_t)capacity;
	n = claim(writer, least, most);
	if (n == FLUX_EAGAIN && flux_ring_relieve(writer))
		n = claim(writer, least, most);
	return n;
}

int flux_ring_publish_slow_(struct flux_ring_writer *writer, uint32_t n)
{
	struct flux_ring *ring = writer->ring;

	if (flux_ring_is(ring, FLUX_RING_RECORDS))
		return FLUX_EINVAL;
	if (flux_ring_is(ring, FLUX_RING_SUMS))
		flux_ring_sums_write(ring, writer->next, n);
	if (flux_ring_is(ring, FLUX_RING_MULTI)) {
		flux_ring_multi_publish(writer, n);
		return 0;
	}
	writer->next += n;
	writer->end = writer->next;
	/* R1, as in the inline path. */
	__atomic_store_n(writer->cursor, writer->next, __ATOMIC_RELEASE);
	if (writer->bell)
		flux_ring_bell_(ring, writer->bell);
	return 0;
}

int flux_ring_writer_arm(struct flux_ring_writer *writer, uint32_t n)
{
	struct flux_ring *ring = writer->ring;
	bool multi = flux_ring_is(ring, FLUX_RING_MULTI);
	bool apart = multi || flux_ring_is(ring, FLUX_RING_RECORDS);
	uint64_t *room = apart ? &writer->room : &writer->limit;
	uint64_t tail;

	if (writer->pace.kind != FLUX_WAIT_FD)
		return FLUX_ENOTSUP;
	if (n > writer->mask + 1)
		return FLUX_EINVAL;
	__atomic_fetch_or(&ring->head->room.fds[SIDE_WRITERS], 1ull << writer->seat, __ATOMIC_RELAXED);
	(void)flux_ring_arm(&ring->head->room);
	if (flux_ring_is_closed(ring))
		return FLUX_ECLOSED;
	tail = multi ? __atomic_load_n(&ring->head->claimed, __ATOMIC_RELAXED) : writer->next;
	flux_ring_look(ring, room, tail);
	return tail + n <= *room;
}
