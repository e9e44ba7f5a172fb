/* SPDX-License-Identifier: MIT */
/*
 * Rings of records: messages of any length, written in place and read in place. Included by
 * <flux/ring.h>; for rings made with FLUX_RING_RECORDS.
 *
 * A record is a run of slots that never wraps: a head of 8 bytes, then its bytes. Small slots waste
 * little, but with several producers each slot costs 8 bytes beside it. 8 to 32 bytes suit most.
 */
#ifndef FLUX_RING_RECORD_H
#define FLUX_RING_RECORD_H

#include <flux/ring_slots.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A record, claimed or read. */
struct flux_ring_record {
	void *data; /**< aligned to 8 bytes; lent until published or released */
	uint32_t len;
	uint32_t slots; /**< that it takes, with its head */
	uint64_t seq;   /**< of the first of these */
};

/** What lies before a record's bytes. */
struct flux_ring_record_head_ {
	uint32_t len;
	uint32_t slots; /* its length in slots; FLUX_RECORD_SKIP_: nothing but room to be passed */
};

#define FLUX_RECORD_HEAD_ 8u
#define FLUX_RECORD_SKIP_ 0x80000000u

FLUX_API FLUX_MUST_CHECK int flux_ring_record_claim_slow_(struct flux_ring_writer *writer, uint64_t slots,
							  uint64_t *pad);
FLUX_API FLUX_MUST_CHECK int flux_ring_record_publish_slow_(struct flux_ring_writer *writer, uint32_t len,
							    int skip);
FLUX_API FLUX_MUST_CHECK int flux_ring_record_read_slow_(struct flux_ring_reader *reader);
FLUX_API FLUX_MUST_CHECK int flux_ring_record_verify_(struct flux_ring_reader *reader,
						      const struct flux_ring_record *record);

static inline int flux_ring_no_record_(struct flux_ring_record *record, int rc)
{
	record->data = NULL;
	record->len = record->slots = 0;
	record->seq = 0;
	return rc;
}

static inline uint64_t flux_ring_record_slots_(uint64_t slot, uint32_t shift, uint32_t len)
{
	return (FLUX_RECORD_HEAD_ + slot - 1 + len) >> shift;
}

static inline struct flux_ring_record_head_ *flux_ring_record_at_(uint8_t *data, uint64_t mask, uint32_t shift,
								  uint64_t seq)
{
	return FLUX_PTR_(struct flux_ring_record_head_, data + ((seq & mask) << shift));
}

/** The longest record: half of the ring, as it was made, if it can grow. Thread: any. Cost: none. */
static inline uint64_t flux_ring_record_max(const struct flux_ring *ring)
{
	uint64_t half = (ring->capacity >> 1) * ring->slot - FLUX_RECORD_HEAD_;

	return half < UINT32_MAX ? half : UINT32_MAX;
}

/**
 * Claim a record of `len` bytes, to be written in place. Finish it with flux_ring_record_publish() or
 * flux_ring_record_abort(); with several producers readers wait for an unfinished one.
 *
 * @param len     0 to flux_ring_record_max(); to half of what the ring has grown to.
 * @param record  [out] empty without success.
 *
 * @return 0; or
 *         FLUX_EAGAIN    no room: a reader holds it;
 *         FLUX_ECLOSED   the ring was closed;
 *         FLUX_EMSGSIZE  `len` is out of range;
 *         FLUX_EINVAL    not a ring of records;
 *         FLUX_EBUSY     several producers: the last claim of this writer is not finished.
 *
 * Thread: producer.
 * Cost:   lock-free; no system call, no allocation.
 */
static inline FLUX_MUST_CHECK int flux_ring_record_claim(struct flux_ring_writer *writer, uint32_t len,
							 struct flux_ring_record *record)
{
	uint64_t slots = flux_ring_record_slots_(writer->slot, writer->shift, len);
	uint64_t to_wrap = writer->mask + 1 - (writer->next & writer->mask);
	uint64_t pad = slots > to_wrap ? to_wrap : 0;

	/* Several producers have no room of their own: they take the call. */
	if (FLUX_UNLIKELY_(writer->room - writer->next < pad + slots || writer->slow)) {
		int rc = flux_ring_record_claim_slow_(writer, slots, &pad);

		if (rc < 0)
			return flux_ring_no_record_(record, rc);
	}
	if (pad) {
		struct flux_ring_record_head_ *head =
			flux_ring_record_at_(writer->data, writer->mask, writer->shift, writer->next);

		head->len = 0;
		head->slots = FLUX_U32_(pad) | FLUX_RECORD_SKIP_;
	}
	writer->pad = pad;
	writer->end = writer->next + pad + slots;
	record->data = flux_ring_record_at_(writer->data, writer->mask, writer->shift, writer->next + pad) + 1;
	record->len = len;
	record->slots = FLUX_U32_(slots);
	record->seq = writer->next + pad;
	return 0;
}

/**
 * Publish the claimed record with its first `len` bytes.
 *
 * @return 0; FLUX_EINVAL: nothing is claimed, or less than `len`.
 *
 * Thread: producer.
 * Cost:   one store; a fence if FLUX_RING_READERS_SLEEP, and a system call if one of them does.
 */
static inline int flux_ring_record_publish(struct flux_ring_writer *writer, uint32_t len)
{
	uint64_t slots = flux_ring_record_slots_(writer->slot, writer->shift, len);
	struct flux_ring_record_head_ *head;

	if (FLUX_UNLIKELY_(writer->next == writer->end || slots > writer->end - writer->next - writer->pad))
		return FLUX_EINVAL;
	if (FLUX_UNLIKELY_(writer->slow))
		return flux_ring_record_publish_slow_(writer, len, 0);
	head = flux_ring_record_at_(writer->data, writer->mask, writer->shift, writer->next + writer->pad);
	head->len = len;
	head->slots = FLUX_U32_(slots);
	writer->next += writer->pad + slots;
	writer->end = writer->limit = writer->next; /* no room for single slots */
	/* R1: the record before the cursor; pairs with A1 in barrier.c. */
	__atomic_store_n(writer->cursor, writer->next, __ATOMIC_RELEASE);
	if (writer->bell)
		flux_ring_bell_(writer->ring, writer->bell);
	return 0;
}

/** Give up the claimed record; readers of several producers pass it. Thread: producer. */
static inline void flux_ring_record_abort(struct flux_ring_writer *writer)
{
	if (writer->slow && writer->next != writer->end)
		(void)!flux_ring_record_publish_slow_(writer, 0, 1);
	writer->end = writer->next;
}

/**
 * flux_ring_record_claim() that waits for room, in the way the writer was opened with.
 *
 * @return as flux_ring_record_claim(), but for FLUX_EAGAIN: FLUX_ETIMEDOUT; FLUX_ENOTSUP as in
 *         flux_ring_claim_wait().
 *
 * Thread: producer.
 * Cost:   that of enum flux_wait while it waits.
 */
static inline FLUX_MUST_CHECK int flux_ring_record_claim_wait(struct flux_ring_writer *writer, uint32_t len,
							      struct flux_ring_record *record, flux_ts deadline)
{
	uint32_t round = 0;
	int rc;

	while ((rc = flux_ring_record_claim(writer, len, record)) == FLUX_EAGAIN) {
		rc = flux_ring_writer_pause_(writer, &round, deadline);
		if (rc < 0)
			break;
	}
	return rc;
}

/**
 * Read the next record, in place. It stays until flux_ring_record_release(), so that several may be
 * held; on a shared ring only one.
 *
 * @param record  [out] empty unless the result is 1 or FLUX_EBADMSG.
 *
 * @return 1; 0 if there is none now; or
 *         FLUX_ECLOSED  the ring was closed and all was read;
 *         FLUX_EBADMSG  it does not have its checksum: flux_ring_skip() passes it;
 *         FLUX_EPROTO   no record can lie here: somebody wrote over the ring;
 *         FLUX_EBUSY    shared ring: release the last one first;
 *         FLUX_EEVICTED as flux_ring_peek();
 *         FLUX_EINVAL   not a ring of records.
 *
 * Thread: consumer.
 * Cost:   lock-free; no system call, no allocation.
 */
static inline FLUX_MUST_CHECK int flux_ring_record_read(struct flux_ring_reader *reader,
							struct flux_ring_record *record)
{
	for (;;) {
		struct flux_ring_record_head_ *head;
		uint32_t slots, len;

		if (FLUX_UNLIKELY_(reader->read == reader->limit)) {
			int rc = flux_ring_record_read_slow_(reader);

			if (rc <= 0)
				return flux_ring_no_record_(record, rc);
		}
		head = flux_ring_record_at_(reader->data, reader->mask, reader->shift, reader->read);
		/* Copied once, then checked: what others write there later misleads nobody. */
		len = __atomic_load_n(&head->len, __ATOMIC_RELAXED);
		slots = __atomic_load_n(&head->slots, __ATOMIC_RELAXED);
		if (FLUX_UNLIKELY_(slots & FLUX_RECORD_SKIP_)) {
			slots &= ~FLUX_RECORD_SKIP_;
			if (!slots || slots > reader->limit - reader->read)
				return flux_ring_no_record_(record, FLUX_EPROTO);
			reader->read += slots;
			continue;
		}
		if (FLUX_UNLIKELY_(slots > reader->limit - reader->read ||
				   flux_ring_record_slots_(reader->slot, reader->shift, len) > slots ||
				   (reader->read & reader->mask) + slots > reader->mask + 1))
			return flux_ring_no_record_(record, FLUX_EPROTO);
		record->data = head + 1;
		record->len = len;
		record->slots = slots;
		record->seq = reader->read;
		if (FLUX_UNLIKELY_(reader->slow)) {
			int rc = flux_ring_record_verify_(reader, record);

			if (rc < 0)
				return rc;
		}
		reader->read += slots;
		reader->held++;
		return 1;
	}
}

/**
 * Release all records that were read.
 *
 * @return 0; FLUX_EEVICTED as flux_ring_release().
 *
 * Thread: consumer.
 * Cost:   one store; a fence if FLUX_RING_WRITERS_SLEEP, and a system call if one of them does.
 */
static inline int flux_ring_record_release(struct flux_ring_reader *reader)
{
	reader->next = reader->read;
	reader->held = 0;
	if (FLUX_UNLIKELY_(reader->slow))
		return flux_ring_release_slow_(reader);
	/* R2: reading before the gate; pairs with A2 in room.c and barrier.c. */
	__atomic_store_n(reader->gate, reader->next, __ATOMIC_RELEASE);
	if (reader->bell)
		flux_ring_bell_(reader->ring, reader->bell);
	return 0;
}

/**
 * Release the records that were read before `record`: it is what is read next, again.
 *
 * @param record  one that was read and not released.
 *
 * @return 0; FLUX_EEVICTED as flux_ring_release().
 *
 * Thread: consumer.
 * Cost:   as flux_ring_record_release(); on a shared ring, where none is before it, none.
 */
FLUX_API int flux_ring_record_release_before(struct flux_ring_reader *reader, const struct flux_ring_record *record);

/**
 * flux_ring_record_read() that waits for a record, in the way the reader was opened with.
 *
 * @return 1; or as flux_ring_record_read(), FLUX_ETIMEDOUT, FLUX_ENOTSUP as in flux_ring_claim_wait().
 *
 * Thread: consumer.
 * Cost:   that of enum flux_wait while it waits.
 */
static inline FLUX_MUST_CHECK int flux_ring_record_read_wait(struct flux_ring_reader *reader,
							     struct flux_ring_record *record, flux_ts deadline)
{
	uint32_t round = 0;
	int rc;

	while (!(rc = flux_ring_record_read(reader, record))) {
		rc = flux_ring_reader_pause_(reader, &round, deadline);
		if (rc < 0)
			break;
	}
	return rc;
}

#ifdef __cplusplus
}
#endif

#endif
