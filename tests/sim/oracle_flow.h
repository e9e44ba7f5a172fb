/* SPDX-License-Identifier: MIT */
/*
 * What the oracle knows of one direction of one session: every DATA datagram that the writer sent and the
 * reader was given, and the last words of both about it. It sees only what is on the wire.
 */
#ifndef FLUX_TESTS_SIM_ORACLE_FLOW_H
#define FLUX_TESTS_SIM_ORACLE_FLOW_H

#include "tests/sim/host.h"
#include "tests/sim/view.h"

/* One datagram number. Times are the world's. */
struct sim_seq {
	uint64_t hash;       /* of its bytes without the RTX bit */
	uint64_t cum;        /* bytes sent up to and with its first transmission */
	uint64_t fed_serial; /* when the reader was given it first; 0: not yet */
	flux_ts sent_at;     /* last transmission */
	flux_ts detected;    /* when the reader could know that it exists and is missing */
	uint64_t later;      /* DATA the reader had been given by then */
	flux_ts asked;
	flux_ts asked_rtt; /* the reader's srtt then */
	uint32_t sends, asks;
	uint32_t messages; /* that begin in it */
	bool unsure;       /* given, but the endpoint may have had no room for it */
};

/* The smallest of a measure over the last one to two periods. */
struct sim_low {
	flux_ts now, before, since;
	flux_ts known; /* when the first value came */
};

struct sim_flow {
	struct sim_host *writer, *reader;
	uint64_t base; /* first number */
	struct sim_seq *seqs;
	uint64_t room;
	/* the writer */
	uint64_t next, limit, una;
	uint64_t bytes;       /* of DATA sent */
	uint64_t heard_bytes; /* of those, not in flight any more */
	flux_ts heard_at;     /* last FEEDBACK given to the writer */
	flux_ts data_at;
	uint32_t syncs;      /* since the last DATA */
	uint32_t sync_ts;    /* of the last */
	uint64_t sync_bytes; /* of DATA sent before it */
	bool sync_asked;     /* the reader asked for one */
	bool confirmed;      /* the reader has consumed EOS */
	bool queued;         /* it holds data, as it last said */
	double credit;       /* of the pacing check */
	flux_ts credit_at;
	uint64_t resent;
	struct sim_low hold;
	flux_ts writer_calm, reader_calm; /* since when that end was not stopped and its clock did not step */
	/* the reader */
	uint64_t rx_ack, rx_high; /* true values, by what it was given */
	uint64_t rx_data;
	uint64_t fb_ack, fb_limit, fb_high; /* last told */
	uint64_t naks;
	struct sim_low reorder_wait, rtt;
};

void sim_flow_init(struct sim_flow *flow, struct sim_host *writer, struct sim_host *reader, uint64_t base,
		   uint32_t window);
void sim_flow_fini(struct sim_flow *flow);

/* `serial` and `time` say when the image was first shown. */
struct sim_moment {
	uint64_t serial;
	flux_ts time;
};

void sim_flow_data_sent(struct sim_flow *flow, const struct sim_view *view, const struct sim_packet *packet);
void sim_flow_sync_sent(struct sim_flow *flow, const struct sim_view *view, struct sim_moment shown);
void sim_flow_feedback_sent(struct sim_flow *flow, const struct sim_view *view, struct sim_moment shown);
/* True if the datagram is new to the reader. */
bool sim_flow_data_fed(struct sim_flow *flow, const struct sim_view *view, uint64_t serial);
void sim_flow_sync_fed(struct sim_flow *flow, const struct sim_view *view);
void sim_flow_feedback_fed(struct sim_flow *flow, const struct sim_view *view);
/* The endpoint had no room for some of what it was given since `serial`. */
void sim_flow_unsure(struct sim_flow *flow, uint64_t serial);
/* Counters of the session at both ends, once a turn; NULL if they are not to be had. */
void sim_flow_measure(struct sim_flow *flow, const struct flux_session_stats *writer,
		      const struct flux_session_stats *reader);
/* Messages that begin in datagrams which the reader has without a hole. */
uint64_t sim_flow_messages(const struct sim_flow *flow);

#endif
