/* SPDX-License-Identifier: MIT */
/*
 * One direction of a conversation as the application means it: message i of a stream has a length and
 * bytes that follow from (seed, id, i) alone, so a receiver knows what must come next without being told.
 * Message 0 is a preamble that names the stream; the plan's own messages are 1 to plan.count.
 */
#ifndef FLUX_TESTS_SIM_STREAM_H
#define FLUX_TESTS_SIM_STREAM_H

#include <flux/base.h>
#include <stdbool.h>

enum sim_sizes {
	SIM_SIZE_UNIFORM, /* size_min to size_max */
	SIM_SIZE_MIX,     /* most near size_min, few large: uniform in the logarithm */
	SIM_SIZE_POWERS   /* 2^k - 1, 2^k, 2^k + 1 for k = 0, 1 ... up to size_max */
};

enum sim_timing {
	SIM_STEADY, /* `burst` messages each `interval`; interval 0: as fast as they are taken */
	SIM_ASK,    /* the next when the answer to the last has come */
	SIM_ANSWER  /* one for each message delivered from the other side */
};

struct sim_plan {
	uint64_t count; /* messages after the preamble */
	enum sim_sizes sizes;
	uint32_t size_min, size_max;
	enum sim_timing timing;
	uint32_t burst; /* 0 means 1 */
	flux_ts interval;
	flux_ts start;   /* after the session is made */
	double in_place; /* share written by claim and publish */
};

#define SIM_PREAMBLE_LEN 16u

struct sim_stream {
	uint64_t id; /* unique in a simulation, not 0 */
	uint64_t seed;
	struct sim_plan plan;
	struct sim_stream *back; /* the other direction, or NULL */
	struct sim_stream *next; /* of the simulation */
	uint64_t accepted;       /* messages the library took, preamble included */
	uint64_t refused;        /* answers FLUX_EAGAIN */
	uint64_t delivered;      /* messages released by the receiving application, preamble included */
	bool bound;              /* a receiving session has met it */
	bool abandoned;          /* the test does not expect the rest to arrive */
	flux_ts *accepted_at;    /* world time, for message i; count + 1 entries */
	flux_ts *delivered_at;
};

struct sim_stream *sim_stream_new(uint64_t id, uint64_t seed, const struct sim_plan *plan);
void sim_stream_free(struct sim_stream *stream);
uint64_t sim_stream_total(const struct sim_stream *stream);
uint32_t sim_stream_len(const struct sim_stream *stream, uint64_t index);
/* Write message `index` to `out`, sim_stream_len() bytes. */
void sim_stream_fill(const struct sim_stream *stream, uint64_t index, void *out);
/* Whether `data` is exactly message `index`. */
bool sim_stream_equal(const struct sim_stream *stream, uint64_t index, const void *data, uint32_t len);
/* The stream id that a preamble names; 0 if it is none. */
uint64_t sim_preamble_id(const void *data, uint32_t len);
/* Delay from accepted to delivered that `part` (0 to 1) of the delivered messages did not exceed. */
flux_ts sim_stream_delay(const struct sim_stream *stream, double part);

#endif
