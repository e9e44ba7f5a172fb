/* SPDX-License-Identifier: MIT */
/* Messages one way over Flux at a steady pace, one at a time: CPU time of both ends; cf. raw_paced. */
#include "lib/host.h"

#include <flux/binding.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <flux/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define LINGER 100000000u /* ns: a CLOSE that is repeated finds an answer */

struct outcome {
	uint64_t messages, sum, cpu_ns;
};

struct end {
	const struct bench_options *options;
	struct loop loop;
	struct flux_binding *binding;
	struct flux_pub *pub;     /* the sender's */
	struct flux_timer *timer; /* the next message; the receiver's: its end */
	struct flux_addr peer;    /* the receiver has none */
	int report;               /* the receiver's */
	flux_sid sid;
	flux_ts due;
	uint64_t cpu_ns;
	struct outcome outcome;
};

static void die(const char *why)
{
	fprintf(stderr, "flux_paced: %s\n", why);
	exit(1);
}

/* From here to take_time(): what the processor did while there was a pace. */
static void note_time(struct end *end)
{
	if (end->cpu_ns == 0)
		end->cpu_ns = bench_cpu_ns();
}

static void take_time(struct end *end)
{
	if (end->outcome.cpu_ns == 0)
		end->outcome.cpu_ns = bench_cpu_ns() - end->cpu_ns;
}

/* ---- Sending ---- */

static void send_one(struct end *end)
{
	struct flux_claim claim;

	if (flux_pub_claim(end->pub, end->options->size, &claim) != 0)
		die("no room for a message");
	bench_fill(claim.data, claim.len, end->outcome.messages);
	if (flux_pub_publish(end->pub, claim.len) != 0)
		die("a claim was not published");
	end->outcome.messages++;
}

static void on_pace(void *ctx, struct flux_timer *timer)
{
	struct end *end = ctx;

	if (end->outcome.messages >= (uint64_t)(end->options->seconds * end->options->rate)) {
		take_time(end);
		flux_binding_close_session(end->binding, end->sid, FLUX_NEVER);
		return;
	}
	send_one(end);
	end->due += 1000000000u / end->options->rate;
	flux_timer_set(timer, end->due);
}

static void on_sender_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct end *end = ctx;

	(void)binding;
	if (event->type == FLUX_EVENT_UP) {
		note_time(end);
		end->due = flux_loop_now();
		flux_timer_set(end->timer, end->due);
	}
	if (event->type != FLUX_EVENT_CLOSED)
		return;
	if (event->reason != 0)
		die(flux_strerror(event->reason));
	loop_stop(&end->loop);
}

static int start_sender(void *ctx, struct loop *loop)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct end *end = ctx;
	char text[FLUX_ADDR_TEXT];

	cfg.on_event = on_sender_event;
	cfg.ctx = end;
	if (flux_binding_open(&end->binding, loop->flux, &cfg) != 0 ||
	    flux_timer_open(&end->timer, loop->flux, on_pace, end) != 0 ||
	    flux_binding_connect(end->binding, flux_addr_format(&end->peer, text), &end->sid) != 0 ||
	    flux_pub_open(&end->pub, end->binding, end->sid, NULL) != 0)
		die(flux_loop_detail(loop->flux));
	return 0;
}

/* ---- Receiving ---- */

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct end *end = ctx;

	(void)sub;
	(void)sid;
	note_time(end);
	end->outcome.sum += bench_sum(msg->data, msg->len);
	end->outcome.messages++;
	return FLUX_TAKE;
}

static void on_receiver_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct end *end = ctx;

	(void)binding;
	if (event->type == FLUX_EVENT_EOS)
		take_time(end);
	if (event->type == FLUX_EVENT_CLOSED)
		flux_timer_set(end->timer, flux_loop_now() + LINGER);
}

static void on_lingered(void *ctx, struct flux_timer *timer)
{
	struct end *end = ctx;

	(void)timer;
	loop_stop(&end->loop);
}

static int start_receiver(void *ctx, struct loop *loop)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub_cfg = FLUX_SUB_CFG_INIT;
	struct end *end = ctx;
	struct flux_addr addr;
	struct flux_sub *sub;

	cfg.local = "127.0.0.1:0";
	cfg.on_event = on_receiver_event;
	cfg.ctx = end;
	sub_cfg.on_message = on_message;
	sub_cfg.ctx = end;
	if (flux_binding_open(&end->binding, loop->flux, &cfg) != 0 ||
	    flux_timer_open(&end->timer, loop->flux, on_lingered, end) != 0 ||
	    flux_sub_open(&sub, end->binding, 0, &sub_cfg) != 0)
		die(flux_loop_detail(loop->flux));
	flux_binding_local(end->binding, &addr);
	bench_put(end->report, &addr, sizeof(addr));
	return 0;
}

static void receiver_main(int fd, void *ctx)
{
	struct end end = { .options = ctx, .report = fd };
	const struct loop_user user = { .start = start_receiver, .ctx = &end };

	bench_host_run(end.options, 0, &end.loop, &user);
	bench_put(fd, &end.outcome, sizeof(end.outcome));
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 64, .seconds = 2 };
	struct end end = { .options = &options };
	const struct loop_user user = { .start = start_sender, .ctx = &end };
	struct outcome received;
	int report;

	bench_parse(&options, argc, argv);
	bench_fork(receiver_main, &options, &report);
	bench_get(report, &end.peer, sizeof(end.peer));
	bench_host_run(&options, 1, &end.loop, &user);
	bench_get(report, &received, sizeof(received));
	wait(NULL);
	printf("{\"bench\":\"flux_paced\",\"loop\":\"%s\",\"size\":%u,\"rate\":%u,\"sent\":%llu,\"received\":%llu,"
	       "\"tx_cpu_ns\":%.0f,\"rx_cpu_ns\":%.0f}\n",
	       bench_host_name(&end.loop), options.size, options.rate, (unsigned long long)end.outcome.messages,
	       (unsigned long long)received.messages, (double)end.outcome.cpu_ns / (double)end.outcome.messages,
	       (double)received.cpu_ns / (double)received.messages);
	return received.messages == end.outcome.messages ? 0 : 1;
}
