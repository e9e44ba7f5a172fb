/* SPDX-License-Identifier: MIT */
/* Rings of records: every length at every place, the wrap, aborts, several producers, sharing, damage. */
#include "tests/unit/ring/common.h"

static struct flux_ring_writer w, v;
static struct flux_ring_reader a, b;
static struct flux_ring_record rec;

static struct flux_ring *records(uint32_t flags, uint32_t capacity, uint32_t slot, uint32_t writers)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring *ring = NULL;

	cfg.flags = flags | FLUX_RING_RECORDS;
	cfg.capacity = capacity;
	cfg.slot = slot;
	cfg.writers = writers;
	assert_int_equal(flux_ring_create(&ring, &cfg, &flux_mem_libc), 0);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	if (writers > 1)
		assert_int_equal(flux_ring_writer_open(&v, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	return ring;
}

static int send(struct flux_ring_writer *writer, uint32_t len, uint8_t fill)
{
	int rc = flux_ring_record_claim(writer, len, &rec);

	if (rc < 0)
		return rc;
	assert_int_equal((uintptr_t)rec.data % 8, 0);
	memset(rec.data, fill, len);
	return flux_ring_record_publish(writer, len);
}

static void expect(struct flux_ring_reader *reader, uint32_t len, uint8_t fill)
{
	assert_int_equal(flux_ring_record_read(reader, &rec), 1);
	assert_int_equal(rec.len, len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(((uint8_t *)rec.data)[i], fill);
}

static const struct {
	uint32_t flags, writers;
} kinds[] = {
	{ 0, 1 },
	{ 0, 2 },
	{ FLUX_RING_SHARE, 1 },
	{ FLUX_RING_SHARE, 2 },
	{ FLUX_RING_SUMS, 1 },
	{ FLUX_RING_SUMS | FLUX_RING_SHARE, 2 },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void every_length(void **state)
{
	UNUSED(state);
	for (size_t k = 0; k < N_KINDS; k++)
		for (uint32_t slot = 8; slot <= 64; slot *= 2) {
			struct flux_ring *ring = records(kinds[k].flags, 16, slot, kinds[k].writers);
			uint32_t max = (uint32_t)flux_ring_record_max(ring);

			assert_int_equal(max, slot * 8 - 8);
			assert_int_equal(send(&w, max + 1, 0), FLUX_EMSGSIZE);
			assert_int_equal(send(&w, UINT32_MAX, 0), FLUX_EMSGSIZE);
			for (uint32_t i = 0; i < 3 * max; i++) {
				uint32_t len = i * 7 % (max + 1);

				assert_int_equal(send(&w, len, (uint8_t)i), 0);
				expect(&a, len, (uint8_t)i);
				flux_ring_record_release(&a);
				assert_int_equal(flux_ring_record_read(&a, &rec), 0);
			}
			flux_ring_destroy(ring);
		}
}

/* What is claimed may be published shorter, or not at all; room before the wrap comes back too. */
static void shorter_and_aborted(void **state)
{
	UNUSED(state);
	for (size_t k = 0; k < N_KINDS; k++) {
		struct flux_ring *ring = records(kinds[k].flags, 16, 16, kinds[k].writers);

		for (uint32_t i = 0; i < 300; i++) {
			assert_int_equal(flux_ring_record_claim(&w, 100, &rec), 0);
			flux_ring_record_abort(&w);
			assert_int_equal(flux_ring_record_publish(&w, 1), FLUX_EINVAL);
			assert_int_equal(flux_ring_record_read(&a, &rec), 0);
			assert_int_equal(flux_ring_record_claim(&w, 60, &rec), 0);
			memset(rec.data, (int)i, i % 61);
			assert_int_equal(flux_ring_record_publish(&w, 121), FLUX_EINVAL);
			assert_int_equal(flux_ring_record_publish(&w, i % 61), 0);
			expect(&a, i % 61, (uint8_t)i);
			flux_ring_record_release(&a);
		}
		flux_ring_destroy(ring);
	}
}

static void several_held(void **state)
{
	struct flux_ring *ring = records(0, 64, 8, 1);
	const uint8_t *first;

	UNUSED(state);
	for (uint8_t lap = 0; lap < 50; lap++) {
		for (uint8_t i = 0; i < 5; i++)
			assert_int_equal(send(&w, 20u + i, i), 0);
		expect(&a, 20, 0);
		first = rec.data;
		for (uint8_t i = 1; i < 5; i++)
			expect(&a, 20u + i, i);
		assert_int_equal(flux_ring_record_read(&a, &rec), 0);
		/* The first is held still: the ring fills. */
		while (send(&w, 20, 9) == 0)
			;
		for (int i = 0; i < 20; i++)
			assert_int_equal(first[i], 0);
		flux_ring_record_release(&a);
		while (flux_ring_record_read(&a, &rec) == 1)
			flux_ring_record_release(&a);
	}
	flux_ring_destroy(ring);
}

static void two_writers(void **state)
{
	struct flux_ring *ring = records(0, 32, 16, 2);
	struct flux_ring_record other;

	UNUSED(state);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(flux_ring_record_claim(&w, i % 40, &rec), 0);
		memset(rec.data, 1, i % 40);
		assert_int_equal(flux_ring_record_claim(&w, 1, &other), FLUX_EBUSY);
		assert_int_equal(flux_ring_record_claim(&v, i % 90, &other), 0);
		memset(other.data, 2, i % 90);
		assert_int_equal(flux_ring_record_publish(&v, i % 90), 0);
		assert_int_equal(flux_ring_record_read(&a, &rec), 0);
		assert_int_equal(flux_ring_record_publish(&w, i % 40), 0);
		expect(&a, i % 40, 1);
		expect(&a, i % 90, 2);
		flux_ring_record_release(&a);
	}
	flux_ring_destroy(ring);
}

static void shared_one_at_a_time(void **state)
{
	struct flux_ring *ring = records(FLUX_RING_SHARE, 32, 16, 2);

	UNUSED(state);
	assert_int_equal(join(&b, ring, FLUX_RING_NOW), 0);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(send(&w, 10u + i, i), 0);
	expect(&a, 10, 0);
	expect(&b, 11, 1);
	assert_int_equal(flux_ring_record_read(&a, &rec), FLUX_EBUSY);
	flux_ring_record_release(&a);
	expect(&a, 12, 2);
	flux_ring_record_release(&b);
	expect(&b, 13, 3);
	flux_ring_destroy(ring);
}

static void damage(void **state)
{
	UNUSED(state);
	for (size_t k = 4; k < N_KINDS; k++) {
		struct flux_ring *ring = records(kinds[k].flags, 32, 16, kinds[k].writers);

		for (uint8_t i = 0; i < 3; i++)
			assert_int_equal(send(&w, 20, i), 0);
		ring->data[2 * 16 + 8 + 19] ^= 1;
		expect(&a, 20, 0);
		flux_ring_record_release(&a);
		assert_int_equal(flux_ring_record_read(&a, &rec), FLUX_EBADMSG);
		assert_int_equal(rec.len, 20);
		assert_int_equal(flux_ring_record_read(&a, &rec), FLUX_EBADMSG);
		assert_int_equal(flux_ring_skip(&a), 0);
		assert_int_equal(flux_ring_skip(&a), FLUX_EINVAL);
		expect(&a, 20, 2);
		flux_ring_record_release(&a);
		assert_int_equal(a.damaged, 1);
		flux_ring_destroy(ring);
	}
}

/* Whatever lies in the ring, what is read lies inside it. */
static void spoiled_heads(void **state)
{
	const uint32_t values[] = { 0, 1, 3, 16, 17, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff };

	UNUSED(state);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			struct flux_ring *ring = records(0, 16, 16, 1);
			struct flux_ring_record_head_ *head = (void *)ring->data;
			int rc = 1;

			assert_int_equal(send(&w, 20, 1), 0);
			assert_int_equal(send(&w, 20, 1), 0);
			head->len = values[i];
			head->slots = values[j];
			for (int n = 0; rc == 1 && n < 20; n++) {
				rc = flux_ring_record_read(&a, &rec);
				if (rc == 1) {
					uint8_t *at = rec.data;

					assert_true(at >= ring->data &&
						    at + rec.len <= ring->data + 4 * 16);
				}
			}
			assert_true(rc == 0 || rc == FLUX_EPROTO);
			flux_ring_destroy(ring);
		}
}

static void wrong_kind(void **state)
{
	struct flux_ring *ring = records(0, 16, 16, 1);
	struct flux_ring *slots = ring_of(0, 16, 1);
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
	struct flux_ring_span span;

	UNUSED(state);
	assert_int_equal(send(&w, 9, 1), 0);
	assert_int_equal(flux_ring_claim(&w, 1, &span), FLUX_EINVAL);
	assert_null(flux_ring_claim_one(&w));
	assert_int_equal(flux_ring_peek(&a, 1, &span), FLUX_EINVAL);
	assert_int_equal(flux_ring_writer_open(&v, slots, NULL), 0);
	assert_int_equal(flux_ring_record_claim(&v, 1, &rec), FLUX_EINVAL);
	assert_int_equal(join(&b, slots, FLUX_RING_NOW), 0);
	assert_int_equal(flux_ring_record_read(&b, &rec), FLUX_EINVAL);
	flux_ring_destroy(ring);
	flux_ring_destroy(slots);
	cfg.flags = FLUX_RING_RECORDS;
	for (cfg.slot = 1; cfg.slot < 8; cfg.slot++)
		assert_int_equal(flux_ring_bytes(&cfg), 0);
	cfg.slot = 24;
	assert_int_equal(flux_ring_bytes(&cfg), 0);
}

static void closed(void **state)
{
	UNUSED(state);
	for (size_t k = 0; k < N_KINDS; k++) {
		struct flux_ring *ring = records(kinds[k].flags, 16, 16, kinds[k].writers);

		assert_int_equal(send(&w, 9, 1), 0);
		flux_ring_close(ring);
		expect(&a, 9, 1);
		if (!(kinds[k].flags & FLUX_RING_SHARE))
			assert_int_equal(flux_ring_record_read(&a, &rec), FLUX_ECLOSED);
		flux_ring_record_release(&a);
		assert_int_equal(flux_ring_record_read(&a, &rec), FLUX_ECLOSED);
		for (int i = 0; i < 8 && send(&w, 100, 1) == 0; i++)
			;
		assert_int_equal(send(&w, 100, 1), FLUX_ECLOSED);
		flux_ring_destroy(ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length),
		cmocka_unit_test(shorter_and_aborted),
		cmocka_unit_test(several_held),
		cmocka_unit_test(two_writers),
		cmocka_unit_test(shared_one_at_a_time),
		cmocka_unit_test(damage),
		cmocka_unit_test(spoiled_heads),
		cmocka_unit_test(wrong_kind),
		cmocka_unit_test(closed),
	};

	return cmocka_run_group_tests_name("ring records", tests, NULL, NULL);
}
