/* SPDX-License-Identifier: MIT */
/* The kinds of worlds that the sweep walks through. */
#include "tests/sweep/worlds.h"

#include <stdlib.h>
#include <string.h>

static double uniform(struct sim_pcg *chance, double low, double high)
{
	return low + (high - low) * sim_pcg_u32(chance) / 4294967296.0;
}

static bool coin(struct sim_pcg *chance)
{
	return sim_pcg_chance(chance, 0.5);
}

/* A host of any personality, with a clock of its own; sometimes one whose microseconds wrap soon. */
static struct sim_host_cfg any_host(struct sim_pcg *chance)
{
	const flux_ts wrap = 4294967296000u;
	struct sim_host_cfg cfg = SIM_HOST_CFG_INIT;

	cfg.drive = (enum sim_drive)sim_pcg_below(chance, 3);
	cfg.endpoint.accept = 1;
	cfg.endpoint.window = 1u << sim_pcg_range(chance, 5, 9);
	cfg.endpoint.max_sessions = 4;
	cfg.endpoint.connect_timeout = FLUX_NEVER; /* bursts of loss can take all HELLOs of 10 s */
	cfg.endpoint.max_datagram = (uint32_t)sim_pcg_range(chance, 576, 1472);
	cfg.refuse = coin(chance) ? 0.1 : 0;
	cfg.refuse_time = FLUX_US(200);
	cfg.retire_max = FLUX_US(sim_pcg_range(chance, 0, coin(chance) ? 300 : 20000));
	cfg.wake_max = FLUX_US(sim_pcg_range(chance, 0, 50));
	cfg.late_max = FLUX_US(sim_pcg_range(chance, 0, 100));
	cfg.clock = (int64_t)sim_pcg_below(chance, FLUX_S(100000));
	if (coin(chance))
		cfg.clock = (int64_t)(wrap - FLUX_S(1) - sim_pcg_below(chance, FLUX_S(2)));
	cfg.ipv6 = coin(chance);
	return cfg;
}

static struct sim_plan any_plan(struct sim_pcg *chance, uint64_t count, uint32_t size)
{
	struct sim_plan plan = { .count = count, .sizes = coin(chance) ? SIM_SIZE_MIX : SIM_SIZE_UNIFORM };

	plan.size_max = size;
	plan.burst = (uint32_t)sim_pcg_range(chance, 1, 40);
	plan.interval = coin(chance) ? FLUX_US(sim_pcg_range(chance, 10, 5000)) : 0;
	plan.in_place = coin(chance) ? 0.5 : 0;
	return plan;
}

static struct sim_app_cfg closing_app(void)
{
	return (struct sim_app_cfg){ .close_done = true, .close_linger = FLUX_NEVER };
}

/* Two hosts and a session that closes when both directions went through. */
static struct sim_session *add_pair(struct sim *sim, struct sim_pcg *chance, const struct sim_link_cfg *link,
				    const struct sim_plan *out, const struct sim_plan *back)
{
	struct sim_host_cfg client = any_host(chance);
	struct sim_host_cfg server = any_host(chance);
	struct sim_host *a, *b;

	sim->link_default = *link;
	client.ipv6 = server.ipv6;
	a = sim_host_add(sim, &client);
	b = sim_host_add(sim, &server);
	a->app = closing_app();
	return sim_connect(a, b, out, back);
}

static void talk(struct sim *sim, struct sim_pcg *chance, const struct sim_link_cfg *link, uint64_t count,
		 uint32_t size)
{
	struct sim_plan out = any_plan(chance, count, size);
	struct sim_plan back = any_plan(chance, coin(chance) ? count : 3, size);

	add_pair(sim, chance, link, &out, coin(chance) ? &back : NULL);
}

static void furnish_lan(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 5, 200)),
				     .loss = coin(chance) ? uniform(chance, 0, 0.02) : 0 };

	talk(sim, chance, &link, 1000, 2000);
}

static void furnish_wan(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_MS(sim_pcg_range(chance, 1, 150)),
				     .loss = uniform(chance, 0, 0.05) };

	talk(sim, chance, &link, 600, 3000);
}

static void furnish_lossy(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 10, 30000)),
				     .loss = uniform(chance, 0.1, 0.3) };

	talk(sim, chance, &link, 300, 2000);
}

static void furnish_burst(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 10, 30000)) };

	link.burst = (struct sim_burst){ uniform(chance, 0.001, 0.02), uniform(chance, 0.05, 0.5), 0.9, 0.001 };
	talk(sim, chance, &link, 600, 2000);
}

static void furnish_reorder(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 20000)) };

	link.jitter = coin(chance) ? sim_pcg_below(chance, link.delay) : 0;
	link.reorder = uniform(chance, 0, 0.1);
	link.reorder_delay = sim_pcg_below(chance, 2 * link.delay);
	link.loss = coin(chance) ? 0.01 : 0;
	talk(sim, chance, &link, 600, 2000);
}

static void furnish_mangle(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 5000)) };

	link.duplicate = uniform(chance, 0, 0.3);
	link.duplicate_delay = sim_pcg_below(chance, FLUX_MS(50));
	link.corrupt = uniform(chance, 0, 0.1);
	talk(sim, chance, &link, 600, 2000);
}

/* A bottleneck: delay grows with the queue, and what does not fit is lost. */
static void furnish_thin(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_MS(sim_pcg_range(chance, 1, 40)),
				     .rate_bps = sim_pcg_range(chance, 100000, 2000000) };

	link.queue_bytes = (uint32_t)sim_pcg_range(chance, 10000, 200000);
	talk(sim, chance, &link, 300, 1500);
}

/* Readers that are slow, hold what they read, and sit behind small windows and socket buffers. */
static void furnish_slow(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 20, 5000)),
				     .loss = coin(chance) ? 0.01 : 0 };
	struct sim_plan out = any_plan(chance, 800, 2500);
	struct sim_host_cfg client = any_host(chance);
	struct sim_host_cfg server = any_host(chance);
	struct sim_host *a, *b;

	sim->link_default = link;
	client.ipv6 = server.ipv6;
	server.endpoint.window = 1u << sim_pcg_range(chance, 4, 6);
	server.endpoint.rx_pool = coin(chance) ? server.endpoint.window / 2 : 0;
	server.rcvbuf = server.endpoint.rcvbuf = coin(chance) ? 65536 : 0;
	a = sim_host_add(sim, &client);
	b = sim_host_add(sim, &server);
	a->app = closing_app();
	b->app = (struct sim_app_cfg){ .read_batch = (uint32_t)sim_pcg_range(chance, 1, 64) };
	b->app.read_partial = coin(chance) ? 0.3 : 0;
	b->app.slow_count = coin(chance) ? (uint32_t)sim_pcg_range(chance, 20, 200) : 0;
	b->app.slow_time = FLUX_MS(sim_pcg_range(chance, 1, 100));
	sim_connect(a, b, &out, NULL);
}

static void furnish_big(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 10, 5000)),
				     .loss = coin(chance) ? uniform(chance, 0, 0.05) : 0 };
	struct sim_plan out = any_plan(chance, 4, 1u << 20);
	struct sim_plan back = any_plan(chance, 10, 100000);

	add_pair(sim, chance, &link, &out, coin(chance) ? &back : NULL);
}

static void furnish_ask(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 5, 3000)),
				     .loss = uniform(chance, 0, 0.1),
				     .duplicate = coin(chance) ? 0.05 : 0 };
	struct sim_plan out = any_plan(chance, 150, 1500);
	struct sim_plan back = any_plan(chance, 150, 1500);

	out.timing = SIM_ASK;
	back.timing = SIM_ANSWER;
	add_pair(sim, chance, &link, &out, &back);
}

static void pause_later(void *ctx, uint64_t time)
{
	sim_host_pause(ctx, time);
}

static void step_later(void *ctx, uint64_t step)
{
	sim_host_step_clock(ctx, (int64_t)step);
}

/*
 * Partitions and stopped processes, none long enough to end a session. Not during the handshake: a server
 * forgets after 3 s who has not confirmed.
 */
static void furnish_blink(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 30000)),
				     .loss = coin(chance) ? 0.01 : 0 };
	struct sim_plan out = any_plan(chance, 500, 2000);
	struct sim_plan back = any_plan(chance, 200, 2000);

	out.interval = FLUX_MS(50);
	for (size_t i = 0; i < 3; i++) {
		flux_ts from = sim->now + sim_pcg_range(chance, FLUX_S(1), FLUX_S(10));

		link.down[i] = (struct sim_window){ from, from + sim_pcg_below(chance, FLUX_S(3)) };
	}
	add_pair(sim, chance, &link, &out, coin(chance) ? &back : NULL);
	for (uint32_t i = 0; i < 3; i++)
		sim_at(sim, sim->now + sim_pcg_range(chance, FLUX_S(1), FLUX_S(8)), pause_later,
		       sim->hosts[sim_pcg_below(chance, 2)], sim_pcg_below(chance, FLUX_S(2)));
}

/* Clocks that jump: forward by hours as after a suspend, back by a little. */
static void furnish_clock(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 30000)),
				     .loss = coin(chance) ? 0.01 : 0 };
	struct sim_plan out = any_plan(chance, 500, 2000);
	struct sim_plan back = any_plan(chance, 200, 2000);

	out.interval = FLUX_MS(20);
	add_pair(sim, chance, &link, &out, coin(chance) ? &back : NULL);
	for (uint32_t i = 0; i < 6; i++) {
		uint64_t step = sim_pcg_below(chance, coin(chance) ? FLUX_S(7200) : FLUX_S(10));

		if (sim_pcg_chance(chance, 0.3))
			step = (uint64_t)0 - sim_pcg_below(chance, FLUX_MS(300));
		sim_at(sim, sim->now + sim_pcg_range(chance, FLUX_S(2), FLUX_S(10)), step_later,
		       sim->hosts[sim_pcg_below(chance, 2)], step);
	}
}

static void furnish_many(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 10, 10000)),
				     .loss = uniform(chance, 0, 0.05) };
	uint32_t sessions = (uint32_t)sim_pcg_range(chance, 5, 30);
	struct sim_host_cfg server = any_host(chance);
	struct sim_host *b;

	sim->link_default = link;
	server.endpoint.max_sessions = 64;
	b = sim_host_add(sim, &server);
	for (uint32_t i = 0; i < 3; i++) {
		struct sim_host_cfg client = any_host(chance);

		client.ipv6 = server.ipv6;
		client.endpoint.max_sessions = 16;
		sim_host_add(sim, &client)->app = closing_app();
	}
	while (sessions--) {
		struct sim_plan out = any_plan(chance, 40, 3000);
		struct sim_plan back = any_plan(chance, 40, 1000);

		sim_connect(sim->hosts[1 + sessions % 3], b, &out, coin(chance) ? &back : NULL);
	}
}

/* Datagram numbers that pass 2^16, 2^31 and 2^32. */
static void furnish_wrap(struct sim *sim, struct sim_pcg *chance)
{
	const uint64_t edges[] = { 1u << 16, 1ull << 31, 1ull << 32 };
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 10, 10000)),
				     .loss = 0.05,
				     .reorder = 0.05,
				     .reorder_delay = FLUX_MS(2) };
	struct sim_host_cfg client = any_host(chance);
	struct sim_host_cfg server = any_host(chance);
	struct sim_plan out = any_plan(chance, 800, 1500);

	sim->link_default = link;
	client.ipv6 = server.ipv6;
	client.endpoint.first_seq = edges[sim_pcg_below(chance, 3)] - sim_pcg_range(chance, 1, 100);
	server.endpoint.first_seq = edges[sim_pcg_below(chance, 3)] - sim_pcg_range(chance, 1, 100);
	sim_host_add(sim, &client)->app = closing_app();
	sim_host_add(sim, &server);
	sim_connect(sim->hosts[0], sim->hosts[1], &out, &out);
}

/* ---- lives that end ---- */

#define RECORD_MAX 4096u

/* What went over the wires until the crash, to come again after it. */
static struct {
	struct sim_packet *packets[RECORD_MAX];
	uint32_t count;
} record;

static struct sim_fate keep(void *ctx, flux_ts now, struct sim_packet *packet)
{
	(void)ctx;
	(void)now;
	if (record.count < RECORD_MAX)
		record.packets[record.count++] = sim_packet_clone(packet);
	return (struct sim_fate){ 0 };
}

static void forget_record(void)
{
	while (record.count)
		free(record.packets[--record.count]);
}

static void connect_anew(void *ctx, uint64_t count)
{
	struct sim_host *a = ctx;
	struct sim_plan plan = { .count = count, .size_max = 1000, .interval = FLUX_MS(1) };

	a->app = closing_app();
	sim_connect(a, a->sim->hosts[1], &plan, &plan);
}

static void start_anew(void *ctx, uint64_t arg)
{
	(void)arg;
	sim_host_start(ctx);
}

static void crash(void *ctx, uint64_t arg)
{
	struct sim_host *host = ctx;
	struct sim *sim = host->sim;

	(void)arg;
	/* What was under way is lost on either side; the survivor may only see silence. */
	for (struct sim_session *s = sim->hosts[0]->sessions; s; s = s->next) {
		s->tx->abandoned = s->rx->abandoned = true;
		s->app.may_time_out = true;
	}
	sim_host_crash(host);
	sim_link(sim, sim->hosts[0], sim->hosts[1])->cfg.script = NULL;
	sim_link(sim, sim->hosts[1], sim->hosts[0])->cfg.script = NULL;
}

static void replay(void *ctx, uint64_t arg)
{
	struct sim *sim = ctx;

	(void)arg;
	for (uint32_t i = 0; i < record.count; i++) {
		struct sim_host *to = sim_host_at(sim, &record.packets[i]->to);

		record.packets[i]->copy = true;
		sim_inject(sim, to, record.packets[i], i * FLUX_US(50));
	}
	record.count = 0;
}

/* One end dies and comes back; a new session is made, and the old one's packets are all replayed into it. */
static void furnish_restart(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 10000)),
				     .loss = coin(chance) ? 0.01 : 0,
				     .script = keep };
	struct sim_plan out = any_plan(chance, 500, 1500);
	flux_ts dies = sim->now + sim_pcg_range(chance, FLUX_MS(1), FLUX_MS(300));
	flux_ts lives = dies + sim_pcg_below(chance, FLUX_MS(300));
	struct sim_host *victim;

	forget_record();
	out.interval = FLUX_MS(1);
	add_pair(sim, chance, &link, &out, &out);
	sim->hosts[0]->app.close_done = false;
	sim->hosts[1]->app.may_time_out = true;
	for (size_t i = 0; i < 2; i++)
		sim->hosts[i]->cfg.endpoint.reset_key[0] = coin(chance);
	victim = sim->hosts[sim_pcg_below(chance, 2)];
	sim_at(sim, dies, crash, victim, 0);
	sim_at(sim, lives, start_anew, victim, 0);
	sim_at(sim, lives + 1, connect_anew, sim->hosts[0], 200);
	sim_at(sim, lives + FLUX_MS(50), replay, sim, 0);
	sim->not_before = lives + FLUX_MS(400);
}

/* The line goes dead for good: both ends must say so, in time. */
static void furnish_dead(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 10000)) };
	struct sim_plan out = any_plan(chance, 500, 1500);
	flux_ts when = sim->now + sim_pcg_range(chance, FLUX_MS(100), FLUX_MS(300));
	struct sim_session *session;

	link.down[0] = (struct sim_window){ when, FLUX_NEVER };
	out.interval = coin(chance) ? FLUX_MS(1) : 0;
	out.burst = (uint32_t)sim_pcg_range(chance, 1, 4);
	session = add_pair(sim, chance, &link, &out, &out);
	session->app.may_time_out = sim->hosts[1]->app.may_time_out = true;
	session->app.close_done = false;
	session->must_end = sim->hosts[1]->app.must_end = true;
	session->tx->abandoned = session->rx->abandoned = true;
}

/* Everything at once. */
static void furnish_any(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 5, 50000)),
				     .loss = uniform(chance, 0, 0.1),
				     .reorder = uniform(chance, 0, 0.1),
				     .duplicate = uniform(chance, 0, 0.1),
				     .corrupt = uniform(chance, 0, 0.02) };

	link.jitter = coin(chance) ? sim_pcg_below(chance, link.delay / 2 + 1) : 0;
	link.reorder_delay = link.delay;
	link.duplicate_delay = 4 * link.delay;
	link.rate_bps = coin(chance) ? sim_pcg_range(chance, 500000, 10000000) : 0;
	link.queue_bytes = (uint32_t)sim_pcg_range(chance, 20000, 200000);
	talk(sim, chance, &link, 400, 5000);
}

/* Bytes in flight and rate bounded by configuration. */
static void furnish_paced(struct sim *sim, struct sim_pcg *chance)
{
	struct sim_link_cfg link = { .delay = FLUX_US(sim_pcg_range(chance, 50, 20000)),
				     .loss = uniform(chance, 0, 0.03) };
	struct sim_plan out = any_plan(chance, 500, 1500);
	struct sim_host_cfg client = any_host(chance);
	struct sim_host_cfg server = any_host(chance);

	sim->link_default = link;
	client.ipv6 = server.ipv6;
	client.endpoint.cwnd = coin(chance) ? (uint32_t)sim_pcg_range(chance, 1500, 50000) : 0;
	client.endpoint.rate_bps = coin(chance) ? sim_pcg_range(chance, 200000, 20000000) : 0;
	out.interval = 0;
	sim_host_add(sim, &client)->app = closing_app();
	sim_host_add(sim, &server);
	sim_connect(sim->hosts[0], sim->hosts[1], &out, NULL);
}

const struct world worlds[] = {
	{ "lan", furnish_lan, FLUX_S(60) },
	{ "wan", furnish_wan, FLUX_S(120) },
	{ "lossy", furnish_lossy, FLUX_S(300) },
	{ "burst", furnish_burst, FLUX_S(300) },
	{ "reorder", furnish_reorder, FLUX_S(60) },
	{ "mangle", furnish_mangle, FLUX_S(60) },
	{ "thin", furnish_thin, FLUX_S(300) },
	{ "slow", furnish_slow, FLUX_S(120) },
	{ "big", furnish_big, FLUX_S(120) },
	{ "ask", furnish_ask, FLUX_S(120) },
	{ "blink", furnish_blink, FLUX_S(120) },
	{ "clock", furnish_clock, FLUX_S(120) },
	{ "many", furnish_many, FLUX_S(120) },
	{ "wrap", furnish_wrap, FLUX_S(120) },
	{ "paced", furnish_paced, FLUX_S(120) },
	{ "restart", furnish_restart, FLUX_S(60) },
	{ "dead", furnish_dead, FLUX_S(60) },
	{ "any", furnish_any, FLUX_S(300) },
};

const size_t world_count = sizeof(worlds) / sizeof(worlds[0]);

void world_run(struct sim *sim, const struct world *world)
{
	struct sim_pcg chance;

	sim_pcg_init(&chance, sim->seed, 77);
	world->furnish(sim, &chance);
	sim_run_done(sim, world->limit);
	forget_record();
}
