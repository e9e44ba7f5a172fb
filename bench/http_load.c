/* SPDX-License-Identifier: MIT */
/*
 * An evhttp page on the base that receives Flux at full speed; how it answers is measured from
 * outside (examples/probe). The first line of output is HOST PORT of the page. With --size 1 the
 * stream is left out, for comparison.
 */
#include "lib/flood.h"

#include <event2/buffer.h>
#include <event2/http.h>
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

	if (load->options->spread)
		bench_pin(1);
	if (nice(NICE) == -1)
		bench_die("nice");
	flood_send(&load->addr, load->options, &sent);
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

int main(int argc, char **argv)
{
	struct bench_options options = { .size = 1024, .seconds = 2, .offload = true };
	struct load load = { .options = &options };
	struct flood_receiver receiver = { 0 };
	struct event_base *base;
	struct timeval span;
	struct evhttp *http;
	int report;

	bench_parse(&options, argc, argv);
	span = (struct timeval){ (time_t)options.seconds, 0 };
	if (options.spread)
		bench_pin(0);
	base = event_base_new();
	flood_receiver_open(&receiver, base, &options, &load.addr);
	http = open_page(base);
	if (options.size > 1)
		bench_fork(sender_main, &load, &report);
	else
		event_base_loopexit(base, &span);
	event_base_dispatch(base);
	evhttp_free(http);
	flood_receiver_close(&receiver);
	event_base_free(base);
	while (wait(NULL) > 0)
		;
	printf("{\"bench\":\"http_load\",\"size\":%u,\"messages_per_second\":%.0f}\n", options.size,
	       receiver.outcome.ns ? (double)receiver.outcome.messages * 1e9 / (double)receiver.outcome.ns : 0.0);
	return 0;
}
