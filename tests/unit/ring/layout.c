/* SPDX-License-Identifier: MIT */
/* The block of memory: what creation refuses, and that an attach trusts nothing it has not checked. */
#include "tests/unit/ring/common.h"

#include <stdlib.h>

#include "core/ring/ring.h"

static struct flux_ring_cfg small(void)
{
	struct flux_ring_cfg cfg = FLUX_RING_CFG_INIT;

	cfg.capacity = 16;
	cfg.readers = 2;
	return cfg;
}

static int init_with(struct flux_ring_cfg cfg)
{
	struct flux_ring *ring;
	int rc = flux_ring_create(&ring, &cfg, &flux_mem_libc);

	assert_int_equal(flux_ring_bytes(&cfg) == 0, rc < 0);
	if (rc == 0)
		flux_ring_destroy(ring);
	return rc;
}

#define REFUSED(member, value, code)                       \
	do {                                               \
		struct flux_ring_cfg cfg_ = small();       \
		cfg_.member = (value);                     \
		assert_int_equal(init_with(cfg_), (code)); \
	} while (0)

static void refusals(void **state)
{
	UNUSED(state);
	assert_int_equal(init_with(small()), 0);
	REFUSED(size, 0, FLUX_EINVAL);
	REFUSED(flags, 1u << 16, FLUX_EINVAL);
	REFUSED(capacity, 0, FLUX_EINVAL);
	REFUSED(capacity, 1, FLUX_EINVAL);
	REFUSED(capacity, 48, FLUX_EINVAL);
	REFUSED(capacity, 1u << 31, FLUX_EINVAL);
	REFUSED(slot, 0, FLUX_EINVAL);
	REFUSED(slot, (1u << 20) + 1, FLUX_EINVAL);
	REFUSED(readers, 0, FLUX_EINVAL);
	REFUSED(readers, 65, FLUX_EINVAL);
	REFUSED(writers, 0, FLUX_EINVAL);
	REFUSED(writers, 65, FLUX_EINVAL);
	REFUSED(flags, FLUX_RING_LOSSY | FLUX_RING_SHARE, FLUX_ENOTSUP);
	REFUSED(capacity, 2, 0);
	REFUSED(slot, 1, 0);
	assert_int_equal(flux_ring_bytes(NULL), 0);
}

static void newer_configuration(void **state)
{
	struct {
		struct flux_ring_cfg cfg;
		uint64_t tail;
	} newer = { .cfg = small() };

	UNUSED(state);
	newer.cfg.size = sizeof(newer);
	assert_true(flux_ring_bytes(&newer.cfg) > 0);
	newer.tail = 1;
	assert_int_equal(flux_ring_bytes(&newer.cfg), 0);
}

struct block {
	struct flux_ring_cfg cfg;
	uint64_t bytes;
	uint8_t *memory, *copy;
	struct flux_ring ring;
};

static int make_block(void **state)
{
	struct block *block = calloc(1, sizeof(*block));

	block->cfg = small();
	block->bytes = flux_ring_bytes(&block->cfg);
	block->memory = aligned_alloc(FLUX_RING_LINE, block->bytes);
	block->copy = malloc(block->bytes);
	memset(block->memory, 0xa5, block->bytes);
	assert_int_equal(flux_ring_init(&block->ring, block->memory, block->bytes, &block->cfg), 0);
	*state = block;
	return 0;
}

static int free_block(void **state)
{
	struct block *block = *state;

	flux_ring_fini(&block->ring);
	free(block->memory);
	free(block->copy);
	free(block);
	return 0;
}

/* Two views of one block are one ring. */
static void attach(void **state)
{
	struct block *block = *state;
	struct flux_ring other;
	struct flux_ring_writer writer;
	struct flux_ring_reader reader;
	struct flux_ring_span span;

	assert_int_equal(flux_ring_attach(&other, block->memory, block->bytes, NULL), 0);
	assert_int_equal(flux_ring_reader_join(&reader, &other, NULL), 0);
	assert_int_equal(flux_ring_writer_open(&writer, &block->ring, NULL), 0);
	assert_int_equal(flux_ring_claim(&writer, 2, &span), 0);
	memset(span.at[0], 7, 128);
	assert_int_equal(flux_ring_publish(&writer, 2), 0);
	assert_int_equal(flux_ring_peek(&reader, 9, &span), 2);
	assert_int_equal(((uint8_t *)span.at[0])[127], 7);
	flux_ring_fini(&other);
}

/* R09: each mismatch has its own error, and no byte of the ring is changed. */
static void r09_mismatches(void **state)
{
	struct block *block = *state;
	struct flux_ring_head *head = (struct flux_ring_head *)(void *)block->memory;
	struct flux_ring_head good = *head;
	struct flux_ring other;

#define BROKEN(member, value, code)                                                                    \
	do {                                                                                           \
		*head = good;                                                                          \
		head->member = (value);                                                                \
		memcpy(block->copy, block->memory, block->bytes);                                      \
		assert_int_equal(flux_ring_attach(&other, block->memory, block->bytes, NULL), (code)); \
		assert_memory_equal(block->copy, block->memory, block->bytes);                         \
	} while (0)
	BROKEN(magic, 0, FLUX_EMAGIC);
	BROKEN(magic, __builtin_bswap64(FLUX_RING_MAGIC), FLUX_EBYTEORDER);
	BROKEN(order, 0x04030201, FLUX_EBYTEORDER);
	BROKEN(layout, 2, FLUX_ELAYOUT);
	BROKEN(line, 64, FLUX_ELAYOUT);
	BROKEN(flags, 1u << 20, FLUX_ESIZE);
	BROKEN(capacity, 15, FLUX_ESIZE);
	BROKEN(capacity, 32, FLUX_ESIZE);
	BROKEN(slot, 128, FLUX_ESIZE);
	BROKEN(slot, 0, FLUX_ESIZE);
	BROKEN(readers, 1000, FLUX_ESIZE);
	BROKEN(readers, 3, FLUX_ESIZE);
	BROKEN(writers, 2, FLUX_ESIZE);
	BROKEN(bytes, 1, FLUX_ESIZE);
	BROKEN(at_data, 1ull << 40, FLUX_ESIZE);
	BROKEN(at_readers, 0, FLUX_ESIZE);
	*head = good;
	assert_int_equal(flux_ring_attach(&other, block->memory, block->bytes - 1, NULL), FLUX_ESIZE);
	assert_int_equal(flux_ring_attach(&other, block->memory, 64, NULL), FLUX_EINVAL);
	assert_int_equal(flux_ring_attach(&other, block->memory + 8, block->bytes, NULL), FLUX_EINVAL);
	assert_int_equal(flux_ring_attach(&other, block->memory, block->bytes, NULL), 0);
}

static void init_checks_the_block(void **state)
{
	struct block *block = *state;
	struct flux_ring other;

	assert_int_equal(flux_ring_init(&other, block->memory + 8, block->bytes, &block->cfg), FLUX_EINVAL);
	assert_int_equal(flux_ring_init(&other, block->memory, block->bytes - 1, &block->cfg), FLUX_EINVAL);
	assert_int_equal(flux_ring_init(&other, NULL, block->bytes, &block->cfg), FLUX_EINVAL);
}

static void *refuse_large(void *ctx, size_t bytes)
{
	size_t *limit = ctx;

	return bytes > *limit ? NULL : malloc(bytes);
}

static void give_back(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

static void no_memory(void **state)
{
	size_t limit = 0;
	struct flux_mem mem = { refuse_large, give_back, &limit };
	struct flux_ring_cfg cfg = small();
	struct flux_ring *ring;

	UNUSED(state);
	for (; limit < 64000; limit += 600) {
		int rc = flux_ring_create(&ring, &cfg, &mem);

		assert_true(rc == 0 || rc == FLUX_ENOMEM);
		if (rc == 0)
			flux_ring_destroy(ring);
	}
	assert_int_equal(flux_ring_create(&ring, &cfg, NULL), FLUX_EINVAL);
	flux_ring_destroy(NULL);
}

/* R16: free space is 0 to capacity for every order in which head and tail were read. */
static void r16_free_never_underflows(void **state)
{
	const uint64_t bases[] = { 0, 5, 1000, UINT64_MAX / 2 };

	UNUSED(state);
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		for (int ahead = -40; ahead <= 40; ahead++) {
			uint64_t tail = bases[i] + 40 + (uint64_t)ahead;
			uint64_t free = flux_ring_free(tail, bases[i] + 40, 16);

			assert_true(free <= 16);
			assert_int_equal(free, ahead < 0 || ahead > 16 ? 0 : 16 - ahead);
		}
}

/* R19: words of different sides are at least a line apart. */
static void r19_lines_apart(void **state)
{
	const size_t at[] = {
		offsetof(struct flux_ring_head, cursor),
		offsetof(struct flux_ring_head, claimed),
		offsetof(struct flux_ring_head, taken),
		offsetof(struct flux_ring_head, floor),
		offsetof(struct flux_ring_head, closed),
		offsetof(struct flux_ring_head, data),
		offsetof(struct flux_ring_head, room),
		offsetof(struct flux_ring_head, noted),
		sizeof(struct flux_ring_head),
	};

	UNUSED(state);
	for (size_t i = 0; i + 1 < sizeof(at) / sizeof(at[0]); i++)
		assert_true(at[i + 1] - at[i] >= FLUX_RING_LINE);
	assert_int_equal(sizeof(struct flux_ring_seat), 2 * FLUX_RING_LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(newer_configuration),
		cmocka_unit_test_setup_teardown(attach, make_block, free_block),
		cmocka_unit_test_setup_teardown(r09_mismatches, make_block, free_block),
		cmocka_unit_test_setup_teardown(init_checks_the_block, make_block, free_block),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(r16_free_never_underflows),
		cmocka_unit_test(r19_lines_apart),
	};

	return cmocka_run_group_tests_name("ring layout", tests, NULL, NULL);
}
