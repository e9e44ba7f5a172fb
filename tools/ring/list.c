/* SPDX-License-Identifier: MIT */
/* fluxring ls: the rings of a directory. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "ring/ring.h"

#define DEFAULT_DIR "/dev/shm"

static void print_row(const char *name, struct flux_shared_ring *shared)
{
	const struct flux_ring *ring = flux_shared_ring_ring(shared);
	int owner = flux_region_member_alive(flux_shared_ring_region(shared), FLUX_REGION_OWNER);
	struct flux_ring_info info;
	char kind[80];

	flux_ring_get_info(ring, &info);
	printf("%-24s %-28s %7" PRIu32 " %10" PRIu64 " %10" PRIu64 " %7u/%-2u %7u/%-2u %s\n", name,
	       ring_kind(&info, kind), ring->slot, info.capacity, info.used, info.readers, ring->n_readers,
	       info.writers, ring->n_writers, owner == 1 ? "lives" : "dead");
}

static void print_json(const char *path, struct flux_shared_ring *shared)
{
	const struct flux_ring *ring = flux_shared_ring_ring(shared);
	int owner = flux_region_member_alive(flux_shared_ring_region(shared), FLUX_REGION_OWNER);
	struct flux_ring_info info;
	char kind[80];

	flux_ring_get_info(ring, &info);
	printf("{\"path\":");
	ring_json_text(path);
	printf(",\"kind\":\"%s\",\"slot\":%" PRIu32 ",\"capacity\":%" PRIu64 ",\"used\":%" PRIu64
	       ",\"readers\":%u,\"writers\":%u,\"owner_alive\":%s}\n",
	       ring_kind(&info, kind), ring->slot, info.capacity, info.used, info.readers, info.writers,
	       ring_json_bool(owner == 1));
}

/* A file that is no ring is passed in silence; a ring that cannot be read is told. */
static bool is_silent(int code)
{
	return code == FLUX_EMAGIC || code == FLUX_EKIND || code == FLUX_EUNSAFE || code == -EACCES ||
	       code == -ENOENT || code == -ELOOP;
}

static void list(const struct ring_options *options, const char *dir, const char *name)
{
	struct flux_shared_ring *shared;
	char path[PATH_MAX], why[FLUX_WHY_TEXT];
	struct stat st;
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path) || lstat(path, &st) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size < 8)
		return;
	rc = ring_open(options, path, false, &shared, why);
	if (rc < 0) {
		if (!is_silent(rc))
			cli_warn("%s (%s)", why, flux_strerror(rc));
		return;
	}
	if (options->json)
		print_json(path, shared);
	else
		print_row(name, shared);
	flux_shared_ring_close(shared);
}

static int is_visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

int ring_ls(const struct ring_options *options)
{
	const char *dir = options->name ? options->name : DEFAULT_DIR;
	struct dirent **entries;
	int n = scandir(dir, &entries, is_visible, alphasort);

	if (n < 0)
		return cli_fail("\"%s\": %s%s", dir, strerror(errno),
				errno == ENOTDIR ? ": for one ring say \"fluxring info\"" : "");
	if (!options->json)
		printf("%-24s %-28s %7s %10s %10s %10s %10s %s\n", "NAME", "KIND", "SLOT", "CAPACITY", "USED",
		       "READERS", "WRITERS", "OWNER");
	for (int i = 0; i < n; i++) {
		list(options, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return cli_close_stdout();
}
