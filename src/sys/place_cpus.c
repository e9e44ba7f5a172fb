/* SPDX-License-Identifier: MIT */
/* Which CPUs there are: of a thread by asking the kernel, of nodes and isolation from /sys. */
#include "sys/place_cpus.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/kernel_info.h"

/* A list of 4096 CPUs, every other one missing, has under 10,000 bytes. */
#define LIST_TEXT 16384

static void add(struct flux_cpus *cpus, unsigned long cpu)
{
	uint64_t bit = UINT64_C(1) << cpu % 64;

	cpus->count += !(cpus->bits[cpu / 64] & bit);
	cpus->bits[cpu / 64] |= bit;
}

int flux_cpus_parse(const char *text, struct flux_cpus *cpus)
{
	struct flux_cpus set = { 0 };

	while (*text && *text != '\n') {
		unsigned long first, last;
		char *end;

		if (*text < '0' || *text > '9')
			return FLUX_EINVAL;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return FLUX_EINVAL;
			last = strtoul(end + 1, &end, 10);
		}
		if (first > last || last >= FLUX_CPUS_MAX || (*end && *end != ',' && *end != '\n'))
			return FLUX_EINVAL;
		for (; first <= last; first++)
			add(&set, first);
		text = *end == ',' ? end + 1 : end;
	}
	*cpus = set;
	return 0;
}

const char *flux_cpus_format(const struct flux_cpus *cpus, char *out, size_t cap)
{
	size_t len = 0;

	snprintf(out, cap, "none");
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX && len < cap; cpu++) {
		uint32_t first = cpu;

		if (!flux_cpus_has(cpus, cpu))
			continue;
		while (flux_cpus_has(cpus, cpu + 1))
			cpu++;
		len += (size_t)snprintf(out + len, cap - len, cpu > first ? "%s%u-%u" : "%s%u",
					len ? "," : "", first, cpu);
	}
	return out;
}

int flux_cpus_allowed(pthread_t thread, struct flux_cpus *cpus)
{
	union {
		cpu_set_t set;
		unsigned char room[FLUX_CPUS_MAX / 8];
	} mask;
	int rc = pthread_getaffinity_np(thread, sizeof(mask), &mask.set);

	if (rc != 0)
		return -rc;
	memset(cpus, 0, sizeof(*cpus));
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX; cpu++)
		if (CPU_ISSET_S(cpu, sizeof(mask), &mask.set))
			add(cpus, cpu);
	return 0;
}

static int read_list(const char *path, struct flux_cpus *cpus)
{
	char text[LIST_TEXT];
	int rc = flux_kernel_read(path, text, sizeof(text));

	return rc < 0 ? rc : flux_cpus_parse(text, cpus);
}

int flux_cpus_isolated(struct flux_cpus *cpus)
{
	return read_list("/sys/devices/system/cpu/isolated", cpus);
}

int flux_cpus_of_node(uint32_t node, struct flux_cpus *cpus)
{
	struct flux_cpus any;
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
	rc = read_list(path, cpus);
	if (rc != -ENOENT)
		return rc;
	/* Without /sys there is no saying that the node is missing. */
	rc = read_list("/sys/devices/system/node/online", &any);
	return rc < 0 ? rc : FLUX_EINVAL;
}
