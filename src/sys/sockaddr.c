/* SPDX-License-Identifier: MIT */
/* Conversions only; no call here asks the kernel anything. */
#include "sys/sockaddr.h"

#include <string.h>

#include <arpa/inet.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

socklen_t flux_sockaddr_from(union flux_sockaddr *sa, const struct flux_addr *addr, uint8_t family)
{
	memset(sa, 0, sizeof(*sa));
	if (family == 4 && addr->family == 4) {
		sa->in.sin_family = AF_INET;
		sa->in.sin_port = htons(addr->port);
		memcpy(&sa->in.sin_addr, addr->ip, 4);
		return sizeof(sa->in);
	}
	if (family != 6 || (addr->family != 4 && addr->family != 6))
		return 0;
	sa->in6.sin6_family = AF_INET6;
	sa->in6.sin6_port = htons(addr->port);
	if (addr->family == 6) {
		memcpy(&sa->in6.sin6_addr, addr->ip, 16);
		sa->in6.sin6_scope_id = addr->scope;
	} else {
		memcpy(&sa->in6.sin6_addr, mapped, 12);
		memcpy((uint8_t *)&sa->in6.sin6_addr + 12, addr->ip, 4);
	}
	return sizeof(sa->in6);
}

void flux_sockaddr_to(struct flux_addr *addr, const union flux_sockaddr *sa, socklen_t len)
{
	memset(addr, 0, sizeof(*addr));
	if (len >= sizeof(sa->in) && sa->any.sa_family == AF_INET) {
		addr->family = 4;
		addr->port = ntohs(sa->in.sin_port);
		memcpy(addr->ip, &sa->in.sin_addr, 4);
	} else if (len >= sizeof(sa->in6) && sa->any.sa_family == AF_INET6) {
		const uint8_t *ip = (const uint8_t *)&sa->in6.sin6_addr;

		addr->port = ntohs(sa->in6.sin6_port);
		if (memcmp(ip, mapped, 12) == 0) {
			addr->family = 4;
			memcpy(addr->ip, ip + 12, 4);
		} else {
			addr->family = 6;
			addr->scope = sa->in6.sin6_scope_id;
			memcpy(addr->ip, ip, 16);
		}
	}
}
