/* SPDX-License-Identifier: MIT */
/* The inside of a region, and how the files region*.c share the work of opening one. */
#ifndef FLUX_SYS_REGION_H
#define FLUX_SYS_REGION_H

#include <limits.h>
#include <stdbool.h>

#include <flux/region.h>

#include "core/base/list.h"

#define FLUX_REGION_REPORT 2048

struct flux_region {
	struct flux_region_cfg cfg; /* without its strings */
	const struct flux_mem *mem;
	struct flux_region_info info;
	uint8_t *map;         /* what munmap() takes; NULL: nothing mapped */
	uint8_t *data;        /* what the user gets */
	void *block;          /* of the heap */
	size_t block_bytes;   /* as asked from the allocator */
	struct flux_node all; /* on the list of those that a forked child gives up */
	int fd;               /* the file, with our locks on its open description; -1: none */
	int dir_fd;           /* its directory; -1: none */
	/* In a forked child, after its copy was made private. */
	void (*in_child)(struct flux_region *region);
	bool named; /* linked to `base`, so the owner's close removes it */
	char base[NAME_MAX + 1];
	char why[FLUX_WHY_TEXT];
	uint32_t report_len;
	char report[FLUX_REGION_REPORT];
};

/* ---- region.c: life and words ---- */

/* An empty region with a checked copy of `cfg`; on failure the words are in `why`. */
int flux_region_make(struct flux_region **out, const struct flux_region_cfg *cfg, char *why);
/* The end of every way in: the region to the caller, or its words into `why` and nothing left. */
int flux_region_finish(struct flux_region *region, int rc, struct flux_region **out, char *why);
/* Keep the words and return `rc`. */
int flux_region_fail(struct flux_region *region, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Let the caller put something into a new region. */
int flux_region_fill(struct flux_region *region);
/* The words of the last flux_region_fail(rc) end here unless the feature is required: 0 or rc. */
int flux_region_forgive(struct flux_region *region, uint32_t want, int rc, const char *instead);

/* ---- region_map.c: pages ---- */

/* A private mapping, with large pages if it is to have them. */
int flux_region_map_anon(struct flux_region *region);
/* A new file, open but empty: sized, mapped, placed, reserved, touched, locked, its header written. */
int flux_region_map_new(struct flux_region *region);
/* In a forked child: a copy of its own instead of what is shared. */
void flux_region_part(struct flux_region *region);
/* A file that exists and was checked. */
int flux_region_map_old(struct flux_region *region);
/* Another open file description of the same file: an fd, or errno. */
int flux_region_open_again(int fd, int flags);
/* The page size of a large-page file, from the file itself. */
void flux_region_learn_pages(struct flux_region *region);
/* Undo the mapping only. */
void flux_region_unmap(struct flux_region *region);

/* ---- region_pages.c: what may be asked of pages ---- */

/* The size of normal pages. */
size_t flux_region_page_bytes(void);
/* Whether the memory cgroup can hold the region at all, if it is to be touched as a whole. */
int flux_region_check_limit(struct flux_region *region);
/* A line of the report if it will be tight. */
void flux_region_warn_room(struct flux_region *region);
/* The words for large pages that are not there. */
int flux_region_fail_huge(struct flux_region *region, int rc);
int flux_region_apply_numa(struct flux_region *region);
/* Touch every page by a call that fails where an access would be a signal. */
int flux_region_populate(struct flux_region *region);
int flux_region_apply_prefault(struct flux_region *region);
int flux_region_apply_lock(struct flux_region *region);
int flux_region_apply_advice(struct flux_region *region);

/* ---- region_header.c: the first page of a shared region ---- */

#define FLUX_REGION_HEADER 4096u

/* What every shared region begins with, and what a socket message that carries one says. */
#define FLUX_REGION_MAGIC       "FLUXREGN"
#define FLUX_REGION_MAGIC_BYTES 8u

/* Write the header of `region` into its mapping, its magic last. */
void flux_region_header_write(struct flux_region *region);
/* Read and check the header of region->fd against its size and the configuration; fills info. */
int flux_region_header_read(struct flux_region *region);
/* Whether a file may be replaced: 1: an old region or nothing at all, 0: something else, or errno. */
int flux_region_header_ours(int fd);

/* ---- region_lock.c: who lives, and what a forked child gives up ---- */

/* Between these two no fork() of another thread happens: open the file and watch it. */
void flux_region_guard_begin(void);
void flux_region_guard_end(void);
/* Close the fds of this region in a forked child. Inside the guard. */
void flux_region_watch(struct flux_region *region);
/* Give up the locks and close the file, if it is open. */
void flux_region_let_go(struct flux_region *region);
/* Become the owner of the file: 0, -EAGAIN if there is one, or errno. */
int flux_region_lock_owner(int fd);
/* Become a member under a number that nobody has. */
int flux_region_lock_member(int fd, uint32_t *member);
/* Whether another open file holds the owner's (0) or a member's lock: 1, 0, or errno. */
int flux_region_lock_held(int fd, uint32_t member);
/* Whether another open file holds any of them. */
int flux_region_lock_any(int fd);

/* ---- region_file.c, region_memfd.c: the ways in ---- */

int flux_region_open_file(struct flux_region *region, const struct flux_region_cfg *cfg);
int flux_region_open_memfd(struct flux_region *region, const char *name);
/* Whether the name leads to this open file: 1, 0, or errno. */
int flux_region_is_named(const struct flux_region *region, int fd);
/* Remove the name if it still leads to our file. */
void flux_region_unlink(const struct flux_region *region);

#endif
