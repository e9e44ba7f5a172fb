/* SPDX-License-Identifier: MIT */
/*
 * A host of the simulated world: one endpoint, a socket with a bounded queue, a clock, and one of three
 * ways to drive the endpoint. What is delivered must not depend on the way.
 */
#ifndef FLUX_TESTS_SIM_HOST_H
#define FLUX_TESTS_SIM_HOST_H

#include <flux/endpoint.h>
#include <flux/session.h>

#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

enum sim_drive {
	SIM_READINESS,  /* woken when readable; batches of up to 16; the kernel takes k of n, or refuses */
	SIM_COMPLETION, /* one datagram at a time; images stay lent for a random time */
	SIM_POLLING     /* calls everything every 10 us while there is traffic */
};

struct sim_host_cfg {
	struct flux_endpoint_cfg endpoint; /* mem and seed are set by the host */
	enum sim_drive drive;
	uint32_t rcvbuf;     /* bytes of kernel memory for datagrams not read; 0: no bound */
	flux_ts wake_max;    /* from a datagram's arrival to the turn, at most */
	flux_ts late_max;    /* from the deadline to the turn, at most */
	double refuse;       /* chance that the kernel takes only a part of what is offered */
	flux_ts refuse_time; /* until it takes more */
	flux_ts retire_max;  /* how long an image stays lent, at most */
	int64_t clock;       /* the host's clock minus the world's */
	bool ipv6;
};

/* How this host's applications read and answer, for sessions made from now on. */
struct sim_app_cfg {
	uint32_t read_batch;  /* messages looked at by one read; 0 means 16 */
	double read_partial;  /* chance that only some of a read are released, the rest a little later */
	uint32_t slow_count;  /* a pause after this many messages; 0: never */
	flux_ts slow_time;    /* of that length */
	flux_ts close_linger; /* for close_done */
	bool close_done;      /* close when everything of both directions went through */
	bool close_eos;       /* close when the peer has finished its stream */
	bool raw;             /* messages are of no stream: they are counted only */
	bool must_end;        /* of each session: the run is not done before it is closed */
	bool may_time_out;    /* the test cuts or kills: FLUX_ETIMEDOUT and the like are no violation */
};

struct sim_session {
	struct sim_session *next; /* of the host */
	struct sim_host *host;
	struct sim_app_cfg app;
	struct sim_stream *tx, *rx; /* NULL: none, or not known yet */
	struct flux_addr peer;
	flux_sid sid;
	uint32_t life;   /* of the host */
	flux_ts pump_at; /* the next look at what is to be sent */
	uint64_t pump_serial;
	flux_ts born, up_at, closed_at; /* world time; 0: not yet */
	bool must_end;                  /* the run is not done before it is closed */
	bool incoming, up, blocked, eos, closing, closed, crashed, paused, held;
	uint32_t read_since_pause, empty_reads;
	uint64_t read_count; /* messages released */
	uint32_t writables;
	int reason; /* of CLOSED */
	uint32_t code;
	uint64_t undelivered;
	char text[208];
};

#define SIM_LENT_MAX (2u * FLUX_PEEK_MAX)

struct sim_lent {
	bool used;
	uint32_t token;
	const void *head, *body;
	uint32_t head_len, body_len;
	uint64_t hash;
	uint64_t serial;
};

/* A control image that was shown and not taken yet: what it says was true when it was first shown. */
struct sim_shown {
	uint32_t cid, num;
	uint64_t serial; /* of the oracle's feed counter */
	flux_ts time;
};

struct sim_host {
	struct sim *sim;
	uint32_t index;
	uint32_t life; /* counts starts */
	struct sim_host_cfg cfg;
	struct sim_app_cfg app;
	struct flux_addr addr, alias;
	struct flux_endpoint *ep; /* NULL: down */
	struct sim_memory memory;
	struct sim_session *sessions; /* newest first, also of former lives */
	struct sim_pcg chance;
	struct sim_packet *queue, **queue_end;
	uint64_t queue_bytes;
	uint64_t queue_drops, queue_data_drops;
	flux_ts paused_until;
	flux_ts wake_time; /* FLUX_NEVER: none is pending */
	uint64_t wake_serial;
	flux_ts busy_until; /* polling: spin until then */
	bool full;          /* the kernel refuses */
	struct sim_lent lent[SIM_LENT_MAX];
	uint32_t lent_count;
	uint64_t lent_serial;
	struct sim_shown shown[SIM_LENT_MAX]; /* a ring: the oldest is overwritten */
	uint32_t shown_next;
	uint32_t spins;
	bool strict_deadline; /* a turn for the deadline alone must send, or move the deadline */
	uint64_t turns, sent, fed;
	uint64_t turns_at_check;
	bool may_allocate; /* in this turn: something opened */
};

#define SIM_HOST_CFG_INIT                                                                \
	{                                                                                \
		.endpoint = FLUX_ENDPOINT_CFG_INIT, .wake_max = 20000, .late_max = 20000 \
	}

/* Add a host and start it. */
struct sim_host *sim_host_add(struct sim *sim, const struct sim_host_cfg *cfg);
/* As kill -9: the endpoint is gone without a word, queued datagrams too. */
void sim_host_crash(struct sim_host *host);
/* After a crash; the seed is new, cfg.endpoint.reset_key stays what it is. */
void sim_host_start(struct sim_host *host);
/* As SIGSTOP for `time`: datagrams pile up in the socket. */
void sim_host_pause(struct sim_host *host, flux_ts time);
/* Step the clock. */
void sim_host_step_clock(struct sim_host *host, int64_t step);
flux_ts sim_host_now(const struct sim_host *host);
void sim_host_free(struct sim_host *host);

/* A turn at the host's next convenience, for instance because the application called a session. */
void sim_host_kick(struct sim_host *host);
/* What the network calls. */
void sim_host_arrive(struct sim_host *host, struct sim_packet *packet);

/* ---- applications: app.c ---- */

/* Connect with a stream out and, unless back is NULL, one back. */
struct sim_session *sim_connect(struct sim_host *from, struct sim_host *to, const struct sim_plan *out,
				const struct sim_plan *back);
struct sim_session *sim_connect_addr(struct sim_host *from, const struct flux_addr *to,
				     const struct sim_plan *out, const struct sim_plan *back);
void sim_session_close(struct sim_session *session, flux_ts linger);
void sim_session_abort(struct sim_session *session, uint32_t code, const char *text);
void sim_session_pause(struct sim_session *session, bool paused);
struct flux_session_stats sim_session_stats(const struct sim_session *session);
/* The newest session of `host` with that peer. */
struct sim_session *sim_session_with(struct sim_host *host, const struct sim_host *peer);
/* Nothing more is expected of it: no streams to finish, no close to wait for. */
bool sim_session_settled(const struct sim_session *session);

/* Parts of a turn. */
void sim_app_events(struct sim_host *host);
void sim_app_read(struct sim_host *host);
void sim_app_crashed(struct sim_host *host);

/* ---- the way out: drive.c ---- */

/* Send what is due. False if more may be due at once (a budget was spent). */
bool sim_drive_send(struct sim_host *host);
void sim_drive_forget(struct sim_host *host);

#endif
