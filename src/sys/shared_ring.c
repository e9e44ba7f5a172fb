/* SPDX-License-Identifier: MIT */
/* A ring in a region: laid before anybody sees it, checked when it is met, closed in a forked child. */
#include <flux/shared_ring.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/cfg.h"
#include "core/base/mem.h"
#include "core/ring/ring.h"
#include "sys/bells.h"
#include "sys/region.h"

struct flux_shared_ring {
	struct flux_region *region;
	struct flux_ring ring;
	struct flux_ring_peers peers;
	struct flux_bells bells;
	const struct flux_mem *mem;
};

static int member_alive(void *ctx, uint32_t member)
{
	return flux_region_member_alive(ctx, member);
}

/* The child's copy is its own: nobody reads there or writes. */
static void close_copy(struct flux_region *region)
{
	if (region->map && !(region->info.state & FLUX_REGION_IS_READ_ONLY))
		((struct flux_ring_head *)(void *)region->data)->closed = 1;
}

/* ---- Opening ---- */

static int lay(void *ctx, void *data, uint64_t bytes)
{
	struct flux_ring ring;

	return flux_ring_init(&ring, data, bytes, ctx);
}

/* The region's configuration as a ring needs it. */
static int region_cfg(struct flux_region_cfg *cfg, const struct flux_region_cfg *user,
		      struct flux_ring_cfg *ring, char *why)
{
	int rc = user ? flux_cfg_copy(cfg, sizeof(*cfg), user) : FLUX_EINVAL;

	if (rc == 0 && cfg->backing != FLUX_REGION_FILE && cfg->backing != FLUX_REGION_MEMFD)
		rc = FLUX_EINVAL;
	if (rc < 0) {
		snprintf(why, FLUX_WHY_TEXT, "shared ring: backing is FLUX_REGION_FILE or FLUX_REGION_MEMFD");
		return rc;
	}
	cfg->kind = FLUX_RING_KIND;
	cfg->kind_version = FLUX_RING_LAYOUT;
	cfg->bytes = ring ? flux_ring_bytes(ring) : 0;
	cfg->fill = ring ? lay : NULL;
	cfg->fill_ctx = ring;
	/* What is there is compared in the words of rings, below. */
	if (cfg->open == FLUX_REGION_ATTACH)
		cfg->bytes = 0;
	return 0;
}

static int ring_cfg(struct flux_ring_cfg *cfg, const struct flux_ring_cfg *user, char *why)
{
	int rc = flux_cfg_copy(cfg, sizeof(*cfg), user);

	cfg->flags |= FLUX_RING_PROCESSES;
	if (rc == 0 && !flux_ring_bytes(cfg))
		rc = FLUX_EINVAL;
	if (rc < 0)
		snprintf(why, FLUX_WHY_TEXT,
			 "shared ring: capacity is a power of two from 2 to 2^30, slot 1 to 2^20 bytes (records: a "
			 "power of two from 8), readers and writers 1 to %u; lossy goes with one writer, slots only",
			 FLUX_RING_SEATS);
	return rc;
}

/* Whether the ring that was met is the one that was asked for; the words name the first difference. */
static int compare(const struct flux_ring *ring, const struct flux_ring_cfg *want, char *why)
{
	const struct {
		const char *name;
		uint64_t is, want;
	} parts[] = {
		{ "flags", ring->flags & 0xffff, want->flags },
		{ "capacity", ring->capacity, want->capacity },
		{ "slot", ring->slot, want->slot },
		{ "readers", ring->n_readers, want->readers },
		{ "writers", ring->n_writers, want->writers },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].is == parts[i].want)
			continue;
		snprintf(why, FLUX_WHY_TEXT,
			 "the ring that is there has %s %llu, asked for is %llu: agree, or pass no ring "
			 "configuration to take what there is",
			 parts[i].name, (unsigned long long)parts[i].is, (unsigned long long)parts[i].want);
		return FLUX_ESIZE;
	}
	return 0;
}

/*
 * Attach by a head that was read by a system call: should somebody cut the file at this moment, an
 * access to the mapping would be a signal.
 */
static int attach(struct flux_ring *ring, const struct flux_region *region, const struct flux_wait_ops *ops)
{
	struct flux_ring_head there = { .magic = 0 };
	ssize_t n;

	if (flux_region_bytes(region) < sizeof(there))
		return FLUX_EMAGIC;
	do
		n = pread(region->fd, &there, sizeof(there), FLUX_REGION_HEADER);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(there))
		return FLUX_ETRUNCATED;
	return flux_ring_attach_by(ring, flux_region_data(region), flux_region_bytes(region), &there, ops);
}

/* Use what lies in the region. */
static int enter(struct flux_shared_ring *shared, const struct flux_ring_cfg *want, char *why)
{
	struct flux_region_info info = { .size = sizeof(info) };
	struct flux_region *region = shared->region;
	struct flux_ring *ring = &shared->ring;
	int rc = attach(ring, region, flux_bells_ops(&shared->bells, region));

	if (rc < 0) {
		snprintf(why, FLUX_WHY_TEXT, "what lies in the region is no ring of ours: %s", flux_strerror(rc));
		return rc;
	}
	flux_region_get_info(region, &info);
	ring->read_only = !!(info.state & FLUX_REGION_IS_READ_ONLY);
	region->in_child = close_copy;
	shared->peers = (struct flux_ring_peers){ info.member, member_alive, region };
	flux_ring_set_peers(ring, &shared->peers);
	return want ? compare(ring, want, why) : 0;
}

static int finish(struct flux_region *region, const struct flux_mem *mem, const struct flux_ring_cfg *want,
		  struct flux_shared_ring **out, char *why)
{
	struct flux_shared_ring *shared = flux_mem_take_zeroed(mem, 1, sizeof(*shared));
	int rc;

	if (!shared) {
		snprintf(why, FLUX_WHY_TEXT, "the allocator gave no memory for the handle");
		flux_region_close(region);
		return FLUX_ENOMEM;
	}
	shared->region = region;
	shared->mem = mem;
	rc = enter(shared, want, why);
	if (rc < 0) {
		flux_shared_ring_close(shared);
		return rc;
	}
	*out = shared;
	return 0;
}

int flux_shared_ring_open(struct flux_shared_ring **shared, const struct flux_region_cfg *region,
			  const struct flux_ring_cfg *ring, char *why)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_ring_cfg want = FLUX_RING_CFG_INIT;
	struct flux_region *opened;
	char own[FLUX_WHY_TEXT];
	int rc;

	why = why ? why : own;
	why[0] = '\0';
	rc = ring ? ring_cfg(&want, ring, why) : 0;
	if (rc == 0)
		rc = region_cfg(&cfg, region, ring ? &want : NULL, why);
	if (rc == 0)
		rc = flux_region_open(&opened, &cfg, why);
	if (rc < 0)
		return rc;
	return finish(opened, cfg.mem ? cfg.mem : &flux_mem_libc, ring ? &want : NULL, shared, why);
}

int flux_shared_ring_receive(struct flux_shared_ring **shared, int socket, const struct flux_region_cfg *region,
			     char *why)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *received;
	char own[FLUX_WHY_TEXT];
	int rc;

	why = why ? why : own;
	why[0] = '\0';
	rc = region_cfg(&cfg, region, NULL, why);
	if (rc == 0)
		rc = flux_region_receive(&received, socket, &cfg, why);
	if (rc < 0)
		return rc;
	return finish(received, cfg.mem ? cfg.mem : &flux_mem_libc, NULL, shared, why);
}

void flux_shared_ring_close(struct flux_shared_ring *shared)
{
	if (!shared)
		return;
	flux_ring_fini(&shared->ring);
	flux_bells_end(&shared->bells);
	flux_region_close(shared->region);
	flux_mem_give(shared->mem, shared, 1, sizeof(*shared));
}

struct flux_ring *flux_shared_ring_ring(struct flux_shared_ring *shared)
{
	return &shared->ring;
}

struct flux_region *flux_shared_ring_region(struct flux_shared_ring *shared)
{
	return shared->region;
}
