/* SPDX-License-Identifier: MIT */
/* unshare(), setns() and ip(8). */
#include "tests/lib/netns.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

int netns_new(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0 || !netns_ip("link set lo up"))
		return -1;
	fd = open("/proc/self/ns/net", O_RDONLY); /* ip(8) gets it too, to move an interface there */
	return fd;
}

bool netns_enter(int fd)
{
	return setns(fd, CLONE_NEWNET) == 0;
}

bool netns_ip(const char *format, ...)
{
	char command[512] = "PATH=$PATH:/sbin:/usr/sbin ip ";
	size_t used = 0;
	va_list args;

	while (command[used])
		used++;
	va_start(args, format);
	used += (size_t)vsnprintf(command + used, sizeof(command) - used, format, args);
	va_end(args);
	if (used > sizeof(command) - 20)
		return false;
	snprintf(command + used, sizeof(command) - used, " >/dev/null 2>&1");
	return system(command) == 0; /* NOLINT: the tests' own words */
}
