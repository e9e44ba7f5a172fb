/* SPDX-License-Identifier: MIT */
/* Rings that grow and shrink: nothing lost, nothing freed too early or kept, and who may not. */
#include "tests/unit/ring/common.h"

#include <stdbool.h>
#include <stdlib.h>

/* An allocator that knows what is out, spoils what comes back, and may refuse. */
static struct {
	size_t bytes;
	bool refuse;
} heap;

static void *take(void *ctx, size_t bytes)
{
	UNUSED(ctx);
	if (heap.refuse)
		return NULL;
	heap.bytes += bytes;
	return malloc(bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
	UNUSED(ctx);
	heap.bytes -= bytes;
	memset(ptr, 0xdd, bytes);
	free(ptr);
}

static const struct flux_mem mem = { .alloc = take, .free = give };

static struct flux_ring *ring;
static struct flux_ring_writer w;
static struct flux_ring_reader a, b;
static uint64_t written, seen;
static size_t at_first;

static struct flux_ring_cfg growing(uint32_t flags, uint32_t capacity, uint32_t most)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	cfg.flags = flags;
	cfg.capacity = capacity;
	cfg.most = most;
	cfg.slot = sizeof(uint64_t);
	return cfg;
}

static void begin(uint32_t flags, uint32_t capacity, uint32_t most)
{
	struct flux_ring_cfg cfg = growing(flags, capacity, most);

	heap.bytes = 0;
	heap.refuse = false;
	written = seen = 0;
	assert_int_equal(flux_ring_create(&ring, &cfg, &mem), 0);
	assert_int_equal(flux_ring_writer_open(&w, ring, NULL), 0);
	assert_int_equal(join(&a, ring, FLUX_RING_OLDEST), 0);
	at_first = heap.bytes;
}

static void end(void)
{
	flux_ring_writer_close(&w);
	flux_ring_destroy(ring);
	assert_int_equal(heap.bytes, 0);
}

/* Write until there is no room: how many. */
static uint32_t fill(void)
{
	uint32_t n = 0;
	int rc;

	while ((rc = put(&w, written)) == 0) {
		written++;
		n++;
	}
	assert_int_equal(rc, FLUX_EAGAIN);
	return n;
}

static void read_on(struct flux_ring_reader *reader, uint64_t *at, uint64_t n)
{
	while (n--)
		assert_int_equal(get(reader), (*at)++);
}

static struct flux_ring_info info(void)
{
	struct flux_ring_info i;

	flux_ring_get_info(ring, &i);
	return i;
}

static void grows_while_full(void **state)
{
	UNUSED(state);
	begin(0, 4, 1024);
	assert_int_equal(fill(), 4);
	assert_int_equal(flux_ring_resize(&w, 8), 0);
	/* The old slots stand apart: the new region is empty. */
	assert_int_equal(info().capacity, 8);
	assert_int_equal(info().used, 4);
	assert_int_equal(info().free, 8);
	assert_int_equal(fill(), 8);
	assert_int_equal(info().used, 12);
	assert_int_equal(info().highest, 12);
	assert_int_equal(info().free, 0);
	read_on(&a, &seen, 12);
	assert_int_equal(get(&a), UINT64_MAX);
	assert_int_equal(fill(), 8);
	read_on(&a, &seen, 8);
	end();
}

static void an_old_region_goes_when_all_have_followed(void **state)
{
	uint64_t at = 0;

	UNUSED(state);
	begin(0, 4, 1024);
	assert_int_equal(join(&b, ring, FLUX_RING_OLDEST), 0);
	assert_int_equal(flux_ring_resize(&w, 8), 0); /* at once: nothing was written */
	assert_int_equal(fill(), 8);
	assert_int_equal(flux_ring_resize(&w, 64), 0);
	assert_int_equal(heap.bytes, at_first + (8 + 64) * sizeof(uint64_t));
	read_on(&a, &seen, 8);
	/* The other one is still there. */
	assert_int_equal(flux_ring_resize(&w, 128), FLUX_EAGAIN);
	assert_int_equal(flux_ring_resize(&w, 64), FLUX_EAGAIN);
	assert_int_equal(info().capacity, 64);
	read_on(&b, &at, 7);
	assert_int_equal(flux_ring_resize(&w, 64), FLUX_EAGAIN);
	read_on(&b, &at, 1);
	assert_int_equal(flux_ring_resize(&w, 64), 0);
	assert_int_equal(heap.bytes, at_first + 64 * sizeof(uint64_t));
	/* Back to the first, which was there all the time. */
	heap.refuse = true;
	assert_int_equal(flux_ring_resize(&w, 4), 0);
	assert_int_equal(flux_ring_resize(&w, 4), 0);
	assert_int_equal(heap.bytes, at_first);
	assert_int_equal(fill(), 4);
	read_on(&a, &seen, 4);
	read_on(&b, &at, 4);
	end();
}

static void looking_for_room_frees_it_too(void **state)
{
	UNUSED(state);
	begin(0, 4, 1024);
	assert_int_equal(flux_ring_resize(&w, 16), 0);
	fill();
	assert_int_equal(flux_ring_resize(&w, 8), 0);
	fill();
	read_on(&a, &seen, 17);
	assert_int_equal(put(&w, written++), 0);
	assert_int_equal(heap.bytes, at_first + 8 * sizeof(uint64_t));
	read_on(&a, &seen, written - seen);
	end();
}

static void shrinks_while_full(void **state)
{
	UNUSED(state);
	begin(0, 64, 64);
	assert_int_equal(fill(), 64);
	assert_int_equal(flux_ring_resize(&w, 2), 0);
	assert_int_equal(fill(), 2);
	assert_int_equal(info().used, 66);
	read_on(&a, &seen, 65);
	assert_int_equal(fill(), 1);
	read_on(&a, &seen, 2);
	end();
}

static void a_span_ends_with_its_region(void **state)
{
	struct flux_ring_span span;

	UNUSED(state);
	begin(0, 4, 64);
	fill();
	assert_int_equal(flux_ring_resize(&w, 16), 0);
	fill();
	assert_int_equal(flux_ring_peek(&a, 100, &span), 4);
	assert_int_equal(flux_ring_release(&a, 3), 0);
	assert_int_equal(flux_ring_peek(&a, 100, &span), 1);
	assert_int_equal(*(uint64_t *)span.at[0], 3);
	assert_int_equal(flux_ring_release(&a, 1), 0);
	assert_int_equal(flux_ring_peek(&a, 100, &span), 16);
	assert_int_equal(span.seq, 4);
	assert_int_equal(span.n[0] + span.n[1], 16);
	assert_int_equal(flux_ring_release(&a, 16), 0);
	end();
}

static void who_joins_finds_the_oldest(void **state)
{
	uint64_t at;

	UNUSED(state);
	begin(0, 4, 64);
	fill();
	assert_int_equal(flux_ring_resize(&w, 16), 0);
	fill();
	read_on(&a, &seen, 2);
	assert_int_equal(join(&b, ring, FLUX_RING_OLDEST), 0);
	at = b.start;
	assert_true(at <= 2);
	read_on(&b, &at, 20 - at);
	flux_ring_reader_leave(&b);
	assert_int_equal(join(&b, ring, FLUX_RING_NOW), 0);
	assert_int_equal(b.start, 20);
	read_on(&a, &seen, 18);
	put(&w, 20);
	assert_int_equal(get(&b), 20);
	end();
}

static void what_the_last_reader_left_is_kept(void **state)
{
	UNUSED(state);
	begin(0, 4, 64);
	fill();
	assert_int_equal(flux_ring_resize(&w, 8), 0);
	fill();
	read_on(&a, &seen, 1);
	flux_ring_reader_leave(&a);
	assert_int_equal(flux_ring_resize(&w, 8), FLUX_EAGAIN);
	assert_int_equal(join(&a, ring, FLUX_RING_OLDEST), 0);
	assert_int_equal(a.start, 1);
	read_on(&a, &seen, 11);
	assert_int_equal(flux_ring_resize(&w, 8), 0);
	end();
}

static void readers_after_others_follow_them(void **state)
{
	uint32_t id;
	uint64_t at = 0;

	UNUSED(state);
	begin(0, 4, 64);
	id = flux_ring_reader_id(&a);
	assert_int_equal(join_after(&b, ring, 1, &id), 0);
	fill();
	assert_int_equal(flux_ring_resize(&w, 8), 0);
	fill();
	read_on(&a, &seen, 6);
	read_on(&b, &at, 6);
	assert_int_equal(get(&b), UINT64_MAX);
	read_on(&a, &seen, 6);
	read_on(&b, &at, 6);
	end();
}

/* Held records reach over the border; each stays where it was shown until it is released. */
static void records_are_held_over_the_border(void **state)
{
	struct flux_ring_record rec, first = { 0 };

	UNUSED(state);
	begin(FLUX_RING_RECORDS, 16, 256);
	for (uint32_t i = 0; i < 40; i++) {
		int rc = flux_ring_record_claim(&w, 20, &rec);

		if (rc == FLUX_EAGAIN) {
			assert_int_equal(flux_ring_resize(&w, i < 10 ? 64 : 256), i < 10 ? 0 : FLUX_EAGAIN);
			if (i >= 10)
				break;
			rc = flux_ring_record_claim(&w, 20, &rec);
		}
		assert_int_equal(rc, 0);
		memset(rec.data, (int)i, 20);
		assert_int_equal(flux_ring_record_publish(&w, 20), 0);
		written = i + 1;
	}
	assert_true(written > 16);
	for (uint32_t i = 0; i < written; i++) {
		assert_int_equal(flux_ring_record_read(&a, &rec), 1);
		assert_int_equal(*(uint8_t *)rec.data, i);
		if (i == 0)
			first = rec;
	}
	assert_int_equal(flux_ring_record_read(&a, &rec), 0);
	assert_int_equal(((uint8_t *)first.data)[19], 0);
	assert_int_equal(flux_ring_record_release(&a), 0);
	assert_int_equal(flux_ring_resize(&w, 256), 0);
	/* More than half of the first ring fits now. */
	assert_int_equal(flux_ring_record_claim(&w, 500, &rec), 0);
	memset(rec.data, 7, 500);
	assert_int_equal(flux_ring_record_publish(&w, 500), 0);
	assert_int_equal(flux_ring_record_read(&a, &rec), 1);
	assert_int_equal(rec.len, 500);
	assert_int_equal(((uint8_t *)rec.data)[499], 7);
	assert_int_equal(flux_ring_record_release(&a), 0);
	end();
}

/* Records on both sides of the border were read; those from the old side on are read again. */
static void stepping_back_over_the_border(void **state)
{
	struct flux_ring_record records[6], rec;

	UNUSED(state);
	begin(FLUX_RING_RECORDS, 8, 64);
	for (uint32_t i = 0; i < 6; i++) {
		if (i == 3)
			assert_int_equal(flux_ring_resize(&w, 16), 0);
		assert_int_equal(flux_ring_record_claim(&w, 8, &rec), 0);
		memset(rec.data, (int)i, 8);
		assert_int_equal(flux_ring_record_publish(&w, 8), 0);
	}
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(flux_ring_record_read(&a, &records[i]), 1);
	assert_int_equal(flux_ring_record_release_before(&a, &records[1]), 0);
	for (uint32_t i = 1; i < 6; i++) {
		assert_int_equal(flux_ring_record_read(&a, &rec), 1);
		assert_int_equal(*(uint8_t *)rec.data, i);
	}
	assert_int_equal(flux_ring_record_release_before(&a, &rec), 0);
	assert_int_equal(flux_ring_record_read(&a, &rec), 1);
	assert_int_equal(*(uint8_t *)rec.data, 5);
	assert_int_equal(flux_ring_record_release(&a), 0);
	assert_int_equal(flux_ring_record_read(&a, &rec), 0);
	end();
}

static void bad_calls_change_nothing(void **state)
{
	struct flux_ring_reader_cfg reader = FLUX_RING_READER_CFG_INIT;
	struct flux_ring_span span;

	UNUSED(state);
	begin(0, 4, 64);
	assert_int_equal(flux_ring_resize(&w, 0), FLUX_EINVAL);
	assert_int_equal(flux_ring_resize(&w, 1), FLUX_EINVAL);
	assert_int_equal(flux_ring_resize(&w, 12), FLUX_EINVAL);
	assert_int_equal(flux_ring_resize(&w, 128), FLUX_EINVAL);
	assert_int_equal(flux_ring_claim(&w, 2, &span), 0);
	assert_int_equal(flux_ring_resize(&w, 8), FLUX_EBUSY);
	flux_ring_abort(&w);
	heap.refuse = true;
	assert_int_equal(flux_ring_resize(&w, 8), FLUX_ENOMEM);
	assert_int_equal(fill(), 4);
	read_on(&a, &seen, 4);
	heap.refuse = false;
	reader.flags = FLUX_READER_LOSSY;
	assert_int_equal(flux_ring_reader_join(&b, ring, &reader), FLUX_ENOTSUP);
	reader.flags = 0;
	reader.evict_after = FLUX_S(1);
	assert_int_equal(flux_ring_reader_join(&b, ring, &reader), FLUX_ENOTSUP);
	assert_int_equal(flux_ring_check(ring, 0, NULL, NULL), FLUX_ENOTSUP);
	end();
}

static void other_kinds_refuse(void **state)
{
	static const uint32_t kinds[] = { FLUX_RING_SHARE, FLUX_RING_LOSSY, FLUX_RING_SUMS, FLUX_RING_PROCESSES };
	struct flux_ring_cfg cfg = growing(0, 16, 64);
	_Alignas(FLUX_RING_LINE) static uint8_t block[1 << 16];
	struct flux_ring here, *made;

	UNUSED(state);
	assert_int_equal(flux_ring_init(&here, block, sizeof(block), &cfg), FLUX_ENOTSUP);
	cfg.writers = 2;
	assert_int_equal(flux_ring_create(&made, &cfg, &mem), FLUX_ENOTSUP);
	cfg.writers = 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		cfg.flags = kinds[i];
		assert_int_equal(flux_ring_create(&made, &cfg, &mem), FLUX_ENOTSUP);
	}
	cfg.flags = 0;
	cfg.most = 8;
	assert_int_equal(flux_ring_create(&made, &cfg, &mem), FLUX_EINVAL);
	cfg.most = 96;
	assert_int_equal(flux_ring_create(&made, &cfg, &mem), FLUX_EINVAL);
	made = ring_of(0, 8, 1);
	assert_int_equal(flux_ring_writer_open(&w, made, NULL), 0);
	assert_int_equal(flux_ring_resize(&w, 16), FLUX_ENOTSUP);
	flux_ring_destroy(made);
}

static uint64_t rnd(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

/* Up to three readers that come and go, sizes that change at any moment, against plain counting. */
static void any_order_of_everything(void **state)
{
	UNUSED(state);
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct flux_ring_reader readers[3];
		uint64_t at[3], s = seed;
		bool in[3] = { false, false, false };
		uint32_t moves = 0;

		begin(0, 1u << (1 + rnd(&s) % 4), 256);
		for (uint32_t step = 0; step < 2000; step++) {
			uint32_t i = (uint32_t)(rnd(&s) % 3);

			switch (rnd(&s) % 8) {
			case 0:
				if (in[i])
					flux_ring_reader_leave(&readers[i]);
				else if (join(&readers[i], ring, rnd(&s) % 2 ? FLUX_RING_OLDEST : FLUX_RING_NOW))
					fail();
				at[i] = readers[i].start;
				in[i] = !in[i];
				break;
			case 1:
				moves += flux_ring_resize(&w, 2u << rnd(&s) % 8) == 0;
				break;
			case 2:
			case 3:
			case 4:
				for (uint64_t n = rnd(&s) % 40; n && put(&w, written) == 0; n--)
					written++;
				break;
			case 5:
				read_on(&a, &seen, rnd(&s) % (written - seen + 1));
				break;
			default:
				if (in[i])
					read_on(&readers[i], &at[i], rnd(&s) % (written - at[i] + 1));
			}
		}
		assert_true(moves > 20);
		read_on(&a, &seen, written - seen);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_while_full),
		cmocka_unit_test(an_old_region_goes_when_all_have_followed),
		cmocka_unit_test(looking_for_room_frees_it_too),
		cmocka_unit_test(shrinks_while_full),
		cmocka_unit_test(a_span_ends_with_its_region),
		cmocka_unit_test(who_joins_finds_the_oldest),
		cmocka_unit_test(what_the_last_reader_left_is_kept),
		cmocka_unit_test(readers_after_others_follow_them),
		cmocka_unit_test(records_are_held_over_the_border),
		cmocka_unit_test(stepping_back_over_the_border),
		cmocka_unit_test(bad_calls_change_nothing),
		cmocka_unit_test(other_kinds_refuse),
		cmocka_unit_test(any_order_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
