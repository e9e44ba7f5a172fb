/* SPDX-License-Identifier: MIT */
/* The kernel and what it runs on, and what this build of Flux can do without asking it. */
#include "doctor/doctor.h"

#include <stdio.h>
#include <string.h>

#include <gnu/libc-version.h>
#include <sys/utsname.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static void check_release(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "kernel");
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2) {
		doctor_fact(row, "its version is not known, glibc %s", gnu_get_libc_version());
		return;
	}
	doctor_fact(row, "Linux %s %s, glibc %s", name.release, name.machine, gnu_get_libc_version());
	if (major > 6 || (major == 6 && minor >= 1))
		return;
	doctor_effect(row, DOCTOR_NOTE,
		      "From Linux 6.1 on io_uring defers its work to our thread, from 6.0 on it receives by itself; "
		      "GRO came with 5.0, GSO with 4.18.");
}

/* ---- The machine ---- */

/* The hypervisor's name for itself; "" where none shows. */
static void find_hypervisor(char name[13])
{
	name[0] = '\0';
#if defined(__x86_64__)
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 31))
		return;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	name[12] = '\0';
	if (strcmp(name, "KVMKVMKVM") == 0)
		strcpy(name, "KVM");
	for (char *p = name; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (!name[0])
		strcpy(name, "unknown kind");
#endif
}

static bool in_container(const struct doctor *doctor)
{
	static const char *const marks[] = { "/.dockerenv", "/run/.containerenv", "/run/systemd/container" };
	char path[4096];

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s%s", doctor->root, marks[i]);
		file = fopen(path, "re");
		if (file) {
			fclose(file);
			return true;
		}
	}
	return false;
}

static void check_machine(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "machine");
	bool container = in_container(doctor);
	char hypervisor[13];

	find_hypervisor(hypervisor);
	if (!container && !hypervisor[0])
		doctor_fact(row, "no virtual machine or container shows");
	else
		doctor_fact(row, "%s%s%s%s", container ? "a container" : "", container && hypervisor[0] ? " in " : "",
			    hypervisor[0] ? "a virtual machine of " : "", hypervisor);
	if (hypervisor[0])
		doctor_effect(row, DOCTOR_NOTE,
			      "The host may take the CPU from a thread that spins: latencies have a tail unless it gives "
			      "each virtual CPU a real one.");
}

void doctor_check_kernel(struct doctor *doctor)
{
	check_release(doctor);
	check_machine(doctor);
}

/* ---- The build ---- */

static void check_sums(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "checksum");
#if defined(__x86_64__)
	bool insn = __builtin_cpu_supports("sse4.2"), folds = __builtin_cpu_supports("pclmul");
	const char *cpu = folds ? "SSE4.2, PCLMUL" : insn ? "SSE4.2" :
							    "no SSE4.2";
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
	bool insn = true;
	const char *cpu = "CRC32";
#else
	bool insn = false;
	const char *cpu = "no instruction for it that we know";
#endif
#ifdef HAVE_ISAL
	(void)insn;
	doctor->use.sums = "ISA-L";
	doctor_fact(row, "CRC32C by ISA-L; the CPU has %s", cpu);
#else
	doctor->use.sums = insn ? "the CPU's instruction" : "tables";
	doctor_fact(row, "CRC32C by %s, built without ISA-L; the CPU has %s", doctor->use.sums, cpu);
	doctor_effect(row, DOCTOR_POOR, "Checksums of large datagrams take several times as long as by ISA-L.");
	doctor_command(row, "apt-get install libisal-dev && ./configure --with-isal && make install");
#endif
}

static void check_libevent(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "libevent");

#ifdef HAVE_LIBEVENT
	doctor->use.event = true;
	doctor_fact(row, "libflux-event is built");
#else
	doctor_fact(row, "libflux-event is not built");
	doctor_effect(row, DOCTOR_MISSING, "Flux cannot join the event_base of a program that has one.");
	doctor_command(row, "apt-get install libevent-dev && ./configure --with-libevent && make install");
#endif
}

void doctor_check_build(struct doctor *doctor)
{
	check_sums(doctor);
	check_libevent(doctor);
}
