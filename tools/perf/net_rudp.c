/* SPDX-License-Identifier: MIT */
/* Messages of Flux between the two ends of a measurement: one session, closed when all is through. */
#include "perf/net_end.h"

#include <stdlib.h>

static void count(struct net_end *end)
{
	struct flux_session_stats session = { .size = sizeof(session) };
	struct flux_binding_stats socket = { .size = sizeof(socket) };
	struct net_party *party = end->party;

	if (!end->binding)
		return;
	if (end->sid && flux_binding_get_session_stats(end->binding, end->sid, &session) == 0) {
		party->datagrams = end->peer ? session.tx_datagrams : session.rx_datagrams;
		party->retransmitted = session.retransmitted;
	}
	flux_binding_get_stats(end->binding, &socket);
	party->kernel_drops = socket.rx_kernel_drops;
	party->offload = end->peer ? socket.tx_offload : socket.rx_offload;
}

/* ---- Sending ---- */

/* One message that fits a datagram, written where it leaves from; or a longer one, by copy. */
static int send_one(struct net_end *end, bool in_place)
{
	uint32_t size = end->stage->options->size;
	struct flux_claim claim;
	int rc;

	if (in_place) {
		rc = flux_pub_claim(end->pub, size, &claim);
		if (rc < 0)
			return rc;
		net_item_write(end->stage, end->party, claim.data);
		return flux_pub_publish(end->pub, size);
	}
	net_item_write(end->stage, end->party, end->buffer);
	rc = flux_pub_send(end->pub, end->buffer, size);
	if (rc < 0)
		end->party->written--;
	return rc;
}

static void send_some(struct net_end *end, uint32_t n)
{
	bool in_place = end->stage->options->size <= flux_pub_max_claim(end->pub);
	int rc = 0;

	while (n-- > 0 && rc == 0)
		rc = send_one(end, in_place);
	end->full = rc == FLUX_EAGAIN;
	if (rc == 0 || rc == FLUX_EAGAIN)
		return;
	cli_fail("cannot send: %s", flux_loop_detail(end->loop.flux));
	net_end_fail(end);
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	(void)pub;
	net_end_room(ctx);
}

/* One answer at a time: there is room for it. */
static void answer(struct net_end *end, const void *at, uint32_t len)
{
	int rc = end->pub ? flux_pub_send(end->pub, at, len) : FLUX_ECLOSED;

	if (rc == 0)
		return;
	cli_fail("cannot answer: %s", flux_strerror(rc));
	net_end_fail(end);
}

static void finish(struct net_end *end)
{
	(void)flux_binding_close_session(end->binding, end->sid, FLUX_NEVER);
}

/* ---- Receiving ---- */

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	(void)sub;
	(void)sid;
	net_end_take(ctx, msg->data, msg->len);
	return FLUX_TAKE;
}

/* ---- The session ---- */

/*
 * Whether it is what the receiver expects: the sender closes when all is through. In rtt it has heard the
 * last answer by then, but need not have said so.
 */
static bool is_expected(const struct net_end *receiver, const struct flux_event *event)
{
	return event->reason == 0 || (receiver->stage->options->rtt && event->reason == FLUX_EUNDELIVERED);
}

static void on_closed(struct net_end *end, const struct flux_event *event)
{
	const struct net_end *sender = end->peer ? end : NULL;

	if (end->over || (!sender && is_expected(end, event)))
		return; /* the receiver is told when it is over */
	if (sender && event->reason == 0 && event->undelivered == 0) {
		net_end_over(end);
		return;
	}
	if (!end->up && event->reason == FLUX_ETIMEDOUT)
		cli_fail("the receiver was not reached within %g s: nothing gets through",
			 (double)end->stage->options->endpoint.connect_timeout / 1e9);
	else
		cli_fail("the %s's session ended with %llu messages undelivered: %s%s%s",
			 sender ? "sender" : "receiver", (unsigned long long)event->undelivered,
			 flux_strerror(event->reason), event->text[0] ? ": " : "", event->text);
	net_end_fail(end);
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct net_end *end = ctx;

	if (event->type == FLUX_EVENT_UP && event->incoming && end->sid == 0) {
		end->sid = event->sid;
		if (end->stage->options->rtt && flux_pub_open(&end->pub, binding, event->sid, NULL) < 0)
			cli_fail("cannot answer: %s", flux_loop_detail(end->loop.flux));
	}
	if (event->sid != end->sid)
		return;
	count(end);
	if (event->type == FLUX_EVENT_CLOSED)
		on_closed(end, event);
}

static int open_binding(struct net_end *end)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;

	cfg.endpoint = &end->stage->options->endpoint;
	cfg.local = end->peer ? NULL : "127.0.0.1:0";
	cfg.on_event = on_event;
	cfg.ctx = end;
	if (flux_binding_open(&end->binding, end->loop.flux, &cfg) < 0)
		return cli_fail("%s", flux_loop_detail(end->loop.flux));
	return CLI_OK;
}

static int connect_to(struct net_end *end, const char *peer)
{
	struct flux_pub_cfg cfg = FLUX_PUB_CFG_INIT;

	cfg.on_writable = on_writable;
	cfg.ctx = end;
	end->buffer = malloc(end->stage->options->size);
	if (!end->buffer)
		return cli_fail("no memory for a message");
	if (flux_binding_connect(end->binding, peer, &end->sid) < 0 ||
	    flux_pub_open(&end->pub, end->binding, end->sid, &cfg) < 0)
		return cli_fail("%s", flux_loop_detail(end->loop.flux));
	return CLI_OK;
}

static int open_wire(struct net_end *end, const char *peer)
{
	struct flux_sub_cfg cfg = FLUX_SUB_CFG_INIT;
	struct flux_addr local;
	char text[FLUX_ADDR_TEXT];
	int rc = open_binding(end);

	cfg.on_message = on_message;
	cfg.ctx = end;
	if (rc == CLI_OK && peer)
		rc = connect_to(end, peer);
	if (rc == CLI_OK && flux_sub_open(&end->sub, end->binding, end->sid, &cfg) < 0)
		rc = cli_fail("%s", flux_loop_detail(end->loop.flux));
	if (rc != CLI_OK || peer)
		return rc;
	flux_binding_local(end->binding, &local);
	net_place_tell(&end->stage->receiver, flux_addr_format(&local, text));
	return CLI_OK;
}

const struct net_wire net_wire_rudp = {
	.open = open_wire,
	.send = send_some,
	.answer = answer,
	.finish = finish,
	.count = count,
};
