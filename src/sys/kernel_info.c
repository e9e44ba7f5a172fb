/* SPDX-License-Identifier: MIT */
/* Reading /proc and /sys, both versions of cgroups included. */
#include "sys/kernel_info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

int flux_kernel_read(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got = 0;

	out[0] = '\0';
	if (fd < 0)
		return -errno;
	while (len < cap - 1 && (got = read(fd, out + len, cap - 1 - len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		len += (size_t)got;
	}
	out[len] = '\0';
	close(fd);
	return got < 0 ? -EIO : (int)len;
}

bool flux_kernel_number(const char *path, uint64_t *value)
{
	char text[64], *end;

	if (flux_kernel_read(path, text, sizeof(text)) <= 0)
		return false;
	if (strncmp(text, "max", 3) == 0) {
		*value = UINT64_MAX;
		return true;
	}
	*value = strtoull(text, &end, 10);
	return end != text;
}

bool flux_kernel_huge_pages(uint64_t page_bytes, uint64_t *total, uint64_t *free_pages)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
		 (unsigned long long)(page_bytes / 1024));
	if (!flux_kernel_number(path, total))
		return false;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 (unsigned long long)(page_bytes / 1024));
	return flux_kernel_number(path, free_pages);
}

/*
 * From the process's own cgroup up to the root. A path that a container does not show is skipped on
 * the way, until the mount itself, which there is the container's own cgroup.
 */
static void walk_up(const char *mount, char *path, const char *max_name, const char *use_name,
		    uint64_t *limit, uint64_t *room)
{
	char file[4400], *slash;

	for (;;) {
		uint64_t max, use;

		snprintf(file, sizeof(file), "%s%s/%s", mount, path, max_name);
		if (flux_kernel_number(file, &max) && max != UINT64_MAX) {
			snprintf(file, sizeof(file), "%s%s/%s", mount, path, use_name);
			if (!flux_kernel_number(file, &use))
				use = 0;
			*limit = max < *limit ? max : *limit;
			max = use < max ? max - use : 0;
			*room = max < *room ? max : *room;
		}
		slash = strrchr(path, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

void flux_kernel_memory(uint64_t *limit, uint64_t *room)
{
	char text[4096], *line, *rest = text;

	*limit = *room = UINT64_MAX;
	if (flux_kernel_read("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return;
	/* Lines are "number:controllers:path"; the second version has the number 0 and no controllers. */
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *path = strchr(line, '/');

		if (!path)
			continue;
		if (strncmp(line, "0::", 3) == 0)
			walk_up("/sys/fs/cgroup", path, "memory.max", "memory.current", limit, room);
		else if (strstr(line, ":memory:"))
			walk_up("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes",
				"memory.usage_in_bytes", limit, room);
	}
}

void flux_kernel_memlock_words(uint64_t bytes, char *out, size_t cap)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_MEMLOCK, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY)
		snprintf(out, cap, "%llu bytes are to be locked; no limit is set, so memory is short",
			 (unsigned long long)bytes);
	else
		snprintf(out, cap,
			 "%llu bytes are to be locked, this process may lock %llu in all (RLIMIT_MEMLOCK): "
			 "raise it by \"ulimit -l %llu\", LimitMEMLOCK= of systemd, or CAP_IPC_LOCK",
			 (unsigned long long)bytes, (unsigned long long)lim.rlim_cur,
			 (unsigned long long)(bytes / 1024 + 1024));
}
