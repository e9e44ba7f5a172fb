/* SPDX-License-Identifier: MIT */
/* One producer, readers that see everything: spans, batches, gates, early release, fill level. */
#include "tests/unit/ring/common.h"

static struct flux_ring_writer w;
static struct flux_ring_reader a, b;
static struct flux_ring_span span;

/* Every slot size, at every position of the wrap: what was written is what is read. */
static void any_slot_size(void **state)
{
	UNUSED(state);
	for (uint32_t slot = 1; slot <= 40; slot++) {
		struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;
		struct flux_ring *ring;
		uint8_t next = 0, expect = 0;

		cfg.capacity = 16;
		cfg.slot = slot;
		assert_int_equal(flux_ring_create(&ring, &cfg, &flux_mem_libc), 0);
		assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
		assert_int_equal(flux_ring_reader_join(&a, ring, NULL), 0);
		for (uint32_t n = 1; n <= 16; n++) {
			assert_int_equal(flux_ring_claim(&w, n, &span), 0);
			assert_int_equal(span.n[0] + span.n[1], n);
			for (int part = 0; part < 2; part++)
				for (uint32_t i = 0; i < span.n[part]; i++)
					memset((uint8_t *)span.at[part] + i * slot, next++, slot);
			assert_int_equal(flux_ring_publish(&w, n), 0);
			assert_int_equal(flux_ring_peek(&a, 100, &span), n);
			for (int part = 0; part < 2; part++)
				for (uint32_t i = 0; i < span.n[part]; i++, expect++)
					for (uint32_t k = 0; k < slot; k++)
						assert_int_equal(((uint8_t *)span.at[part])[i * slot + k],
								 expect);
			assert_int_equal(flux_ring_release(&a, n), 0);
		}
		flux_ring_reader_leave(&a);
		flux_ring_writer_close(&w);
		flux_ring_destroy(ring);
	}
}

/* Nothing is seen before it is published, and a claim that is given up leaves no trace. */
static void claim_is_not_publish(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	assert_int_equal(flux_ring_claim(&w, 8, &span), 0);
	assert_int_equal(flux_ring_peek(&a, 8, &span), 0);
	assert_int_equal(flux_ring_publish(&w, 9), FLUX_EINVAL);
	assert_int_equal(flux_ring_publish(&w, 3), 0);
	assert_int_equal(flux_ring_publish(&w, 1), FLUX_EINVAL);
	assert_int_equal(flux_ring_peek(&a, 8, &span), 3);
	assert_int_equal(flux_ring_claim(&w, 6, &span), FLUX_EAGAIN);
	assert_int_equal(flux_ring_claim_some(&w, 6, &span), 5);
	flux_ring_abort(&w);
	assert_int_equal(flux_ring_publish(&w, 1), FLUX_EINVAL);
	assert_int_equal(flux_ring_claim(&w, 9, &span), FLUX_EINVAL);
	assert_int_equal(flux_ring_release(&a, 4), FLUX_EINVAL);
	assert_int_equal(flux_ring_release(&a, 3), 0);
	assert_int_equal(flux_ring_peek(&a, 8, &span), 0);
	flux_ring_destroy(ring);
}

/* Each reader sees everything, the slowest holds the writer, and its name is known. */
static void slowest_gates(void **state)
{
	struct flux_ring *ring = ring_of(0, 4, 1);
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_reader_info seen;
	struct flux_ring_info info;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	cfg.name = "quick";
	assert_int_equal(flux_ring_reader_join(&a, ring, &cfg), 0);
	cfg.name = "slow, with a name that is longer than there is room for";
	assert_int_equal(flux_ring_reader_join(&b, ring, &cfg), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(put(&w, 4), FLUX_EAGAIN);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(get(&a), i);
	assert_int_equal(put(&w, 4), FLUX_EAGAIN);
	flux_ring_get_info(ring, &info);
	assert_int_equal(info.used, 4);
	assert_int_equal(info.free, 0);
	assert_int_equal(info.published, 4);
	assert_int_equal(info.readers, 2);
	assert_int_equal(info.writers, 1);
	assert_int_equal(info.gating, flux_ring_reader_id(&b));
	assert_string_equal(info.name, "slow, with a name that is longe");
	assert_int_equal(flux_ring_reader_lag(&a), 0);
	assert_int_equal(flux_ring_reader_lag(&b), 4);
	assert_int_equal(flux_ring_get_reader(ring, info.gating, &seen), 0);
	assert_int_equal(seen.lag, 4);
	assert_int_equal(get(&b), 0);
	assert_int_equal(put(&w, 4), 0);
	assert_int_equal(get(&a), 4);
	flux_ring_reader_leave(&b);
	assert_int_equal(flux_ring_get_reader(ring, info.gating, &seen), FLUX_ECLOSED);
	assert_int_equal(put(&w, 5), 0);
	flux_ring_destroy(ring);
}

/* A part of a batch may be released early: the writer goes on while the reader still works. */
static void early_release(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);
	uint64_t *items;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(flux_ring_peek(&a, 8, &span), 8);
	items = span.at[0];
	assert_int_equal(flux_ring_release(&a, 3), 0);
	for (uint64_t i = 8; i < 11; i++)
		assert_int_equal(put(&w, i), 0);
	assert_int_equal(put(&w, 11), FLUX_EAGAIN);
	for (uint64_t i = 3; i < 8; i++)
		assert_int_equal(items[i], i);
	assert_int_equal(flux_ring_release(&a, 5), 0);
	assert_int_equal(flux_ring_peek(&a, 8, &span), 3);
	flux_ring_destroy(ring);
}

struct told {
	uint64_t n, last_at, stop_at;
	int answer;
};

static int handler(void *ctx, void *item, uint64_t seq, int last)
{
	struct told *told = ctx;
	uint64_t value;

	memcpy(&value, item, sizeof(value));
	assert_int_equal(value, seq * 7);
	told->n++;
	if (last)
		told->last_at = seq;
	return seq == told->stop_at ? told->answer : FLUX_RING_ON;
}

static void poller(void **state)
{
	struct flux_ring *ring = ring_of(0, 4, 1);
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct told told = { 0, 99, 99, FLUX_RING_ON };

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	cfg.every = 2;
	assert_int_equal(flux_ring_reader_join(&a, ring, &cfg), 0);
	assert_int_equal(flux_ring_poll(&a, 10, handler, &told), 0);
	/* A ring that is exactly full is not an empty one. */
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i * 7), 0);
	assert_int_equal(flux_ring_poll(&a, 10, handler, &told), 4);
	assert_int_equal(told.last_at, 3);
	for (uint64_t i = 4; i < 8; i++)
		assert_int_equal(put(&w, i * 7), 0);
	told = (struct told){ 0, 99, 5, FLUX_RING_STOP };
	assert_int_equal(flux_ring_poll(&a, 10, handler, &told), 2);
	told = (struct told){ 0, 99, 6, FLUX_RING_AGAIN };
	assert_int_equal(flux_ring_poll(&a, 10, handler, &told), 0);
	assert_int_equal(flux_ring_poll(&a, 10, handler, &told), 0);
	assert_int_equal(told.n, 2);
	told.answer = FLUX_RING_ON;
	assert_int_equal(flux_ring_poll(&a, 1, handler, &told), 1);
	assert_int_equal(told.last_at, 6);
	assert_int_equal(flux_ring_reader_lag(&a), 1);
	flux_ring_destroy(ring);
}

static void batch_limit(void **state)
{
	struct flux_ring *ring = ring_of(0, 16, 1);
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	cfg.batch = 3;
	assert_int_equal(flux_ring_reader_join(&a, ring, &cfg), 0);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(put(&w, i), 0);
	for (uint64_t left = 10; left > 1; left -= 3) {
		assert_int_equal(flux_ring_peek(&a, 100, &span), 3);
		assert_int_equal(flux_ring_release(&a, 3), 0);
	}
	assert_int_equal(flux_ring_peek(&a, 100, &span), 1);
	flux_ring_destroy(ring);
}

/* R21: the limit is the capacity, and how close it came is known. */
static void r21_bounded_and_measured(void **state)
{
	struct flux_ring *ring = ring_of(0, 64, 1);
	struct flux_ring_info info;
	uint64_t written = 0, read = 0;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (int i = 0; i < 1000; i++) {
		written += put(&w, written) == 0;
		written += put(&w, written) == 0;
		assert_int_equal(get(&a), read++);
		flux_ring_get_info(ring, &info);
		assert_true(info.used <= 64 && info.used == written - read);
	}
	assert_true(info.highest > 60 && info.highest <= 64);
	flux_ring_destroy(ring);
}

/* The unchecked forms speak of the same ring. */
static void ultra(void **state)
{
	struct flux_ring *ring = ring_of(0, 64, 1);

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 1000; i += 4) {
		for (uint32_t k = 0; k < 4; k++) {
			uint64_t value = i + k;

			memcpy(flux_ring_ultra_claim(&w, k), &value, sizeof(value));
		}
		flux_ring_ultra_publish(&w, 4);
		assert_int_equal(flux_ring_ultra_ready(&a, ring->head), 4);
		for (uint32_t k = 0; k < 4; k++)
			assert_int_equal(*(uint64_t *)flux_ring_ultra_peek(&a, k), i + k);
		flux_ring_ultra_release(&a, 4);
	}
	assert_int_equal(put(&w, 5), 0);
	assert_int_equal(get(&a), 5);
	flux_ring_destroy(ring);
}

static void one_writer_at_a_time(void **state)
{
	struct flux_ring *ring = ring_of(0, 8, 1);
	struct flux_ring_writer other;

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(flux_ring_writer_open(&other, ring, NULL), FLUX_EBUSY);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	assert_int_equal(put(&w, 1), 0);
	flux_ring_writer_close(&w);
	assert_int_equal(flux_ring_writer_open(&other, ring, NULL), 0);
	assert_int_equal(put(&other, 2), 0);
	assert_int_equal(get(&a), 1);
	assert_int_equal(get(&a), 2);
	flux_ring_destroy(ring);
}

/* What was published before the end is read; then both sides learn of it. */
static void closed(void **state)
{
	struct flux_ring *ring = ring_of(0, 4, 1);

	UNUSED(state);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_NOW), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&w, i), 0);
	flux_ring_close(ring);
	assert_int_equal(put(&w, 4), FLUX_ECLOSED);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(get(&a), i);
	assert_int_equal(flux_ring_peek(&a, 1, &span), FLUX_ECLOSED);
	assert_int_equal(flux_ring_peek_wait(&a, 1, &span, FLUX_NEVER), FLUX_ECLOSED);
	assert_int_equal(put(&w, 4), FLUX_ECLOSED);
	flux_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_slot_size),
		cmocka_unit_test(claim_is_not_publish),
		cmocka_unit_test(slowest_gates),
		cmocka_unit_test(early_release),
		cmocka_unit_test(poller),
		cmocka_unit_test(batch_limit),
		cmocka_unit_test(r21_bounded_and_measured),
		cmocka_unit_test(ultra),
		cmocka_unit_test(one_writer_at_a_time),
		cmocka_unit_test(closed),
	};

	return cmocka_run_group_tests_name("ring slots", tests, NULL, NULL);
}
