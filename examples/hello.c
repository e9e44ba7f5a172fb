/* SPDX-License-Identifier: MIT */
/* A message from one UDP socket to another, both on one libevent base: hello [HOST:PORT]. */
#include <event2/event.h>
#include <flux/event.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <stdio.h>

static enum flux_take on_message(void *base, struct flux_sub *sub, flux_sid sid,
				 const struct flux_msg *msg)
{
	(void)sub;
	printf("session %u: %.*s\n", sid, (int)msg->len, (const char *)msg->data);
	event_base_loopbreak(base);
	return FLUX_TAKE;
}

int main(int argc, char **argv)
{
	const char *server_addr = argc > 1 ? argv[1] : "127.0.0.1:7000";
	struct event_base *base = event_base_new();
	struct flux_binding_cfg at = { .size = sizeof(at), .local = server_addr };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = on_message, .ctx = base };
	struct flux_loop *loop = NULL;
	struct flux_binding *server, *client;
	struct flux_sub *sub;
	struct flux_pub *pub;
	flux_sid sid;

	if (flux_loop_open_event(&loop, base) || flux_binding_open(&server, loop, &at) ||
	    flux_sub_open(&sub, server, 0, &in) || flux_binding_open(&client, loop, NULL) ||
	    flux_binding_connect(client, server_addr, &sid) || flux_pub_open(&pub, client, sid, NULL))
		return fprintf(stderr, "%s\n", loop ? flux_loop_detail(loop) : "no event loop"), 1;
	while (flux_pub_send(pub, "Hello over UDP!", 15) == FLUX_EAGAIN)
		event_base_loop(base, EVLOOP_ONCE); /* until the session is up */
	event_base_dispatch(base);
	flux_loop_close(loop);
	event_base_free(base);
	return 0;
}
