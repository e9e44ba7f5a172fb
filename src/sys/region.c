/* SPDX-License-Identifier: MIT */
/* The life of a region: its configuration checked, the way in chosen, its end; and what it tells. */
#include "sys/region.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cfg.h"
#include "core/base/mem.h"

/* Blocks of the heap are aligned as mappings are. */
#define HEAP_ALIGN 4096u

#define MAX_NODE  1023u
#define ALL_FLAGS 0x3fu

int flux_region_fail(struct flux_region *region, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(region->why, sizeof(region->why), format, args);
	va_end(args);
	return rc;
}

int flux_region_forgive(struct flux_region *region, uint32_t want, int rc, const char *instead)
{
	uint32_t room = (uint32_t)sizeof(region->report) - region->report_len;
	int len;

	if (want == FLUX_WANT_REQUIRE)
		return rc;
	len = snprintf(region->report + region->report_len, room, "%s; %s\n", region->why, instead);
	region->report_len += (uint32_t)len < room ? (uint32_t)len : room - 1;
	region->why[0] = '\0';
	region->info.warnings++;
	return 0;
}

int flux_region_fill(struct flux_region *region)
{
	int rc = region->cfg.fill ? region->cfg.fill(region->cfg.fill_ctx, region->data, region->cfg.bytes) : 0;

	return rc < 0 ? flux_region_fail(region, rc, "filling it: %s", flux_strerror(rc)) : 0;
}

/* ---- The configuration ---- */

/* What one handle cannot mean, in words; NULL if all is well. */
static const char *wrong_words(const struct flux_region_cfg *cfg)
{
	bool attaching = cfg->open == FLUX_REGION_ATTACH;
	bool file = cfg->backing == FLUX_REGION_FILE;

	if (cfg->backing > FLUX_REGION_MEMFD || cfg->open > FLUX_REGION_CREATE_OR_ATTACH)
		return "backing or open is no value of its enum";
	if (cfg->flags & ~ALL_FLAGS)
		return "flags has a bit that this version does not know";
	if (cfg->huge > FLUX_WANT_REQUIRE || cfg->numa > FLUX_WANT_REQUIRE ||
	    cfg->prefault > FLUX_WANT_REQUIRE || cfg->lock > FLUX_WANT_REQUIRE)
		return "huge, numa, prefault and lock are values of enum flux_want";
	if (cfg->numa_policy > FLUX_REGION_NUMA_INTERLEAVE || cfg->numa_node > MAX_NODE)
		return "numa_policy is 0 or 1, numa_node is 0 to 1023";
	if (cfg->page_bytes != FLUX_PAGE_2M && cfg->page_bytes != FLUX_PAGE_1G)
		return "page_bytes is FLUX_PAGE_2M or FLUX_PAGE_1G";
	if (cfg->bytes > SIZE_MAX / 4 || (cfg->bytes == 0 && !attaching))
		return "bytes is 1 to SIZE_MAX / 4; 0 only for FLUX_REGION_ATTACH";
	if (cfg->mode & ~0664u || (cfg->mode & 0600u) != 0600u)
		return "mode is 0600 to 0664: read and write for the owner, never write for all";
	if (file ? !cfg->name || !*cfg->name : cfg->backing != FLUX_REGION_MEMFD && cfg->name)
		return "a file needs a name; the heap and a private mapping have none";
	if (!file && cfg->backing != FLUX_REGION_MEMFD && cfg->open != FLUX_REGION_CREATE)
		return "the heap and a private mapping can only be created";
	if ((cfg->flags & FLUX_REGION_READ_ONLY) && !attaching)
		return "FLUX_REGION_READ_ONLY goes with FLUX_REGION_ATTACH only";
	if ((cfg->flags & FLUX_REGION_READ_ONLY_PEERS) && cfg->backing != FLUX_REGION_MEMFD)
		return "FLUX_REGION_READ_ONLY_PEERS is for a memfd";
	if ((cfg->flags & (FLUX_REGION_NO_FORK | FLUX_REGION_NO_DUMP)) && cfg->backing == FLUX_REGION_HEAP)
		return "the pages of the heap have other tenants: take FLUX_REGION_ANON for these flags";
	return NULL;
}

int flux_region_make(struct flux_region **out, const struct flux_region_cfg *user, char *why)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	int rc = user ? flux_cfg_copy(&cfg, sizeof(cfg), user) : FLUX_EINVAL;
	const struct flux_mem *mem;
	const char *wrong;

	cfg.mode = cfg.mode ? cfg.mode : 0600;
	cfg.page_bytes = cfg.page_bytes ? cfg.page_bytes : FLUX_PAGE_2M;
	wrong = rc == 0 ? wrong_words(&cfg) : "the configuration has a size that cannot be, or an unknown part";
	if (wrong) {
		snprintf(why, FLUX_WHY_TEXT, "region: %s", wrong);
		return rc ? rc : FLUX_EINVAL;
	}
	mem = cfg.mem ? cfg.mem : &flux_mem_libc;
	*out = flux_mem_take_zeroed(mem, 1, sizeof(**out));
	if (!*out) {
		snprintf(why, FLUX_WHY_TEXT, "the allocator gave no memory for the handle");
		return FLUX_ENOMEM;
	}
	cfg.name = cfg.dir = NULL;
	(*out)->cfg = cfg;
	(*out)->mem = mem;
	(*out)->fd = (*out)->dir_fd = -1;
	(*out)->info.page_bytes = flux_region_page_bytes();
	(*out)->info.bytes = cfg.bytes;
	(*out)->info.kind = cfg.kind;
	(*out)->info.kind_version = cfg.kind_version;
	return 0;
}

int flux_region_finish(struct flux_region *region, int rc, struct flux_region **out, char *why)
{
	if (rc == 0) {
		*out = region;
		return 0;
	}
	memcpy(why, region->why, sizeof(region->why));
	flux_region_close(region);
	return rc;
}

/* ---- The heap ---- */

/* The heap can be asked for nothing but memory; what else was wanted is missing. */
static int refuse_features(struct flux_region *region)
{
	const uint32_t wants[] = { region->cfg.huge, region->cfg.numa, region->cfg.lock };
	static const char *const names[] = { "large pages", "a NUMA policy", "locked memory" };
	int rc = 0;

	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]) && rc == 0; i++) {
		if (wants[i] == FLUX_WANT_NOT)
			continue;
		flux_region_fail(region, 0, "the heap has no %s: take FLUX_REGION_ANON", names[i]);
		rc = flux_region_forgive(region, wants[i], FLUX_ENOTSUP, "went on without");
	}
	return rc;
}

static int open_heap(struct flux_region *region)
{
	size_t bytes = (size_t)region->cfg.bytes + HEAP_ALIGN - 1;
	int rc = refuse_features(region);

	if (rc == 0)
		rc = flux_region_check_limit(region);
	if (rc < 0)
		return rc;
	flux_region_warn_room(region);
	region->block = flux_mem_take(region->mem, 1, bytes);
	if (!region->block)
		return flux_region_fail(region, FLUX_ENOMEM, "the allocator gave no %zu bytes", bytes);
	region->block_bytes = bytes;
	region->data = (uint8_t *)region->block + (-(uintptr_t)region->block & (HEAP_ALIGN - 1));
	/* By hand, byte by byte: cleared pages of calloc() would not be there yet. */
	memset(region->data, 0, (size_t)region->cfg.bytes);
	region->info.mapped_bytes = region->cfg.bytes;
	region->info.state |= FLUX_REGION_IS_CREATED | FLUX_REGION_IS_PREFAULTED;
	return flux_region_fill(region);
}

/* ---- Life ---- */

static int open_any(struct flux_region *region, const struct flux_region_cfg *cfg)
{
	switch (region->cfg.backing) {
	case FLUX_REGION_HEAP:
		return open_heap(region);
	case FLUX_REGION_ANON:
		return flux_region_map_anon(region);
	case FLUX_REGION_FILE:
		return flux_region_open_file(region, cfg);
	default:
		return flux_region_open_memfd(region, cfg->name);
	}
}

int flux_region_open(struct flux_region **region, const struct flux_region_cfg *cfg, char *why)
{
	char own[FLUX_WHY_TEXT];
	struct flux_region *made;
	int rc;

	why = why ? why : own;
	why[0] = '\0';
	rc = flux_region_make(&made, cfg, why);
	if (rc < 0)
		return rc;
	return flux_region_finish(made, open_any(made, cfg), region, why);
}

void flux_region_close(struct flux_region *region)
{
	if (!region)
		return;
	if (region->named && region->info.state & FLUX_REGION_IS_OWNER &&
	    !(region->info.state & FLUX_REGION_IS_FORKED) && !(region->cfg.flags & FLUX_REGION_KEEP))
		flux_region_unlink(region);
	flux_region_unmap(region);
	flux_mem_give(region->mem, region->block, 1, region->block_bytes);
	/* The locks go with the fd, after the name: nobody takes a file over that is about to go. */
	flux_region_let_go(region);
	if (region->dir_fd >= 0)
		close(region->dir_fd);
	flux_mem_give(region->mem, region, 1, sizeof(*region));
}

/* ---- What it tells ---- */

void *flux_region_data(const struct flux_region *region)
{
	return region->data;
}

uint64_t flux_region_bytes(const struct flux_region *region)
{
	return region->info.bytes;
}

void flux_region_get_info(const struct flux_region *region, struct flux_region_info *info)
{
	flux_stats_copy(info, &region->info, sizeof(region->info));
}

const char *flux_region_report(const struct flux_region *region)
{
	return region->report;
}

int flux_region_fd(const struct flux_region *region)
{
	return region->fd;
}

int flux_region_member_alive(const struct flux_region *region, uint32_t member)
{
	if (region->info.state & FLUX_REGION_IS_FORKED)
		return FLUX_ECLOSED;
	if (region->fd < 0)
		return FLUX_ENOTSUP;
	/* A lock of one's own is never in one's own way. */
	if (member == FLUX_REGION_OWNER ? (region->info.state & FLUX_REGION_IS_OWNER) != 0 :
					  member == region->info.member)
		return 1;
	return flux_region_lock_held(region->fd, member);
}

int flux_region_replaced(const struct flux_region *region)
{
	int rc;

	if (region->info.state & FLUX_REGION_IS_FORKED)
		return FLUX_ECLOSED;
	if (region->cfg.backing != FLUX_REGION_FILE)
		return FLUX_ENOTSUP;
	rc = flux_region_is_named(region, region->fd);
	return rc < 0 ? rc : !rc;
}
