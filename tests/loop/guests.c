/* SPDX-License-Identifier: MIT */
/* Descriptors and timers of the program's own, on every loop: E-rows of what a host's loop promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <flux/timer.h>
#include <flux/watch.h>

#include "tests/loop/world.h"

/* ---- Descriptors ---- */

struct pipe_end {
	struct world *w;
	struct flux_watch *watch;
	int fds[2];
	uint32_t calls, events;
	size_t take; /* bytes read in each call */
	bool close_watch, close_loop;
};

static void on_ready(void *ctx, struct flux_watch *watch, uint32_t events)
{
	struct pipe_end *p = ctx;
	char bytes[16];

	assert_ptr_equal(watch, p->watch);
	p->calls++;
	p->events = events;
	if (p->take)
		assert_true(read(p->fds[0], bytes, p->take) >= 0);
	if (p->close_watch) {
		flux_watch_close(watch);
		assert_int_equal(flux_watch_change(watch, FLUX_LOOP_IN), FLUX_ECLOSED);
	}
	if (p->close_loop) {
		flux_loop_close(p->w->loop);
		p->w->loop = NULL;
	}
}

static void pipe_open(struct pipe_end *p, struct world *w)
{
	memset(p, 0, sizeof(*p));
	p->w = w;
	assert_int_equal(pipe2(p->fds, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(flux_watch_open(&p->watch, w->loop, p->fds[0], FLUX_LOOP_IN, on_ready, p), 0);
}

static void pipe_close(struct pipe_end *p)
{
	close(p->fds[0]);
	if (p->fds[1] >= 0)
		close(p->fds[1]);
}

/* E: level-triggered, whatever the host's loop is: what is left is told again. */
static void what_is_left_is_told_again(void **state)
{
	struct world *w = *state;
	struct pipe_end p;

	pipe_open(&p, w);
	world_idle(w);
	assert_int_equal(p.calls, 0);
	assert_int_equal(write(p.fds[1], "12345", 5), 5);
	p.take = 1;
	world_until(w, p.calls == 5);
	assert_int_equal(p.events, FLUX_LOOP_IN);
	world_idle(w);
	assert_int_equal(p.calls, 5);
	flux_watch_close(p.watch);
	world_idle(w);
	pipe_close(&p);
}

static void the_other_side_ends(void **state)
{
	struct world *w = *state;
	struct pipe_end p;

	pipe_open(&p, w);
	p.take = 1;
	close(p.fds[1]);
	p.fds[1] = -1;
	world_until(w, p.calls > 0);
	assert_true(p.events & FLUX_LOOP_IN);
	flux_watch_close(p.watch);
	pipe_close(&p);
}

static void pause_and_other_events(void **state)
{
	struct world *w = *state;
	struct flux_watch *out;
	struct pipe_end p, q;

	pipe_open(&p, w);
	assert_int_equal(write(p.fds[1], "12", 2), 2);
	assert_int_equal(flux_watch_change(p.watch, 0), 0);
	assert_int_equal(flux_watch_change(p.watch, 0), 0);
	world_idle(w);
	assert_int_equal(p.calls, 0);
	p.take = 1;
	assert_int_equal(flux_watch_change(p.watch, FLUX_LOOP_IN), 0);
	world_until(w, p.calls == 2);
	/* The writing side is writable until the pipe is full. */
	memset(&q, 0, sizeof(q));
	q.w = w;
	assert_int_equal(flux_watch_open(&out, w->loop, p.fds[1], FLUX_LOOP_OUT, on_ready, &q), 0);
	q.watch = out;
	world_until(w, q.calls > 2);
	assert_int_equal(q.events, FLUX_LOOP_OUT);
	flux_watch_close(out);
	q.calls = 0;
	world_idle(w);
	assert_int_equal(q.calls, 0);
	flux_watch_close(p.watch);
	pipe_close(&p);
}

static void closed_in_its_own_callback(void **state)
{
	struct world *w = *state;
	struct pipe_end p;

	pipe_open(&p, w);
	p.close_watch = true;
	assert_int_equal(write(p.fds[1], "1", 1), 1);
	world_until(w, p.calls == 1);
	world_idle(w);
	assert_int_equal(p.calls, 1);
	/* The number may be used again at once. */
	p.close_watch = false;
	p.take = 1;
	assert_int_equal(flux_watch_open(&p.watch, w->loop, p.fds[0], FLUX_LOOP_IN, on_ready, &p), 0);
	world_until(w, p.calls == 2);
	flux_watch_close(p.watch);
	pipe_close(&p);
}

static void the_loop_closed_in_its_callback(void **state)
{
	struct world *w = *state;
	struct pipe_end p, q;

	pipe_open(&p, w);
	pipe_open(&q, w);
	p.close_loop = q.close_loop = true;
	assert_int_equal(write(p.fds[1], "1", 1), 1);
	assert_int_equal(write(q.fds[1], "1", 1), 1);
	world_until(w, p.calls + q.calls == 1);
	world_idle(w);
	assert_int_equal(p.calls + q.calls, 1);
	pipe_close(&p);
	pipe_close(&q);
}

static void bad_watches(void **state)
{
	struct world *w = *state;
	struct flux_watch *watch = NULL;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(flux_watch_open(&watch, w->loop, fds[0], FLUX_LOOP_IN, NULL, NULL), FLUX_EINVAL);
	assert_int_equal(flux_watch_open(&watch, w->loop, fds[0], 8, on_ready, NULL), FLUX_EINVAL);
	assert_non_null(strstr(flux_loop_detail(w->loop), "not 8"));
	assert_null(watch);
	flux_watch_close(NULL);
	close(fds[0]);
	close(fds[1]);
}

/* ---- Timers ---- */

struct clock {
	struct world *w;
	struct flux_timer *timers[3];
	uint32_t rung[3];
	uint32_t order[16], n;
	flux_ts again; /* set anew for so much later */
	flux_ts due;
	bool early, close_timer, close_loop;
};

static void on_due(void *ctx, struct flux_timer *timer)
{
	struct clock *c = ctx;
	uint32_t i = 0;

	while (c->timers[i] != timer)
		i++;
	c->early = c->early || flux_loop_now() < c->due;
	c->rung[i]++;
	if (c->n < 16)
		c->order[c->n++] = i;
	if (c->again)
		flux_timer_set(timer, flux_loop_now() + c->again - 1);
	if (c->close_timer)
		flux_timer_close(timer);
	if (c->close_loop) {
		flux_loop_close(c->w->loop);
		c->w->loop = NULL;
	}
}

static void clock_open(struct clock *c, struct world *w)
{
	memset(c, 0, sizeof(*c));
	c->w = w;
	for (int i = 0; i < 3; i++)
		assert_int_equal(flux_timer_open(&c->timers[i], w->loop, on_due, c), 0);
}

static void clock_close(struct clock *c)
{
	for (int i = 0; i < 3; i++)
		flux_timer_close(c->timers[i]);
}

static void timers_ring_in_their_order(void **state)
{
	struct world *w = *state;
	struct clock c;
	flux_ts now = flux_loop_now();

	clock_open(&c, w);
	world_idle(w);
	assert_int_equal(c.n, 0);
	c.due = now + FLUX_MS(5);
	flux_timer_set(c.timers[0], now + FLUX_MS(15));
	flux_timer_set(c.timers[1], now + FLUX_MS(5));
	flux_timer_set(c.timers[2], now + FLUX_MS(10));
	world_until(w, c.n == 3);
	assert_false(c.early);
	assert_int_equal(c.order[0], 1);
	assert_int_equal(c.order[1], 2);
	assert_int_equal(c.order[2], 0);
	world_idle(w);
	assert_int_equal(c.n, 3);
	clock_close(&c);
}

static void a_timer_is_moved_and_taken_back(void **state)
{
	struct world *w = *state;
	struct clock c;

	clock_open(&c, w);
	flux_timer_set(c.timers[0], flux_loop_now() + FLUX_S(3600));
	flux_timer_set(c.timers[1], 0); /* long past */
	flux_timer_set(c.timers[2], 0);
	flux_timer_set(c.timers[2], FLUX_NEVER);
	world_until(w, c.rung[1] == 1);
	flux_timer_set(c.timers[0], flux_loop_now() + FLUX_MS(1));
	world_until(w, c.rung[0] == 1);
	world_idle(w);
	assert_int_equal(c.rung[2], 0);
	clock_close(&c);
}

/* One that asks for "at once" again and again keeps nobody else from his turn. */
static void at_once_for_ever(void **state)
{
	struct world *w = *state;
	struct pipe_end p;
	struct clock c;

	clock_open(&c, w);
	pipe_open(&p, w);
	p.take = 1;
	c.again = 1;
	flux_timer_set(c.timers[0], 0);
	world_until(w, c.rung[0] > 5);
	assert_int_equal(write(p.fds[1], "123", 3), 3);
	world_until(w, p.calls == 3);
	assert_true(c.rung[0] > 5);
	clock_close(&c);
	flux_watch_close(p.watch);
	pipe_close(&p);
}

static void again_at_once(void *ctx, struct flux_timer *timer)
{
	(*(uint32_t *)ctx)++;
	flux_timer_set(timer, 0);
}

/* One that is long past again and again keeps no other timer from its turn either. */
static void long_past_for_ever(void **state)
{
	struct world *w = *state;
	struct flux_timer *greedy;
	uint32_t rung = 0, at;
	struct clock c;

	clock_open(&c, w);
	assert_int_equal(flux_timer_open(&greedy, w->loop, again_at_once, &rung), 0);
	flux_timer_set(greedy, 0);
	flux_timer_set(c.timers[0], flux_loop_now() + FLUX_MS(1));
	world_until(w, c.rung[0] == 1);
	at = rung;
	flux_timer_set(c.timers[1], 1);
	world_until(w, c.rung[1] == 1);
	assert_true(rung - at <= 2);
	flux_timer_close(greedy);
	clock_close(&c);
}

static void timers_closed_inside(void **state)
{
	struct world *w = *state;
	struct clock c;

	clock_open(&c, w);
	c.close_timer = true;
	flux_timer_set(c.timers[0], 0);
	flux_timer_set(c.timers[1], 0);
	world_until(w, c.n == 2);
	c.close_timer = false;
	c.close_loop = true;
	flux_timer_set(c.timers[2], 0);
	world_until(w, c.n == 3);
	assert_null(w->loop);
}

static void many_timers(void **state)
{
	struct world *w = *state;
	struct flux_timer *timers[100];
	struct clock c;

	memset(&c, 0, sizeof(c));
	for (int i = 0; i < 100; i++)
		assert_int_equal(flux_timer_open(&timers[i], w->loop, on_due, &c), 0);
	for (int i = 0; i < 100; i++) {
		c.timers[0] = timers[i];
		flux_timer_set(timers[i], 0);
		world_until(w, c.rung[0] == (uint32_t)i + 1);
	}
	for (int i = 0; i < 100; i++)
		flux_timer_close(timers[i]);
	assert_int_equal(flux_timer_open(&timers[0], w->loop, NULL, NULL), FLUX_EINVAL);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "what_is_left_is_told_again", what_is_left_is_told_again },
		{ "the_other_side_ends", the_other_side_ends },
		{ "pause_and_other_events", pause_and_other_events },
		{ "closed_in_its_own_callback", closed_in_its_own_callback },
		{ "the_loop_closed_in_its_callback", the_loop_closed_in_its_callback },
		{ "bad_watches", bad_watches },
		{ "timers_ring_in_their_order", timers_ring_in_their_order },
		{ "a_timer_is_moved_and_taken_back", a_timer_is_moved_and_taken_back },
		{ "at_once_for_ever", at_once_for_ever },
		{ "long_past_for_ever", long_past_for_ever },
		{ "timers_closed_inside", timers_closed_inside },
		{ "many_timers", many_timers },
	};

	return world_run("guests", tests, sizeof(tests) / sizeof(tests[0]));
}
