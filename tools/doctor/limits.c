/* SPDX-License-Identifier: MIT */
/* What this process may lock and open. */
#include "doctor/doctor.h"

#include <stdio.h>

#include <sys/resource.h>

#include <flux/region.h>

/* A ring of 1024 datagrams, more or less. */
#define LOCKED (UINT64_C(1) << 20)

#define FILES 1024

static void say_limit(rlim_t limit, char text[DOCTOR_SIZE_TEXT])
{
	if (limit == RLIM_INFINITY)
		snprintf(text, DOCTOR_SIZE_TEXT, "unlimited");
	else
		doctor_size(limit, text);
}

static bool lock_some(char why[FLUX_WHY_TEXT])
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;

	cfg.backing = FLUX_REGION_ANON;
	cfg.bytes = LOCKED;
	cfg.lock = FLUX_WANT_REQUIRE;
	if (flux_region_open(&region, &cfg, why) != 0)
		return false;
	flux_region_close(region);
	return true;
}

void doctor_command_memlock(struct doctor_row *row)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_max == RLIM_INFINITY)
		doctor_command(row, "ulimit -l unlimited    # a service: LimitMEMLOCK=infinity");
	else if (limit.rlim_max > limit.rlim_cur && limit.rlim_max >= LOCKED)
		doctor_command(row, "ulimit -l %llu    # a service: LimitMEMLOCK=infinity",
			       (unsigned long long)(limit.rlim_max / 1024));
	else
		doctor_command(row, "prlimit --memlock=unlimited --pid $$    # as root; a service: LimitMEMLOCK=infinity");
}

static void check_memlock(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "memlock");
	struct rlimit limit = { 0, 0 };
	char soft[DOCTOR_SIZE_TEXT], why[FLUX_WHY_TEXT];
	bool works = lock_some(why), allowed;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	allowed = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= LOCKED;
	say_limit(limit.rlim_cur, soft);
	doctor_fact(row, "RLIMIT_MEMLOCK is %s; a region of 1 MiB %s locked", soft,
		    works ? "could be" : "could not be");
	if (works && allowed)
		return;
	if (works)
		doctor_effect(row, DOCTOR_NOTE, "Only CAP_IPC_LOCK allows it: programs without it may lock %s.", soft);
	else
		doctor_effect(row, DOCTOR_POOR, "Regions and rings may be swapped out, and those that require a lock fail: %s",
			      why);
	doctor_command_memlock(row);
}

static void check_files(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "nofile");
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		doctor_fact(row, "RLIMIT_NOFILE is unlimited");
	else
		doctor_fact(row, "RLIMIT_NOFILE is %llu", (unsigned long long)limit.rlim_cur);
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= FILES)
		return;
	doctor_effect(row, DOCTOR_NOTE,
		      "A binding takes one descriptor, a loop and a ring that wakes it a few: what is left is the program's.");
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= FILES)
		doctor_command(row, "ulimit -n %d    # a service: LimitNOFILE=%d", FILES, FILES);
	else
		doctor_command(row, "prlimit --nofile=%d --pid $$    # as root; a service: LimitNOFILE=%d", FILES, FILES);
}

void doctor_check_limits(struct doctor *doctor)
{
	check_memlock(doctor);
	check_files(doctor);
}
