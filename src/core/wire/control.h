/* SPDX-License-Identifier: MIT */
/*
 * Bodies of the session's control packets: FEEDBACK, SYNC, OPEN, PING, PONG, CLOSE (protocol
 * 2.6, 2.8). A body is what lies between header and trailer. Decoders return false for anything
 * that breaks its table and ignore what a later version appended.
 */
#ifndef FLUX_CORE_WIRE_CONTROL_H
#define FLUX_CORE_WIRE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire/cursor.h"
#include "core/wire/params.h"

#define FLUX_RANGES_MAX      64u
#define FLUX_FEEDBACK_LEN    36u
#define FLUX_SYNC_LEN        36u
#define FLUX_PING_LEN        16u
#define FLUX_PONG_LEN        24u
#define FLUX_CLOSE_LEN       8u
#define FLUX_CLOSE_TEXT_MAX  200u
#define FLUX_RESET_TOKEN_LEN 16u
#define FLUX_NO_ECHO         0xFFFFFFFFu

/* Sequences first .. first + count - 1. */
struct flux_range {
	uint64_t first;
	uint64_t count; /* >= 1 */
};

#define FLUX_FB_EOS       1u /* EOS consumed by the application */
#define FLUX_FB_PROBE     2u /* answer to a window probe */
#define FLUX_FB_SLOW      4u /* slow reader */
#define FLUX_FB_WANT_SYNC 8u

struct flux_feedback {
	uint64_t ack;
	uint32_t window;
	uint32_t high; /* low 32 bits */
	uint32_t rx_bytes;
	uint32_t lost;
	uint32_t echo_ts;
	uint32_t echo_dly; /* FLUX_NO_ECHO: no echo */
	uint16_t fixed;
	uint8_t flags;
	uint8_t n; /* ranges, 0 to FLUX_RANGES_MAX */
	struct flux_range ranges[FLUX_RANGES_MAX];
};

#define FLUX_SYNC_WANT_FEEDBACK 1u
#define FLUX_SYNC_EOS           2u
#define FLUX_SYNC_REPAIRING     4u
#define FLUX_SYNC_SKIPPED       8u

struct flux_sync {
	uint64_t next;
	uint64_t floor;
	uint32_t srtt;   /* us, 0 = unknown */
	uint32_t rttvar; /* us */
	uint32_t gsize;
	uint32_t hb; /* us */
	uint16_t cc_rate;
	uint8_t flags;
	uint8_t n;
	struct flux_range ranges[FLUX_RANGES_MAX];
};

enum flux_open_op {
	FLUX_OPEN_OPEN = 1,
	FLUX_OPEN_ACCEPT,
	FLUX_OPEN_REJECT,
	FLUX_OPEN_STOP
};

struct flux_open {
	uint8_t op;
	uint16_t reason;
	uint64_t first_seq;
	struct flux_params params;
};

struct flux_ping {
	uint64_t data;
	uint16_t size; /* the datagram's own UDP length */
	uint8_t flags; /* 1 path check, 2 PMTU probe, 4 new path */
	uint8_t path;
};

struct flux_pong {
	uint64_t data;
	uint16_t size; /* of the PING as received */
	uint8_t flags;
	uint8_t path;
	uint32_t echo_ts;
	uint32_t echo_dly;
};

enum flux_close_kind {
	FLUX_CLOSE_GRACEFUL = 1,
	FLUX_CLOSE_ABORT,
	FLUX_CLOSE_ACK
};

enum flux_close_code {
	FLUX_CODE_OK,
	FLUX_CODE_IDLE,
	FLUX_CODE_PROTOCOL,
	FLUX_CODE_FLOW,
	FLUX_CODE_SLOW,
	FLUX_CODE_REFUSED,
	FLUX_CODE_RESTART,
	FLUX_CODE_PMTU,
	FLUX_CODE_LOST,
	FLUX_CODE_BUSY,
	FLUX_CODE_APP = 256
};

struct flux_close {
	uint8_t kind;
	uint16_t code;
	uint8_t text_len;
	char text[FLUX_CLOSE_TEXT_MAX];
};

/*
 * The decoders of FEEDBACK and SYNC read the fixed part and stop at the n ranges: `base` of the
 * list (ack, floor) and the 64-bit `high` or `next` that bounds it are the caller's to judge
 * first. A SYNC with ranges must say which of "being repaired" and "skipped" they are.
 */
bool flux_feedback_decode(struct flux_feedback *fb, struct flux_reader *r);
bool flux_sync_decode(struct flux_sync *s, struct flux_reader *r);
/*
 * Read `n` ranges, based at `base`. False, and the list is to be ignored, if it is cut,
 * overflows, reaches `high` or beyond, or has more than `limit` sequences in all. out has room
 * for n.
 */
bool flux_ranges_decode(struct flux_range *out, uint8_t n, struct flux_reader *r, uint64_t base,
			uint64_t high, uint64_t limit);
bool flux_open_decode(struct flux_open *o, struct flux_reader *r);
bool flux_ping_decode(struct flux_ping *p, struct flux_reader *r);
bool flux_pong_decode(struct flux_pong *p, struct flux_reader *r);
bool flux_close_decode(struct flux_close *c, struct flux_reader *r);

/*
 * Encoders write the body at `w`; ranges must be ascending, disjoint and from `base` up (ack,
 * floor).
 */
void flux_feedback_encode(const struct flux_feedback *fb, struct flux_writer *w);
void flux_sync_encode(const struct flux_sync *s, struct flux_writer *w);
void flux_open_encode(const struct flux_open *o, struct flux_writer *w);
/* Pads with zeros to p->size bytes of datagram, trailer included; w->bad if p->size < 36. */
void flux_ping_encode(const struct flux_ping *p, struct flux_writer *w);
void flux_pong_encode(const struct flux_pong *p, struct flux_writer *w);
void flux_close_encode(const struct flux_close *c, struct flux_writer *w);

#endif
