/* SPDX-License-Identifier: MIT */
/* S13: what goes to a peer is refused for a while: told once each way, tried less and less, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/inject.h"
#include "tests/lib/netns.h"
#include "tests/loop/world.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Two namespaces of our own, joined by a pair of interfaces; -1: we may not. */
static int near_ns = -1, far_ns = -1;

/* What is told of b's session. */
static struct {
	uint32_t down, up, wrong;
	struct flux_event last;
} told;

static void on_told(struct end *end, enum where where, const struct flux_event *event)
{
	if (where != IN_EVENT || (event->type != FLUX_EVENT_PATH_DOWN && event->type != FLUX_EVENT_PATH_UP))
		return;
	told.wrong += event->sid != end->sid || event->sid == 0;
	if (event->type == FLUX_EVENT_PATH_DOWN)
		told.wrong += ++told.down != told.up + 1;
	else
		told.wrong += ++told.up != told.down;
	told.last = *event;
}

static struct world *begin(void **state)
{
	struct world *w = *state;

	inject_clear();
	memset(&told, 0, sizeof(told));
	w->b.hook = on_told;
	return w;
}

/* As much as fits, so that there always is something to send. */
static void send_more(struct end *end)
{
	while (end_send(end, 1000) == 0)
		;
}

static void finish(struct world *w)
{
	inject_error(INJECT_SEND, 0, 0, 0);
	world_until(w, w->a.received == w->b.sent && told.up == told.down);
	assert_int_equal(told.wrong, 0);
	assert_int_equal(w->a.closes + w->b.closes, 0);
}

static uint64_t errors_of(const struct end *end)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };

	flux_binding_get_stats(end->binding, &stats);
	return stats.tx_errors;
}

/*
 * Refused for as long as it takes to be told, then not any more. While it lasts, attempts grow apart: of the
 * first window each datagram is tried, then a few a second.
 */
static void s13_down_and_up(void **state)
{
	static const int errors[] = { ENETUNREACH, EINVAL };
	struct world *w = begin(state);
	char peer[FLUX_ADDR_TEXT];

	world_connect(w);
	for (size_t i = 0; i < COUNT(errors); i++) {
		uint64_t before;

		inject_error(INJECT_SEND, errors[i], 0, INJECT_FOREVER);
		send_more(&w->b);
		world_until(w, told.down == i + 1);
		assert_int_equal(told.last.type, FLUX_EVENT_PATH_DOWN);
		assert_int_equal(told.last.reason, -errors[i]);
		assert_string_equal(told.last.text, strerror(errors[i]));
		assert_string_equal(flux_addr_format(&told.last.peer, peer), w->a.local);
		before = inject_count(INJECT_SEND);
		for (int k = 0; k < 3; k++)
			world_idle(w);
		assert_true(inject_count(INJECT_SEND) - before < 50);
		finish(w);
		assert_int_equal(told.up, i + 1);
		assert_int_equal(told.last.type, FLUX_EVENT_PATH_UP);
	}
	assert_true(errors_of(&w->b) > 0);
}

/* A moment's refusal, or that of one datagram, is nobody's news. */
static void s13_moments(void **state)
{
	struct world *w = begin(state);

	world_connect(w);
	for (int i = 0; i < 50; i++) {
		inject_error(INJECT_SEND, ENETUNREACH, (uint32_t)i % 3, 4);
		send_more(&w->b);
		world_until(w, w->a.received == w->b.sent);
	}
	assert_int_equal(told.down + told.up, 0);
	assert_true(errors_of(&w->a) + errors_of(&w->b) > 0);
	finish(w);
}

/*
 * It never comes back: the session ends as any other that hears nothing. Who connects meanwhile is told why
 * nothing happens, before there is a session; and nothing more of the one that ended.
 */
static void s13_for_ever(void **state)
{
	struct flux_endpoint_cfg cfg = FLUX_ENDPOINT_CFG_INIT;
	struct world *w = begin(state);
	struct end c = { .world = w, .no_sub = true };

	cfg.idle_timeout = FLUX_MS(500);
	w->b.cfg.endpoint = &cfg;
	world_connect(w);
	inject_error(INJECT_SEND, ENETUNREACH, 0, INJECT_FOREVER);
	send_more(&w->b);
	world_until(w, w->b.closes == 1);
	assert_int_equal(w->b.last.reason, FLUX_ETIMEDOUT);
	assert_int_equal(told.down, 1);
	memset(&told, 0, sizeof(told)); /* from now on of the other one */
	c.hook = on_told;
	end_open(&c, NULL);
	end_connect(&c, w->a.local);
	world_until(w, told.down == 1);
	assert_int_equal(c.ups, 0);
	inject_error(INJECT_SEND, 0, 0, 0);
	world_until(w, c.ups == 1 && told.up == 1);
	assert_int_equal(told.down, 1);
	assert_int_equal(told.wrong, 0);
	flux_binding_close(c.binding);
	world_until(w, c.ended);
}

/* One that is over is news no more, though its last words are tried for a while, a long one after the first. */
static void s13_after_the_end(void **state)
{
	struct flux_endpoint_cfg cfg = FLUX_ENDPOINT_CFG_INIT;
	struct world *w = begin(state);
	uint64_t before;

	cfg.granularity = FLUX_MS(150);
	w->b.cfg.endpoint = &cfg;
	world_connect(w);
	before = inject_count(INJECT_SEND);
	inject_error(INJECT_SEND, ENETUNREACH, 0, INJECT_FOREVER);
	assert_int_equal(flux_binding_abort_session(w->b.binding, w->b.sid, 300, ""), 0);
	world_until(w, w->b.closes == 1);
	world_until(w, inject_count(INJECT_SEND) - before >= 6); /* three times, each refused twice */
	world_idle(w);
	assert_int_equal(told.down, 0);
	inject_clear();
}

/* ---- Interfaces ---- */

static void open_ends(struct world *w)
{
	assert_true(netns_enter(far_ns));
	end_open(&w->a, "10.99.0.2:0");
	assert_true(netns_enter(near_ns));
	end_open(&w->b, NULL);
	end_connect(&w->b, w->a.local);
	world_until(w, w->a.ups && w->b.ups);
}

/* The real thing: `ip link set down`, and up again. */
static void s13_interface(void **state)
{
	struct world *w = begin(state);

	if (far_ns < 0) {
		print_message("# needs root and ip(8), for interfaces of its own\n");
		skip();
	}
	open_ends(w);
	assert_true(netns_ip("link set near down"));
	send_more(&w->b);
	world_until(w, told.down == 1);
	assert_true(told.last.reason < 0);
	for (int k = 0; k < 3; k++)
		world_idle(w);
	assert_true(netns_ip("link set near up"));
	world_until(w, told.up == 1 && w->a.received == w->b.sent);
	assert_int_equal(told.down, 1);
	assert_int_equal(told.wrong, 0);
	assert_int_equal(w->a.closes + w->b.closes, 0);
}

static bool make_link(void)
{
	far_ns = netns_new();
	near_ns = far_ns < 0 ? -1 : netns_new();
	return near_ns >= 0 &&
	       netns_ip("link add near type veth peer name far netns /proc/%d/fd/%d", (int)getpid(), far_ns) &&
	       netns_ip("addr add 10.99.0.1/24 dev near") && netns_ip("link set near up") &&
	       netns_enter(far_ns) && netns_ip("addr add 10.99.0.2/24 dev far") &&
	       netns_ip("link set far up") && netns_enter(near_ns);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "s13_down_and_up", s13_down_and_up },
		{ "s13_moments", s13_moments },
		{ "s13_for_ever", s13_for_ever },
		{ "s13_after_the_end", s13_after_the_end },
		{ "s13_interface", s13_interface },
	};

	if (!make_link())
		far_ns = -1;
	return world_run("loop/path", tests, COUNT(tests));
}
