/* SPDX-License-Identifier: MIT */
/* Cutting "host:port" and getaddrinfo(). */
#include "sys/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netdb.h>

#include <flux/error.h>

#include "sys/sockaddr.h"

/* Longest name of the DNS is 253. */
#define HOST_TEXT 256

/* Cut `text` at its last colon; brackets around the host are taken off. */
static int split(const char *text, char host[HOST_TEXT], uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	const char *end;
	unsigned long number = 0;

	if (!colon || colon[1] == '\0' || strlen(colon + 1) > 5)
		return FLUX_EINVAL;
	for (const char *p = colon + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return FLUX_EINVAL;
		number = number * 10 + (unsigned long)(*p - '0');
	}
	end = colon;
	if (*text == '[') {
		if (end[-1] != ']')
			return FLUX_EINVAL;
		text++;
		end--;
	} else if (memchr(text, ':', (size_t)(end - text))) {
		return FLUX_EINVAL; /* "::1:7000" could mean two things */
	}
	if (number > UINT16_MAX || end < text || end - text >= HOST_TEXT)
		return FLUX_EINVAL;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	*port = (uint16_t)number;
	return 0;
}

/* The first IPv4 address of `list`, else the first. */
static const struct addrinfo *choose(const struct addrinfo *list)
{
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
		if (ai->ai_family == AF_INET)
			return ai;
	return list;
}

static int look_up(const char *host, uint8_t family, struct flux_addr *addr, char *why, size_t why_cap)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list;
	const struct addrinfo *ai;
	union flux_sockaddr sa = { 0 };
	int rc;

	hints.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 :
								AF_UNSPEC;
	rc = getaddrinfo(host, NULL, &hints, &list);
	if (rc != 0) {
		snprintf(why, why_cap, "%s: %s", host, gai_strerror(rc));
		return FLUX_EINVAL;
	}
	ai = choose(list);
	memcpy(&sa, ai->ai_addr, ai->ai_addrlen < sizeof(sa) ? ai->ai_addrlen : sizeof(sa));
	flux_sockaddr_to(addr, &sa, ai->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

/* An IPv4 address written as IPv6 is IPv4: what arrives from there will look so too. */
static void unmap(struct flux_addr *addr)
{
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, addr, 6);

	flux_sockaddr_to(addr, &sa, len);
}

int flux_resolve(const char *text, uint8_t family, struct flux_addr *addr, char *why, size_t why_cap)
{
	struct flux_addr found = { 0 };
	char host[HOST_TEXT];
	uint16_t port = 0;
	int rc = 0;

	if (!text || split(text, host, &port) < 0) {
		snprintf(why, why_cap, "\"%s\" is no address: write HOST:PORT or [IPV6]:PORT, PORT 0 to 65535",
			 text ? text : "");
		return FLUX_EINVAL;
	}
	if (flux_addr_parse(text, &found) == 0) {
		unmap(&found);
		if (family != 0 && found.family != family) {
			snprintf(why, why_cap, "%s: an IPv%u address is needed, because the socket is bound to one",
				 text, family);
			return FLUX_EINVAL;
		}
	} else if (host[0] != '\0') {
		rc = look_up(host, family, &found, why, why_cap);
	}
	if (rc == 0) {
		found.port = port;
		*addr = found;
	}
	return rc;
}
