/* SPDX-License-Identifier: MIT */
/* Memory for rings: large pages, and the file system that processes share. */
#include "doctor/doctor.h"

#include <stdio.h>
#include <string.h>

#include <sys/statvfs.h>
#include <unistd.h>

#include <flux/region.h>

#define HUGE_DIR "/sys/kernel/mm/hugepages/"
#define THP_FILE "/sys/kernel/mm/transparent_hugepage/enabled"
#define SHM      "/dev/shm"

/* What a container gets where nobody asked for more. */
#define SHM_SMALL (UINT64_C(64) << 20)

/* ---- Large pages ---- */

static bool get_page(uint64_t page, char why[FLUX_WHY_TEXT])
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;

	cfg.backing = FLUX_REGION_ANON;
	cfg.bytes = page;
	cfg.huge = FLUX_WANT_REQUIRE;
	cfg.page_bytes = page;
	if (flux_region_open(&region, &cfg, why) != 0)
		return false;
	flux_region_close(region);
	return true;
}

static void check_huge(struct doctor *doctor, const char *key, uint64_t page, int wanted)
{
	struct doctor_row *row = doctor_add(doctor, key);
	char dir[128], path[160], why[FLUX_WHY_TEXT];
	int64_t total, unused = 0;

	snprintf(dir, sizeof(dir), HUGE_DIR "hugepages-%llukB", (unsigned long long)(page / 1024));
	snprintf(path, sizeof(path), "%s/nr_hugepages", dir);
	if (!doctor_number(doctor, path, &total)) {
		doctor_fact(row, "this machine has none");
		doctor_effect(row, DOCTOR_NOTE, "Regions that require them fail with FLUX_ENOTSUP.");
		return;
	}
	snprintf(path, sizeof(path), "%s/free_hugepages", dir);
	(void)doctor_number(doctor, path, &unused);
	doctor_fact(row, "%lld reserved, %lld free", (long long)total, (long long)unused);
	/* One of 1 GiB takes too long to be cleared to try it. */
	if (unused > 0 && page == FLUX_PAGE_2M && !get_page(page, why)) {
		doctor_effect(row, DOCTOR_POOR, "Rings go without them: %s", why);
		return;
	}
	if (unused > 0)
		return;
	doctor_effect(row, DOCTOR_NOTE, "Regions that want them get normal pages, those that require them fail.");
	doctor_command(row, "echo %lld >%s/nr_hugepages", (long long)total + wanted, dir);
}

static void check_thp(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "thp");
	char text[128], *mode;

	if (!doctor_read(doctor, THP_FILE, text, sizeof(text))) {
		doctor_fact(row, "this kernel has no transparent large pages");
		return;
	}
	mode = strchr(text, '[');
	if (mode)
		mode[strcspn(mode, "]")] = '\0';
	doctor_fact(row, "transparent large pages: %s", mode ? mode + 1 : text);
	if (!mode || strcmp(mode + 1, "never") != 0)
		return;
	doctor_effect(row, DOCTOR_NOTE, "Where no large page is free, private regions that want them stay on small ones.");
	doctor_command(row, "echo madvise >" THP_FILE);
}

/* ---- Shared memory ---- */

/* A file like a ring's; it goes with the region. */
static bool share_page(char why[FLUX_WHY_TEXT])
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;
	char name[64];

	snprintf(name, sizeof(name), "fluxdoctor.%ld", (long)getpid());
	cfg.backing = FLUX_REGION_FILE;
	cfg.bytes = 4096;
	cfg.name = name;
	if (flux_region_open(&region, &cfg, why) != 0)
		return false;
	flux_region_close(region);
	return true;
}

static void check_shm(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "shm");
	uint64_t bytes, room;
	char why[FLUX_WHY_TEXT];
	struct statvfs fs;

	if (statvfs(SHM, &fs) != 0) {
		doctor_fact(row, "there is no " SHM);
		doctor_effect(row, DOCTOR_MISSING, "Rings between processes need another directory.");
		doctor_command(row, "mkdir -p " SHM " && mount -t tmpfs -o mode=1777,size=1G tmpfs " SHM);
		return;
	}
	bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	doctor_fact(row, SHM " has %llu MiB, %llu free", (unsigned long long)(bytes >> 20),
		    (unsigned long long)(room >> 20));
	if (!share_page(why)) {
		doctor_effect(row, DOCTOR_MISSING, "No ring can be shared there: %s", why);
		doctor_command(row, "mount -o remount,rw,mode=1777,size=1G " SHM);
	} else if (bytes <= SHM_SMALL || room < SHM_SMALL / 4) {
		doctor_effect(row, DOCTOR_POOR, "Larger rings are refused with FLUX_ENOSPC.");
		doctor_command(row, "mount -o remount,size=1G " SHM "    # a container: docker run --shm-size=1g IMAGE");
	}
}

void doctor_check_memory(struct doctor *doctor)
{
	check_huge(doctor, "huge_2m", FLUX_PAGE_2M, 64);
	check_huge(doctor, "huge_1g", FLUX_PAGE_1G, 1);
	check_thp(doctor);
	check_shm(doctor);
}
