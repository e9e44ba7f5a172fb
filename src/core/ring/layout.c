/* SPDX-License-Identifier: MIT */
/* A ring's block of memory: how large, what lies where, and whether somebody else's can be trusted. */
#include "core/base/bits.h"
#include "core/base/mem.h"
#include "core/ring/ring.h"

#define SLOTS_MAX      (1u << 30)
#define SLOT_BYTES_MAX (1u << 20)
#define RECORD_HEAD    8u

/* R19: what one side writes while the other reads lies in lines of its own. */
#define OWN_LINE(type, member) \
	_Static_assert(offsetof(type, member) % FLUX_RING_LINE == 0, #member " starts a line")
OWN_LINE(struct flux_ring_head, cursor);
OWN_LINE(struct flux_ring_head, claimed);
OWN_LINE(struct flux_ring_head, taken);
OWN_LINE(struct flux_ring_head, floor);
OWN_LINE(struct flux_ring_head, closed);
OWN_LINE(struct flux_ring_head, data);
OWN_LINE(struct flux_ring_head, room);
OWN_LINE(struct flux_ring_seat, gate);
OWN_LINE(struct flux_ring_head, noted);
OWN_LINE(struct flux_ring_seat, holder);
_Static_assert(sizeof(struct flux_ring_head) % FLUX_RING_LINE == 0, "seats start a line");
_Static_assert(sizeof(struct flux_ring_seat) % FLUX_RING_LINE == 0, "each seat starts a line");

int flux_ring_cfg_read(void *known, uint32_t known_bytes, const void *cfg)
{
	uint32_t size;

	memcpy(&size, cfg, sizeof(size));
	if (size < sizeof(size))
		return FLUX_EINVAL;
	for (uint32_t i = known_bytes; i < size; i++)
		if (((const uint8_t *)cfg)[i])
			return FLUX_E2BIG;
	memcpy(known, cfg, flux_min_u32(size, known_bytes));
	return 0;
}

static uint64_t lines(uint64_t bytes)
{
	return (bytes + FLUX_RING_LINE - 1) & ~(uint64_t)(FLUX_RING_LINE - 1);
}

static int check(uint32_t flags, uint32_t capacity, uint32_t slot, uint32_t readers, uint32_t writers)
{
	if (flags & ~FLUX_RING_CALLERS || !flux_is_pow2(capacity) || capacity < 2 || capacity > SLOTS_MAX)
		return FLUX_EINVAL;
	if (!slot || slot > SLOT_BYTES_MAX || (flags & FLUX_RING_RECORDS && (slot < RECORD_HEAD || !flux_is_pow2(slot))))
		return FLUX_EINVAL;
	if (!readers || readers > FLUX_RING_SEATS || !writers || writers > FLUX_RING_SEATS)
		return FLUX_EINVAL;
	if (flags & FLUX_RING_LOSSY && (flags & (FLUX_RING_SHARE | FLUX_RING_RECORDS) || writers > 1))
		return FLUX_ENOTSUP;
	return 0;
}

/* Everything that follows from the numbers of a configuration; the content of `head` is not looked at. */
static void place(struct flux_ring_head *head, uint32_t flags, uint32_t capacity, uint32_t slot,
		  uint32_t readers, uint32_t writers)
{
	uint64_t at = sizeof(*head);

	memset(head, 0, sizeof(*head));
	head->order = FLUX_RING_ORDER;
	head->layout = FLUX_RING_LAYOUT;
	head->line = FLUX_RING_LINE;
	head->flags = flags | (writers > 1 ? FLUX_RING_MULTI : 0);
	head->capacity = capacity;
	head->slot = slot;
	head->readers = readers;
	head->writers = writers;
	head->at_readers = at;
	at += readers * sizeof(struct flux_ring_seat);
	head->at_writers = at;
	at += writers * sizeof(struct flux_ring_seat);
	head->at_words = at;
	if (flux_ring_by_words(head->flags))
		at += lines(capacity * sizeof(uint64_t));
	head->at_sums = at;
	if (flags & FLUX_RING_SUMS)
		at += lines(capacity * sizeof(uint32_t));
	head->at_data = at;
	head->bytes = at + lines((uint64_t)capacity * slot);
}

/* Whether a ring of this kind can grow. */
static int check_most(const struct flux_ring_cfg *cfg)
{
	if (!flux_is_pow2(cfg->most) || cfg->most < cfg->capacity || cfg->most > SLOTS_MAX)
		return FLUX_EINVAL;
	if (cfg->writers > 1 || cfg->flags & (FLUX_RING_SHARE | FLUX_RING_LOSSY | FLUX_RING_SUMS | FLUX_RING_PROCESSES))
		return FLUX_ENOTSUP;
	return 0;
}

static int read_cfg(struct flux_ring_cfg *known, const struct flux_ring_cfg *cfg)
{
	*known = (struct flux_ring_cfg){ sizeof(*known), 0, 1024, 64, 4, 1, NULL, 0, 0 };
	int rc = cfg ? flux_ring_cfg_read(known, sizeof(*known), cfg) : FLUX_EINVAL;

	if (rc == 0 && known->reserved)
		rc = FLUX_EINVAL;
	if (rc == 0)
		rc = check(known->flags, known->capacity, known->slot, known->readers, known->writers);
	return rc < 0 || !known->most ? rc : check_most(known);
}

uint64_t flux_ring_bytes(const struct flux_ring_cfg *cfg)
{
	struct flux_ring_cfg known;
	struct flux_ring_head head;

	if (read_cfg(&known, cfg) < 0)
		return 0;
	place(&head, known.flags, known.capacity, known.slot, known.readers, known.writers);
	return head.bytes;
}

/* The process's own view: numbers from `head`, which is a copy that was checked. */
static void view(struct flux_ring *ring, void *block, const struct flux_ring_head *head,
		 const struct flux_wait_ops *wait)
{
	uint8_t *base = block;

	memset(ring, 0, sizeof(*ring));
	ring->head = block;
	ring->readers = (struct flux_ring_seat *)(base + head->at_readers);
	ring->writers = (struct flux_ring_seat *)(base + head->at_writers);
	ring->words = (uint64_t *)(base + head->at_words);
	ring->sums = (uint32_t *)(base + head->at_sums);
	ring->data = base + head->at_data;
	ring->capacity = head->capacity;
	ring->mask = head->capacity - 1;
	ring->slot = head->slot;
	ring->flags = head->flags;
	ring->n_readers = head->readers;
	ring->n_writers = head->writers;
	ring->bits = (uint32_t)__builtin_ctz(head->capacity);
	ring->wait = wait;
	ring->block_bytes = head->bytes;
}

static bool aligned(const void *block)
{
	return block && (uintptr_t)block % FLUX_RING_LINE == 0;
}

/* A new ring, of numbers that were checked. */
static void lay(struct flux_ring *ring, void *block, const struct flux_ring_cfg *cfg)
{
	struct flux_ring_head *head = block;

	place(head, cfg->flags, cfg->capacity, cfg->slot, cfg->readers, cfg->writers);
	view(ring, block, head, cfg->wait);
	memset(ring->readers, 0, (uint64_t)head->at_data - head->at_readers);
	for (uint32_t i = 0; i < ring->n_readers; i++)
		ring->readers[i].gate = FLUX_RING_OPEN;
	/* R5: the whole head before the magic; pairs with A5 below. */
	__atomic_store_n(&head->magic, FLUX_RING_MAGIC, __ATOMIC_RELEASE);
}

int flux_ring_init(struct flux_ring *ring, void *block, uint64_t bytes, const struct flux_ring_cfg *cfg)
{
	struct flux_ring_cfg known;
	int rc = read_cfg(&known, cfg);

	if (rc < 0)
		return rc;
	if (!ring || !aligned(block) || bytes < flux_ring_bytes(cfg))
		return FLUX_EINVAL;
	if (known.most)
		return FLUX_ENOTSUP; /* to grow takes an allocator */
	lay(ring, block, &known);
	return 0;
}

int flux_ring_attach_by(struct flux_ring *ring, void *block, uint64_t bytes,
			const struct flux_ring_head *there, const struct flux_wait_ops *wait)
{
	struct flux_ring_head want;

	if (there->magic != FLUX_RING_MAGIC)
		return there->magic == __builtin_bswap64(FLUX_RING_MAGIC) ? FLUX_EBYTEORDER : FLUX_EMAGIC;
	if (there->order != FLUX_RING_ORDER)
		return FLUX_EBYTEORDER;
	if (there->layout != FLUX_RING_LAYOUT || there->line != FLUX_RING_LINE)
		return FLUX_ELAYOUT;
	if (check(there->flags & ~FLUX_RING_MULTI, there->capacity, there->slot, there->readers, there->writers) < 0)
		return FLUX_ESIZE;
	place(&want, there->flags & ~FLUX_RING_MULTI, there->capacity, there->slot, there->readers, there->writers);
	want.magic = FLUX_RING_MAGIC;
	if (memcmp(&want, there, offsetof(struct flux_ring_head, line0_)) || there->bytes > bytes)
		return FLUX_ESIZE;
	view(ring, block, there, wait);
	return 0;
}

int flux_ring_attach(struct flux_ring *ring, void *block, uint64_t bytes, const struct flux_wait_ops *wait)
{
	struct flux_ring_head there;

	if (!ring || !aligned(block) || bytes < sizeof(there))
		return FLUX_EINVAL;
	/*
	 * What was written once is copied once, then checked: a later change misleads nobody. A5: the magic
	 * before the rest; pairs with R5.
	 */
	there.magic = __atomic_load_n(&((struct flux_ring_head *)block)->magic, __ATOMIC_ACQUIRE);
	memcpy((uint8_t *)&there + sizeof(there.magic), (uint8_t *)block + sizeof(there.magic),
	       offsetof(struct flux_ring_head, line0_) - sizeof(there.magic));
	return flux_ring_attach_by(ring, block, bytes, &there, wait);
}

void flux_ring_set_peers(struct flux_ring *ring, const struct flux_ring_peers *peers)
{
	ring->peers = peers;
}

void flux_ring_fini(struct flux_ring *ring)
{
	for (uint32_t i = 0; i < 2 * FLUX_RING_SEATS; i++) {
		int32_t *fd = &ring->fds[i / FLUX_RING_SEATS][i % FLUX_RING_SEATS];

		if (*fd)
			ring->wait->fd_close(ring->wait->ctx, *fd - 1);
		*fd = 0;
	}
}

int flux_ring_create(struct flux_ring **ring, const struct flux_ring_cfg *cfg, const struct flux_mem *mem)
{
	struct flux_ring_cfg known;
	struct flux_ring *made;
	size_t bytes;
	int rc = read_cfg(&known, cfg);

	if (rc < 0)
		return rc;
	if (!ring || !mem)
		return FLUX_EINVAL;
	if (flux_ring_bytes(cfg) > SIZE_MAX - FLUX_RING_LINE)
		return FLUX_ENOMEM;
	bytes = (size_t)flux_ring_bytes(cfg) + FLUX_RING_LINE;
	made = flux_mem_take(mem, 1, sizeof(*made));
	uint8_t *raw = flux_mem_take(mem, 1, bytes);

	if (made && raw) {
		lay(made, raw + (-(uintptr_t)raw & (FLUX_RING_LINE - 1)), &known);
		made->mem = mem;
		made->block = raw;
		rc = known.most ? flux_ring_regions_create(made, known.most) : 0;
	}
	if (!made || !raw || rc < 0) {
		flux_mem_give(mem, raw, 1, bytes);
		flux_mem_give(mem, made, 1, sizeof(*made));
		return FLUX_ENOMEM;
	}
	*ring = made;
	return 0;
}

void flux_ring_destroy(struct flux_ring *ring)
{
	const struct flux_mem *mem;

	if (!ring)
		return;
	flux_ring_fini(ring);
	flux_ring_regions_destroy(ring);
	mem = ring->mem;
	flux_mem_give(mem, ring->block, 1, (size_t)(ring->block_bytes + FLUX_RING_LINE));
	flux_mem_give(mem, ring, 1, sizeof(*ring));
}
