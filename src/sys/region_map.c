/* SPDX-License-Identifier: MIT */
/*
 * Mapping a region and having its blocks: sized, mapped, placed, reserved, touched, locked, in this
 * order, so that pages are born where the policy wants them and no access comes before its block.
 */
#include "sys/region.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "sys/entropy.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

/* tmpfs gives a reservation back when a signal comes; pieces of this size are kept. */
#define RESERVE_PIECE (UINT64_C(64) << 20)

static bool is_huge(const struct flux_region *region)
{
	return region->info.page_bytes > flux_region_page_bytes();
}

void flux_region_learn_pages(struct flux_region *region)
{
	struct statfs fs;

	if (fstatfs(region->fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		region->info.page_bytes = (uint64_t)fs.f_bsize;
}

/* `bytes` in whole pages of the region. */
static uint64_t whole_pages(const struct flux_region *region, uint64_t bytes)
{
	return (bytes + region->info.page_bytes - 1) / region->info.page_bytes * region->info.page_bytes;
}

void flux_region_unmap(struct flux_region *region)
{
	if (region->map)
		munmap(region->map, region->info.mapped_bytes);
	region->map = NULL;
	region->info.state &= ~(FLUX_REGION_IS_HUGE | FLUX_REGION_IS_NUMA | FLUX_REGION_IS_PREFAULTED |
				FLUX_REGION_IS_LOCKED);
}

/* Prefault, lock and advice: the same for every mapping. */
static int apply_wishes(struct flux_region *region)
{
	int rc = 0;

	if (region->cfg.prefault != FLUX_WANT_NOT)
		rc = flux_region_apply_prefault(region);
	if (rc == 0 && region->cfg.lock != FLUX_WANT_NOT)
		rc = flux_region_apply_lock(region);
	return rc < 0 ? rc : flux_region_apply_advice(region);
}

/* Large pages are touched now, whether or not that was asked for: later they are a SIGBUS. */
static int have_huge(struct flux_region *region)
{
	int rc = flux_region_populate(region);

	if (rc < 0)
		return flux_region_fail_huge(region, rc);
	region->info.state |= FLUX_REGION_IS_HUGE;
	return 0;
}

/* ---- A private mapping ---- */

static int map_anon(struct flux_region *region)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *map;
	int rc = 0;

	if (is_huge(region))
		flags |= MAP_HUGETLB | __builtin_ctzll(region->info.page_bytes) << MAP_HUGE_SHIFT;
	region->info.mapped_bytes = whole_pages(region, region->cfg.bytes);
	map = mmap(NULL, region->info.mapped_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (map == MAP_FAILED)
		return is_huge(region) ? flux_region_fail_huge(region, -errno) :
					 flux_region_fail(region, FLUX_ENOMEM, "mmap of %" PRIu64 " bytes: %s",
							  region->info.mapped_bytes, strerror(errno));
	region->map = region->data = map;
	if (region->cfg.numa != FLUX_WANT_NOT)
		rc = flux_region_apply_numa(region);
	if (rc == 0 && is_huge(region))
		rc = have_huge(region);
	return rc;
}

/* Normal pages after large ones were refused; the kernel may still join them on its own. */
static int map_anon_normal(struct flux_region *region)
{
	int rc;

	region->info.page_bytes = flux_region_page_bytes();
	flux_region_warn_room(region);
	rc = map_anon(region);
	if (rc == 0 && region->cfg.huge != FLUX_WANT_NOT)
		(void)madvise(region->map, region->info.mapped_bytes, MADV_HUGEPAGE);
	return rc;
}

static int map_anon_huge(struct flux_region *region)
{
	int rc;

	region->info.page_bytes = region->cfg.page_bytes;
	rc = map_anon(region);
	if (rc == 0)
		return 0;
	flux_region_unmap(region);
	rc = flux_region_forgive(region, region->cfg.huge, rc, "normal pages instead");
	return rc < 0 ? rc : map_anon_normal(region);
}

int flux_region_map_anon(struct flux_region *region)
{
	int rc = region->cfg.huge ? map_anon_huge(region) : map_anon_normal(region);

	region->info.state |= FLUX_REGION_IS_CREATED;
	if (rc == 0)
		rc = apply_wishes(region);
	return rc < 0 ? rc : flux_region_fill(region);
}

/* ---- A shared one ---- */

int flux_region_open_again(int fd, int flags)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	fd = open(self, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * The mapping is made by an open file description of its own. It keeps that one in use, also in a child
 * forked later: were it the one with our locks, the child would keep us alive.
 */
static int map_shared(struct flux_region *region)
{
	bool reading = region->cfg.flags & FLUX_REGION_READ_ONLY;
	int fd = flux_region_open_again(region->fd, reading ? O_RDONLY : O_RDWR);
	void *map;

	if (fd < 0)
		return flux_region_fail(region, fd, "opening it anew through /proc/self/fd: %s", strerror(-fd));
	map = mmap(NULL, region->info.mapped_bytes, reading ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	close(fd);
	if (map == MAP_FAILED && is_huge(region))
		return flux_region_fail_huge(region, -errno);
	if (map == MAP_FAILED && errno == EPERM)
		return flux_region_fail(region, FLUX_EPERM,
					"its owner lets others only read: FLUX_REGION_READ_ONLY does that");
	if (map == MAP_FAILED)
		return flux_region_fail(region, errno == ENOMEM ? FLUX_ENOMEM : -errno,
					"mmap of %" PRIu64 " bytes: %s", region->info.mapped_bytes,
					strerror(errno));
	region->map = map;
	region->data = region->map + FLUX_REGION_HEADER;
	return 0;
}

void flux_region_part(struct flux_region *region)
{
	void *map = MAP_FAILED;
	int fd = -1;

	if (!region->map || region->cfg.flags & FLUX_REGION_READ_ONLY)
		return;
	/* Large pages are promised to one only: a copy could be refused by a signal. */
	if (!is_huge(region) && !(region->cfg.flags & FLUX_REGION_NO_FORK))
		fd = flux_region_open_again(region->fd, O_RDONLY);
	if (fd >= 0) {
		map = mmap(region->map, region->info.mapped_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_FIXED, fd, 0);
		close(fd);
	}
	if (map != MAP_FAILED)
		return;
	munmap(region->map, region->info.mapped_bytes);
	region->map = NULL;
}

static int fail_space(struct flux_region *region)
{
	struct statvfs fs;
	uint64_t available = 0;

	if (is_huge(region))
		return flux_region_fail_huge(region, -ENOSPC);
	if (fstatvfs(region->fd, &fs) == 0)
		available = (uint64_t)fs.f_bavail * fs.f_frsize;
	return flux_region_fail(region, FLUX_ENOSPC,
				"no room: %" PRIu64 " bytes needed, %" PRIu64 " available on this file system; "
				"enlarge it (\"mount -o remount,size=\" of a tmpfs, --shm-size of a container), "
				"or choose another directory",
				region->info.mapped_bytes, available);
}

/* Blocks for all of it; what is missing shows here and never at an access. */
static int reserve(struct flux_region *region)
{
	uint64_t total = region->info.mapped_bytes, piece;

	for (uint64_t at = 0; at < total; at += piece) {
		int err;

		piece = total - at < RESERVE_PIECE ? total - at : RESERVE_PIECE;
		do
			err = posix_fallocate(region->fd, (off_t)at, (off_t)piece);
		while (err == EINTR);
		if (err == ENOSPC || (err == ENOMEM && is_huge(region)))
			return fail_space(region);
		if (err != 0)
			return flux_region_fail(region, -err, "reserving %" PRIu64 " bytes: %s", total,
						strerror(err));
	}
	return 0;
}

/* Reserving a block of such a file is taking memory. */
static bool is_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static int resize(struct flux_region *region)
{
	struct rlimit lim;

	/* Beyond this limit the kernel would send a signal first. */
	if (getrlimit(RLIMIT_FSIZE, &lim) == 0 && region->info.mapped_bytes > lim.rlim_cur)
		return flux_region_fail(region, -EFBIG,
					"%" PRIu64 " bytes are more than RLIMIT_FSIZE, %llu: raise \"ulimit -f\"",
					region->info.mapped_bytes, (unsigned long long)lim.rlim_cur);
	if (ftruncate(region->fd, (off_t)region->info.mapped_bytes) < 0)
		return flux_region_fail(region, -errno, "sizing it to %" PRIu64 " bytes: %s",
					region->info.mapped_bytes, strerror(errno));
	return 0;
}

int flux_region_map_new(struct flux_region *region)
{
	int rc = is_memory(region->fd) ? flux_region_check_limit(region) : 0;

	if (rc < 0)
		return rc;
	flux_region_warn_room(region);
	region->info.mapped_bytes = whole_pages(region, region->cfg.bytes + FLUX_REGION_HEADER);
	rc = resize(region);
	if (rc == 0)
		rc = map_shared(region);
	if (rc == 0 && region->cfg.numa != FLUX_WANT_NOT)
		rc = flux_region_apply_numa(region);
	if (rc == 0)
		rc = reserve(region);
	if (rc == 0 && is_huge(region))
		rc = have_huge(region);
	if (rc == 0)
		rc = apply_wishes(region);
	if (rc == 0)
		rc = flux_region_fill(region);
	if (rc < 0)
		return rc;
	do {
		rc = flux_entropy_fill(&region->info.incarnation, sizeof(region->info.incarnation));
		if (rc < 0)
			return flux_region_fail(region, rc, "no random number: %s", strerror(-rc));
	} while (region->info.incarnation == 0);
	flux_region_header_write(region);
	region->info.state |= FLUX_REGION_IS_CREATED;
	return 0;
}

int flux_region_map_old(struct flux_region *region)
{
	int rc = map_shared(region);

	if (rc == 0 && region->cfg.numa != FLUX_WANT_NOT)
		rc = flux_region_apply_numa(region);
	if (rc == 0)
		rc = apply_wishes(region);
	if (rc == 0 && is_huge(region))
		region->info.state |= FLUX_REGION_IS_HUGE;
	if (rc == 0 && region->cfg.flags & FLUX_REGION_READ_ONLY)
		region->info.state |= FLUX_REGION_IS_READ_ONLY;
	return rc;
}
