/* SPDX-License-Identifier: MIT */
/* What the tests of memory regions share: a directory of one's own, and a region in one line. */
#ifndef FLUX_TESTS_LIB_REGIONS_H
#define FLUX_TESTS_LIB_REGIONS_H

#include <flux/region.h>

/* The kind and version that the tests' regions hold. */
#define TEST_KIND    0x7e57u
#define TEST_VERSION 3u

/* A new directory, on /dev/shm if that may be written, else on /tmp; NULL: neither. */
const char *regions_dir(void);
/* Remove it with everything in it. */
void regions_remove_dir(void);
/* The path of a name in it, in a buffer that the next call uses anew. */
const char *regions_path(const char *name);
/* The names in it, "." and ".." not counted. */
int regions_count_files(void);

/* The words of the last refusal. */
extern char regions_why[FLUX_WHY_TEXT];

/* A configuration for the file `name` of the directory, of 10000 bytes if it is not attached. */
struct flux_region_cfg regions_file_cfg(const char *name, uint32_t open);
/* flux_region_open() of that, with flags; the region or NULL, the code in *rc. */
struct flux_region *regions_open(const char *name, uint32_t open, uint32_t flags, int *rc);
struct flux_region_info regions_info(const struct flux_region *region);

#endif
