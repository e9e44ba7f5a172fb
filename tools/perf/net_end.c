/* SPDX-License-Identifier: MIT */
/* What the two processes of a measurement do on their loops: send at a rate, or ask and answer; and end. */
#include "perf/net_end.h"

#include <stdlib.h>
#include <string.h>

#include <flux/watch.h>

/* Messages between two looks at the clock and at the signs. */
#define SOME 1024u

/* Nobody sends any more: all has come when nothing does for so long, in turns that look for it first. */
#define DRAIN FLUX_MS(2)

/* An answer that does not come within four times the delay and this is lost, over plain UDP. */
#define PATIENCE FLUX_MS(100)

/* ---- Sending ---- */

/* How many are due by now, at most SOME; if none is, *next is when. */
static uint32_t allowed(const struct net_end *end, flux_ts *next)
{
	const struct net_party *party = end->party;
	uint64_t rate = end->stage->options->rate;
	uint64_t due;

	if (rate == 0)
		return SOME;
	/* In steps of whole seconds, so that nothing overflows. */
	due = clock_now() - party->start_ns;
	due = due / FLUX_S(1) * rate + due % FLUX_S(1) * rate / FLUX_S(1) + 1;
	if (due > party->written)
		return due - party->written < SOME ? (uint32_t)(due - party->written) : SOME;
	due = party->written / rate * FLUX_S(1) + (party->written % rate * FLUX_S(1) + rate - 1) / rate;
	*next = flux_loop_now() + (party->start_ns + due - clock_now());
	return 0;
}

/* Send what may be sent now. */
static void pump(struct net_end *end)
{
	uint32_t n = 1;
	flux_ts next = 0;

	while (!end->stopping && !end->full && (n = allowed(end, &next)) > 0) {
		end->wire->send(end, n);
		if (end->wire->bottomless) {
			n = allowed(end, &next);
			break;
		}
	}
	if (!end->stopping && !end->full)
		flux_timer_set(end->timer, n ? flux_loop_now() : next);
}

/* One at a time, each after the answer to the one before it, and not before it is due. */
static void ask(struct net_end *end)
{
	flux_ts next;

	if (end->stopping || end->asking)
		return;
	if (allowed(end, &next) == 0) {
		flux_timer_set(end->timer, next);
		return;
	}
	end->asking = true;
	end->wire->send(end, 1);
}

static void next_round(struct net_end *end)
{
	if (end->stopping)
		end->wire->finish(end);
	else if (end->stage->options->rtt)
		ask(end);
	else
		pump(end);
}

void net_end_room(struct net_end *end)
{
	end->full = false;
	if (!end->peer)
		return;
	if (!end->up) {
		end->up = true;
		net_cpu_begin(&end->party->cpu);
		__atomic_store_n(&end->party->start_ns, clock_now(), __ATOMIC_RELEASE);
	}
	if (!end->stopping)
		next_round(end);
}

/* Whether the answer that is awaited is lost. Looked at when it may be, as most are not. */
static void on_patience(void *ctx, struct flux_timer *timer)
{
	struct net_end *end = ctx;
	flux_ts patience = PATIENCE + (flux_ts)(4 * end->stage->options->delay_ms * 1e6);
	uint64_t waits = end->asking ? clock_now() - *net_stamp(end->stage, end->party->written - 1) : 0;

	if (end->over)
		return;
	flux_timer_set(timer, flux_loop_now() + patience - (waits < patience ? waits : 0));
	if (waits < patience)
		return;
	end->asking = false;
	next_round(end);
}

/* ---- Receiving ---- */

void net_end_take(struct net_end *end, const void *at, uint32_t len)
{
	uint64_t seq = net_item_take(end->stage, end->party, at, len);

	if (!end->stage->options->rtt || seq == ITEM_MOST_SEQ)
		return;
	if (!end->peer) {
		end->wire->answer(end, at, len);
		end->party->written++;
	} else if (end->asking && seq == end->party->written - 1) {
		end->asking = false;
		next_round(end);
	}
}

/* ---- The end ---- */

void net_end_over(struct net_end *end)
{
	end->over = true;
	loop_stop(&end->loop);
}

void net_end_fail(struct net_end *end)
{
	end->over = true;
	loop_fail(&end->loop);
}

static uint64_t messages(const struct net_end *end)
{
	return end->peer && !end->stage->options->rtt ? end->party->written : end->party->check.received;
}

/* The time is up. What is on its way still arrives, but counts for no processor time. */
static void on_stop(void *ctx, struct flux_watch *watch, uint32_t events)
{
	struct net_end *end = ctx;

	(void)events;
	flux_watch_close(watch);
	net_cpu_end(&end->party->cpu, messages(end));
	end->stopping = true;
	if (!end->peer || end->over)
		return;
	if (!end->up)
		net_end_over(end);
	else if (!end->asking)
		end->wire->finish(end);
}

static uint64_t came(const struct net_end *end)
{
	const struct check *check = &end->party->check;

	return check->received + check->damaged + check->disordered;
}

static void drain(struct net_end *end)
{
	if (end->drained && end->had == came(end)) {
		net_end_over(end);
		return;
	}
	end->drained = true;
	end->had = came(end);
	flux_timer_set(end->timer, flux_loop_now() + DRAIN);
}

static void on_end(void *ctx, struct flux_watch *watch, uint32_t events)
{
	(void)events;
	flux_watch_close(watch);
	drain(ctx);
}

static void on_timer(void *ctx, struct flux_timer *timer)
{
	struct net_end *end = ctx;

	(void)timer;
	if (!end->peer)
		drain(end);
	else if (!end->up)
		net_end_room(end);
	else if (!end->over && !end->stopping)
		next_round(end);
}

static int open_timers(struct net_end *end)
{
	const struct net_options *options = end->stage->options;
	struct flux_timer *patience;
	int rc = flux_timer_open(&end->timer, end->loop.flux, on_timer, end);

	/* Over Flux an answer comes, or the session ends. */
	if (rc < 0 || !end->peer || !options->rtt || options->reliable)
		return rc;
	rc = flux_timer_open(&patience, end->loop.flux, on_patience, end);
	if (rc == 0)
		flux_timer_set(patience, flux_loop_now() + PATIENCE);
	return rc;
}

static int start(void *ctx, struct loop *loop)
{
	struct net_end *end = ctx;
	const struct net_stage *stage = end->stage;
	struct flux_watch *watch;
	char why[FLUX_WHY_TEXT];

	end->party->ran = loop->ran;
	if (cpus_pin(&stage->options->cpus, end->peer ? NET_SENDER : NET_RECEIVER, why) < 0)
		return cli_fail("%s", why);
	if (flux_watch_open(&watch, loop->flux, stage->stop_fd, FLUX_LOOP_IN, on_stop, end) < 0 ||
	    (!end->peer && flux_watch_open(&watch, loop->flux, stage->end_fd, FLUX_LOOP_IN, on_end, end) < 0) ||
	    open_timers(end) < 0)
		return cli_fail("%s", flux_loop_detail(loop->flux));
	return end->wire->open(end, end->peer);
}

static void stop(void *ctx)
{
	struct net_end *end = ctx;

	end->over = true;
	net_cpu_end(&end->party->cpu, messages(end));
	end->wire->count(end);
}

int net_end_run(struct net_stage *stage, enum net_role role)
{
	const struct net_options *options = stage->options;
	struct net_end *end = calloc(1, sizeof(*end));
	struct loop_user user = { .start = start, .stop = stop, .ctx = end };
	int rc;

	if (!end)
		return cli_fail("no memory");
	end->stage = stage;
	end->party = &stage->parties[role];
	end->wire = options->reliable ? &net_wire_rudp : &net_wire_udp;
	if (role == NET_SENDER)
		end->peer = net_impaired(options) ? stage->relay.addr : stage->receiver.addr;
	rc = loop_run(&end->loop, &options->loop, &user);
	memcpy(end->party->loop_why, end->loop.why, sizeof(end->loop.why));
	free(end->buffer);
	free(end);
	return rc;
}
