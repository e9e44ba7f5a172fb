/* SPDX-License-Identifier: MIT */
/*
 * Request and response over Flux: `flux_rr -l HOST:PORT` answers until it is killed, `flux_rr
 * HOST:PORT` asks, one request at a time, and tells how long the answers took. What lies between
 * the two, a lossy relay for instance, is the caller's business.
 */
#include "lib/bench.h"
#include "common/hist.h"

#include <event2/event.h>
#include <flux/event.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rr {
	const struct bench_options *options;
	struct event_base *base;
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flux_pub *pub;
	struct flux_sub *sub;
	unsigned char *request;
	uint64_t sent_ns, end_ns;
	struct hist hist;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "flux_rr: %s: %s\n", what, why);
	exit(1);
}

static void ask(struct rr *rr)
{
	rr->sent_ns = bench_now_ns();
	if (flux_pub_send(rr->pub, rr->request, rr->options->size) != 0)
		die("send", "refused");
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	struct rr *rr = ctx;

	(void)pub;
	rr->end_ns = bench_now_ns() + (uint64_t)(rr->options->seconds * 1e9);
	ask(rr);
}

static enum flux_take on_answer(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct rr *rr = ctx;
	uint64_t now = bench_now_ns();

	(void)sub;
	(void)sid;
	if (msg->len != rr->options->size)
		die("answer", "of another size");
	hist_add(&rr->hist, now - rr->sent_ns);
	if (now < rr->end_ns)
		ask(rr);
	else
		event_base_loopbreak(rr->base);
	return FLUX_TAKE;
}

static enum flux_take on_request(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct rr *rr = ctx;

	(void)sub;
	(void)sid;
	return flux_pub_send(rr->pub, msg->data, msg->len) == 0 ? FLUX_TAKE : FLUX_KEEP;
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct rr *rr = ctx;

	if (event->type == FLUX_EVENT_UP && event->incoming) {
		flux_pub_close(rr->pub);
		if (flux_pub_open(&rr->pub, binding, event->sid, NULL) != 0)
			die("publication", "cannot open");
	} else if (event->type == FLUX_EVENT_CLOSED && event->incoming == 0 && !rr->options->listen) {
		die("session", flux_strerror(event->reason));
	}
}

static void open_all(struct rr *rr)
{
	const struct bench_options *options = rr->options;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_pub_cfg pub = FLUX_PUB_CFG_INIT;
	struct flux_sub_cfg sub = FLUX_SUB_CFG_INIT;
	flux_sid sid;

	cfg.local = options->listen ? options->addr : NULL;
	cfg.on_event = on_event;
	cfg.ctx = rr;
	pub.on_writable = on_writable;
	pub.ctx = rr;
	sub.on_message = options->listen ? on_request : on_answer;
	sub.ctx = rr;
	rr->base = event_base_new();
	rr->request = calloc(1, options->size);
	if (!rr->base || !rr->request || flux_loop_open_event(&rr->loop, rr->base) != 0)
		die("loop", "cannot open");
	if (flux_binding_open(&rr->binding, rr->loop, &cfg) != 0 ||
	    flux_sub_open(&rr->sub, rr->binding, 0, &sub) != 0)
		die("open", flux_loop_detail(rr->loop));
	if (!options->listen && (flux_binding_connect(rr->binding, options->addr, &sid) != 0 ||
				 flux_pub_open(&rr->pub, rr->binding, sid, &pub) != 0))
		die("connect", flux_loop_detail(rr->loop));
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 64, .seconds = 2 };
	struct rr *rr = calloc(1, sizeof(*rr));
	struct flux_addr local;
	char text[FLUX_ADDR_TEXT];

	bench_parse(&options, argc, argv);
	if (!rr || !options.addr)
		die("usage", "an address HOST:PORT is needed");
	rr->options = &options;
	if (options.spread)
		bench_pin(options.listen ? 0 : 1);
	open_all(rr);
	if (options.listen) {
		flux_binding_local(rr->binding, &local);
		printf("%s\n", flux_addr_format(&local, text));
		fflush(stdout);
	}
	event_base_dispatch(rr->base);
	printf("{\"bench\":\"flux_rr\",\"size\":%u,\"requests\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
	       "\"p999_us\":%.1f,\"max_us\":%.1f}\n",
	       options.size, (unsigned long long)rr->hist.count,
	       (double)hist_percentile(&rr->hist, 0.5) / 1e3, (double)hist_percentile(&rr->hist, 0.99) / 1e3,
	       (double)hist_percentile(&rr->hist, 0.999) / 1e3, (double)rr->hist.max / 1e3);
	flux_loop_close(rr->loop);
	event_base_free(rr->base);
	free(rr->request);
	free(rr);
	return 0;
}
