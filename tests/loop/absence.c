/* SPDX-License-Identifier: MIT */
/* A host that was away while much came: the binding catches up over several turns, and is all there after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>

#include <poll.h>

#include <flux/pub.h>
#include <flux/sub.h>

/* More than a turn reads after an absence: a batch told by the socket, and one more. */
#define MESSAGES 60u

/* A host of one socket that does what it is told, and sleeps when it is not asked for a turn. */
struct host {
	struct flux_loop *loop;
	struct flux_binding *binding;
	void *tag;
	int fd;
	bool asked;
	flux_sid sid;
	uint32_t received;
};

static int watch(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	struct host *host = arg;

	(void)slot;
	host->fd = events ? fd : -1;
	host->tag = tag;
	return 0;
}

static void rearm(void *arg)
{
	((struct host *)arg)->asked = true;
}

static void close_host(void *arg)
{
	(void)arg;
}

static const struct flux_loop_ops ops = {
	.size = sizeof(ops),
	.watch = watch,
	.rearm = rearm,
	.close = close_host,
};

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct host *host = ctx;

	(void)binding;
	if (event->type == FLUX_EVENT_UP)
		host->sid = event->sid;
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct host *host = ctx;

	(void)sub;
	(void)sid;
	(void)msg;
	host->received++;
	return FLUX_TAKE;
}

static void open_host(struct host *host, const char *local)
{
	struct flux_binding_cfg cfg = { .size = sizeof(cfg), .local = local, .no_offload = 1 };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = on_message, .ctx = host };
	struct flux_sub *sub;

	*host = (struct host){ .fd = -1 };
	cfg.on_event = on_event;
	cfg.ctx = host;
	assert_int_equal(flux_loop_create(&host->loop, &ops, host, NULL), 0);
	assert_int_equal(flux_binding_open(&host->binding, host->loop, &cfg), 0);
	assert_int_equal(flux_sub_open(&sub, host->binding, 0, &in), 0);
}

/* One round. Returns whether there was anything to do. */
static bool run(struct host *host)
{
	struct pollfd p = { .fd = host->fd, .events = POLLIN };
	bool ready = poll(&p, 1, 0) > 0;

	if (ready)
		flux_loop_on_fd(host->loop, host->tag, FLUX_LOOP_IN);
	if (!host->asked)
		return ready;
	host->asked = false;
	if (flux_loop_on_turn(host->loop) > 0)
		host->asked = true;
	return true;
}

static void connect_hosts(struct host *server, struct host *client)
{
	char text[FLUX_ADDR_TEXT];
	struct flux_addr addr;
	flux_sid sid;

	open_host(server, "127.0.0.1:0");
	open_host(client, NULL);
	flux_binding_local(server->binding, &addr);
	assert_int_equal(flux_binding_connect(client->binding, flux_addr_format(&addr, text), &sid), 0);
	while (!server->sid || !client->sid) {
		run(client);
		run(server);
	}
}

static void send_some(struct host *host, uint32_t n)
{
	static const char data[1000];
	struct flux_pub *pub;

	assert_int_equal(flux_pub_open(&pub, host->binding, host->sid, NULL), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(flux_pub_send(pub, data, sizeof(data)), 0);
	flux_pub_close(pub);
}

static void it_speaks_again(void **state)
{
	struct host server, client;
	flux_ts back;

	(void)state;
	connect_hosts(&server, &client);
	send_some(&client, MESSAGES);
	while (run(&client))
		;
	for (back = flux_loop_now() + 12000000; flux_loop_now() < back;)
		; /* the server is away */
	while (run(&server))
		;
	assert_int_equal(server.received, MESSAGES);
	send_some(&server, 1);
	assert_true(server.asked);
	while (run(&server))
		;
	while (run(&client))
		;
	assert_int_equal(client.received, 1);
	flux_loop_close(client.loop);
	flux_loop_close(server.loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_speaks_again),
	};

	return cmocka_run_group_tests_name("loop/absence", tests, NULL, NULL);
}
