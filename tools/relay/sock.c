/* SPDX-License-Identifier: MIT */
/* The relay's UDP sockets: opening, large buffers, and what the kernel dropped in them. */
#include "relay/sock.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Datagrams are received without UDP_GRO: a super-packet that finds no room counts as a single
 * drop, and then the drops could not be told.
 */
static void grow_rcvbuf(int fd)
{
	static bool said;
	int wanted = RELAY_RCVBUF_BYTES;
	int granted = 0;
	socklen_t len = sizeof(granted);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) != 0)
		return;
	granted /= 2; /* the kernel doubles what it is asked for, and tells the doubled value */
	if (granted < wanted && !said) {
		said = true;
		cli_warn("receive buffer: %d bytes wanted, %d granted; bursts may be dropped: "
			 "run 'sysctl -w net.core.rmem_max=%d'",
			 wanted, granted, wanted);
	}
}

int relay_sock_open(const struct cli_addr *local, const struct cli_addr *remote)
{
	const struct cli_addr *addr = local ? local : remote;
	const struct sockaddr *sa = (const struct sockaddr *)&addr->ss;
	int fd = socket(addr->ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	grow_rcvbuf(fd);
	rc = local ? bind(fd, sa, addr->len) : connect(fd, sa, addr->len);
	if (rc != 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

uint64_t relay_sock_dropped(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	/* SO_RXQ_OVFL tells the same counter, but only with the next datagram that gets in. */
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}
