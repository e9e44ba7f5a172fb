/* SPDX-License-Identifier: MIT */
/* Plain UDP: opening, closing, and its share of a turn. */
#include "modules/udp.h"

#include "core/base/cfg.h"
#include "core/base/mem.h"
#include "sys/clock.h"
#include "sys/resolve.h"

#define DEFAULT_BUFFER   (4u << 20)
#define DEFAULT_DATAGRAM 1472u

/* ---- A member of the loop ---- */

static void on_fd(struct flux_member *member, uint32_t events)
{
	struct flux_udp *udp = flux_udp_of(member);

	if (member->closing)
		return;
	if (events & FLUX_LOOP_OUT && udp->tx_blocked) {
		(void)flux_member_watch_socket(member, udp->sock.fd, 0); /* less than before */
		flux_udp_resume(udp);
	}
	if (events & FLUX_LOOP_IN && !member->closing)
		flux_udp_receive(udp, true);
	if (udp->sock.broken && udp->sock.fd >= 0) { /* see flux_udp_send(); nobody has to look at it any more */
		(void)flux_member_watch(member, udp->sock.fd, 0);
		udp->sock.fd = -1;
	}
}

static void advance(struct flux_member *member, flux_ts now)
{
	struct flux_udp *udp = flux_udp_of(member);

	if (!member->closing && udp->tx_resume != 0 && now >= udp->tx_resume)
		flux_udp_resume(udp);
	if (!member->closing && flux_loop_looks(member->loop))
		flux_udp_receive(udp, false);
}

static void flush(struct flux_member *member)
{
	(void)member;
}

static flux_ts deadline(const struct flux_member *member)
{
	const struct flux_udp *udp = flux_udp_of(member);

	return !member->closing && udp->tx_resume ? udp->tx_resume : FLUX_NEVER;
}

static void close_member(struct flux_member *member)
{
	struct flux_udp *udp = flux_udp_of(member);

	if (!flux_member_close(member))
		return;
	flux_socket_close(&udp->sock);
	if (!member->loop->closing) /* else it ends by itself */
		flux_feed_close(udp->from);
	udp->from = NULL;
}

static void give(struct flux_udp *udp)
{
	const struct flux_mem *mem = udp->member.loop->mem;

	flux_member_leave(&udp->member);
	flux_socket_close(&udp->sock);
	flux_rx_batch_destroy(udp->rx, mem);
	flux_mem_give(mem, udp, 1, sizeof(*udp));
}

static void sweep(struct flux_member *member)
{
	if (member->closing)
		give(flux_udp_of(member));
}

static const struct flux_member_ops member_ops = {
	.on_fd = on_fd,
	.on_messages = flux_udp_on_messages,
	.advance = advance,
	.flush = flush,
	.deadline = deadline,
	.close = close_member,
	.sweep = sweep,
};

/* ---- Opening ---- */

static int read_cfg(struct flux_udp *udp, struct flux_loop *loop, const struct flux_udp_cfg *user)
{
	struct flux_udp_cfg *cfg = &udp->cfg;
	int rc = user ? flux_cfg_copy(cfg, sizeof(*cfg), user) : 0;

	if (rc < 0)
		return flux_cfg_fail(loop, rc);
	if (!cfg->rcvbuf)
		cfg->rcvbuf = DEFAULT_BUFFER;
	if (!cfg->sndbuf)
		cfg->sndbuf = DEFAULT_BUFFER;
	if (!cfg->max_datagram)
		cfg->max_datagram = DEFAULT_DATAGRAM;
	if (cfg->max_datagram > FLUX_UDP_MAX)
		return flux_loop_fail(loop, FLUX_EINVAL, "max_datagram is %u, more than UDP carries (%u)",
				      cfg->max_datagram, FLUX_UDP_MAX);
	return 0;
}

static int open_socket(struct flux_udp *udp, struct flux_loop *loop)
{
	const struct flux_udp_cfg *cfg = &udp->cfg;
	struct flux_addr peer;
	struct flux_socket_want want = {
		.rcvbuf = cfg->rcvbuf,
		.sndbuf = cfg->sndbuf,
		.no_offload = cfg->no_offload,
		.no_stamps = true,
		.tell_local = !cfg->peer,
		.ecn = cfg->ecn,
		.why = loop->detail,
		.why_cap = sizeof(loop->detail),
	};
	int rc = cfg->local ? flux_resolve(cfg->local, 0, &want.local, want.why, want.why_cap) : 0;

	if (rc == 0)
		rc = flux_socket_open(&udp->sock, &want);
	if (rc < 0 || !cfg->peer)
		return rc;
	rc = flux_resolve(cfg->peer, udp->sock.family == 4 ? 4 : 0, &peer, want.why, want.why_cap);
	if (rc == 0 && peer.family == 0)
		return flux_loop_fail(loop, FLUX_EINVAL, "\"%s\" names no host to send to", cfg->peer);
	return rc < 0 ? rc : flux_socket_connect(&udp->sock, &peer, want.why, want.why_cap);
}

int flux_udp_open(struct flux_udp **udp, struct flux_loop *loop, const struct flux_udp_cfg *cfg)
{
	struct flux_udp *u;
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	u = flux_mem_take_zeroed(loop->mem, 1, sizeof(*u));
	if (!u)
		return flux_loop_fail(loop, FLUX_ENOMEM, "no memory for a socket");
	u->sock.fd = -1;
	u->member.loop = loop;
	rc = flux_member_join(&u->member, loop, &member_ops);
	if (rc == 0)
		rc = read_cfg(u, loop, cfg);
	if (rc == 0)
		rc = open_socket(u, loop);
	if (rc == 0) {
		u->rx = flux_rx_batch_create(loop->mem, u->cfg.max_datagram, u->sock.joined);
		if (!u->rx)
			rc = flux_loop_fail(loop, FLUX_ENOMEM, "no memory for datagrams of %u bytes",
					    u->cfg.max_datagram);
	}
	if (rc == 0)
		rc = flux_member_watch_socket(&u->member, u->sock.fd, 0);
	if (rc < 0) {
		give(u);
		return rc;
	}
	u->cfg.local = u->cfg.peer = NULL; /* the caller's own */
	*udp = u;
	return 0;
}

/* ---- The user's other calls ---- */

void flux_udp_local(const struct flux_udp *udp, struct flux_addr *addr)
{
	*addr = udp->sock.local;
}

void flux_udp_get_stats(const struct flux_udp *udp, struct flux_udp_stats *stats)
{
	const struct flux_binding_stats *sock = &udp->sock.stats;
	const struct flux_udp_stats now = {
		.rcvbuf = sock->rcvbuf,
		.sndbuf = sock->sndbuf,
		.tx_offload = udp->sock.joins,
		.rx_offload = udp->sock.joined,
		.features = sock->features,
		.rx_datagrams = udp->rx_datagrams,
		.tx_datagrams = udp->sock.tx_datagrams,
		.rx_bytes = udp->rx_bytes,
		.tx_bytes = udp->sock.tx_bytes,
		.rx_syscalls = sock->rx_syscalls,
		.tx_syscalls = sock->tx_syscalls,
		.rx_truncated = sock->rx_truncated,
		.rx_kernel_drops = sock->rx_kernel_drops,
		.rx_ring_full = udp->rx_ring_full,
		.tx_refused = sock->tx_refused,
		.tx_no_buffers = sock->tx_no_buffers,
		.tx_errors = sock->tx_errors,
		.icmp_errors = sock->icmp_errors,
	};

	if (FLUX_OWNED(udp->member.loop))
		flux_stats_copy(stats, &now, sizeof(*stats));
}

void flux_udp_close(struct flux_udp *udp)
{
	if (udp && FLUX_OWNED(udp->member.loop))
		close_member(&udp->member);
}
