/* SPDX-License-Identifier: MIT */
/*
 * A client of examples/embed that asks for large values and reads no reply, until it is held back; then
 * reads, and finds each of them. Usage: embed_probe HOST:PORT MEMCACHED_PID KIB, which is what memcached
 * may grow by meanwhile.
 */
#include <flux/epoll.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE    100000u
#define REQUESTS 4000u        /* sets and gets: 200 MB each way */
#define STALL    FLUX_MS(500) /* without room for a request: held back */
#define LIMIT    FLUX_S(60)

struct probe {
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flux_pub *pub;
	unsigned sent, answered, wrong;
	bool closed;
};

static char *request, *reply;

/* Sets and gets by turns; a get finds what the set before it wrote. Returns the length. */
static size_t write_request(unsigned number)
{
	int n;

	if (number % 2)
		return (size_t)sprintf(request, "get probe\r\n");
	n = sprintf(request, "set probe 0 0 %u\r\n", VALUE);
	memset(request + n, 'a' + (int)(number / 2 % 26), VALUE);
	memcpy(request + n + VALUE, "\r\n", 2);
	return (size_t)n + VALUE + 2;
}

static size_t write_reply(unsigned number)
{
	int n;

	if (number % 2 == 0)
		return (size_t)sprintf(reply, "STORED\r\n");
	n = sprintf(reply, "VALUE probe 0 %u\r\n", VALUE);
	memset(reply + n, 'a' + (int)(number / 2 % 26), VALUE);
	return (size_t)n + VALUE + (size_t)sprintf(reply + n + VALUE, "\r\nEND\r\n");
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct probe *probe = ctx;
	size_t len = write_reply(probe->answered++);

	(void)sub;
	(void)sid;
	probe->wrong += msg->len != len || memcmp(msg->data, reply, len) != 0;
	return FLUX_TAKE;
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct probe *probe = ctx;

	(void)binding;
	if (event->type != FLUX_EVENT_CLOSED)
		return;
	probe->closed = true;
	if (event->reason != 0)
		fprintf(stderr, "embed_probe: %s %s\n", flux_strerror(event->reason), event->text);
}

/* Returns false when there is no room for the next request, or none is left. */
static bool send_one(struct probe *probe)
{
	if (probe->sent == REQUESTS ||
	    flux_pub_send(probe->pub, request, (uint32_t)write_request(probe->sent)) != 0)
		return false;
	probe->sent++;
	return true;
}

static long resident_kb(const char *pid)
{
	char path[64], line[128];
	long kb = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (file)
		fclose(file);
	return kb;
}

/* Send for as long as there is room now and then. */
static void send_until_held(struct probe *probe)
{
	flux_ts moved = flux_loop_now();

	while (!probe->closed && probe->sent < REQUESTS && flux_loop_now() - moved < STALL) {
		if (send_one(probe))
			moved = flux_loop_now();
		else
			flux_loop_poll_epoll(probe->loop, FLUX_MS(10));
	}
}

static bool read_all(struct probe *probe, flux_sid sid)
{
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = on_message, .ctx = probe };
	flux_ts until = flux_loop_now() + LIMIT;
	struct flux_sub *sub;

	if (flux_sub_open(&sub, probe->binding, sid, &in) != 0)
		return false;
	while (!probe->closed && probe->answered < REQUESTS && flux_loop_now() < until) {
		while (send_one(probe))
			;
		flux_loop_poll_epoll(probe->loop, FLUX_MS(10));
	}
	flux_binding_close_session(probe->binding, sid, FLUX_S(5));
	while (!probe->closed)
		flux_loop_poll_epoll(probe->loop, FLUX_NEVER);
	return probe->answered == REQUESTS && probe->wrong == 0;
}

int main(int argc, char **argv)
{
	struct probe probe = { 0 };
	struct flux_binding_cfg cfg = { .size = sizeof(cfg), .on_event = on_event, .ctx = &probe };
	long before, after;
	unsigned held_at;
	flux_sid sid;
	bool ok;

	request = malloc(VALUE + 256);
	reply = malloc(VALUE + 256);
	if (argc != 4 || !request || !reply || flux_loop_open_epoll(&probe.loop) != 0 ||
	    flux_binding_open(&probe.binding, probe.loop, &cfg) != 0 ||
	    flux_binding_connect(probe.binding, argv[1], &sid) != 0 ||
	    flux_pub_open(&probe.pub, probe.binding, sid, NULL) != 0)
		return fprintf(stderr, "embed_probe: cannot start\n"), 2;
	before = resident_kb(argv[2]);
	send_until_held(&probe);
	held_at = probe.sent;
	after = resident_kb(argv[2]);
	ok = read_all(&probe, sid);
	printf("held back after %u of %u requests, at %ld kB more; %u replies, %u wrong\n", held_at, REQUESTS,
	       after - before, probe.answered, probe.wrong);
	flux_loop_close(probe.loop);
	free(request);
	free(reply);
	return ok && held_at < REQUESTS && before > 0 && after - before < strtol(argv[3], NULL, 10) ? 0 : 1;
}
