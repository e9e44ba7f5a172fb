/* SPDX-License-Identifier: MIT */
/* Opening and closing a binding, and the calls that go through it to its endpoint. */
#include "loop/binding.h"

#include <string.h>

#include "core/base/cfg.h"
#include "core/base/mem.h"
#include "core/base/time.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/resolve.h"

/* Per direction; the kernel grants what net.core.rmem_max and wmem_max allow. */
#define DEFAULT_BUFFER (4u << 20)

/* The endpoint's own defaults, which are needed here for the room that depends on them. */
#define DEFAULT_SESSIONS 64
#define DEFAULT_DATAGRAM 1200

/* Datagrams of a handshake are this long at least, whatever the limit of the rest. */
#define MIN_RX_DATAGRAM 1500

/* ---- Opening ---- */

static int read_cfg(struct flux_binding_cfg *cfg, struct flux_endpoint_cfg *endpoint,
		    struct flux_loop *loop, const struct flux_binding_cfg *user)
{
	int rc = user ? flux_cfg_copy(cfg, sizeof(*cfg), user) : 0;

	if (rc == 0 && cfg->endpoint)
		rc = flux_cfg_copy(endpoint, sizeof(*endpoint), cfg->endpoint);
	if (rc < 0)
		return flux_cfg_fail(loop, rc);
	cfg->endpoint = NULL; /* the caller's own; it may be gone after this call */
	if (!cfg->rcvbuf)
		cfg->rcvbuf = DEFAULT_BUFFER;
	if (!cfg->sndbuf)
		cfg->sndbuf = DEFAULT_BUFFER;
	if (!endpoint->max_sessions)
		endpoint->max_sessions = DEFAULT_SESSIONS;
	if (!endpoint->max_datagram)
		endpoint->max_datagram = DEFAULT_DATAGRAM;
	if (cfg->local)
		endpoint->accept = !cfg->connect_only;
	return 0;
}

static int open_socket(struct flux_binding *binding, const char *local, bool accepts)
{
	struct flux_loop *loop = binding->member.loop;
	struct flux_socket_want want = {
		.rcvbuf = binding->cfg.rcvbuf,
		.sndbuf = binding->cfg.sndbuf,
		.no_offload = binding->cfg.no_offload,
		.tell_local = accepts, /* a server's peers have chosen an address; a client is where it is */
		.why = loop->detail,
		.why_cap = sizeof(loop->detail),
	};
	int rc = local ? flux_resolve(local, 0, &want.local, loop->detail, sizeof(loop->detail)) : 0;

	if (rc == 0)
		rc = flux_socket_open(&binding->sock, &want);
	binding->sock.on_lost = flux_path_refused;
	binding->sock.ctx = binding;
	return rc;
}

static int open_endpoint(struct flux_binding *binding, struct flux_endpoint_cfg *cfg)
{
	static const uint8_t no_seed[sizeof(cfg->seed)];
	struct flux_loop *loop = binding->member.loop;
	char why[128] = "";
	int rc = 0;

	cfg->rcvbuf = binding->sock.stats.rcvbuf;
	if (memcmp(cfg->seed, no_seed, sizeof(no_seed)) == 0)
		rc = flux_entropy_fill(cfg->seed, sizeof(cfg->seed));
	if (rc < 0)
		return flux_loop_fail(loop, rc, "no random bytes: getrandom: %s", strerror(-rc));
	rc = flux_endpoint_create(&binding->ep, cfg, why);
	if (rc < 0)
		return flux_loop_fail(loop, rc, "endpoint: %s", why[0] ? why : flux_strerror(rc));
	return 0;
}

static int open_room(struct flux_binding *binding, const struct flux_endpoint_cfg *cfg)
{
	uint32_t largest = cfg->max_datagram > MIN_RX_DATAGRAM ? cfg->max_datagram : MIN_RX_DATAGRAM;

	binding->rx = flux_rx_batch_create(binding->mem, largest, binding->sock.joined);
	if (!binding->rx || flux_lent_init(binding) < 0 || flux_attachments_init(binding, cfg->max_sessions) < 0 ||
	    flux_paths_init(binding) < 0)
		return flux_loop_fail(binding->member.loop, FLUX_ENOMEM,
				      "no memory for %u sessions and datagrams of %u bytes",
				      cfg->max_sessions, cfg->max_datagram);
	return 0;
}

static void free_binding(struct flux_binding *binding)
{
	const struct flux_mem *mem = binding->mem;

	flux_member_leave(&binding->member);
	flux_socket_close(&binding->sock);
	flux_paths_fini(binding);
	flux_attachments_fini(binding);
	flux_endpoint_destroy(binding->ep);
	flux_rx_batch_destroy(binding->rx, mem);
	flux_lent_fini(binding);
	flux_mem_give(mem, binding, 1, sizeof(*binding));
}

/* ---- Closing ---- */

void flux_binding_close(struct flux_binding *binding)
{
	if (!binding || !FLUX_OWNED(binding->member.loop) || !flux_member_close(&binding->member))
		return;
	binding->stop = true;
	flux_socket_close(&binding->sock);
}

static void close_member(struct flux_member *member)
{
	flux_binding_close(flux_binding_of(member));
}

static void sweep(struct flux_member *member)
{
	struct flux_binding *binding = flux_binding_of(member);
	void (*on_closed)(void *ctx) = binding->cfg.on_closed;
	void *ctx = binding->cfg.ctx;

	if (!member->closing) {
		flux_attachments_sweep(binding);
		return;
	}
	free_binding(binding);
	if (on_closed)
		on_closed(ctx);
}

static const struct flux_member_ops member_ops = {
	.on_fd = flux_binding_on_fd,
	.on_messages = flux_binding_on_messages,
	.on_sent = flux_binding_on_sent,
	.advance = flux_binding_advance,
	.flush = flux_binding_flush,
	.deadline = flux_binding_deadline,
	.close = close_member,
	.sweep = sweep,
};

/* ---- Opening, from here on ---- */

int flux_binding_open(struct flux_binding **binding, struct flux_loop *loop,
		      const struct flux_binding_cfg *cfg)
{
	struct flux_endpoint_cfg endpoint = { .size = sizeof(endpoint), .mem = loop->mem };
	struct flux_binding *b;
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	b = flux_mem_take_zeroed(loop->mem, 1, sizeof(*b));
	if (!b)
		return flux_loop_fail(loop, FLUX_ENOMEM, "no memory for a binding");
	b->mem = loop->mem;
	b->sock.fd = -1;
	rc = flux_member_join(&b->member, loop, &member_ops);
	if (rc == 0)
		rc = read_cfg(&b->cfg, &endpoint, loop, cfg);
	if (rc == 0)
		rc = open_socket(b, b->cfg.local, endpoint.accept);
	if (rc == 0)
		rc = open_endpoint(b, &endpoint);
	if (rc == 0)
		rc = open_room(b, &endpoint);
	if (rc == 0)
		rc = flux_member_watch_socket(&b->member, b->sock.fd, 0);
	if (rc < 0) {
		free_binding(b);
		return rc;
	}
	b->cfg.local = NULL; /* the caller's own */
	*binding = b;
	return 0;
}

/* ---- Through to the endpoint ---- */

flux_ts flux_binding_now(struct flux_binding *binding)
{
	binding->now = flux_ts_max(flux_clock_now(), binding->now);
	return binding->now;
}

/* The endpoint's words become the loop's. */
static int pass(struct flux_binding *binding, int rc)
{
	if (rc < 0)
		return flux_loop_fail(binding->member.loop, rc, "%s", flux_endpoint_detail(binding->ep));
	flux_binding_touch(binding);
	return rc;
}

int flux_binding_connect(struct flux_binding *binding, const char *peer, flux_sid *sid)
{
	struct flux_loop *loop = binding->member.loop;
	uint8_t family = binding->sock.family == 4 ? 4 : 0;
	struct flux_addr addr;
	int rc;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (binding->member.closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the binding is closed");
	if (binding->sock.broken)
		return flux_loop_fail(loop, binding->sock.broken, FLUX_SOCKET_BROKEN);
	rc = flux_resolve(peer, family, &addr, loop->detail, sizeof(loop->detail));
	if (rc < 0)
		return rc;
	if (addr.family == 0)
		return flux_loop_fail(loop, FLUX_EINVAL, "\"%s\" names no host to connect to", peer);
	return pass(binding, flux_endpoint_connect(binding->ep, flux_binding_now(binding), &addr, sid));
}

int flux_binding_close_session(struct flux_binding *binding, flux_sid sid, flux_ts linger)
{
	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (binding->member.closing)
		return flux_loop_fail(binding->member.loop, FLUX_ECLOSED, "the binding is closed");
	return pass(binding, flux_session_close(binding->ep, flux_binding_now(binding), sid, linger));
}

int flux_binding_abort_session(struct flux_binding *binding, flux_sid sid, uint32_t code, const char *text)
{
	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (binding->member.closing)
		return flux_loop_fail(binding->member.loop, FLUX_ECLOSED, "the binding is closed");
	if (binding->reading == sid)
		binding->stop = true;
	return pass(binding, flux_session_abort(binding->ep, flux_binding_now(binding), sid, code, text));
}

void flux_binding_local(const struct flux_binding *binding, struct flux_addr *addr)
{
	*addr = binding->sock.local;
}

void flux_binding_get_stats(const struct flux_binding *binding, struct flux_binding_stats *stats)
{
	struct flux_binding_stats now = binding->sock.stats;

	now.tx_offload = binding->sock.joins;
	now.rx_offload = binding->sock.joined;
	if (FLUX_OWNED(binding->member.loop))
		flux_stats_copy(stats, &now, sizeof(*stats));
}

void flux_binding_get_endpoint_stats(const struct flux_binding *binding, struct flux_endpoint_stats *stats)
{
	if (FLUX_OWNED(binding->member.loop))
		flux_endpoint_get_stats(binding->ep, stats);
}

int flux_binding_get_session_stats(const struct flux_binding *binding, flux_sid sid,
				   struct flux_session_stats *stats)
{
	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	return flux_session_get_stats(binding->ep, sid, stats);
}
