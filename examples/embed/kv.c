/* SPDX-License-Identifier: MIT */
/*
 * Between Flux sessions and memcached's own port. A message is one request of its text protocol, and so
 * is the reply; each session has a connection of its own, so what it does concerns nobody else, and the
 * order is TCP's. Both ends of that connection are in this process, and neither is ever waited for.
 */
#include "kv.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <flux/event.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "request.h"

#define MAX_SESSIONS 256          /* each takes two descriptors, of which memcached allows itself 1024 */
#define OUT_HIGH     (256 * 1024) /* bytes for memcached: from here on its session is paused, */
#define OUT_LOW      (64 * 1024)  /* and from here on resumed */
#define HIGHEST_FD   1024
#define CODE_REQUEST 256u /* close codes: no request, */
#define CODE_SERVER  257u /* or no memcached */

struct kv {
	struct event_base *base;
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct sockaddr_storage server;
	socklen_t server_len;
	struct link *links;
};

/* A session and its connection. */
struct link {
	struct link *next;
	struct kv *kv;
	flux_sid sid;
	struct flux_pub *pub;
	struct flux_sub *sub;
	struct bufferevent *tcp;
	size_t scanned; /* bytes of the first reply that need no second look */
	bool paused;    /* memcached takes no more at the moment */
};

/* The CLOSED event follows, and removes the link. */
static void give_up(struct link *link, uint32_t code, const char *why)
{
	bufferevent_disable(link->tcp, EV_READ | EV_WRITE);
	flux_binding_abort_session(link->kv->binding, link->sid, code, why);
}

/* ---- Requests, from the session to memcached ---- */

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid,
				 const struct flux_msg *msg)
{
	struct link *link = ctx;
	const char *why = request_check(msg->data, msg->len);

	(void)sub;
	(void)sid;
	if (why) {
		give_up(link, CODE_REQUEST, why);
		return FLUX_KEEP;
	}
	link->paused = evbuffer_get_length(bufferevent_get_output(link->tcp)) >= OUT_HIGH;
	if (link->paused)
		return FLUX_KEEP;
	if (bufferevent_write(link->tcp, msg->data, msg->len) != 0)
		give_up(link, CODE_SERVER, "no memory");
	return FLUX_TAKE;
}

/* No more than OUT_LOW is left for memcached. */
static void on_drained(struct bufferevent *tcp, void *ctx)
{
	struct link *link = ctx;

	(void)tcp;
	if (link->paused)
		flux_sub_resume(link->sub, link->sid);
	link->paused = false;
}

/* ---- Replies, from memcached to the session ---- */

/* The length of the first reply, 0 if it is not all there: lines and values, up to a line that is no VALUE. */
static size_t whole_reply(struct link *link, struct evbuffer *in)
{
	for (;;) {
		struct evbuffer_ptr at, end;
		char line[512] = "";
		size_t bytes, len;

		if (evbuffer_ptr_set(in, &at, link->scanned, EVBUFFER_PTR_SET) != 0)
			return 0;
		end = evbuffer_search_eol(in, &at, NULL, EVBUFFER_EOL_CRLF_STRICT);
		if (end.pos < 0)
			return 0;
		len = (size_t)end.pos - link->scanned;
		evbuffer_copyout_from(in, &at, line, len < sizeof(line) ? len : sizeof(line) - 1);
		if (sscanf(line, "VALUE %*s %*u %zu", &bytes) != 1)
			return (size_t)end.pos + 2;
		link->scanned = (size_t)end.pos + 2 + bytes + 2;
	}
}

static int send_reply(struct link *link, struct evbuffer *in, size_t len)
{
	static const char too_large[] = "SERVER_ERROR the value is larger than your limit for messages\r\n";
	int rc = flux_pub_send(link->pub, evbuffer_pullup(in, (ev_ssize_t)len), (uint32_t)len);

	if (rc == FLUX_EMSGSIZE)
		rc = flux_pub_send(link->pub, too_large, sizeof(too_large) - 1);
	return rc;
}

/* What the session has no room for stays in the connection, and memcached waits. */
static void relay_replies(struct link *link)
{
	struct evbuffer *in = bufferevent_get_input(link->tcp);
	size_t len;

	while ((len = whole_reply(link, in)) > 0) {
		if (send_reply(link, in, len) == FLUX_EAGAIN) {
			bufferevent_disable(link->tcp, EV_READ);
			return;
		}
		evbuffer_drain(in, len);
		link->scanned = 0;
	}
}

static void on_reply(struct bufferevent *tcp, void *ctx)
{
	(void)tcp;
	relay_replies(ctx);
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	struct link *link = ctx;

	(void)pub;
	bufferevent_enable(link->tcp, EV_READ);
	relay_replies(link);
}

static void on_connection(struct bufferevent *tcp, short what, void *ctx)
{
	(void)tcp;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		give_up(ctx, CODE_SERVER, "memcached closed the connection");
}

/* ---- Sessions ---- */

static void remove_link(struct link *link)
{
	struct link **at = &link->kv->links;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	flux_pub_close(link->pub);
	flux_sub_close(link->sub);
	if (link->tcp)
		bufferevent_free(link->tcp);
	free(link);
}

/* Returns whether a connection is on its way; it takes requests at once. */
static bool connect_server(struct link *link)
{
	const struct sockaddr *server = (const struct sockaddr *)&link->kv->server;
	int fd = socket(server->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return false;
	link->tcp = bufferevent_socket_new(link->kv->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!link->tcp) {
		close(fd);
		return false;
	}
	if (server->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bufferevent_setcb(link->tcp, on_reply, on_drained, on_connection, link);
	bufferevent_setwatermark(link->tcp, EV_WRITE, OUT_LOW, 0);
	bufferevent_enable(link->tcp, EV_READ | EV_WRITE);
	return bufferevent_socket_connect(link->tcp, server, (int)link->kv->server_len) == 0;
}

static void add_link(struct kv *kv, flux_sid sid)
{
	struct link *link = calloc(1, sizeof(*link));
	struct flux_pub_cfg out = { .size = sizeof(out), .on_writable = on_writable, .ctx = link };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = on_message, .ctx = link };

	if (link) {
		link->kv = kv;
		link->sid = sid;
		link->next = kv->links;
		kv->links = link;
		if (connect_server(link) && flux_pub_open(&link->pub, kv->binding, sid, &out) == 0 &&
		    flux_sub_open(&link->sub, kv->binding, sid, &in) == 0)
			return;
		remove_link(link);
	}
	flux_binding_abort_session(kv->binding, sid, CODE_SERVER, "memcached cannot be reached");
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct kv *kv = ctx;
	struct link *link = kv->links;

	(void)binding;
	if (event->type == FLUX_EVENT_UP) {
		add_link(kv, event->sid);
	} else if (event->type == FLUX_EVENT_CLOSED) {
		while (link && link->sid != event->sid)
			link = link->next;
		if (link)
			remove_link(link);
	}
}

/* ---- Open and close ---- */

/* Where this process listens: the first stream socket that does. Returns false if there is none. */
static bool find_server(struct kv *kv)
{
	for (int fd = 0; fd < HIGHEST_FD; fd++) {
		int listens = 0;
		socklen_t len = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens)
			continue;
		kv->server_len = sizeof(kv->server);
		if (getsockname(fd, (struct sockaddr *)&kv->server, &kv->server_len) == 0)
			return true;
	}
	return false;
}

static struct kv *fail(struct kv *kv, const char *local, const char *why)
{
	fprintf(stderr, "flux-embed: FLUX_EMBED=%s: %s; memcached goes on without it\n", local, why);
	kv_close(kv);
	return NULL;
}

struct kv *kv_open(struct event_base *base, const char *local)
{
	struct flux_endpoint_cfg limits = FLUX_ENDPOINT_CFG_INIT;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct kv *kv = calloc(1, sizeof(*kv));
	struct flux_addr addr;
	char text[FLUX_ADDR_TEXT];

	if (!kv || flux_loop_open_event(&kv->loop, base) < 0)
		return fail(kv, local, "no memory or no descriptor");
	kv->base = base;
	if (!find_server(kv))
		return fail(kv, local, "this process listens on no port");
	limits.max_sessions = MAX_SESSIONS;
	limits.max_message = KV_MAX_MESSAGE;
	cfg.local = local;
	cfg.endpoint = &limits;
	cfg.on_event = on_event;
	cfg.ctx = kv;
	if (flux_binding_open(&kv->binding, kv->loop, &cfg) < 0)
		return fail(kv, local, flux_loop_detail(kv->loop));
	flux_binding_local(kv->binding, &addr);
	fprintf(stderr, "flux-embed: listening on %s\n", flux_addr_format(&addr, text));
	return kv;
}

void kv_close(struct kv *kv)
{
	if (!kv)
		return;
	for (struct link *link = kv->links; link; link = link->next)
		flux_binding_abort_session(kv->binding, link->sid, CODE_SERVER, "memcached ends");
	while (kv->loop && flux_loop_on_turn(kv->loop) == 1)
		; /* sends these words */
	while (kv->links)
		remove_link(kv->links);
	flux_loop_close(kv->loop);
	free(kv);
}
