/* SPDX-License-Identifier: MIT */
/* A loop that leaves its host for a while: nothing happens meanwhile, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <unistd.h>

#include <flux/timer.h>
#include <flux/udp.h>
#include <flux/watch.h>

#include "tests/loop/world.h"

static void send_some(struct end *end, uint32_t n)
{
	while (n > 0 && end_send(end, 700) == 0)
		n--;
}

/* Everything that callbacks count. */
static uint64_t seen(const struct world *w)
{
	return w->a.received + w->b.received + w->a.ups + w->b.ups + w->a.writables + w->b.writables +
	       w->a.closes + w->b.closes + w->a.ended + w->b.ended;
}

static void nothing_happens(struct world *w)
{
	uint64_t before = seen(w);

	world_idle(w);
	assert_int_equal(seen(w), before);
}

/* Again and again in the middle of a stream, which waits in sockets and windows. */
static void in_the_middle(void **state)
{
	struct world *w = *state;

	world_connect(w);
	for (uint32_t i = 0; i < 40; i++) {
		send_some(&w->b, 300);
		for (uint32_t rounds = i % 5; rounds > 0; rounds--)
			world_round(w);
		assert_int_equal(flux_loop_pause(w->loop), 0);
		assert_int_equal(flux_loop_pause(w->loop), 0);
		assert_true(flux_loop_deadline(w->loop) == FLUX_NEVER);
		send_some(&w->b, 10);
		if (i % 10 == 0)
			nothing_happens(w);
		assert_int_equal(flux_loop_resume(w->loop), 0);
		assert_int_equal(flux_loop_resume(w->loop), 0);
	}
	world_until(w, w->a.received == w->b.sent);
	assert_int_equal(w->a.gaps + w->a.closes + w->b.closes, 0);
}

static void pause_at_fifty(struct end *end, enum where where, const struct flux_event *event)
{
	(void)event;
	if (where == IN_MESSAGE && end->received == 50)
		assert_int_equal(flux_loop_pause(end->world->loop), 0);
}

/* By a callback: its turn comes to an end, and then it is quiet. */
static void inside_a_callback(void **state)
{
	struct world *w = *state;

	w->a.hook = pause_at_fifty;
	world_connect(w);
	send_some(&w->b, 1000);
	world_until(w, w->a.received >= 50);
	assert_true(w->a.received < w->b.sent);
	nothing_happens(w);
	assert_int_equal(flux_loop_resume(w->loop), 0);
	world_until(w, w->a.received == w->b.sent);
}

/* What is opened, connected and closed meanwhile. on_closed comes when it is due. */
static void calls_meanwhile(void **state)
{
	struct world *w = *state;

	assert_int_equal(flux_loop_pause(w->loop), 0);
	end_open(&w->a, "127.0.0.1:0");
	end_open(&w->b, NULL);
	end_connect(&w->b, w->a.local);
	nothing_happens(w);
	assert_int_equal(flux_loop_resume(w->loop), 0);
	world_until(w, w->a.ups && w->b.ups);
	assert_int_equal(flux_loop_pause(w->loop), 0);
	flux_binding_close(w->b.binding);
	world_until(w, w->b.ended);
	nothing_happens(w);
	assert_int_equal(flux_loop_resume(w->loop), 0);
	send_some(&w->a, 10);
	world_round(w);
}

/* A loop that is closed while it is off. */
static void closed_meanwhile(void **state)
{
	struct world *w = *state;

	world_connect(w);
	send_some(&w->b, 100);
	assert_int_equal(flux_loop_pause(w->loop), 0);
	flux_loop_close(w->loop);
	w->loop = NULL;
	assert_int_equal(w->a.ended + w->b.ended, 2);
	nothing_happens(w);
}

/* ---- The program's own ---- */

static void count(void *ctx, struct flux_timer *timer)
{
	(void)timer;
	++*(uint32_t *)ctx;
}

static void read_one(void *ctx, struct flux_watch *watch, uint32_t events)
{
	int *pipe_and_count = ctx;
	char byte;

	(void)watch;
	(void)events;
	assert_int_equal(read(pipe_and_count[0], &byte, 1), 1);
	pipe_and_count[2]++;
}

static void timers_and_watches(void **state)
{
	int fds[3] = { -1, -1, 0 };
	struct world *w = *state;
	struct flux_watch *watch;
	struct flux_timer *timer;
	uint32_t due = 0;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(flux_watch_open(&watch, w->loop, fds[0], FLUX_LOOP_IN, read_one, fds), 0);
	assert_int_equal(flux_timer_open(&timer, w->loop, count, &due), 0);
	flux_timer_set(timer, flux_loop_now());
	assert_int_equal(write(fds[1], "xy", 2), 2);
	assert_int_equal(flux_loop_pause(w->loop), 0);
	assert_int_equal(flux_watch_change(watch, 0), 0);
	assert_int_equal(flux_watch_change(watch, FLUX_LOOP_IN), 0);
	world_idle(w);
	assert_int_equal(due, 0);
	assert_int_equal(fds[2], 0);
	assert_int_equal(flux_loop_resume(w->loop), 0);
	world_until(w, due == 1 && fds[2] == 2);
	flux_watch_close(watch);
	flux_timer_close(timer);
	world_idle(w);
	close(fds[0]);
	close(fds[1]);
}

/* A socket of plain datagrams: what the adapter itself has received is not lost either. */
struct burst {
	struct flux_loop *loop;
	struct flux_udp *udp;
	uint32_t got;
	bool inside; /* pause in the first callback */
};

static void on_burst(void *ctx, struct flux_udp *udp, const struct flux_rx *rx, uint32_t n)
{
	struct burst *burst = ctx;

	(void)udp;
	(void)rx;
	if (burst->inside && burst->got == 0)
		assert_int_equal(flux_loop_pause(burst->loop), 0);
	burst->got += n;
}

static void pause_in_a_burst(struct world *w, bool inside)
{
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct burst burst = { .loop = w->loop, .inside = inside };
	struct flux_udp *from;
	struct flux_tx tx = { .body = "datagram", .body_len = 8 };
	uint32_t got;

	cfg.local = "127.0.0.1:0";
	assert_int_equal(flux_udp_open(&from, w->loop, &cfg), 0);
	cfg.on_datagrams = on_burst;
	cfg.ctx = &burst;
	cfg.no_offload = 1;
	assert_int_equal(flux_udp_open(&burst.udp, w->loop, &cfg), 0);
	flux_udp_local(burst.udp, &tx.to);
	world_idle(w);
	for (int i = 0; i < 100; i++)
		assert_int_equal(flux_udp_send(from, &tx, 1), 1);
	if (inside) {
		while (burst.got == 0)
			world_round(w);
	} else {
		assert_int_equal(flux_loop_pause(w->loop), 0);
	}
	world_idle(w);
	got = burst.got;
	world_idle(w);
	assert_int_equal(burst.got, got);
	assert_int_equal(flux_loop_resume(w->loop), 0);
	world_until(w, burst.got == 100);
	flux_udp_close(burst.udp);
	flux_udp_close(from);
	world_idle(w);
}

static void bursts(void **state)
{
	pause_in_a_burst(*state, false);
	pause_in_a_burst(*state, true);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "in_the_middle", in_the_middle },
		{ "inside_a_callback", inside_a_callback },
		{ "calls_meanwhile", calls_meanwhile },
		{ "closed_meanwhile", closed_meanwhile },
		{ "timers_and_watches", timers_and_watches },
		{ "bursts", bursts },
	};

	return world_run("loop/pause", tests, sizeof(tests) / sizeof(tests[0]));
}
