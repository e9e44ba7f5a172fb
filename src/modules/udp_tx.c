/* SPDX-License-Identifier: MIT */
/* Plain UDP, out: at once, many a system call, and from a ring without a copy. */
#include "modules/udp.h"

#include <string.h>

#include "core/base/time.h"
#include "sys/clock.h"

/* The first pause after ENOBUFS; it doubles up to 32 times as long. */
#define TX_PAUSE           FLUX_MS(2)
#define TX_PAUSE_DOUBLINGS 5

/* Until the socket is writable, or the kernel has buffers. */
static void hold_back(struct flux_udp *udp, enum flux_tx_end end)
{
	udp->waits = true;
	if (end == FLUX_TX_BLOCKED &&
	    flux_member_watch(&udp->member, udp->sock.fd, FLUX_LOOP_IN | FLUX_LOOP_OUT) == 0) {
		udp->tx_blocked = true;
		return;
	}
	udp->tx_resume = flux_clock_now() + (TX_PAUSE << udp->tx_failures);
	if (udp->tx_failures < TX_PAUSE_DOUBLINGS)
		udp->tx_failures++;
	flux_member_touch(&udp->member); /* for the deadline */
}

/* Send those that can be sent, all of `tx`: how many are done with. */
static uint32_t send_run(struct flux_udp *udp, const struct flux_tx *tx, uint32_t n)
{
	uint64_t errors = udp->sock.stats.tx_errors + udp->sock.stats.tx_no_buffers;
	uint32_t done = 0;
	enum flux_tx_end end = flux_tx_batch_send(&udp->sock, tx, n, &done);

	errors = udp->sock.stats.tx_errors + udp->sock.stats.tx_no_buffers - errors;
	udp->tx_datagrams += done - (errors < done ? errors : done);
	for (uint32_t i = 0; i < done; i++)
		udp->tx_bytes += tx[i].body_len;
	if (end == FLUX_TX_ALL)
		udp->tx_failures = 0;
	else
		hold_back(udp, end);
	return done;
}

static bool is_full(const struct flux_udp *udp)
{
	return udp->tx_blocked || udp->tx_resume != 0;
}

/* Whether a datagram can be sent at all. */
static bool fill(const struct flux_udp *udp, struct flux_tx *tx, const void *data, uint32_t len,
		 const struct flux_addr *addr)
{
	*tx = (struct flux_tx){ .body = data, .body_len = len, .to = addr->family ? *addr : udp->peer };
	return len <= FLUX_UDP_MAX && tx->to.family != 0;
}

/* Send `n` that fill() made, but for those marked by a body of NULL: how many are done with. */
static uint32_t send_all(struct flux_udp *udp, const struct flux_tx *tx, const bool *good, uint32_t n)
{
	uint32_t done = 0;

	while (done < n && !is_full(udp)) {
		uint32_t run = 0;

		while (done + run < n && good[done + run])
			run++;
		if (run > 0) {
			done += send_run(udp, tx + done, run);
		} else {
			udp->tx_errors++;
			done++;
		}
	}
	if (done < n)
		udp->waits = true;
	return done;
}

int flux_udp_send(struct flux_udp *udp, const struct flux_udp_datagram *datagrams, uint32_t n)
{
	struct flux_loop *loop = udp->member.loop;
	struct flux_tx tx[FLUX_UDP_BATCH];
	bool good[FLUX_UDP_BATCH];

	if (!FLUX_OWNED(loop))
		return FLUX_ETHREAD;
	if (udp->member.closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the socket is closed");
	if (n == 0 || n > FLUX_UDP_BATCH)
		return flux_loop_fail(loop, FLUX_EINVAL, "1 to %u datagrams a call, not %u", FLUX_UDP_BATCH, n);
	for (uint32_t i = 0; i < n; i++)
		good[i] = fill(udp, &tx[i], datagrams[i].data, datagrams[i].len, &datagrams[i].addr);
	return (int)send_all(udp, tx, good, n);
}

/* ---- From a ring ---- */

static uint32_t on_batch(void *ctx, struct flux_feed *feed, const struct flux_feed_item *items, uint32_t n)
{
	struct flux_udp *udp = ctx;
	struct flux_tx tx[FLUX_FEED_BATCH];
	bool good[FLUX_FEED_BATCH];

	(void)feed;
	if (udp->member.closing)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct flux_addr addr = { .family = 0 };
		bool whole = items[i].len >= sizeof(addr);

		if (whole)
			memcpy(&addr, items[i].data, sizeof(addr));
		good[i] = whole && fill(udp, &tx[i], (const uint8_t *)items[i].data + sizeof(addr),
					items[i].len - (uint32_t)sizeof(addr), &addr);
	}
	return send_all(udp, tx, good, n);
}

int flux_udp_send_from(struct flux_udp *udp, struct flux_ring_reader *reader)
{
	struct flux_loop *loop = udp->member.loop;
	struct flux_feed_cfg cfg = FLUX_FEED_CFG_INIT;

	if (!FLUX_OWNED(loop))
		return FLUX_ETHREAD;
	if (udp->member.closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the socket is closed");
	if (udp->from)
		return flux_loop_fail(loop, FLUX_EBUSY, "datagrams come from a ring already");
	if (!(reader->ring->flags & FLUX_RING_RECORDS))
		return flux_loop_fail(loop, FLUX_ENOTSUP, "datagrams come from rings of records only");
	cfg.on_batch = on_batch;
	cfg.budget = 4 * FLUX_FEED_BATCH;
	cfg.ctx = udp;
	return flux_feed_open(&udp->from, loop, reader, &cfg);
}

void flux_udp_resume(struct flux_udp *udp)
{
	udp->tx_blocked = false;
	udp->tx_resume = 0;
	if (!udp->waits)
		return;
	udp->waits = false;
	if (udp->from)
		flux_feed_resume(udp->from);
	if (udp->cfg.on_writable)
		udp->cfg.on_writable(udp->cfg.ctx, udp);
}
