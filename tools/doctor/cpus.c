/* SPDX-License-Identifier: MIT */
/* Which CPUs this process may use, whether a thread may spin on them, and who else is on them. */
#include "doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flux/place.h>
#include <flux/region.h>
#include <flux/worker.h>

#define CPU_DIR  "/sys/devices/system/cpu/"
#define NODE_DIR "/sys/devices/system/node/"

/* Try it: a worker that spins, and is stopped at once. */
static bool may_spin(char why[FLUX_WHY_TEXT])
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	struct flux_worker *worker;

	cfg.idle = FLUX_IDLE_SPIN;
	if (flux_worker_open(&worker, &cfg, why) != 0)
		return false;
	flux_worker_close(worker);
	return true;
}

void doctor_check_cpus(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "cpus");
	char allowed[256], online[256], why[FLUX_WHY_TEXT];
	struct flux_cpus cpus = { 0 };

	(void)!flux_cpus_allowed(pthread_self(), &cpus);
	(void)doctor_process(doctor, "Cpus_allowed_list", allowed, sizeof(allowed));
	(void)doctor_read(doctor, CPU_DIR "online", online, sizeof(online));
	doctor_fact(row, "%u to be used (%s) of those online (%s)", cpus.count, allowed, online);
	doctor->use.spin = may_spin(why);
	if (doctor->use.spin)
		return;
	doctor_effect(row, DOCTOR_POOR, "FLUX_IDLE_SPIN is refused: %s", why);
	if (strpbrk(online, ",-"))
		doctor_command(row, "taskset -c %s PROGRAM", online);
}

/* ---- Isolation, siblings, nodes ---- */

static void check_isolation(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "isolation");
	char isolated[256], quiet[256];
	struct flux_cpus cpus = { 0 };
	uint32_t last = 0;

	(void)doctor_read(doctor, CPU_DIR "isolated", isolated, sizeof(isolated));
	(void)doctor_read(doctor, CPU_DIR "nohz_full", quiet, sizeof(quiet));
	if (strcmp(quiet, "(null)") == 0)
		quiet[0] = '\0';
	doctor_fact(row, "isolcpus %s, nohz_full %s", isolated[0] ? isolated : "none", quiet[0] ? quiet : "none");
	if (isolated[0] && quiet[0])
		return;
	(void)!flux_cpus_allowed(pthread_self(), &cpus);
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX; cpu++)
		if (flux_cpus_has(&cpus, cpu))
			last = cpu;
	if (isolated[0])
		doctor_effect(row, DOCTOR_NOTE,
			      "The kernel's tick interrupts a thread that spins on an isolated CPU, 100 to 1000 times a "
			      "second.");
	else
		doctor_effect(row, DOCTOR_NOTE,
			      "A thread that spins shares its CPU with whatever the kernel puts there; worth it from three "
			      "CPUs on.");
	if (!isolated[0] && cpus.count < 2)
		return;
	if (isolated[0])
		snprintf(quiet, sizeof(quiet), "%s", isolated);
	else
		snprintf(quiet, sizeof(quiet), "%u", last);
	doctor_command(row,
		       "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX isolcpus=%s nohz_full=%s rcu_nocbs=%s\"' "
		       ">/etc/default/grub.d/flux.cfg && update-grub && reboot",
		       quiet, quiet, quiet);
}

static void check_siblings(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "smt");
	char path[128], list[256];
	struct flux_cpus cpus;
	int64_t active = 0;

	if (!doctor_number(doctor, CPU_DIR "smt/active", &active) || active == 0 ||
	    flux_cpus_allowed(pthread_self(), &cpus) < 0) {
		doctor_fact(row, "each CPU has its own core");
		return;
	}
	doctor_fact(row, "CPUs share cores");
	for (uint32_t cpu = 0; cpu < FLUX_CPUS_MAX; cpu++) {
		snprintf(path, sizeof(path), CPU_DIR "cpu%u/topology/thread_siblings_list", cpu);
		if (!flux_cpus_has(&cpus, cpu) || !doctor_read(doctor, path, list, sizeof(list)))
			continue;
		doctor_fact(row, "CPUs share cores: CPU %u is one of %s", cpu, list);
		break;
	}
	doctor_effect(row, DOCTOR_NOTE, "Two busy threads on one core get little more than half of it each: pin them apart.");
	doctor_command(row, "echo off >" CPU_DIR "smt/control");
}

/* Try it: a page on the first node that we may use. */
static int put_on_node(const struct doctor *doctor, char why[FLUX_WHY_TEXT])
{
	struct flux_region_cfg cfg = FLUX_REGION_CFG_INIT;
	struct flux_region *region;
	char allowed[64];
	int rc;

	(void)doctor_process(doctor, "Mems_allowed_list", allowed, sizeof(allowed));
	cfg.backing = FLUX_REGION_ANON;
	cfg.bytes = 1;
	cfg.numa = FLUX_WANT_REQUIRE;
	cfg.numa_node = (uint32_t)strtoul(allowed, NULL, 10);
	rc = flux_region_open(&region, &cfg, why);
	if (rc == 0)
		flux_region_close(region);
	return rc;
}

static void check_nodes(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "numa");
	char online[256], why[FLUX_WHY_TEXT];
	const char *nodes;
	bool one;
	int rc;

	if (!doctor_read(doctor, NODE_DIR "online", online, sizeof(online)))
		snprintf(online, sizeof(online), "0");
	one = strpbrk(online, ",-") == NULL;
	nodes = one ? "one node" : "several nodes";
	rc = put_on_node(doctor, why);
	if (rc == 0) {
		doctor_fact(row, "%s (%s), memory can be put there", nodes, online);
		if (!one)
			doctor_effect(row, DOCTOR_NOTE,
				      "A ring between nodes is slower by far: pin its threads to one, and put it there.");
		return;
	}
	doctor_fact(row, "%s (%s), %s", nodes, online,
		    rc == FLUX_ENOTSUP ? "built without libnuma" : "memory cannot be put there");
	doctor_effect(row, one ? DOCTOR_NOTE : DOCTOR_MISSING, "Regions lie where the kernel puts them: %s", why);
	if (rc == FLUX_ENOTSUP)
		doctor_command(row, "apt-get install libnuma-dev && ./configure --with-numa && make install");
	else
		doctor_command(row, "docker run --cap-add SYS_NICE IMAGE");
}

void doctor_check_topology(struct doctor *doctor)
{
	check_isolation(doctor);
	check_siblings(doctor);
	check_nodes(doctor);
}
