/* SPDX-License-Identifier: MIT */
/* Scratch directories and shorthand for the tests of memory regions. */
#include "tests/lib/regions.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char regions_why[FLUX_WHY_TEXT];

static char scratch[64];

const char *regions_dir(void)
{
	static const char *const roots[] = { "/dev/shm", "/tmp" };

	for (size_t i = 0; i < 2 && scratch[0] == '\0'; i++) {
		snprintf(scratch, sizeof(scratch), "%s/flux-test.XXXXXX", roots[i]);
		if (!mkdtemp(scratch))
			scratch[0] = '\0';
	}
	return scratch[0] ? scratch : NULL;
}

/* For every file: its path. */
static int each_file(void (*todo)(const char *path))
{
	DIR *dir = opendir(scratch);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		n++;
		if (todo)
			todo(regions_path(entry->d_name));
	}
	if (dir)
		closedir(dir);
	return n;
}

static void remove_one(const char *path)
{
	if (unlink(path) < 0)
		rmdir(path);
}

void regions_remove_dir(void)
{
	each_file(remove_one);
	rmdir(scratch);
	scratch[0] = '\0';
}

const char *regions_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

int regions_count_files(void)
{
	return each_file(NULL);
}

struct flux_region_cfg regions_file_cfg(const char *name, uint32_t open)
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;

	cfg.backing = FLUX_REGION_FILE;
	cfg.open = open;
	cfg.bytes = open == FLUX_REGION_ATTACH ? 0 : 10000;
	cfg.dir = scratch;
	cfg.name = name;
	cfg.kind = TEST_KIND;
	cfg.kind_version = TEST_VERSION;
	return cfg;
}

struct flux_region *regions_open(const char *name, uint32_t open, uint32_t flags, int *rc)
{
	struct flux_region_cfg cfg = regions_file_cfg(name, open);
	struct flux_region *region = NULL;

	cfg.flags = flags;
	*rc = flux_region_open(&region, &cfg, regions_why);
	return region;
}

struct flux_region_info regions_info(const struct flux_region *region)
{
	struct flux_region_info info = { .size = sizeof(info) };

	flux_region_get_info(region, &info);
	return info;
}
