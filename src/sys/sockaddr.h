/* SPDX-License-Identifier: MIT */
/* struct flux_addr and the kernel's socket addresses. */
#ifndef FLUX_SYS_SOCKADDR_H
#define FLUX_SYS_SOCKADDR_H

#include <stdbool.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <flux/base.h>

/* Room for either family; a tenth of sockaddr_storage, and arrays of it are walked in every batch. */
union flux_sockaddr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/*
 * `addr` as a socket of `family` (4 or 6) wants it; to a 6, IPv4 is a mapped address. Returns its
 * length, or 0 if a socket of that family cannot reach it.
 */
socklen_t flux_sockaddr_from(union flux_sockaddr *sa, const struct flux_addr *addr, uint8_t family);

/*
 * What the kernel gave, mapped IPv4 as plain IPv4. `addr` becomes family 0 if it gave none
 * (len 0), or something of another family.
 */
void flux_sockaddr_to(struct flux_addr *addr, const union flux_sockaddr *sa, socklen_t len);

#endif
