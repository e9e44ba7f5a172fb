/* SPDX-License-Identifier: MIT */
/* How much of the CPUs the cgroups leave to this process, in both versions of them. */
#include "doctor/doctor.h"

#include <stdio.h>
#include <string.h>

#include <flux/place.h>

/* A quota, in thousandths of a CPU, and the file that sets it. */
struct quota {
	int64_t milli;
	char file[4400];
	const char *none; /* what to write there to have no quota */
};

static void take_if_less(struct quota *least, int64_t max, int64_t period, const char *file, const char *none)
{
	if (max <= 0 || period <= 0 || max > INT64_MAX / 1000 || max * 1000 / period >= least->milli)
		return;
	least->milli = max * 1000 / period;
	snprintf(least->file, sizeof(least->file), "%s", file);
	least->none = none;
}

static void look_v2(const struct doctor *doctor, const char *dir, struct quota *least)
{
	long long max, period;
	char file[4400], text[64];

	snprintf(file, sizeof(file), "%s/cpu.max", dir);
	if (doctor_read(doctor, file, text, sizeof(text)) && sscanf(text, "%lld %lld", &max, &period) == 2)
		take_if_less(least, max, period, file, "max");
}

static void look_v1(const struct doctor *doctor, const char *dir, struct quota *least)
{
	int64_t max, period;
	char file[4400];

	snprintf(file, sizeof(file), "%s/cpu.cfs_period_us", dir);
	if (!doctor_number(doctor, file, &period))
		return;
	snprintf(file, sizeof(file), "%s/cpu.cfs_quota_us", dir);
	if (doctor_number(doctor, file, &max))
		take_if_less(least, max, period, file, "-1");
}

/*
 * From a cgroup up to the root of its hierarchy. A path that a container does not show is passed on the
 * way, until the mount itself, which there is the container's own cgroup.
 */
static void walk_up(const struct doctor *doctor, const char *mount, const char *path,
		    void (*look)(const struct doctor *, const char *, struct quota *), struct quota *least)
{
	char dir[4300], *slash;
	size_t root = strlen(mount);

	snprintf(dir, sizeof(dir), "%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
	for (;;) {
		look(doctor, dir, least);
		slash = strrchr(dir, '/');
		if (!slash || slash < dir + root)
			return;
		*slash = '\0';
	}
}

/* Lines are "number:controllers:path"; the second version has the number 0 and no controllers. */
static void find_quota(const struct doctor *doctor, struct quota *least)
{
	char path[4096], line[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", doctor->root);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char *names = strchr(line, ':'), *at = names ? strchr(names + 1, ':') : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (!at)
			continue;
		*at++ = '\0';
		if (strcmp(names, ":") == 0)
			walk_up(doctor, "/sys/fs/cgroup", at, look_v2, least);
		else if (strcmp(names, ":cpu") == 0 || strcmp(names, ":cpu,cpuacct") == 0 ||
			 strcmp(names, ":cpuacct,cpu") == 0)
			walk_up(doctor, "/sys/fs/cgroup/cpu", at, look_v1, least);
	}
	if (file)
		fclose(file);
}

void doctor_check_quota(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "cpu_quota");
	struct quota least = { .milli = INT64_MAX };
	struct flux_cpus cpus = { 0 };

	find_quota(doctor, &least);
	if (least.milli == INT64_MAX) {
		doctor_fact(row, "no cgroup sets one");
		return;
	}
	(void)!flux_cpus_allowed(pthread_self(), &cpus);
	doctor_fact(row, "%lld.%02lld CPUs (%s)", (long long)(least.milli / 1000),
		    (long long)(least.milli % 1000 / 10), least.file);
	if (least.milli >= (int64_t)cpus.count * 1000)
		return;
	if (least.milli < 1000)
		doctor_effect(row, DOCTOR_POOR,
			      "A thread that spins uses it up and is then stopped for the rest of each period, tens of "
			      "milliseconds: take FLUX_IDLE_SLEEP.");
	else
		doctor_effect(row, DOCTOR_NOTE,
			      "Threads that spin count in full: more than %lld of them, and all are stopped for a part "
			      "of each period.",
			      (long long)(least.milli / 1000));
	doctor_command(row, "echo %s >%s", least.none, least.file);
}
