/* SPDX-License-Identifier: MIT */
/* A host's socket, clock and turns; how it sends is in drive.c, what its applications do in app.c. */
#include "tests/sim/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/oracle.h"

#define POLL_STEP FLUX_US(10)
#define POLL_BUSY FLUX_MS(1)
#define BATCH_MAX 64u
/* Turns at one instant in which nothing happens although the deadline says that something would. */
#define SPINS_MAX 8u

flux_ts sim_host_now(const struct sim_host *host)
{
	return host->sim->now + (flux_ts)host->cfg.clock;
}

static void make_address(struct sim_host *host)
{
	struct flux_addr *addr = &host->addr;

	memset(addr, 0, sizeof(*addr));
	addr->family = host->cfg.ipv6 ? 6 : 4;
	if (host->cfg.ipv6) {
		addr->ip[0] = 0xFD;
		addr->ip[15] = (uint8_t)(host->index + 1);
	} else {
		addr->ip[0] = 10;
		addr->ip[3] = (uint8_t)(host->index + 1);
	}
	addr->port = (uint16_t)(7000 + host->index);
}

struct sim_host *sim_host_add(struct sim *sim, const struct sim_host_cfg *cfg)
{
	struct sim_host *host = calloc(1, sizeof(*host));

	if (!host || sim->host_count == SIM_HOSTS_MAX)
		abort();
	host->sim = sim;
	host->index = sim->host_count;
	host->cfg = *cfg;
	make_address(host);
	sim_memory_init(&host->memory);
	sim_pcg_init(&host->chance, sim->seed, 1000000 + host->index);
	host->queue_end = &host->queue;
	host->wake_time = FLUX_NEVER;
	sim->hosts[sim->host_count++] = host;
	sim_host_start(host);
	return host;
}

static void fill_seed(const struct sim_host *host, uint8_t seed[32])
{
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t word = sim_mix(sim_mix(host->sim->seed, host->index * 4 + i), host->life);

		memcpy(seed + i * 8, &word, 8);
	}
}

void sim_host_start(struct sim_host *host)
{
	struct flux_endpoint_cfg cfg = host->cfg.endpoint;
	char why[128] = "";
	int rc;

	host->life++;
	cfg.mem = &host->memory.mem;
	fill_seed(host, cfg.seed);
	rc = flux_endpoint_create(&host->ep, &cfg, why);
	if (rc)
		sim_violate(host->sim, SIM_CALLS, "create answers %d: %s", rc, why);
	sim_oracle_disturbed(host);
	sim_host_kick(host);
}

static void drop_queue(struct sim_host *host)
{
	struct sim_packet *next;

	for (struct sim_packet *p = host->queue; p; p = next) {
		next = p->next;
		free(p);
	}
	host->queue = NULL;
	host->queue_end = &host->queue;
	host->queue_bytes = 0;
}

static void stop(struct sim_host *host)
{
	const struct sim_memory *memory = &host->memory;

	flux_endpoint_destroy(host->ep);
	host->ep = NULL;
	drop_queue(host);
	sim_drive_forget(host);
	host->wake_time = FLUX_NEVER;
	host->wake_serial++;
	host->full = false;
	if (memory->blocks || memory->bytes || memory->wrong)
		sim_violate(host->sim, SIM_MEMORY,
			    "%" PRIu64 " blocks, %" PRIu64 " bytes left, %" PRIu64 " freed with a wrong size",
			    memory->blocks, memory->bytes, memory->wrong);
}

void sim_host_crash(struct sim_host *host)
{
	sim_app_crashed(host);
	stop(host);
	sim_oracle_disturbed(host);
}

void sim_host_free(struct sim_host *host)
{
	struct sim_session *next;

	if (host->ep)
		stop(host);
	for (struct sim_session *s = host->sessions; s; s = next) {
		next = s->next;
		free(s);
	}
	sim_memory_fini(&host->memory);
	free(host);
}

static void turn(void *ctx, uint64_t serial);

static void wake_at(struct sim_host *host, flux_ts when)
{
	if (when < host->sim->now)
		when = host->sim->now;
	if (when < host->paused_until)
		when = host->paused_until;
	if (when >= host->wake_time)
		return;
	host->wake_time = when;
	sim_at(host->sim, when, turn, host, ++host->wake_serial);
}

void sim_host_kick(struct sim_host *host)
{
	if (host->ep)
		wake_at(host, host->sim->now + sim_pcg_below(&host->chance, host->cfg.wake_max + 1));
}

void sim_host_pause(struct sim_host *host, flux_ts time)
{
	host->paused_until = host->sim->now + time;
	host->wake_time = FLUX_NEVER;
	wake_at(host, host->paused_until);
	sim_oracle_disturbed(host);
}

void sim_host_step_clock(struct sim_host *host, int64_t clock_step)
{
	host->cfg.clock += clock_step;
	sim_oracle_disturbed(host);
	sim_host_kick(host);
}

/* What a queued datagram costs the kernel: a descriptor, and a power of two for bytes and headroom. */
static uint64_t kernel_cost(uint32_t len)
{
	uint64_t room = 512;

	while (room < len + 412u)
		room *= 2;
	return 256 + room;
}

static bool is_data(const struct sim_packet *packet)
{
	return packet->len > 1 && (packet->data[1] & 15) == 1;
}

void sim_host_arrive(struct sim_host *host, struct sim_packet *packet)
{
	uint64_t cost = kernel_cost(packet->len);

	if (!host->ep) {
		free(packet);
		return;
	}
	/* As Linux: a datagram is taken while the queue is below its bound, whatever its own size. */
	if (host->cfg.rcvbuf && host->queue_bytes > host->cfg.rcvbuf) {
		host->queue_drops++;
		host->queue_data_drops += is_data(packet);
		free(packet);
		return;
	}
	packet->next = NULL;
	*host->queue_end = packet;
	host->queue_end = &packet->next;
	host->queue_bytes += cost;
	sim_host_kick(host);
}

static struct sim_packet *dequeue(struct sim_host *host)
{
	struct sim_packet *packet = host->queue;

	host->queue = packet->next;
	if (!host->queue)
		host->queue_end = &host->queue;
	host->queue_bytes -= kernel_cost(packet->len);
	return packet;
}

/* The driver's buffers are its own again after settle: whoever still reads them reads this. */
static void take_back(struct sim_packet *packet)
{
	memset(packet->data, 0xDD, packet->len);
	free(packet);
}

/* Feed up to `max` queued datagrams as one batch, let the applications read, take the buffers back. */
static uint32_t receive(struct sim_host *host, uint32_t max)
{
	struct sim_packet *packets[BATCH_MAX];
	struct flux_rx rx[BATCH_MAX];
	uint32_t n = 0;

	while (n < max && host->queue) {
		struct sim_packet *packet = dequeue(host);

		sim_oracle_fed(host, packet);
		packets[n] = packet;
		rx[n++] = (struct flux_rx){ .data = packet->data, .len = packet->len, .from = packet->from };
	}
	if (n)
		flux_endpoint_receive(host->ep, sim_host_now(host), rx, n);
	sim_oracle_fed_all(host);
	sim_app_events(host);
	sim_app_read(host);
	flux_endpoint_settle(host->ep);
	for (uint32_t i = 0; i < n; i++)
		take_back(packets[i]);
	host->fed += n;
	return n;
}

static void receive_all(struct sim_host *host)
{
	uint32_t budget = host->cfg.drive == SIM_READINESS ? 16 : BATCH_MAX;
	uint32_t step = host->cfg.drive == SIM_COMPLETION ? 1 : budget;

	do
		budget -= step;
	while (receive(host, step) && budget && host->queue && host->ep);
}

/* The deadline in world time. */
static flux_ts world_deadline(const struct sim_host *host)
{
	flux_ts deadline = flux_endpoint_deadline(host->ep);
	flux_ts now = sim_host_now(host);

	if (deadline == FLUX_NEVER)
		return FLUX_NEVER;
	return deadline <= now ? host->sim->now : host->sim->now + (deadline - now);
}

/*
 * E08: a turn in which nothing came, at or after the deadline of the turn before, sends something or has a later
 * deadline at its end.
 */
static void watch_deadline(struct sim_host *host, flux_ts before, bool busy)
{
	flux_ts after = flux_endpoint_deadline(host->ep);

	if (host->strict_deadline && !busy && before <= sim_host_now(host) && after <= before)
		sim_violate(host->sim, SIM_DEADLINE, "host %u: a turn at its deadline changed nothing", host->index);
}

static void watch_progress(struct sim_host *host, bool busy)
{
	if (busy || host->full || host->lent_count) {
		host->spins = 0;
	} else if (++host->spins > SPINS_MAX) {
		sim_violate(host->sim, SIM_DEADLINE, "host %u: the deadline is past and nothing is done",
			    host->index);
	}
}

/* When to turn next. */
static void rearm(struct sim_host *host, bool busy, bool more)
{
	flux_ts now = host->sim->now;
	flux_ts deadline = world_deadline(host);

	if (host->queue || more)
		wake_at(host, now + 1000);
	if (deadline > now)
		host->spins = 0;
	else
		watch_progress(host, busy);
	if (host->cfg.drive == SIM_POLLING) {
		if (busy)
			host->busy_until = now + POLL_BUSY;
		wake_at(host, now + (now < host->busy_until ? POLL_STEP : POLL_BUSY));
		return;
	}
	/* While the kernel refuses or images are out, their end wakes us: a past deadline would spin. */
	if (deadline <= now && (host->full || host->lent_count))
		return;
	if (deadline != FLUX_NEVER)
		wake_at(host, deadline + sim_pcg_below(&host->chance, host->cfg.late_max + 1));
}

static void turn(void *ctx, uint64_t serial)
{
	struct sim_host *host = ctx;
	uint64_t before = host->sent + host->fed;
	flux_ts deadline;
	bool all;

	if (serial != host->wake_serial || !host->ep)
		return;
	host->wake_time = FLUX_NEVER;
	host->turns++;
	deadline = flux_endpoint_deadline(host->ep);
	receive_all(host);
	if (host->cfg.drive == SIM_POLLING ||
	    flux_endpoint_deadline(host->ep) <= sim_host_now(host))
		flux_endpoint_expire(host->ep, sim_host_now(host));
	sim_app_events(host);
	all = sim_drive_send(host);
	sim_app_events(host);
	sim_oracle_turn(host);
	watch_deadline(host, deadline, host->sent + host->fed != before);
	if (host->ep)
		rearm(host, host->sent + host->fed != before, !all);
}
