/* SPDX-License-Identifier: MIT */
/* A stream of equal messages over Flux at full speed: the sending and the receiving end. */
#include "lib/flood.h"

#include <flux/pub.h>
#include <flux/sub.h>
#include <stdio.h>
#include <stdlib.h>

#define CLOCK_EVERY 64u        /* messages between two looks at the clock */
#define LINGER      100000000u /* ns: a CLOSE that is repeated finds an answer */

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* One end only sends DATA and the other only receives it: the sums below have one summand. */
static void sample(struct flood_outcome *outcome, struct flux_binding *binding, flux_sid sid)
{
	struct flux_session_stats session = { .size = sizeof(session) };
	struct flux_binding_stats socket = { .size = sizeof(socket) };

	if (flux_binding_get_session_stats(binding, sid, &session) == 0) {
		outcome->datagrams = session.tx_datagrams + session.rx_datagrams;
		outcome->bytes = session.tx_bytes + session.rx_bytes;
		outcome->lost = session.lost;
		outcome->retransmitted = session.retransmitted;
	}
	flux_binding_get_stats(binding, &socket);
	outcome->kernel_drops = socket.rx_kernel_drops;
	outcome->calls = session.tx_datagrams ? socket.tx_syscalls : socket.rx_syscalls;
	outcome->offload = session.tx_datagrams ? socket.tx_offload : socket.rx_offload;
}

/* Receiving */

/* Read a message, as often as was asked for. */
static uint64_t sum_of(const struct flood_receiver *receiver, const struct flux_msg *msg)
{
	uint64_t sum = bench_sum(msg->data, msg->len);

	for (uint32_t i = 1; i < receiver->work; i++)
		sum += bench_sum(msg->data, msg->len);
	return sum;
}

/* `n` more messages were read. */
static void count(struct flood_receiver *receiver, uint32_t n)
{
	uint64_t before = receiver->outcome.messages;

	receiver->outcome.messages += n;
	if (before / CLOCK_EVERY == receiver->outcome.messages / CLOCK_EVERY && before > 0)
		return;
	receiver->last_ns = bench_now_ns();
	if (before == 0)
		receiver->first_ns = receiver->last_ns;
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid,
				 const struct flux_msg *msg)
{
	struct flood_receiver *receiver = ctx;

	(void)sub;
	(void)sid;
	receiver->outcome.sum += sum_of(receiver, msg);
	count(receiver, 1);
	return FLUX_TAKE;
}

static uint32_t on_batch(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msgs, uint32_t n)
{
	struct flood_receiver *receiver = ctx;
	uint64_t sum = 0;

	(void)sub;
	(void)sid;
	for (uint32_t i = 0; i < n; i++)
		sum += sum_of(receiver, &msgs[i]);
	receiver->outcome.sum += sum;
	count(receiver, n);
	return n;
}

static void on_receiver_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct flood_receiver *receiver = ctx;

	sample(&receiver->outcome, binding, event->sid);
	if (event->type == FLUX_EVENT_EOS)
		receiver->outcome.ns = receiver->last_ns - receiver->first_ns;
	if (event->type == FLUX_EVENT_CLOSED)
		flux_timer_set(receiver->linger, flux_loop_now() + LINGER);
}

static void on_lingered(void *ctx, struct flux_timer *timer)
{
	struct flood_receiver *receiver = ctx;

	(void)timer;
	receiver->on_end(receiver->ctx);
}

void flood_receiver_open(struct flood_receiver *receiver, struct flux_loop *loop,
			 const struct bench_options *options, struct flux_addr *addr)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub_cfg = FLUX_SUB_CFG_INIT;
	struct flux_endpoint_cfg endpoint = FLUX_ENDPOINT_CFG_INIT;
	struct flux_binding *binding;
	struct flux_sub *sub;

	endpoint.accept = 1;
	endpoint.max_datagram = options->max_datagram;
	cfg.endpoint = &endpoint;
	receiver->work = options->work;
	cfg.local = "127.0.0.1:0";
	cfg.on_event = on_receiver_event;
	cfg.ctx = receiver;
	cfg.no_offload = !options->offload;
	if (options->singly)
		sub_cfg.on_message = on_message;
	else
		sub_cfg.on_batch = on_batch;
	sub_cfg.ctx = receiver;
	if (flux_timer_open(&receiver->linger, loop, on_lingered, receiver) != 0 ||
	    flux_binding_open(&binding, loop, &cfg) != 0 || flux_sub_open(&sub, binding, 0, &sub_cfg) != 0)
		die("receiver", flux_loop_detail(loop));
	flux_binding_local(binding, addr);
}

/* Sending */

struct sender {
	struct loop *loop;
	const struct flux_addr *to;
	const struct bench_options *options;
	struct flux_binding *binding;
	struct flood_outcome *outcome;
	flux_sid sid;
	uint64_t span_ns, end_ns, cpu_ns;
	bool closing;
};

/* One message. Returns how many were sent. */
static uint32_t send_one(struct sender *sender, struct flux_pub *pub)
{
	struct flux_claim claim;

	if (flux_pub_claim(pub, sender->options->size, &claim) != 0)
		return 0;
	bench_fill(claim.data, claim.len, sender->outcome->messages);
	if (flux_pub_publish(pub, claim.len) != 0)
		die("sender", "a claim was not published");
	return 1;
}

/* As many as lie in one datagram. */
static uint32_t send_some(struct sender *sender, struct flux_pub *pub)
{
	struct flux_claims claims;

	if (flux_pub_claim_some(pub, sender->options->size, CLOCK_EVERY, &claims) != 0)
		return 0;
	for (uint32_t i = 0; i < claims.n; i++)
		bench_fill((char *)claims.data + (size_t)i * claims.stride, claims.len,
			   sender->outcome->messages + i);
	if (flux_pub_publish_some(pub, claims.n) != 0)
		die("sender", "claims were not published");
	return claims.n;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	struct sender *sender = ctx;
	uint32_t since = 0, sent = 1;

	if (sender->end_ns == 0)
		sender->end_ns = bench_now_ns() + sender->span_ns;
	for (; !sender->closing && sent > 0; since += sent) {
		sent = sender->options->singly ? send_one(sender, pub) : send_some(sender, pub);
		sender->outcome->messages += sent;
		if (since < CLOCK_EVERY)
			continue;
		since = 0;
		if (bench_now_ns() >= sender->end_ns) {
			flux_binding_close_session(sender->binding, sender->sid, FLUX_NEVER);
			sender->closing = true;
		}
	}
}

static void on_sender_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct sender *sender = ctx;

	sample(sender->outcome, binding, event->sid);
	if (event->type != FLUX_EVENT_CLOSED)
		return;
	if (event->reason != 0)
		die("sender", flux_strerror(event->reason));
	loop_stop(sender->loop);
}

static int start(void *ctx, struct loop *loop)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_pub_cfg pub_cfg = FLUX_PUB_CFG_INIT;
	struct sender *sender = ctx;
	char text[FLUX_ADDR_TEXT];
	struct flux_endpoint_cfg endpoint = FLUX_ENDPOINT_CFG_INIT;
	struct flux_pub *pub;

	endpoint.max_datagram = sender->options->max_datagram;
	cfg.endpoint = &endpoint;
	sender->loop = loop;
	sender->cpu_ns = bench_cpu_ns();
	cfg.on_event = on_sender_event;
	cfg.ctx = sender;
	cfg.no_offload = !sender->options->offload;
	pub_cfg.on_writable = on_writable;
	pub_cfg.ctx = sender;
	if (flux_binding_open(&sender->binding, loop->flux, &cfg) != 0 ||
	    flux_binding_connect(sender->binding, flux_addr_format(sender->to, text), &sender->sid) != 0 ||
	    flux_pub_open(&pub, sender->binding, sender->sid, &pub_cfg) != 0)
		die("sender", flux_loop_detail(loop->flux));
	return 0;
}

const char *flood_send(const struct flux_addr *to, const struct bench_options *options,
		       struct flood_outcome *outcome)
{
	struct sender sender = { .to = to, .options = options, .outcome = outcome };
	const struct loop_user user = { .start = start, .ctx = &sender };
	struct loop loop;

	sender.span_ns = (uint64_t)(options->seconds * 1e9);
	bench_host_run(options, 1, &loop, &user);
	outcome->cpu_ns = bench_cpu_ns() - sender.cpu_ns;
	return bench_host_name(&loop);
}
