/* SPDX-License-Identifier: MIT */
/*
 * An evhttp page on the base that receives Flux at full speed; how it answers is measured from
 * outside (examples/probe). The first line of output is HOST PORT of the page. With --size 1 the
 * stream is left out, for comparison; with --unbounded a ready socket is read until it is empty.
 */
#include "lib/flood.h"
#include "lib/greedy.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <flux/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICE 10

struct load {
	const struct bench_options *options;
	struct flux_addr addr;
};

/* The probe runs on this CPU too, and shall be measured waiting for the page, not for the CPU. */
static void sender_main(int fd, void *ctx)
{
	struct load *load = ctx;
	struct flood_outcome sent = { 0 };

	if (nice(NICE) == -1)
		bench_die("nice");
	(void)flood_send(&load->addr, load->options, &sent);
	bench_put(fd, &sent, sizeof(sent));
}

static void on_page(struct evhttp_request *request, void *ctx)
{
	struct evbuffer *page = evbuffer_new();

	(void)ctx;
	evbuffer_add_printf(page, "ok\n");
	evhttp_send_reply(request, HTTP_OK, "OK", page);
	evbuffer_free(page);
}

static struct evhttp *open_page(struct event_base *base)
{
	struct evhttp *http = evhttp_new(base);
	struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	if (!bound || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&addr, &len))
		bench_die("evhttp");
	evhttp_set_gencb(http, on_page, NULL);
	printf("127.0.0.1 %u\n", ntohs(addr.sin_port));
	fflush(stdout);
	return http;
}

static void on_end(void *base)
{
	event_base_loopbreak(base);
}

/* Until the flood has ended, or for as long as it would take. */
static void serve(struct load *load, struct flood_receiver *receiver)
{
	const struct bench_options *options = load->options;
	struct timeval span = { (time_t)options->seconds, 0 };
	struct event_base *base = event_base_new();
	struct flux_loop *loop;
	struct evhttp *http;
	int report;
	int rc;

	if (!base)
		bench_die("event_base_new");
	rc = options->unbounded ? greedy_open(&loop, base) : flux_loop_open_event(&loop, base);
	if (rc != 0)
		bench_die("loop");
	receiver->on_end = on_end;
	receiver->ctx = base;
	flood_receiver_open(receiver, loop, options, &load->addr);
	http = open_page(base);
	if (options->size > 1)
		bench_fork(sender_main, load, &report);
	else
		event_base_loopexit(base, &span);
	event_base_dispatch(base);
	evhttp_free(http);
	flux_loop_close(loop);
	event_base_free(base);
}

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1024, .seconds = 2, .offload = true };
	struct load load = { .options = &options };
	struct flood_receiver receiver = { 0 };
	const struct flood_outcome *outcome = &receiver.outcome;

	bench_parse(&options, argc, argv);
	if (options.spread)
		bench_pin(0);
	serve(&load, &receiver);
	while (wait(NULL) > 0)
		;
	printf("{\"bench\":\"http_load\",\"size\":%u,\"unbounded\":%d,\"messages_per_second\":%.0f}\n", options.size,
	       options.unbounded, outcome->ns ? (double)outcome->messages * 1e9 / (double)outcome->ns : 0.0);
	return 0;
}
