/* SPDX-License-Identifier: MIT */
/* Plain UDP, in: one system call a turn, handed out in place or copied into a ring. */
#include "modules/udp.h"

#include <string.h>

static void put(struct flux_udp *udp, const struct flux_rx *rx)
{
	struct flux_ring_record record;
	int rc = flux_ring_record_claim(udp->into, (uint32_t)sizeof(rx->from) + rx->len, &record);

	if (rc < 0) {
		udp->rx_ring_full++;
		return;
	}
	memcpy(record.data, &rx->from, sizeof(rx->from));
	memcpy((uint8_t *)record.data + sizeof(rx->from), rx->data, rx->len);
	(void)flux_ring_record_publish(udp->into, record.len);
}

/* The datagrams of one message of the kernel. */
static void hand_out(struct flux_udp *udp, const struct flux_rx *rx, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		udp->rx_bytes += rx[i].len;
	udp->rx_datagrams += n;
	for (uint32_t i = 0; udp->into && i < n; i++)
		put(udp, &rx[i]);
	if (n > 0 && !udp->into && udp->cfg.on_datagrams)
		udp->cfg.on_datagrams(udp->cfg.ctx, udp, rx, n);
}

/* The first `n` messages of the batch. */
static void hand_batch(struct flux_udp *udp, uint32_t n)
{
	for (uint32_t i = 0; i < n && !udp->member.closing; i++)
		hand_out(udp, udp->rx->rx, flux_rx_batch_split(udp->rx, i, &udp->sock.stats));
}

void flux_udp_receive(struct flux_udp *udp, bool ready)
{
	hand_batch(udp, flux_rx_batch_receive(udp->rx, &udp->sock, ready));
}

void flux_udp_on_messages(struct flux_member *member, const struct msghdr *msgs, uint32_t n)
{
	struct flux_udp *udp = flux_udp_of(member);

	hand_batch(udp, flux_rx_batch_take(udp->rx, msgs, n, &udp->sock.stats));
}

int flux_udp_receive_into(struct flux_udp *udp, struct flux_ring_writer *writer)
{
	struct flux_loop *loop = udp->member.loop;

	if (!FLUX_OWNED(loop))
		return flux_loop_stranger(loop);
	if (udp->member.closing)
		return flux_loop_fail(loop, FLUX_ECLOSED, "the socket is closed");
	if (udp->into)
		return flux_loop_fail(loop, FLUX_EBUSY, "datagrams go into a ring already");
	if (!(writer->ring->flags & FLUX_RING_RECORDS))
		return flux_loop_fail(loop, FLUX_ENOTSUP, "datagrams go into rings of records only");
	udp->into = writer;
	return 0;
}
