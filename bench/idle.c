/* SPDX-License-Identifier: MIT */
/* What an idle session costs: CPU time of both ends while nothing is sent. */
#include "lib/bench.h"

#include <event2/event.h>
#include <flux/event.h>
#include <flux/binding.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define SETTLE_S 1 /* after the handshake, before the clock runs */

struct end {
	struct event_base *base;
	struct flux_binding *binding;
	struct flux_loop *loop;
	bool up;
};

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct end *end = ctx;

	(void)binding;
	if (event->type == FLUX_EVENT_UP)
		end->up = true;
	if (event->type == FLUX_EVENT_CLOSED) {
		fprintf(stderr, "idle: the session ended: %s\n", flux_strerror(event->reason));
		exit(1);
	}
}

static void open_end(struct end *end, const char *local)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;

	cfg.local = local;
	cfg.on_event = on_event;
	cfg.ctx = end;
	end->base = event_base_new();
	if (!end->base || flux_loop_open_event(&end->loop, end->base) != 0 ||
	    flux_binding_open(&end->binding, end->loop, &cfg) != 0)
		bench_die("idle");
}

/* CPU time as a share of the time measured. */
static double measure(struct end *end, double seconds)
{
	struct timeval settle = { SETTLE_S, 0 };
	struct timeval span = { (time_t)seconds, 0 };
	uint64_t cpu, start;

	event_base_loopexit(end->base, &settle);
	event_base_dispatch(end->base);
	if (!end->up) {
		fprintf(stderr, "idle: no session\n");
		exit(1);
	}
	cpu = bench_cpu_ns();
	start = bench_now_ns();
	event_base_loopexit(end->base, &span);
	event_base_dispatch(end->base);
	return (double)(bench_cpu_ns() - cpu) / (double)(bench_now_ns() - start);
}

static void server_main(int fd, void *ctx)
{
	const struct bench_options *options = ctx;
	struct end end = { 0 };
	struct flux_addr addr;
	double share;

	open_end(&end, "127.0.0.1:0");
	flux_binding_local(end.binding, &addr);
	bench_put(fd, &addr, sizeof(addr));
	share = measure(&end, options->seconds);
	bench_put(fd, &share, sizeof(share));
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1, .seconds = 10 };
	struct end end = { 0 };
	char text[FLUX_ADDR_TEXT];
	double here, there;
	struct flux_addr addr;
	flux_sid sid;
	int report;

	bench_parse(&options, argc, argv);
	bench_fork(server_main, &options, &report);
	bench_get(report, &addr, sizeof(addr));
	open_end(&end, NULL);
	if (flux_binding_connect(end.binding, flux_addr_format(&addr, text), &sid) != 0)
		bench_die("connect");
	here = measure(&end, options.seconds);
	bench_get(report, &there, sizeof(there));
	wait(NULL);
	printf("{\"bench\":\"idle\",\"seconds\":%.0f,\"client_cpu_percent\":%.4f,"
	       "\"server_cpu_percent\":%.4f}\n",
	       options.seconds, here * 100, there * 100);
	flux_loop_close(end.loop);
	event_base_free(end.base);
	return 0;
}
