/* SPDX-License-Identifier: MIT */
/* Round trips of one message at a time over a session between two workers. */
#include "rtt.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include <flux/binding.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <flux/worker.h>

struct end {
	const struct rtt *rtt;
	struct flux_worker *worker;
	struct flux_pub *pub;
	struct flux_addr addr;        /* its own */
	const struct flux_addr *peer; /* NULL: answers */
	uint64_t sent_ns;
	uint32_t left;
	sem_t done;
};

static void die(const char *why)
{
	fprintf(stderr, "udp_rtt: %s\n", why);
	exit(1);
}

static void ask(struct end *end)
{
	static const unsigned char bytes[RTT_MOST];

	end->sent_ns = bench_now_ns();
	if (flux_pub_send(end->pub, bytes, end->rtt->options->size) != 0)
		die("a message was not taken");
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct end *end = ctx;

	(void)sub;
	(void)sid;
	if (!end->peer) {
		if (flux_pub_send(end->pub, msg->data, msg->len) != 0)
			die("an answer was not taken");
		return FLUX_TAKE;
	}
	hist_add(end->rtt->hist, bench_now_ns() - end->sent_ns);
	if (--end->left > 0)
		ask(end);
	else
		sem_post(&end->done);
	return FLUX_TAKE;
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct end *end = ctx;

	if (event->type != FLUX_EVENT_UP)
		return;
	if (flux_pub_open(&end->pub, binding, event->sid, NULL) != 0)
		die("no publication");
	if (end->peer)
		ask(end);
}

static int on_start(void *ctx, struct flux_loop *loop)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub_cfg = FLUX_SUB_CFG_INIT;
	struct flux_binding *binding;
	struct end *end = ctx;
	char text[FLUX_ADDR_TEXT];
	struct flux_sub *sub;
	flux_sid sid;

	cfg.local = "127.0.0.1:0";
	cfg.on_event = on_event;
	cfg.ctx = end;
	sub_cfg.on_message = on_message;
	sub_cfg.ctx = end;
	if (flux_binding_open(&binding, loop, &cfg) != 0 || flux_sub_open(&sub, binding, 0, &sub_cfg) != 0 ||
	    (end->peer && flux_binding_connect(binding, flux_addr_format(end->peer, text), &sid) != 0))
		die(flux_loop_detail(loop));
	flux_binding_local(binding, &end->addr);
	return 0;
}

static void open_end(struct end *end, uint32_t idle, uint32_t nth)
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	char why[FLUX_WHY_TEXT];

	cfg.idle = idle;
	cfg.pin = end->rtt->options->spread;
	cfg.cpu = cpus_nth(bench_cpus(), nth);
	cfg.on_start = on_start;
	cfg.ctx = end;
	if (flux_worker_open(&end->worker, &cfg, why) < 0)
		die(why);
}

void rtt_run_session(const struct rtt *rtt, uint32_t idle)
{
	struct end answers = { .rtt = rtt };
	struct end asks = { .rtt = rtt, .peer = &answers.addr, .left = rtt->trips };

	sem_init(&asks.done, 0, 0);
	open_end(&answers, idle, 0);
	open_end(&asks, idle, 1);
	while (sem_wait(&asks.done) < 0)
		;
	flux_worker_close(asks.worker);
	flux_worker_close(answers.worker);
	sem_destroy(&asks.done);
}
