/* SPDX-License-Identifier: MIT */
/*
 * Everything may be closed from inside every callback (E02, A15): no callback after the last one, none
 * inside another, nothing touched that is gone (the sanitizers watch), and the host's loop goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tests/loop/world.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Rounds of E02. Each opens two bindings, connects them and closes in the middle of something. */
#define E02_ROUNDS 2000

/* Where and when to act, and what to do there. */
static struct plan {
	enum where where;
	enum flux_event_type type; /* IN_EVENT: which */
	void (*act)(struct end *end);
	uint32_t acted;
	uint32_t times; /* for an act that wants to be called again */
} plan;

static void act_once(struct end *end, enum where where, const struct flux_event *event)
{
	if (where != plan.where || (where == IN_EVENT && event->type != plan.type) || plan.acted)
		return;
	plan.acted++;
	plan.act(end);
}

/* Messages in a life: enough to fill a session, or few when it is only to be short. */
#define LONG_LIFE  6000u
#define SHORT_LIFE 20u
static uint32_t life = LONG_LIFE;

/* A life that comes through every callback: up, messages both ways, back-pressure, a graceful end. */
static void live(struct world *w)
{
	static const uint32_t len = 1000;

	if (w->b.binding && w->b.pub && w->b.ups && !w->b.eos && !w->b.closes && w->b.sent < life) {
		for (uint32_t i = 0; i < life / 2 && end_send(&w->b, len) == 0;)
			i++;
		if (w->b.sent >= life)
			(void)flux_binding_close_session(w->b.binding, w->b.sid, FLUX_NEVER);
	}
	if (w->a.binding && w->a.eos && !w->a.closes)
		(void)flux_binding_close_session(w->a.binding, w->a.sid, FLUX_NEVER);
	world_round(w);
}

/* Events, writables and messages of both ends, to see that no more come. */
static uint64_t calls(const struct world *w)
{
	const struct end *a = &w->a, *b = &w->b;

	return a->ups + a->eos + a->closes + a->writables + a->received + b->ups + b->eos + b->closes +
	       b->writables + b->received;
}

static const struct {
	enum where where;
	enum flux_event_type type;
	bool at_b;
} places[] = {
	{ IN_EVENT, FLUX_EVENT_UP, false },
	{ IN_EVENT, FLUX_EVENT_UP, true },
	{ IN_EVENT, FLUX_EVENT_WRITABLE, true },
	{ IN_EVENT, FLUX_EVENT_EOS, false },
	{ IN_EVENT, FLUX_EVENT_CLOSED, false },
	{ IN_EVENT, FLUX_EVENT_CLOSED, true },
	{ IN_WRITABLE, 0, true },
	{ IN_WRITABLE, 0, false },
	{ IN_MESSAGE, 0, false },
};

/* Live until the plan for this place was carried out. */
static void live_until_acted(struct world *w, size_t place, void (*act)(struct end *end))
{
	memset(&w->a, 0, sizeof(w->a));
	memset(&w->b, 0, sizeof(w->b));
	w->a.world = w->b.world = w;
	plan = (struct plan){ .where = places[place].where, .type = places[place].type, .act = act };
	*(places[place].at_b ? &w->b.hook : &w->a.hook) = act_once;
	end_open(&w->a, "127.0.0.1:0");
	end_open(&w->b, NULL);
	end_connect(&w->b, w->a.local);
	for (uint32_t i = 0; !plan.acted; i++) {
		assert_true(i < WORLD_PATIENCE);
		live(w);
	}
}

/* End what is left of a life. */
static void bury(struct world *w)
{
	flux_binding_close(w->a.binding);
	flux_binding_close(w->b.binding);
	world_until(w, !w->a.binding && !w->b.binding);
	assert_int_equal(w->a.ended, 1);
	assert_int_equal(w->b.ended, 1);
	assert_int_equal(w->a.wrong + w->b.wrong, 0);
	assert_true(w->a.deepest <= 1 && w->b.deepest <= 1);
}

static void close_binding(struct end *end)
{
	flux_binding_close(end->binding);
	flux_binding_close(end->binding); /* twice is once */
	assert_int_equal(end_send(end, 10), FLUX_ECLOSED);
	assert_int_equal(end->ended, 0); /* not inside this callback */
}

static void binding_inside(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(places); i++) {
		struct end *end = places[i].at_b ? &w->b : &w->a;
		uint64_t before;

		live_until_acted(w, i, close_binding);
		world_until(w, end->ended);
		before = places[i].at_b ? end->ups + end->closes + end->writables : end->ups + end->closes + end->eos + end->received;
		world_idle(w);
		assert_int_equal(before, places[i].at_b ? end->ups + end->closes + end->writables : end->ups + end->closes + end->eos + end->received);
		bury(w);
	}
}

static void close_other(struct end *end)
{
	flux_binding_close(end == &end->world->a ? end->world->b.binding : end->world->a.binding);
}

static void other_binding_inside(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(places); i++) {
		live_until_acted(w, i, close_other);
		world_until(w, (places[i].at_b ? &w->a : &w->b)->ended);
		bury(w);
	}
}

static void close_handles(struct end *end)
{
	flux_pub_close(end->pub);
	flux_sub_close(end->sub);
	flux_sub_close(NULL);
	flux_pub_close(NULL);
	end->pub = NULL;
	end->sub = NULL;
	end->no_sub = true;
}

/* Without a publication the session goes on; without a subscription it waits. */
static void handles_inside(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(places); i++) {
		struct end *end = places[i].at_b ? &w->b : &w->a;
		uint64_t received;

		live_until_acted(w, i, close_handles);
		received = end->received;
		world_idle(w);
		assert_int_equal(end->received, received);
		if (places[i].where == IN_MESSAGE) {
			end_subscribe(end);
			world_until(w, end->received > received);
		}
		bury(w);
	}
}

static void abort_session(struct end *end)
{
	int rc = flux_binding_abort_session(end->binding, end->sid, 300, "enough");

	assert_true(rc == 0 || rc == FLUX_ECLOSED);
}

/* The rest of the messages at hand is not delivered, and the end is told. */
static void abort_inside(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(places); i++) {
		struct end *end = places[i].at_b ? &w->b : &w->a;
		struct end *peer = places[i].at_b ? &w->a : &w->b;
		uint64_t received;

		live_until_acted(w, i, abort_session);
		received = end->received;
		world_until(w, end->closes);
		assert_int_equal(end->received, received);
		if (places[i].type != FLUX_EVENT_CLOSED) {
			world_until(w, peer->closes);
			assert_int_equal(peer->last.reason, FLUX_EABORTED);
			assert_int_equal(peer->last.code, 300);
			assert_string_equal(peer->last.text, "enough");
		}
		bury(w);
	}
}

static void close_loop(struct end *end)
{
	struct world *w = end->world;

	flux_loop_close(w->loop);
	flux_loop_close(w->loop);
	assert_int_equal(end->ended, end->binding ? 0 : 1);
	w->loop = NULL;
}

/* As binding_inside, with a new loop for each place. */
static void loop_inside(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(places); i++) {
		uint64_t before;

		live_until_acted(w, i, close_loop);
		assert_int_equal(w->a.ended, 1);
		assert_int_equal(w->b.ended, 1);
		before = calls(w);
		world_idle(w);
		assert_int_equal(calls(w), before);
		w->adapter->close(w->host);
		assert_int_equal(w->adapter->open(&w->loop, &w->host), 0);
	}
}

static void loop_inside_closed(void **state)
{
	struct world *w = *state;

	plan = (struct plan){ .where = IN_CLOSED, .act = close_loop };
	w->a.hook = act_once;
	world_connect(w);
	flux_binding_close(w->a.binding);
	world_until(w, plan.acted);
	assert_int_equal(w->a.ended, 1);
	assert_int_equal(w->b.ended, 1);
	world_idle(w);
}

static void loop_outside(void **state)
{
	struct world *w = *state;
	uint64_t before;

	world_connect(w);
	assert_int_equal(end_send(&w->b, 100), 0);
	before = calls(w);
	flux_loop_close(w->loop);
	w->loop = NULL;
	assert_int_equal(w->a.ended, 1);
	assert_int_equal(w->b.ended, 1);
	world_idle(w);
	assert_int_equal(calls(w), before);
}

/* The port is free at once; the words of an error survive; a closed binding answers its last callback. */
static void reopen_at_once(void **state)
{
	struct world *w = *state;
	char local[FLUX_ADDR_TEXT];

	end_open(&w->a, "127.0.0.1:0");
	memcpy(local, w->a.local, sizeof(local));
	flux_binding_close(w->a.binding);
	assert_int_equal(w->a.ended, 0); /* never inside the call */
	end_open(&w->b, local);
	assert_string_equal(w->b.local, local);
	world_until(w, w->a.ended);
	assert_int_equal(w->b.ended, 0);
}

/* A15: from inside a callback, every call that a program may make. */
static void call_everything(struct end *end)
{
	struct flux_binding_stats socket = { .size = sizeof(socket) };
	struct flux_endpoint_stats endpoint = { .size = sizeof(endpoint) };
	struct flux_session_stats session = { .size = sizeof(session) };
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_binding *binding;
	struct flux_pub *pub;
	struct flux_addr addr;
	flux_sid sid;

	if (!end->binding)
		return;
	if (!end->eos && end->pub) {
		(void)end_send(end, 100);
		(void)end_claim(end, 100);
	}
	flux_binding_local(end->binding, &addr);
	flux_binding_get_stats(end->binding, &socket);
	flux_binding_get_endpoint_stats(end->binding, &endpoint);
	(void)flux_binding_get_session_stats(end->binding, end->sid, &session);
	assert_int_equal(flux_pub_open(&pub, end->binding, end->sid, NULL), 0);
	assert_int_equal(flux_pub_sid(pub), end->sid);
	flux_pub_close(pub);
	if (end->sub) {
		flux_sub_pause(end->sub, end->sid);
		flux_sub_resume(end->sub, end->sid);
		flux_sub_close(end->sub);
		end_subscribe(end);
	}
	assert_int_equal(flux_binding_open(&binding, end->world->loop, &cfg), 0);
	assert_int_equal(flux_binding_connect(binding, "127.0.0.1:9", &sid), 0);
	assert_int_equal(flux_pub_open(&pub, binding, sid, NULL), 0);
	flux_binding_close(binding);
	if (++plan.times < 3)
		plan.acted = 0; /* once more */
}

/* Where it may happen only once in a life. */
static void call_once(struct end *end)
{
	plan.times = 3;
	call_everything(end);
}

static void a15_reentry(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(places); i++) {
		if (places[i].type == FLUX_EVENT_CLOSED)
			continue; /* its session is gone */
		live_until_acted(w, i, places[i].where == IN_MESSAGE ? call_everything : call_once);
		world_idle(w);
		bury(w);
	}
}

/* E02, on the loop's thread: round after round, closed from a different callback each time. */
static void e02_rounds(void **state)
{
	static void (*const acts[])(struct end *) = { close_binding, close_other, close_handles, abort_session };
	struct world *w = *state;

	life = SHORT_LIFE;
	for (uint32_t i = 0; i < E02_ROUNDS; i++) {
		static const size_t quick[] = { 0, 1, 7, 8 }; /* places that come early in a life */

		live_until_acted(w, quick[i % COUNT(quick)], acts[i / COUNT(quick) % COUNT(acts)]);
		bury(w);
	}
	life = LONG_LIFE;
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "binding_inside", binding_inside },
		{ "other_binding_inside", other_binding_inside },
		{ "handles_inside", handles_inside },
		{ "abort_inside", abort_inside },
		{ "loop_inside", loop_inside },
		{ "loop_inside_closed", loop_inside_closed },
		{ "loop_outside", loop_outside },
		{ "reopen_at_once", reopen_at_once },
		{ "a15_reentry", a15_reentry },
		{ "e02_rounds", e02_rounds },
	};

	return world_run("loop/closing", tests, COUNT(tests));
}
