/* SPDX-License-Identifier: MIT */
/* Datagrams of plain UDP between the two ends of a measurement: nothing is repaired, and nobody waits. */
#include "perf/net_end.h"

#include <stdlib.h>

static void count(struct net_end *end)
{
	struct flux_udp_stats stats = { .size = sizeof(stats) };
	struct net_party *party = end->party;

	if (!end->udp)
		return;
	flux_udp_get_stats(end->udp, &stats);
	party->datagrams = end->peer ? stats.tx_datagrams : stats.rx_datagrams;
	party->kernel_drops = stats.rx_kernel_drops;
	party->offload = end->peer ? stats.tx_offload : stats.rx_offload;
}

/* How many of `tx` are sent; what the socket does not take now is not. */
static uint32_t hand_over(struct net_end *end, const struct flux_tx *tx, uint32_t n)
{
	int rc = flux_udp_send(end->udp, tx, n);

	if (rc >= 0)
		return (uint32_t)rc;
	cli_fail("cannot send: %s", flux_loop_detail(end->loop.flux));
	net_end_fail(end);
	return 0;
}

/* Back to back, so that a run is one message of the kernel. */
static void send_some(struct net_end *end, uint32_t n)
{
	uint32_t size = end->stage->options->size, sent;
	struct flux_tx tx[FLUX_UDP_BATCH];

	n = n < FLUX_UDP_BATCH ? n : FLUX_UDP_BATCH;
	for (uint32_t i = 0; i < n; i++) {
		tx[i] = (struct flux_tx){ .body = (uint8_t *)end->buffer + (size_t)i * size, .body_len = size };
		net_item_write(end->stage, end->party, (uint8_t *)end->buffer + (size_t)i * size);
	}
	sent = hand_over(end, tx, n);
	end->party->written -= n - sent; /* to be written anew */
	end->full = sent < n;
}

static void answer(struct net_end *end, const void *at, uint32_t len)
{
	const struct flux_tx tx = { .body = at, .body_len = len, .to = *end->from };

	(void)hand_over(end, &tx, 1); /* one that the socket does not take is one more that is lost */
}

static void on_writable(void *ctx, struct flux_udp *udp)
{
	(void)udp;
	net_end_room(ctx);
}

static void on_datagrams(void *ctx, struct flux_udp *udp, const struct flux_rx *rx, uint32_t n)
{
	struct net_end *end = ctx;

	(void)udp;
	for (uint32_t i = 0; i < n && !end->over; i++) {
		end->from = &rx[i].from;
		net_end_take(end, rx[i].data, rx[i].len);
	}
}

static int open_wire(struct net_end *end, const char *peer)
{
	uint32_t size = end->stage->options->size;
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct flux_addr local;
	char text[FLUX_ADDR_TEXT];

	cfg.local = "127.0.0.1:0";
	cfg.peer = peer;
	cfg.max_datagram = size;
	cfg.on_datagrams = on_datagrams;
	cfg.on_writable = on_writable;
	cfg.ctx = end;
	end->buffer = peer ? malloc((size_t)FLUX_UDP_BATCH * size) : NULL;
	if (peer && !end->buffer)
		return cli_fail("no memory for datagrams");
	if (flux_udp_open(&end->udp, end->loop.flux, &cfg) < 0)
		return cli_fail("%s", flux_loop_detail(end->loop.flux));
	if (peer) {
		flux_timer_set(end->timer, 0); /* net_end_room(), in a turn */
		return CLI_OK;
	}
	flux_udp_local(end->udp, &local);
	net_place_tell(&end->stage->receiver, flux_addr_format(&local, text));
	return CLI_OK;
}

const struct net_wire net_wire_udp = {
	.open = open_wire,
	.send = send_some,
	.answer = answer,
	.finish = net_end_over,
	.count = count,
	.bottomless = true,
};
