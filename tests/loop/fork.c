/* SPDX-License-Identifier: MIT */
/* E05: a process that forks with a loop open. The child is told, and can do the parent no harm; or takes its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include <flux/timer.h>
#include <flux/udp.h>
#include <flux/watch.h>

#include "tests/lib/child.h"
#include "tests/loop/world.h"

#define MESSAGES 300u

/* ---- In the child: no assertion of the parent's harness ---- */

static enum flux_take take(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	(void)ctx;
	(void)sub;
	(void)sid;
	(void)msg;
	return FLUX_TAKE;
}

static void on_ready(void *ctx, struct flux_watch *watch, uint32_t events)
{
	(void)ctx;
	(void)watch;
	(void)events;
}

static void on_due(void *ctx, struct flux_timer *timer)
{
	(void)ctx;
	(void)timer;
}

static void on_datagrams(void *ctx, struct flux_udp *udp, const struct flux_rx *rx, uint32_t n)
{
	(void)ctx;
	(void)udp;
	(void)rx;
	(void)n;
}

/* Every call that can say so does. */
static int all_calls_refuse(struct world *w)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = take };
	struct flux_udp_cfg plain = { .size = sizeof(plain), .on_datagrams = on_datagrams };
	struct flux_binding *binding;
	struct flux_claim claim;
	struct flux_timer *timer;
	struct flux_watch *watch;
	struct flux_udp *udp;
	struct flux_pub *pub;
	struct flux_sub *sub;
	flux_sid sid;

	CHECK(flux_loop_is_forked(w->loop) == 1);
	CHECK(flux_binding_open(&binding, w->loop, NULL) == FLUX_EFORKED);
	CHECK(strstr(flux_loop_detail(w->loop), "forked"));
	CHECK(flux_binding_connect(w->b.binding, w->a.local, &sid) == FLUX_EFORKED);
	CHECK(flux_binding_close_session(w->b.binding, w->b.sid, 0) == FLUX_EFORKED);
	CHECK(flux_binding_abort_session(w->b.binding, w->b.sid, 300, "") == FLUX_EFORKED);
	CHECK(flux_binding_get_session_stats(w->b.binding, w->b.sid, &stats) == FLUX_EFORKED);
	CHECK(flux_pub_open(&pub, w->b.binding, w->b.sid, NULL) == FLUX_EFORKED);
	CHECK(flux_pub_send(w->b.pub, "x", 1) == FLUX_EFORKED);
	CHECK(flux_pub_claim(w->b.pub, 1, &claim) == FLUX_EFORKED);
	CHECK(flux_pub_publish(w->b.pub, 1) == FLUX_EFORKED);
	CHECK(flux_sub_open(&sub, w->b.binding, 0, &in) == FLUX_EFORKED);
	CHECK(flux_watch_open(&watch, w->loop, 0, FLUX_LOOP_IN, on_ready, NULL) == FLUX_EFORKED);
	CHECK(flux_timer_open(&timer, w->loop, on_due, NULL) == FLUX_EFORKED);
	CHECK(flux_udp_open(&udp, w->loop, &plain) == FLUX_EFORKED);
	CHECK(flux_loop_pause(w->loop) == FLUX_EFORKED);
	CHECK(flux_loop_resume(w->loop) == FLUX_EFORKED);
	flux_binding_close(w->b.binding); /* and these do nothing */
	flux_pub_close(w->b.pub);
	flux_sub_close(w->a.sub);
	CHECK(w->a.ended + w->b.ended == 0);
	return 0;
}

static void forked(struct world *w)
{
	if (w->adapter->forked)
		w->adapter->forked(w->host);
}

/* Send as many more messages and see them arrive. */
static int go_on(struct world *w)
{
	uint64_t wanted = w->b.sent + MESSAGES;

	for (uint32_t i = 0; i < WORLD_PATIENCE && w->a.received < wanted; i++) {
		while (w->b.sent < wanted && end_send(&w->b, 500) == 0)
			;
		world_round(w);
	}
	CHECK(w->a.received == wanted);
	CHECK(w->a.wrong == 0);
	return 0;
}

static int leave(void *arg)
{
	return all_calls_refuse(arg);
}

static int close_copy(void *arg)
{
	struct world *w = arg;

	CHECK(all_calls_refuse(w) == 0);
	forked(w);
	flux_loop_close(w->loop);
	CHECK(w->a.ended == 1 && w->b.ended == 1);
	return 0;
}

/* One of its own, on the same port even: that of the parent is closed here, and bound there. */
static int open_anew(void *arg)
{
	static struct world own;
	struct world *w = arg;

	CHECK(close_copy(w) == 0);
	own.adapter = w->adapter;
	own.a.world = own.b.world = &own;
	CHECK(own.adapter->open(&own.loop, &own.host) == 0);
	end_open(&own.a, "127.0.0.1:0");
	end_open(&own.b, NULL);
	end_connect(&own.b, own.a.local);
	CHECK(go_on(&own) == 0);
	flux_loop_close(own.loop);
	return 0;
}

static int adopt(void *arg)
{
	struct world *w = arg;

	CHECK(all_calls_refuse(w) == 0);
	forked(w);
	if (!w->adapter->adoptable) {
		CHECK(flux_loop_adopt(w->loop) == FLUX_ENOTSUP);
		return 0;
	}
	CHECK(flux_loop_adopt(w->loop) == 0);
	CHECK(flux_loop_is_forked(w->loop) == 0);
	CHECK(flux_loop_adopt(w->loop) == 0);
	CHECK(go_on(w) == 0);
	CHECK(child_run(close_copy, w) == 0); /* it may fork in its turn */
	CHECK(go_on(w) == 0);
	flux_loop_close(w->loop);
	CHECK(w->a.ended == 1 && w->b.ended == 1);
	return 0;
}

/* Run before it was adopted, the child has noticed, and comes back from there. */
static int adopt_late(void *arg)
{
	struct world *w = arg;

	if (!w->adapter->adoptable)
		return 0;
	forked(w);
	for (int i = 0; i < 10; i++)
		world_round(w);
	CHECK(w->a.received == 0);
	return adopt(w);
}

/* Fork here, as daemon(3) does: the child goes on from the callback, and the parent ends as it did. */
static void become_a_daemon(void *ctx, struct flux_timer *timer)
{
	bool *done = ctx;
	int status = 0;
	pid_t child = fork();

	(void)timer;
	*done = true;
	if (child == 0)
		return;
	if (child < 0 || waitpid(child, &status, 0) != child)
		_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

/* The fork is inside a callback, from which the child returns into the loop that it has not adopted yet. */
static int adopt_after_a_callback(void *arg)
{
	static struct world own;
	const struct world *w = arg;
	struct flux_timer *timer;
	bool done = false;

	if (!w->adapter->adoptable)
		return 0;
	own.adapter = w->adapter;
	own.a.world = own.b.world = &own;
	CHECK(own.adapter->open(&own.loop, &own.host) == 0);
	end_open(&own.a, "127.0.0.1:0");
	end_open(&own.b, NULL);
	end_connect(&own.b, own.a.local);
	CHECK(go_on(&own) == 0);
	CHECK(flux_timer_open(&timer, own.loop, become_a_daemon, &done) == 0);
	flux_timer_set(timer, flux_loop_now());
	for (uint32_t i = 0; i < WORLD_PATIENCE && !done; i++)
		world_round(&own);
	CHECK(flux_loop_is_forked(own.loop));
	forked(&own);
	CHECK(flux_loop_adopt(own.loop) == 0);
	CHECK(go_on(&own) == 0);
	flux_loop_close(own.loop);
	CHECK(own.a.ended == 1 && own.b.ended == 1);
	return 0;
}

/* Fork with datagrams in a socket and another timer due. */
struct moment {
	struct world *world;
	struct flux_timer *second;
	uint64_t received; /* by then */
	uint32_t calls;
};

static void fork_first(void *ctx, struct flux_timer *timer)
{
	struct moment *m = ctx;

	m->calls++;
	m->received = m->world->a.received;
	if (timer != m->second)
		become_a_daemon(&(bool){ false }, timer);
}

/* The turn in which a callback forks goes on in the parent only, though it would look at sockets by itself. */
static int stop_after_a_callback(void *arg)
{
	static struct world own;
	struct moment m = { .world = &own };
	const struct world *w = arg;
	struct flux_timer *first;
	flux_ts now;

	own.adapter = w->adapter;
	own.a.world = own.b.world = &own;
	CHECK(own.adapter->open(&own.loop, &own.host) == 0);
	end_open(&own.a, "127.0.0.1:0");
	end_open(&own.b, NULL);
	end_connect(&own.b, own.a.local);
	CHECK(go_on(&own) == 0);
	flux_loop_set_awake(own.loop, 1);
	CHECK(flux_timer_open(&first, own.loop, fork_first, &m) == 0);
	CHECK(flux_timer_open(&m.second, own.loop, fork_first, &m) == 0);
	CHECK(end_send(&own.b, 500) == 0);
	now = flux_loop_now();
	flux_timer_set(first, now);
	flux_timer_set(m.second, now + 1);
	for (uint32_t i = 0; i < WORLD_PATIENCE && !flux_loop_is_forked(own.loop); i++)
		world_round(&own);
	CHECK(m.calls == 1);
	CHECK(own.a.received == m.received);
	return 0;
}

/* ---- In the parent ---- */

/* With messages on their way, of which nobody but the parent may take one. */
static void begin(struct world *w)
{
	world_connect(w);
	for (uint32_t i = 0; i < MESSAGES; i++)
		assert_int_equal(end_send(&w->b, 500), 0);
}

static void the_parent_goes_on(struct world *w, int (*body)(void *))
{
	begin(w);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(child_run(body, w), 0);
		for (int k = 0; k < 3; k++)
			assert_int_equal(end_send(&w->b, 500), 0);
		world_round(w);
	}
	world_until(w, w->a.received == w->b.sent);
	assert_int_equal(w->a.closes + w->b.closes, 0);
	assert_int_equal(w->a.ended + w->b.ended, 0);
}

static void e05_the_child_leaves_it(void **state)
{
	the_parent_goes_on(*state, leave);
}

static void e05_the_child_closes_it(void **state)
{
	the_parent_goes_on(*state, close_copy);
}

static void e05_the_child_opens_its_own(void **state)
{
	the_parent_goes_on(*state, open_anew);
}

/* A service that has opened and becomes a daemon: what was under way arrives in the child. */
static void e05_the_child_goes_on(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_int_equal(child_run(adopt, w), 0);
}

static void e05_the_child_goes_on_late(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_int_equal(child_run(adopt_late, w), 0);
}

static void e05_a_callback_forks_and_the_child_goes_on(void **state)
{
	assert_int_equal(child_run(adopt_after_a_callback, *state), 0);
}

static void e05_a_callback_forks_and_the_child_stops(void **state)
{
	assert_int_equal(child_run(stop_after_a_callback, *state), 0);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "e05_the_child_leaves_it", e05_the_child_leaves_it },
		{ "e05_the_child_closes_it", e05_the_child_closes_it },
		{ "e05_the_child_opens_its_own", e05_the_child_opens_its_own },
		{ "e05_the_child_goes_on", e05_the_child_goes_on },
		{ "e05_the_child_goes_on_late", e05_the_child_goes_on_late },
		{ "e05_a_callback_forks_and_the_child_stops", e05_a_callback_forks_and_the_child_stops },
		{ "e05_a_callback_forks_and_the_child_goes_on", e05_a_callback_forks_and_the_child_goes_on },
	};

	return world_run("loop/fork", tests, sizeof(tests) / sizeof(tests[0]));
}
