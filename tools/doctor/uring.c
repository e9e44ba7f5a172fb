/* SPDX-License-Identifier: MIT */
/* io_uring, tried as a loop would use it; a refusal is told by its cause, as each has its own remedy. */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <flux/base.h>

#include "doctor/uring.h"

#ifdef HAVE_LIBURING
#include <flux/uring.h>
#endif

static void explain_forbidden(const struct doctor *doctor, struct doctor_row *row, int code)
{
	char filter[16];
	int64_t disabled = 0;

	(void)doctor_number(doctor, "/proc/sys/kernel/io_uring_disabled", &disabled);
	(void)doctor_process(doctor, "Seccomp", filter, sizeof(filter));
	if (disabled != 0 && code != -ENOSYS) {
		doctor_fact(row, "refused by sysctl kernel.io_uring_disabled, which is %lld%s", (long long)disabled,
			    disabled == 1 ? ": for the group kernel.io_uring_group and CAP_SYS_ADMIN only" : "");
		doctor_command(row, "sysctl -w kernel.io_uring_disabled=0");
	} else if (strtol(filter, NULL, 10) != 0) {
		doctor_fact(row, "%s by a seccomp filter: a container's, or SystemCallFilter= of a service%s",
			    code == -ENOSYS ? "hidden" : "refused",
			    code == -ENOSYS ? "; or the kernel has no CONFIG_IO_URING" : "");
		doctor_command(row, "docker run --security-opt seccomp=unconfined IMAGE    "
				    "# a service: SystemCallFilter=@aio");
	} else if (code == -ENOSYS) {
		doctor_fact(row, "the kernel has none: it is older than 5.1, or built without CONFIG_IO_URING");
	} else {
		doctor_fact(row, "refused, neither by a sysctl nor by seccomp: by a security module (SELinux, AppArmor)");
		doctor_command(row, "journalctl -k -g 'avc|apparmor'");
	}
}

void doctor_explain_uring(const struct doctor *doctor, struct doctor_row *row, int code, const char *why)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
	case -ENOSYS:
		explain_forbidden(doctor, row, code);
		break;
	case -ENOMEM:
		doctor_fact(row, "refused for want of memory that may be locked (RLIMIT_MEMLOCK), which all rings of a "
				 "user share");
		doctor_command_memlock(row);
		break;
	case -EINVAL:
	case -EOPNOTSUPP:
		doctor_fact(row, "the kernel is too old: Linux 6.0 receives as we need it");
		break;
	case -EMFILE:
		doctor_fact(row, "no descriptor left");
		doctor_command(row, "ulimit -n 1024");
		break;
	default:
		doctor_fact(row, "it does not work");
	}
	doctor_effect(row, DOCTOR_MISSING, "A loop over io_uring falls back to epoll, or fails where it is required: %s",
		      why);
}

void doctor_check_uring(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "io_uring");

#ifdef HAVE_LIBURING
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char why[FLUX_WHY_TEXT];
	struct flux_loop *loop;
	int64_t disabled = 0;
	int rc;

	cfg.require = 1;
	rc = flux_loop_open_uring(&loop, &cfg, why);
	if (rc < 0) {
		doctor_explain_uring(doctor, row, rc, why);
		return;
	}
	flux_loop_close(loop);
	doctor_fact(row, "works: a datagram was received by it");
	if (!doctor_number(doctor, "/proc/sys/kernel/io_uring_disabled", &disabled) || disabled == 0)
		return;
	doctor_effect(row, DOCTOR_NOTE, "sysctl kernel.io_uring_disabled is %lld: it works for the privileged only.",
		      (long long)disabled);
	doctor_command(row, "sysctl -w kernel.io_uring_disabled=0");
#else
	doctor_fact(row, "libflux-uring is not built");
	doctor_effect(row, DOCTOR_MISSING, "Loops are over epoll or libevent.");
	doctor_command(row, "apt-get install liburing-dev && ./configure --with-liburing && make install");
#endif
}
