/* SPDX-License-Identifier: MIT */
/* Which of our addresses a datagram came to or leaves from, as the kernel's control data (PKTINFO). */
#ifndef FLUX_SYS_PKTINFO_H
#define FLUX_SYS_PKTINFO_H

#include <stdbool.h>
#include <stddef.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <flux/base.h>

/* Room for either family's. */
#define FLUX_PKTINFO_SPACE CMSG_SPACE(sizeof(struct in6_pktinfo))

/* Whether the kernel will tell it of every datagram to a socket of `family` (4 or 6; 6 tells of IPv4 too). */
bool flux_pktinfo_ask(int fd, uint8_t family);

/* Read it; false: `c` is about something else. */
bool flux_pktinfo_read(struct flux_local *local, const struct cmsghdr *c);

/*
 * Have a datagram leave from `local`, by a socket of `family`. Returns the bytes used of `control`, which is
 * aligned for a cmsghdr; 0: nobody sends from there, it is a group's address or not of that socket's kind.
 */
size_t flux_pktinfo_write(void *control, const struct flux_local *local, uint8_t family);

#endif
