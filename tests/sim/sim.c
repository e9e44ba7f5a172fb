/* SPDX-License-Identifier: MIT */
/* The world: clock, wires, streams and the one place where a violation is written down. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/host.h"
#include "tests/sim/oracle.h"
#include "tests/sim/view.h"

/* Calls at one instant of virtual time before we call it a busy loop. */
#define CALLS_AT_ONCE_MAX 200000u

void sim_init(struct sim *sim, uint64_t seed)
{
	memset(sim, 0, sizeof(*sim));
	sim->seed = seed;
	sim->now = FLUX_S(1);
	sim->check_every = 1;
	sim_heap_init(&sim->heap);
	sim->oracle = sim_oracle_new();
}

static void arrive(void *ctx, uint64_t arg)
{
	sim_host_arrive(ctx, (struct sim_packet *)(uintptr_t)arg);
}

static void free_links(struct sim *sim)
{
	for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
		for (uint32_t j = 0; j < SIM_HOSTS_MAX; j++) {
			if (!sim->links[i][j])
				continue;
			sim_link_fini(sim->links[i][j]);
			free(sim->links[i][j]);
		}
	}
}

void sim_fini(struct sim *sim)
{
	struct sim_stream *next;

	while (sim->heap.count) {
		struct sim_call call = sim_heap_pop(&sim->heap);

		if (call.fn == arrive)
			free((void *)(uintptr_t)call.arg);
	}
	sim_heap_fini(&sim->heap);
	for (uint32_t i = 0; i < sim->host_count; i++)
		sim_host_free(sim->hosts[i]);
	free_links(sim);
	for (struct sim_stream *s = sim->streams; s; s = next) {
		next = s->next;
		sim_stream_free(s);
	}
	sim_oracle_free(sim->oracle);
	sim->host_count = 0;
	sim->streams = NULL;
	sim->oracle = NULL;
	memset(sim->links, 0, sizeof(sim->links));
}

void sim_violate(struct sim *sim, enum sim_property property, const char *format, ...)
{
	va_list args;
	int n;

	if (sim->violated)
		return;
	sim->violated = property;
	n = snprintf(sim->why, sizeof(sim->why), "seed %" PRIu64 " at %.6f s: property %d: ", sim->seed,
		     (double)sim->now / 1e9, property);
	va_start(args, format);
	vsnprintf(sim->why + n, sizeof(sim->why) - (size_t)n, format, args);
	va_end(args);
	if (sim->trace)
		fprintf(sim->trace, "VIOLATED %s\n", sim->why);
}

static void link_out(void *ctx, flux_ts when, struct sim_packet *packet)
{
	struct sim_host *to = ctx;

	sim_heap_push(&to->sim->heap, when, arrive, to, (uintptr_t)packet);
}

struct sim_link *sim_link(struct sim *sim, const struct sim_host *from, const struct sim_host *to)
{
	struct sim_link **slot = &sim->links[from->index][to->index];

	if (!*slot) {
		*slot = malloc(sizeof(**slot));
		if (!*slot)
			abort();
		sim_link_init(*slot, sim->seed, from->index * SIM_HOSTS_MAX + to->index, link_out,
			      sim->hosts[to->index]);
		(*slot)->cfg = sim->link_default;
	}
	return *slot;
}

void sim_link_both(struct sim *sim, const struct sim_host *a, const struct sim_host *b,
		   const struct sim_link_cfg *cfg)
{
	sim_link(sim, a, b)->cfg = *cfg;
	sim_link(sim, b, a)->cfg = *cfg;
}

void sim_cut(struct sim *sim, const struct sim_host *a, const struct sim_host *b, flux_ts time)
{
	struct sim_window window = { sim->now, sim->now + time };

	sim_link(sim, a, b)->cfg.down[0] = window;
	sim_link(sim, b, a)->cfg.down[0] = window;
}

struct sim_stream *sim_stream_add(struct sim *sim, const struct sim_plan *plan)
{
	struct sim_stream *stream = sim_stream_new(++sim->stream_count, sim->seed, plan);

	stream->next = sim->streams;
	sim->streams = stream;
	return stream;
}

struct sim_stream *sim_stream_find(struct sim *sim, uint64_t id)
{
	struct sim_stream *stream = sim->streams;

	while (stream && stream->id != id)
		stream = stream->next;
	return stream;
}

void sim_at(struct sim *sim, flux_ts when, sim_call_fn fn, void *ctx, uint64_t arg)
{
	sim_heap_push(&sim->heap, when, fn, ctx, arg);
}

/* One event at or before `until`; false if there is none or the run has ended. */
static bool step(struct sim *sim, flux_ts until, uint32_t *at_once)
{
	struct sim_call call;

	if (sim->violated || sim_heap_first(&sim->heap) > until)
		return false;
	call = sim_heap_pop(&sim->heap);
	*at_once = call.time > sim->now ? 0 : *at_once + 1;
	if (*at_once > CALLS_AT_ONCE_MAX)
		sim_violate(sim, SIM_DEADLINE, "time stands still");
	if (call.time > sim->now)
		sim->now = call.time;
	call.fn(call.ctx, call.arg);
	return true;
}

bool sim_run(struct sim *sim, flux_ts time)
{
	flux_ts until = sim->now + time;
	uint32_t at_once = 0;

	while (step(sim, until, &at_once))
		;
	if (!sim->violated)
		sim->now = until;
	return !sim->violated;
}

static bool is_done(const struct sim *sim)
{
	if (sim->now < sim->not_before)
		return false;
	for (const struct sim_stream *s = sim->streams; s; s = s->next)
		if (!s->abandoned && s->delivered < sim_stream_total(s))
			return false;
	for (uint32_t i = 0; i < sim->host_count; i++)
		for (const struct sim_session *s = sim->hosts[i]->sessions; s; s = s->next)
			if (!sim_session_settled(s))
				return false;
	return true;
}

static void say_unfinished(struct sim *sim)
{
	for (const struct sim_stream *s = sim->streams; s; s = s->next)
		if (!s->abandoned && s->delivered < sim_stream_total(s))
			sim_violate(sim, SIM_COMPLETE,
				    "stream %" PRIu64 ": %" PRIu64 " of %" PRIu64 " delivered, %" PRIu64
				    " accepted",
				    s->id, s->delivered, sim_stream_total(s), s->accepted);
	sim_violate(sim, SIM_CLOSE, "everything is delivered but a session does not close");
}

bool sim_run_done(struct sim *sim, flux_ts limit)
{
	flux_ts until = sim->now + limit;
	uint32_t at_once = 0;

	while (!is_done(sim)) {
		if (step(sim, until, &at_once))
			continue;
		if (!sim->violated)
			say_unfinished(sim);
		return false;
	}
	sim_oracle_end(sim);
	return !sim->violated;
}

struct sim_host *sim_host_at(struct sim *sim, const struct flux_addr *addr)
{
	for (uint32_t i = 0; i < sim->host_count; i++)
		if (flux_addr_equal(addr, &sim->hosts[i]->addr) || flux_addr_equal(addr, &sim->hosts[i]->alias))
			return sim->hosts[i];
	return NULL;
}

static void trace(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
		  const struct sim_packet *packet)
{
	struct sim_view view;
	char text[640];

	sim->trace_hash = sim_mix(sim->trace_hash, sim->now);
	sim->trace_hash = sim_mix(sim->trace_hash, from->index * SIM_HOSTS_MAX + (to ? to->index : 0));
	sim->trace_hash = sim_hash(sim->trace_hash, packet->data, packet->len);
	if (!sim->trace)
		return;
	sim_view_decode(&view, packet->data, packet->len);
	fprintf(sim->trace, "%.6f %c>%c %s\n", (double)sim->now / 1e9, 'A' + (int)from->index,
		to ? 'A' + (int)to->index : '?', sim_view_format(&view, packet->len, text, sizeof(text)));
}

void sim_wire(struct sim *sim, struct sim_host *from, struct sim_packet *packet)
{
	struct sim_host *to = sim_host_at(sim, &packet->to);

	packet->id = ++sim->packets;
	trace(sim, from, to, packet);
	if (to)
		sim_link_send(sim_link(sim, from, to), sim->now, packet);
	else
		free(packet);
}

void sim_inject(struct sim *sim, struct sim_host *to, struct sim_packet *packet, flux_ts time)
{
	packet->id = ++sim->packets;
	sim_heap_push(&sim->heap, sim->now + time, arrive, to, (uintptr_t)packet);
}
