/* SPDX-License-Identifier: MIT */
/*
 * An ordinary evhttp service that also publishes and subscribes over Flux, all on one event_base.
 *
 * Every session carries small status messages in both directions. With --send a file goes to the
 * peer, with --save it is written by the one who gets it; `/` shows both directions live.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <flux/event.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_MS   200 /* between two status messages, and two looks at the rates */
#define LEAVE_MS    300 /* answer a peer that did not hear our last word */
#define STATUS_TEXT 128
#define CODE_DISK   256u /* close code: cannot write the file */

/* The first byte of each message says what it is. */
enum kind {
	KIND_STATUS = 'S', /* text for people */
	KIND_DATA = 'D',   /* a piece of the file */
	KIND_END = 'E',    /* the file is complete */
	KIND_SAVED = 'A',  /* the answer to it: it is on our disk */
};

struct flow {
	uint64_t messages, bytes;
	uint64_t last_messages, last_bytes; /* at the last tick */
	double messages_rate, bytes_rate;   /* a second */
};

struct link {
	struct link *next;
	struct flux_pub *pub;
	flux_sid sid;
	bool up;
	bool ours;     /* we connected: the file goes here */
	bool receives; /* a file comes from there */
	bool answer;   /* KIND_SAVED is still to be sent */
	char says[STATUS_TEXT];
	struct flux_session_stats stats;
};

struct service {
	struct event_base *base;
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flux_sub *sub;
	struct evhttp *http;
	struct event *tick;
	struct link *links;
	const char *http_addr, *flux_addr, *peer, *send, *save;
	bool once;   /* end when the file is across */
	int in, out; /* the files, or -1 */
	bool sent;   /* the last piece was accepted */
	bool done;   /* the file is across and both ends know */
	int status;  /* exit code */
	uint64_t file_bytes;
	flux_ts ticked_at, first_at, last_at; /* of the file */
	uint64_t lost, resent;                /* of sessions that ended */
	struct flow received, published;
};

/* The loop runs on a little so that the peer hears of the end. */
static void leave(struct service *service, int status)
{
	struct timeval tv = { 0, LEAVE_MS * 1000 };

	service->status = status;
	event_base_loopexit(service->base, &tv);
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "service: %s: %s\n", what, why);
	return 1;
}

static struct link *find_link(struct service *service, flux_sid sid)
{
	struct link *link = service->links;

	while (link && link->sid != sid)
		link = link->next;
	return link;
}

/* Publishing */

static bool publish(struct service *service, struct link *link, enum kind kind, const char *text)
{
	char message[STATUS_TEXT + 1];
	size_t len = (size_t)snprintf(message, sizeof(message), "%c%s", kind, text);

	if (flux_pub_send(link->pub, message, (uint32_t)len) != 0)
		return false;
	service->published.messages++;
	service->published.bytes += len;
	return true;
}

/* One piece of the file, read straight into the datagram that carries it. Returns false to pause. */
static bool publish_piece(struct service *service, struct link *link)
{
	struct flux_claim claim;
	ssize_t n;

	if (flux_pub_claim(link->pub, flux_pub_max_claim(link->pub), &claim) != 0)
		return false; /* full: on_writable goes on */
	n = read(service->in, (char *)claim.data + 1, claim.len - 1);
	if (n < 0) {
		flux_pub_abort(link->pub);
		leave(service, fail(service->send, strerror(errno)));
		service->sent = true;
		return false;
	}
	*(char *)claim.data = (char)(n > 0 ? KIND_DATA : KIND_END);
	service->sent = n == 0;
	service->file_bytes += (uint64_t)n;
	service->published.messages++;
	service->published.bytes += (uint64_t)n + 1;
	return flux_pub_publish(link->pub, (uint32_t)n + 1) == 0 && n > 0;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	struct service *service = ctx;
	struct link *link = find_link(service, flux_pub_sid(pub));

	if (!link)
		return;
	if (link->answer && publish(service, link, KIND_SAVED, ""))
		link->answer = false;
	if (!link->ours || service->in < 0)
		return;
	if (service->first_at == 0)
		service->first_at = flux_loop_now();
	while (!service->sent && publish_piece(service, link))
		;
}

/* Receiving */

static enum flux_take refuse(struct service *service, struct link *link, const char *text)
{
	flux_binding_abort_session(service->binding, link->sid, CODE_DISK, text);
	return FLUX_KEEP;
}

/* The first piece of a file: of a session that broke off, nothing is kept. */
static bool begin_file(struct service *service, struct link *link)
{
	link->receives = true;
	service->done = false;
	service->file_bytes = 0;
	service->first_at = flux_loop_now();
	return service->out < 0 ||
	       (ftruncate(service->out, 0) == 0 && lseek(service->out, 0, SEEK_SET) == 0);
}

static enum flux_take save(struct service *service, struct link *link, const char *data, size_t len)
{
	ssize_t n;

	if (!link->receives && !begin_file(service, link))
		return refuse(service, link, strerror(errno));
	service->file_bytes += len;
	if (service->out < 0)
		return FLUX_TAKE; /* counted, not kept */
	for (; len > 0; data += n, len -= (size_t)n) {
		n = write(service->out, data, len);
		if (n < 0 && errno != EINTR)
			return refuse(service, link, strerror(errno));
		if (n < 0)
			n = 0;
	}
	return FLUX_TAKE;
}

static void remember(struct link *link, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < STATUS_TEXT - 1; i++)
		link->says[i] = strchr("\"\\<>&", text[i]) || text[i] < ' ' ? '?' : text[i];
	link->says[i] = '\0';
}

static void on_saved(struct service *service, struct link *link)
{
	service->done = true;
	service->last_at = flux_loop_now();
	if (service->once)
		flux_binding_close_session(service->binding, link->sid, FLUX_S(5));
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid,
				 const struct flux_msg *msg)
{
	struct service *service = ctx;
	struct link *link = find_link(service, sid);
	const char *data = msg->data;
	enum flux_take take = FLUX_TAKE;

	(void)sub;
	if (!link || msg->len == 0)
		return FLUX_TAKE;
	switch (data[0]) {
	case KIND_DATA:
		take = save(service, link, data + 1, msg->len - 1);
		break;
	case KIND_END:
		take = save(service, link, data + 1, 0); /* of an empty file there was no piece */
		service->done = true;
		service->last_at = flux_loop_now();
		link->answer = !publish(service, link, KIND_SAVED, "");
		break;
	case KIND_SAVED:
		on_saved(service, link);
		break;
	default:
		remember(link, data + 1, msg->len - 1);
	}
	if (take == FLUX_TAKE) {
		service->received.messages++;
		service->received.bytes += msg->len;
	}
	return take;
}

/* Sessions */

static struct link *add_link(struct service *service, flux_sid sid, bool ours)
{
	struct flux_pub_cfg cfg = FLUX_PUB_CFG_INIT;
	struct link *link = calloc(1, sizeof(*link));

	cfg.on_writable = on_writable;
	cfg.ctx = service;
	if (!link || flux_pub_open(&link->pub, service->binding, sid, &cfg) != 0) {
		free(link);
		flux_binding_abort_session(service->binding, sid, CODE_DISK, "no memory");
		return NULL;
	}
	link->sid = sid;
	link->ours = ours;
	link->next = service->links;
	service->links = link;
	return link;
}

static void connect_peer(struct service *service)
{
	flux_sid sid;

	if (service->in >= 0 && !service->done) { /* from its beginning, also after a session broke off */
		service->sent = false;
		service->file_bytes = 0;
		if (lseek(service->in, 0, SEEK_SET) != 0)
			leave(service, fail(service->send, strerror(errno)));
	}
	if (flux_binding_connect(service->binding, service->peer, &sid) == 0)
		add_link(service, sid, true);
	else
		leave(service, fail(service->peer, flux_loop_detail(service->loop)));
}

static void remove_link(struct service *service, struct link *link)
{
	struct link **at = &service->links;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	service->lost += link->stats.lost;
	service->resent += link->stats.retransmitted;
	flux_pub_close(link->pub);
	free(link);
}

static void look_at(struct service *service, struct link *link)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };

	if (flux_binding_get_session_stats(service->binding, link->sid, &stats) == 0)
		link->stats = stats;
}

static void on_closed(struct service *service, struct link *link, const struct flux_event *event)
{
	bool ours = link->ours;

	look_at(service, link);
	remove_link(service, link);
	if (service->once && service->done)
		leave(service, 0);
	else if (service->once)
		leave(service, fail(flux_strerror(event->reason), event->text));
	else if (ours)
		connect_peer(service);
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct service *service = ctx;
	struct link *link = find_link(service, event->sid);

	(void)binding;
	if (event->type == FLUX_EVENT_UP) {
		if (!link)
			link = add_link(service, event->sid, false);
		if (link)
			link->up = true;
	} else if (event->type == FLUX_EVENT_CLOSED && link) {
		on_closed(service, link, event);
	}
}

static void update_rate(struct flow *flow, double seconds)
{
	flow->messages_rate = (double)(flow->messages - flow->last_messages) / seconds;
	flow->bytes_rate = (double)(flow->bytes - flow->last_bytes) / seconds;
	flow->last_messages = flow->messages;
	flow->last_bytes = flow->bytes;
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct service *service = ctx;
	flux_ts now = flux_loop_now();
	double seconds = (double)(now - service->ticked_at) / 1e9;
	char text[STATUS_TEXT];

	(void)fd;
	(void)what;
	service->ticked_at = now;
	snprintf(text, sizeof(text), "%" PRIu64 " messages received here, %.1f MB of the file",
		 service->received.messages, (double)service->file_bytes / 1e6);
	for (struct link *link = service->links; link; link = link->next) {
		look_at(service, link);
		if (link->up)
			publish(service, link, KIND_STATUS, text); /* full: the next one will do */
	}
	update_rate(&service->received, seconds);
	update_rate(&service->published, seconds);
}

/* Pages */

static void add_flow(struct evbuffer *page, const char *name, const struct flow *flow)
{
	evbuffer_add_printf(page,
			    "\"%s\":{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64
			    ",\"messages_per_second\":%.0f,\"bytes_per_second\":%.0f},",
			    name, flow->messages, flow->bytes, flow->messages_rate, flow->bytes_rate);
}

static void add_stats(struct evbuffer *page, const struct service *service)
{
	uint64_t lost = service->lost, resent = service->resent, srtt = 0;
	const char *says = "";
	unsigned sessions = 0;

	for (const struct link *link = service->links; link; link = link->next) {
		sessions += link->up;
		lost += link->stats.lost;
		resent += link->stats.retransmitted;
		srtt = link->stats.srtt;
		says = link->says;
	}
	evbuffer_add_printf(page, "{");
	add_flow(page, "in", &service->received);
	add_flow(page, "out", &service->published);
	evbuffer_add_printf(page,
			    "\"sessions\":%u,\"losses_repaired\":%" PRIu64 ",\"sent_again\":%" PRIu64
			    ",\"srtt_us\":%" PRIu64 ",\"file_bytes\":%" PRIu64
			    ",\"file_done\":%s,\"peer_says\":\"%s\"}\n",
			    sessions, lost, resent, srtt / 1000, service->file_bytes,
			    service->done ? "true" : "false", says);
}

static void reply(struct evhttp_request *request, const char *type, struct evbuffer *page)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Cache-Control", "no-store");
	evhttp_send_reply(request, HTTP_OK, "OK", page);
	evbuffer_free(page);
}

static void on_stats(struct evhttp_request *request, void *ctx)
{
	struct evbuffer *page = evbuffer_new();

	add_stats(page, ctx);
	reply(request, "application/json", page);
}

static void on_health(struct evhttp_request *request, void *ctx)
{
	struct evbuffer *page = evbuffer_new();

	(void)ctx;
	evbuffer_add_printf(page, "ok\n");
	reply(request, "text/plain", page);
}

static const char page_html[] =
	"<!doctype html><meta charset=utf-8><title>Flux service</title>"
	"<style>body{font:16px sans-serif;margin:2em}td,th{padding:.3em 1em;text-align:right}</style>"
	"<h1>Flux beside HTTP, on one event loop</h1>"
	"<table><tr><th><th>messages<th>bytes<th>messages/s<th>MB/s"
	"<tr id=in><th>in<td><td><td><td><tr id=out><th>out<td><td><td><td></table>"
	"<p id=more></p><p>The peer says: <span id=says></span></p>"
	"<script>const row=(id,f)=>{const c=document.getElementById(id).cells;"
	"c[1].textContent=f.messages;c[2].textContent=f.bytes;c[3].textContent=f.messages_per_second;"
	"c[4].textContent=(f.bytes_per_second/1e6).toFixed(1)};"
	"const look=async()=>{const s=await(await fetch('/stats')).json();row('in',s.in);row('out',s.out);"
	"more.textContent=`${s.sessions} sessions, ${s.losses_repaired} losses repaired, "
	"${s.sent_again} datagrams sent again, round trip ${s.srtt_us} us, file ${s.file_bytes} bytes`+"
	"(s.file_done?', complete':'');says.textContent=s.peer_says};"
	"setInterval(look,500);look()</script>";

static void on_page(struct evhttp_request *request, void *ctx)
{
	struct evbuffer *page = evbuffer_new();

	(void)ctx;
	evbuffer_add_reference(page, page_html, sizeof(page_html) - 1, NULL, NULL);
	reply(request, "text/html", page);
}

/* Setup */

static int open_http(struct service *service, char *text, size_t size)
{
	const char *colon = strrchr(service->http_addr, ':');
	struct evhttp_bound_socket *bound;
	struct sockaddr_storage ss;
	ev_socklen_t len = sizeof(ss);
	char host[64];

	if (!colon || (size_t)(colon - service->http_addr) >= sizeof(host))
		return fail(service->http_addr, "is no HOST:PORT");
	snprintf(host, sizeof(host), "%.*s", (int)(colon - service->http_addr), service->http_addr);
	service->http = evhttp_new(service->base);
	bound = service->http ? evhttp_bind_socket_with_handle(service->http, host,
							       (uint16_t)atoi(colon + 1)) :
				NULL;
	if (!bound)
		return fail(service->http_addr, "cannot listen there");
	evhttp_set_cb(service->http, "/", on_page, service);
	evhttp_set_cb(service->http, "/stats", on_stats, service);
	evhttp_set_cb(service->http, "/healthz", on_health, service);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&ss, &len);
	/* The port is at the same place for IPv4 and IPv6. */
	snprintf(text, size, "http://%s:%u/", host, ntohs(((struct sockaddr_in *)&ss)->sin_port));
	return 0;
}

static int open_flux(struct service *service)
{
	struct flux_endpoint_cfg endpoint = FLUX_ENDPOINT_CFG_INIT;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub = FLUX_SUB_CFG_INIT;

	endpoint.accept = 1;
	endpoint.connect_timeout = FLUX_NEVER; /* the peer may start when it likes */
	cfg.local = service->flux_addr;
	cfg.endpoint = &endpoint;
	cfg.on_event = on_event;
	cfg.ctx = service;
	sub.on_message = on_message;
	sub.ctx = service;
	if (flux_loop_open_event(&service->loop, service->base) != 0)
		return fail("event loop", strerror(errno));
	if (flux_binding_open(&service->binding, service->loop, &cfg) != 0 ||
	    flux_sub_open(&service->sub, service->binding, 0, &sub) != 0)
		return fail(service->flux_addr, flux_loop_detail(service->loop));
	return 0;
}

static int open_files(struct service *service)
{
	if (service->send && (service->in = open(service->send, O_RDONLY | O_CLOEXEC)) < 0)
		return fail(service->send, strerror(errno));
	if (service->save &&
	    (service->out = open(service->save, O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) < 0)
		return fail(service->save, strerror(errno));
	return 0;
}

static int run(struct service *service)
{
	struct timeval tv = { 0, STATUS_MS * 1000 };
	struct flux_addr addr;
	char http[128], text[FLUX_ADDR_TEXT];

	service->base = event_base_new();
	if (!service->base || open_files(service) || open_http(service, http, sizeof(http)) ||
	    open_flux(service))
		return 1;
	flux_binding_local(service->binding, &addr);
	printf("%s %s\n", http, flux_addr_format(&addr, text));
	fflush(stdout);
	service->ticked_at = flux_loop_now();
	service->tick = event_new(service->base, -1, EV_PERSIST, on_tick, service);
	event_add(service->tick, &tv);
	if (service->peer)
		connect_peer(service);
	event_base_dispatch(service->base);
	return service->status;
}

/* What the file took, as one JSON line. */
static void print_summary(const struct service *service)
{
	double seconds = (double)(service->last_at - service->first_at) / 1e9;

	printf("{\"file_bytes\":%" PRIu64 ",\"seconds\":%.3f,\"lost\":%" PRIu64 ",\"sent_again\":%" PRIu64
	       ",\"messages_in\":%" PRIu64 ",\"messages_out\":%" PRIu64 "}\n",
	       service->file_bytes, seconds, service->lost, service->resent, service->received.messages,
	       service->published.messages);
}

static void clean_up(struct service *service)
{
	while (service->links)
		remove_link(service, service->links);
	flux_loop_close(service->loop);
	if (service->tick)
		event_free(service->tick);
	if (service->http)
		evhttp_free(service->http);
	if (service->base)
		event_base_free(service->base);
	if (service->in >= 0)
		close(service->in);
	if (service->out >= 0)
		close(service->out);
}

static int usage(FILE *to)
{
	fputs("Usage: service HTTP-HOST:PORT FLUX-HOST:PORT [--peer HOST:PORT] [--send FILE]\n"
	      "               [--save FILE] [--once]\n"
	      "--once: end when the file is across. Port 0: a free one; the first line of output\n"
	      "tells both addresses.\n",
	      to);
	return to == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "peer", required_argument, NULL, 'p' },
						 { "send", required_argument, NULL, 's' },
						 { "save", required_argument, NULL, 'o' },
						 { "once", no_argument, NULL, '1' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct service service = { .in = -1, .out = -1 };
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			service.peer = optarg;
		else if (option == 's')
			service.send = optarg;
		else if (option == 'o')
			service.save = optarg;
		else if (option == '1')
			service.once = true;
		else
			return usage(option == 'h' ? stdout : stderr);
	}
	if (argc - optind != 2 || (service.send && !service.peer))
		return usage(stderr);
	service.http_addr = argv[optind];
	service.flux_addr = argv[optind + 1];
	status = run(&service);
	clean_up(&service);
	if (service.once && status == 0)
		print_summary(&service);
	return status;
}
