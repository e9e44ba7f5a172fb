/* SPDX-License-Identifier: MIT */
/* Run a program under a seccomp filter: forbid EPERM|ENOSYS CALL... -- PROGRAM [ARGUMENT]... */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/child.h"

static const struct {
	const char *name;
	int number;
} calls[] = {
	{ "io_uring_setup", __NR_io_uring_setup },
	{ "io_uring_enter", __NR_io_uring_enter },
	{ "io_uring_register", __NR_io_uring_register },
	{ "timerfd_create", __NR_timerfd_create },
	{ "sendmmsg", __NR_sendmmsg },
	{ "mbind", __NR_mbind },
};

static bool forbid(int error, const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return child_forbid(error, calls[i].number, -1);
	fprintf(stderr, "forbid: what is %s?\n", name);
	return false;
}

int main(int argc, char **argv)
{
	int error = argc > 1 && strcmp(argv[1], "ENOSYS") == 0 ? ENOSYS : EPERM;
	int i = 2;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!forbid(error, argv[i]))
			return CHILD_SKIP;
	if (i + 1 >= argc)
		return 2;
	execvp(argv[i + 1], argv + i + 1);
	fprintf(stderr, "forbid: %s: %s\n", argv[i + 1], strerror(errno));
	return 127;
}
