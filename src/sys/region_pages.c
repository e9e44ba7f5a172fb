/* SPDX-License-Identifier: MIT */
/*
 * What may be asked of the pages of a region: a NUMA policy, to be there now, to stay, to be left out
 * of children and core files. Each may be refused by a container or a limit, and then says why.
 */
#include "sys/region.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#ifdef HAVE_NUMA
#include <numaif.h>
#endif

#include "sys/kernel_info.h"

/* Linux 5.14; the C library's headers may be older. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

size_t flux_region_page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- Will it fit ---- */

/* Large pages have a limit of their own, and answer with an error instead of a kill. */
static bool is_limited(const struct flux_region *region, uint64_t *limit, uint64_t *room)
{
	if (region->info.page_bytes > flux_region_page_bytes())
		return false;
	flux_kernel_memory(limit, room);
	return true;
}

int flux_region_check_limit(struct flux_region *region)
{
	uint64_t limit, room;

	if (!is_limited(region, &limit, &room) || region->info.bytes <= limit)
		return 0;
	return flux_region_fail(region, FLUX_ENOMEM,
				"needs %" PRIu64 " bytes, the memory cgroup allows %" PRIu64
				" in all: raise its memory.max, or the process would be killed",
				region->info.bytes, limit);
}

void flux_region_warn_room(struct flux_region *region)
{
	uint64_t limit, room;

	if (!is_limited(region, &limit, &room) || region->info.bytes <= room)
		return;
	flux_region_fail(region, 0,
			 "needs %" PRIu64 " bytes, the memory cgroup has %" PRIu64
			 " left of its limit of %" PRIu64,
			 region->info.bytes, room, limit);
	(void)flux_region_forgive(region, FLUX_WANT_TRY, 0, "raise memory.max, or a kill is near");
}

int flux_region_fail_huge(struct flux_region *region, int rc)
{
	uint64_t page = region->info.page_bytes, total, free_pages;
	uint64_t needed = (region->info.mapped_bytes + page - 1) / page, wanted;

	if (!flux_kernel_huge_pages(page, &total, &free_pages))
		return flux_region_fail(region, FLUX_ENOTSUP,
					"this kernel has no pages of %" PRIu64 " KiB (%s)", page / 1024,
					strerror(-rc));
	if (free_pages >= needed)
		return flux_region_fail(region, FLUX_ENOMEM,
					"%" PRIu64 " pages of %" PRIu64 " KiB are refused though %" PRIu64
					" are free: they are reserved, or hugetlb.max of the cgroup is lower (%s)",
					needed, page / 1024, free_pages, strerror(-rc));
	wanted = total + needed - free_pages;
	if (page == FLUX_PAGE_2M)
		return flux_region_fail(region, FLUX_ENOMEM,
					"needs %" PRIu64 " pages of 2048 KiB, %" PRIu64 " are free: "
					"\"sysctl -w vm.nr_hugepages=%" PRIu64 "\" as root mends it",
					needed, free_pages, wanted);
	return flux_region_fail(region, FLUX_ENOMEM,
				"needs %" PRIu64 " pages of %" PRIu64 " KiB, %" PRIu64 " are free: \"echo %" PRIu64
				" >/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages\" as root, or "
				"hugepagesz=1G hugepages=%" PRIu64 " at boot (vm.nr_hugepages is for the default size)",
				needed, page / 1024, free_pages, wanted, page / 1024, wanted);
}

/* ---- NUMA ---- */

#ifdef HAVE_NUMA

#define NODES     1024u
#define WORD_BITS (8u * (unsigned)sizeof(unsigned long))

/* The kernel's own answer, never /sys: a container sees nodes there that it may not use. */
static int set_policy(struct flux_region *region)
{
	unsigned long nodes[NODES / (8 * sizeof(unsigned long))] = { 0 };
	uint32_t node = region->cfg.numa_node;
	int mode = MPOL_PREFERRED;

	if (region->cfg.numa_policy == FLUX_REGION_NUMA_INTERLEAVE) {
		mode = MPOL_INTERLEAVE;
		if (get_mempolicy(NULL, nodes, NODES, NULL, MPOL_F_MEMS_ALLOWED) < 0)
			return -errno;
	} else {
		nodes[node / WORD_BITS] = 1ul << node % WORD_BITS;
	}
	/* One more than there are: the kernel counts bits from one. */
	if (mbind(region->map, region->info.mapped_bytes, mode, nodes, NODES + 1, MPOL_MF_MOVE) < 0)
		return -errno;
	return 0;
}

int flux_region_apply_numa(struct flux_region *region)
{
	int rc = set_policy(region);

	if (rc == 0) {
		region->info.state |= FLUX_REGION_IS_NUMA;
		return 0;
	}
	if (rc == -EPERM || rc == -ENOSYS)
		flux_region_fail(region, 0,
				 "the NUMA policy is refused (%s): a container's seccomp filter forbids mbind; "
				 "allow it, or give the container CAP_SYS_NICE",
				 strerror(-rc));
	else
		flux_region_fail(region, 0,
				 "NUMA node %" PRIu32 " cannot be used (%s): it does not exist, or is not among "
				 "Mems_allowed_list of /proc/self/status (cpuset.mems)",
				 region->cfg.numa_node, strerror(-rc));
	return flux_region_forgive(region, region->cfg.numa, rc, "pages lie where the kernel puts them");
}

#else

int flux_region_apply_numa(struct flux_region *region)
{
	flux_region_fail(region, 0, "no NUMA policy: this library was built without libnuma (--with-numa)");
	return flux_region_forgive(region, region->cfg.numa, FLUX_ENOTSUP,
				   "pages lie where the kernel puts them");
}

#endif

/* ---- Prefault, lock, advice ---- */

int flux_region_populate(struct flux_region *region)
{
	bool reading = region->cfg.flags & FLUX_REGION_READ_ONLY;
	int rc;

	do
		rc = madvise(region->map, region->info.mapped_bytes,
			     reading ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);
	while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	if (rc == 0)
		region->info.state |= FLUX_REGION_IS_PREFAULTED;
	return rc < 0 ? -errno : 0;
}

/* Pages of a private mapping are not there yet, and touching them is what would kill. */
static int check_touch(struct flux_region *region)
{
	return region->cfg.backing == FLUX_REGION_ANON ? flux_region_check_limit(region) : 0;
}

int flux_region_apply_prefault(struct flux_region *region)
{
	int rc;

	if (region->info.state & FLUX_REGION_IS_PREFAULTED)
		return 0;
	rc = check_touch(region);
	if (rc < 0)
		return flux_region_forgive(region, region->cfg.prefault, rc, "first accesses will fault");
	rc = flux_region_populate(region);
	if (rc == 0)
		return 0;
	if (rc == -EINVAL)
		flux_region_fail(region, 0, "pages cannot be touched ahead: that needs Linux 5.14");
	else
		flux_region_fail(region, 0, "%" PRIu64 " bytes cannot be touched ahead: %s",
				 region->info.mapped_bytes, strerror(-rc));
	return flux_region_forgive(region, region->cfg.prefault, rc == -EINVAL ? FLUX_ENOTSUP : FLUX_ENOMEM,
				   "first accesses will fault");
}

int flux_region_apply_lock(struct flux_region *region)
{
	char words[FLUX_WHY_TEXT / 2];
	int rc = check_touch(region);

	if (rc < 0)
		return flux_region_forgive(region, region->cfg.lock, rc, "pages may be swapped out");
	if (mlock(region->map, region->info.mapped_bytes) == 0) {
		region->info.state |= FLUX_REGION_IS_LOCKED;
		return 0;
	}
	rc = -errno;
	flux_kernel_memlock_words(region->info.mapped_bytes, words, sizeof(words));
	flux_region_fail(region, 0, "mlock: %s: %s", strerror(-rc), words);
	/* The kernel says ENOMEM for a limit above zero and EPERM for zero: one thing for the caller. */
	return flux_region_forgive(region, region->cfg.lock, FLUX_EPERM, "pages may be swapped out");
}

int flux_region_apply_advice(struct flux_region *region)
{
	/* A child that writes to a private large page may be killed for want of one: it gets none. */
	bool no_fork = region->cfg.flags & FLUX_REGION_NO_FORK ||
		       (region->cfg.backing == FLUX_REGION_ANON &&
			region->info.state & FLUX_REGION_IS_HUGE);

	if (no_fork && madvise(region->map, region->info.mapped_bytes, MADV_DONTFORK) < 0)
		return flux_region_fail(region, -errno, "MADV_DONTFORK: %s", strerror(errno));
	if (region->cfg.flags & FLUX_REGION_NO_DUMP &&
	    madvise(region->map, region->info.mapped_bytes, MADV_DONTDUMP) < 0)
		return flux_region_fail(region, -errno, "MADV_DONTDUMP: %s", strerror(errno));
	return 0;
}
