/* SPDX-License-Identifier: MIT */
/* Opening UDP sockets, asking for buffers, draining error queues. Datagrams pass through batch_rx.c and batch_tx.c. */
#include "loop/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/pktinfo.h"
#include "sys/sockaddr.h"

/* Asked for one at a time: an error queue that fills faster waits for the next turn. */
#define ERRORS_A_TURN 64

/* The sender's mark that a router may replace instead of dropping (RFC 3168). */
#define ECT_0 2

/* Older kernels and sandboxes lack some; each only helps. Returns whether it is set. */
static bool set_optional(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static uint32_t read_size(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 || value < 0)
		return 0;
	return (uint32_t)value;
}

/* Bytes as the kernel counts them: it doubles what is asked, for its own overhead. */
static uint32_t set_buffer(int fd, int name, int force, uint32_t bytes)
{
	int value = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;
	uint32_t granted;

	set_optional(fd, SOL_SOCKET, name, value);
	granted = read_size(fd, name);
	if (granted >= 2 * (uint32_t)value)
		return granted;
	set_optional(fd, SOL_SOCKET, force, value); /* over the limit, for the privileged */
	return read_size(fd, name);
}

static unsigned long rmem_max(void)
{
	char text[32];
	unsigned long value = 0;
	FILE *file = fopen("/proc/sys/net/core/rmem_max", "re");

	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file) || sscanf(text, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static void size_buffers(struct flux_socket *sock, const struct flux_socket_want *want)
{
	struct flux_binding_stats *stats = &sock->stats;

	stats->sndbuf = set_buffer(sock->fd, SO_SNDBUF, SO_SNDBUFFORCE, want->sndbuf);
	stats->rcvbuf = set_buffer(sock->fd, SO_RCVBUF, SO_RCVBUFFORCE, want->rcvbuf);
	if (stats->rcvbuf / 2 >= want->rcvbuf)
		return;
	stats->rcvbuf_short = 1;
	snprintf(want->why, want->why_cap,
		 "receive buffer: got %u bytes, wanted %u; raise net.core.rmem_max (now %lu)",
		 stats->rcvbuf / 2, want->rcvbuf, rmem_max());
}

/* Each family has an option of its own, and a socket of IPv6 needs those of IPv4 for mapped addresses. */
static bool set_ecn(const struct flux_socket *sock, int mark, int tell)
{
	bool ok = set_optional(sock->fd, IPPROTO_IP, IP_TOS, mark);

	ok = set_optional(sock->fd, IPPROTO_IP, IP_RECVTOS, tell) && ok;
	if (sock->family == 6) {
		ok = set_optional(sock->fd, IPPROTO_IPV6, IPV6_TCLASS, mark) && ok;
		ok = set_optional(sock->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, tell) && ok;
	}
	return ok;
}

/* All of it or nothing: half of it would look like a network without congestion. */
static bool open_ecn(const struct flux_socket *sock)
{
	if (set_ecn(sock, ECT_0, 1))
		return true;
	(void)set_ecn(sock, 0, 0);
	return false;
}

static bool open_errors(const struct flux_socket *sock)
{
	bool ok = set_optional(sock->fd, IPPROTO_IP, IP_RECVERR, 1);

	return (sock->family == 4 || set_optional(sock->fd, IPPROTO_IPV6, IPV6_RECVERR, 1)) && ok;
}

static bool is_any(const struct flux_addr *addr)
{
	static const uint8_t zero[sizeof(addr->ip)];

	return memcmp(addr->ip, zero, sizeof(zero)) == 0;
}

static void set_options(struct flux_socket *sock, const struct flux_socket_want *want)
{
	uint32_t *features = &sock->stats.features;

	/* Size 0 cuts nothing by itself: it asks whether the kernel knows how. */
	sock->joins = !want->no_offload && set_optional(sock->fd, SOL_UDP, UDP_SEGMENT, 0);
	sock->joined = !want->no_offload && set_optional(sock->fd, SOL_UDP, UDP_GRO, 1);
	if (set_optional(sock->fd, SOL_SOCKET, SO_RXQ_OVFL, 1))
		*features |= FLUX_SOCKET_DROPS;
	if (!want->no_stamps && set_optional(sock->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1))
		*features |= FLUX_SOCKET_STAMPS;
	if (open_errors(sock))
		*features |= FLUX_SOCKET_ERRORS;
	if (want->tell_local && is_any(&sock->local) && flux_pktinfo_ask(sock->fd, sock->family))
		*features |= FLUX_SOCKET_LOCAL;
	if (want->ecn && open_ecn(sock))
		*features |= FLUX_SOCKET_ECN;
}

static int open_family(struct flux_socket *sock, const struct flux_socket_want *want,
		       const struct flux_addr *local)
{
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, local, local->family);
	char text[FLUX_ADDR_TEXT];
	int rc;

	sock->family = local->family;
	sock->stats.features = 0;
	sock->fd = socket(sa.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		rc = -errno;
		snprintf(want->why, want->why_cap, "socket for %s: %s", flux_addr_format(local, text),
			 strerror(-rc));
		return rc;
	}
	if (local->family == 6 && set_optional(sock->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0))
		sock->stats.features |= FLUX_SOCKET_IPV4;
	/* Without SO_REUSEPORT, on purpose: who shares a port takes datagrams of the other's sessions. */
	if (bind(sock->fd, &sa.any, len) < 0) {
		rc = -errno;
		snprintf(want->why, want->why_cap, "bind to %s: %s%s", flux_addr_format(local, text),
			 strerror(-rc),
			 rc == -EADDRINUSE ? "; choose another port, or stop who has it (\"ss -ulpn\" names him)" : "");
		flux_socket_close(sock);
		return rc;
	}
	len = sizeof(sa);
	if (getsockname(sock->fd, &sa.any, &len) < 0)
		len = 0;
	flux_sockaddr_to(&sock->local, &sa, len);
	return 0;
}

int flux_socket_open(struct flux_socket *sock, const struct flux_socket_want *want)
{
	struct flux_addr local = want->local;
	bool any = local.family == 0;
	int rc;

	memset(sock, 0, sizeof(*sock));
	if (any)
		local.family = 6;
	rc = open_family(sock, want, &local);
	if (any && (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)) {
		local.family = 4; /* a host without IPv6 */
		rc = open_family(sock, want, &local);
	}
	if (rc < 0)
		return rc;
	size_buffers(sock, want);
	set_options(sock, want);
	return 0;
}

int flux_socket_connect(struct flux_socket *sock, const struct flux_addr *peer, char *why, size_t why_cap)
{
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, peer, sock->family);
	char text[FLUX_ADDR_TEXT];
	int rc = connect(sock->fd, &sa.any, len) < 0 ? -errno : 0;

	if (rc < 0)
		snprintf(why, why_cap, "connect to %s: %s", flux_addr_format(peer, text), strerror(-rc));
	return rc;
}

void flux_socket_close(struct flux_socket *sock)
{
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
}

void flux_socket_read_errors(struct flux_socket *sock)
{
	/* The words of an error are its control data. They are cut off here: nobody reads them. */
	struct msghdr msg = { 0 };

	for (int i = 0; i < ERRORS_A_TURN; i++) {
		if (recvmsg(sock->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EBADF || errno == ENOTSOCK)
				sock->broken = -errno;
			return;
		}
		sock->stats.icmp_errors++;
	}
}
