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
	    flux_member_watch_socket(&udp->member, udp->sock.fd, FLUX_LOOP_OUT) == 0) {
		udp->tx_blocked = true;
		return;
	}
	udp->tx_resume = flux_clock_now() + (TX_PAUSE << udp->tx_failures);
	if (udp->tx_failures < TX_PAUSE_DOUBLINGS)
		udp->tx_failures++;
	flux_member_touch(&udp->member); /* for the deadline */
}

/* How many are done with. What the kernel refuses, for its length or its address, is counted there. */
static uint32_t send_batch(struct flux_udp *udp, const struct flux_tx *tx, uint32_t n)
{
	enum flux_tx_end end;
	uint32_t done;

	if (udp->tx_blocked || udp->tx_resume != 0) {
		udp->waits = true;
		return 0;
	}
	end = flux_tx_batch_send(&udp->sock, tx, n, &done, NULL);
	if (end == FLUX_TX_ALL)
		udp->tx_failures = 0;
	else
		hold_back(udp, end);
	return done;
}

int flux_udp_send(struct flux_udp *udp, const struct flux_tx *tx, uint32_t n)
{
	struct flux_loop *loop = udp->member.loop;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (udp->member.closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the socket is closed");
	if (n == 0 || n > FLUX_UDP_BATCH)
		return flux_loop_fail(loop, FLUX_EINVAL, "1 to %u datagrams a call, not %u", FLUX_UDP_BATCH, n);
	n = send_batch(udp, tx, n);
	return udp->sock.broken ? flux_loop_fail(loop, udp->sock.broken, FLUX_SOCKET_BROKEN) : (int)n;
}

/* ---- From a ring ---- */

static uint32_t on_batch(void *ctx, struct flux_feed *feed, const struct flux_feed_item *items, uint32_t n)
{
	struct flux_udp *udp = ctx;
	struct flux_tx tx[FLUX_FEED_BATCH];

	(void)feed;
	if (udp->member.closing)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t head = sizeof(tx[i].to);

		/* Too short for an address: no datagram is so long, and the kernel says so. */
		tx[i] = (struct flux_tx){ .body = items[i].data, .body_len = UINT32_MAX };
		if (items[i].len < head)
			continue;
		memcpy(&tx[i].to, items[i].data, head);
		tx[i].body = (const uint8_t *)items[i].data + head;
		tx[i].body_len = items[i].len - head;
	}
	return send_batch(udp, tx, n);
}

int flux_udp_send_from(struct flux_udp *udp, struct flux_ring_reader *reader)
{
	struct flux_loop *loop = udp->member.loop;
	struct flux_feed_cfg cfg = FLUX_FEED_CFG_INIT;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
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
