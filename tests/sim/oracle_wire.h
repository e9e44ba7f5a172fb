/* SPDX-License-Identifier: MIT */
/* What the oracle's files share: the sessions as the wire shows them. */
#ifndef FLUX_TESTS_SIM_ORACLE_WIRE_H
#define FLUX_TESTS_SIM_ORACLE_WIRE_H

#include "tests/sim/oracle.h"
#include "tests/sim/oracle_flow.h"

/* A question that was asked: who, under which id and nonce. */
struct sim_hello {
	struct sim_hello *next;
	struct sim_host *host;
	uint32_t life, cid;
	uint64_t nonce;
	struct flux_params params;
};

/* One end of a session, as the wire shows it. */
struct sim_end {
	struct sim_host *host;
	uint32_t life, cid;       /* cid: in packets to this end */
	uint32_t closes;          /* CLOSE but no ack, sent */
	flux_ts heard, heard_new; /* last packet given to it; last one that was not a duplicate */
	bool vague;               /* the host was stopped or its clock stepped since */
};

struct sim_wire_session {
	struct sim_wire_session *next;
	struct sim_end end[2];   /* 0: client */
	struct sim_flow flow[2]; /* flow[i] is written by end[i] */
	uint64_t nonce[2];
	flux_ts idle_timeout;
};

struct sim_oracle {
	struct sim_hello *hellos;
	struct sim_wire_session *sessions;               /* newest first */
	uint64_t serial;                                 /* counts feeds */
	uint64_t batch_serial;                           /* of the first feed of this batch */
	uint64_t bytes_in[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* [host][peer], while the peer is unproven */
	uint64_t bytes_out[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	bool proven[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	uint64_t allocations[SIM_HOSTS_MAX];
	uint64_t dropped[SIM_HOSTS_MAX];
	uint64_t no_buffer[SIM_HOSTS_MAX];
	bool disturbed[SIM_HOSTS_MAX];
};

/* What an end says of itself goes into its flows: as writer, and as reader of the other. */
void sim_oracle_measure(struct sim_wire_session *s, int which);

#endif
