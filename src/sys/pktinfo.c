/* SPDX-License-Identifier: MIT */
/* Conversions, and the one option that has the kernel tell. */
#include "sys/pktinfo.h"

#include <string.h>

#include "sys/sockaddr.h"

bool flux_pktinfo_ask(int fd, uint8_t family)
{
	const int on = 1;

	if (family == 6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == 0;
	return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0;
}

static void read_six(struct flux_local *local, const struct cmsghdr *c)
{
	union flux_sockaddr sa = { .in6 = { .sin6_family = AF_INET6 } };
	struct in6_pktinfo info;
	struct flux_addr addr;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	sa.in6.sin6_addr = info.ipi6_addr;
	flux_sockaddr_to(&addr, &sa, sizeof(sa.in6)); /* mapped IPv4 is plain IPv4 */
	memcpy(local->ip, addr.ip, sizeof(local->ip));
	local->family = addr.family;
	local->ifindex = info.ipi6_ifindex;
}

/* What was sent to a broadcast address came to ours of that network: an answer can leave from there. */
static void read_four(struct flux_local *local, const struct cmsghdr *c)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	memcpy(local->ip, IN_MULTICAST(ntohl(info.ipi_addr.s_addr)) ? &info.ipi_addr : &info.ipi_spec_dst, 4);
	local->family = 4;
	local->ifindex = (uint32_t)info.ipi_ifindex;
}

bool flux_pktinfo_read(struct flux_local *local, const struct cmsghdr *c)
{
	bool six = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO;

	if (!six && (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO))
		return false;
	memset(local, 0, sizeof(*local));
	if (six)
		read_six(local, c);
	else
		read_four(local, c);
	return true;
}

static bool is_group(const struct flux_local *local)
{
	if (local->family == 6)
		return local->ip[0] == 0xff;
	return local->ip[0] >> 4 == 0xe || memcmp(local->ip, "\xff\xff\xff\xff", 4) == 0;
}

static bool is_link_local(const struct flux_local *local)
{
	return local->family == 6 && local->ip[0] == 0xfe && (local->ip[1] & 0xc0) == 0x80;
}

static size_t write_note(void *control, int level, int type, const void *info, size_t len)
{
	struct cmsghdr *c = control;

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), info, len);
	return CMSG_SPACE(len);
}

size_t flux_pktinfo_write(void *control, const struct flux_local *local, uint8_t family)
{
	struct flux_addr addr = { .family = local->family };
	union flux_sockaddr sa;

	memcpy(addr.ip, local->ip, sizeof(addr.ip));
	if (is_group(local) || flux_sockaddr_from(&sa, &addr, family) == 0)
		return 0;
	if (family == 6) {
		struct in6_pktinfo info = { .ipi6_addr = sa.in6.sin6_addr };

		info.ipi6_ifindex = is_link_local(local) ? local->ifindex : 0;
		return write_note(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	return write_note(control, IPPROTO_IP, IP_PKTINFO, &(struct in_pktinfo){ .ipi_spec_dst = sa.in.sin_addr },
			  sizeof(struct in_pktinfo));
}
