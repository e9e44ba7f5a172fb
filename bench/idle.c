/* SPDX-License-Identifier: MIT */
/* What idle sessions cost: CPU time of both ends while nothing is sent. All are on one socket at each end. */
#include "lib/host.h"

#include <flux/binding.h>
#include <flux/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define SETTLE 1000000000u /* ns after the last handshake, before the clock runs */

struct end {
	const struct bench_options *options;
	struct loop loop;
	struct flux_binding *binding;
	struct flux_timer *timer;
	struct flux_addr peer; /* the server has none */
	int report;            /* the server's */
	uint32_t up;
	uint64_t cpu_ns, start_ns;
	double share; /* CPU time of the time measured */
};

static void die(const char *why)
{
	fprintf(stderr, "idle: %s\n", why);
	exit(1);
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct end *end = ctx;

	(void)binding;
	if (event->type == FLUX_EVENT_CLOSED)
		die(flux_strerror(event->reason));
	if (event->type == FLUX_EVENT_UP && ++end->up == end->options->sessions)
		flux_timer_set(end->timer, flux_loop_now() + SETTLE);
}

/* First the sessions have settled, then the time is over. */
static void on_due(void *ctx, struct flux_timer *timer)
{
	struct end *end = ctx;

	if (end->start_ns == 0) {
		end->cpu_ns = bench_cpu_ns();
		end->start_ns = bench_now_ns();
		flux_timer_set(timer, flux_loop_now() + (flux_ts)(end->options->seconds * 1e9));
		return;
	}
	end->share = (double)(bench_cpu_ns() - end->cpu_ns) / (double)(bench_now_ns() - end->start_ns);
	loop_stop(&end->loop);
}

static void connect_all(struct end *end)
{
	char text[FLUX_ADDR_TEXT];
	flux_sid sid;

	flux_addr_format(&end->peer, text);
	for (uint32_t i = 0; i < end->options->sessions; i++)
		if (flux_binding_connect(end->binding, text, &sid) != 0)
			die("cannot connect");
}

static int start(void *ctx, struct loop *loop)
{
	struct flux_endpoint_cfg endpoint = FLUX_ENDPOINT_CFG_INIT;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct end *end = ctx;
	struct flux_addr addr;

	endpoint.max_sessions = end->options->sessions;
	cfg.endpoint = &endpoint;
	cfg.local = end->peer.port ? NULL : "127.0.0.1:0";
	cfg.on_event = on_event;
	cfg.ctx = end;
	if (flux_binding_open(&end->binding, loop->flux, &cfg) != 0 ||
	    flux_timer_open(&end->timer, loop->flux, on_due, end) != 0)
		die(flux_loop_detail(loop->flux));
	if (end->peer.port) {
		connect_all(end);
	} else {
		flux_binding_local(end->binding, &addr);
		bench_put(end->report, &addr, sizeof(addr));
	}
	return 0;
}

static void run(struct end *end, unsigned nth)
{
	const struct loop_user user = { .start = start, .ctx = end };

	bench_host_run(end->options, nth, &end->loop, &user);
}

static void server_main(int fd, void *ctx)
{
	struct end end = { .options = ctx, .report = fd };

	run(&end, 0);
	bench_put(fd, &end.share, sizeof(end.share));
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1, .seconds = 10 };
	struct end end = { .options = &options };
	double there;
	int report;

	bench_parse(&options, argc, argv);
	bench_fork(server_main, &options, &report);
	bench_get(report, &end.peer, sizeof(end.peer));
	run(&end, 1);
	bench_get(report, &there, sizeof(there));
	wait(NULL);
	printf("{\"bench\":\"idle\",\"loop\":\"%s\",\"sessions\":%u,\"seconds\":%.0f,\"client_cpu_percent\":%.4f,"
	       "\"server_cpu_percent\":%.4f}\n",
	       bench_host_name(&end.loop), options.sessions, options.seconds, end.share * 100, there * 100);
	return 0;
}
