/* SPDX-License-Identifier: MIT */
/* The parameter list (TLV) of HELLO, WELCOME and OPEN (protocol 2.8). */
#ifndef FLUX_CORE_WIRE_PARAMS_H
#define FLUX_CORE_WIRE_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/wire/cursor.h"

/*
 * What this version knows and uses. Bit i of `has` says that the member with TLV type i was
 * there.
 */
struct flux_params {
	uint32_t has;
	uint16_t max_datagram;     /* 1 */
	uint32_t idle_timeout_ms;  /* 2 */
	uint32_t max_message;      /* 3 */
	uint32_t window;           /* 5, datagrams */
	uint8_t reset_token[16];   /* 6 */
	uint64_t first_seq;        /* 17 */
	uint32_t unknown_critical; /* decode: first odd type not listed here, else 0 */
};

#define FLUX_PARAM_MAX_DATAGRAM 1u
#define FLUX_PARAM_IDLE_TIMEOUT 2u
#define FLUX_PARAM_MAX_MESSAGE  3u
#define FLUX_PARAM_WINDOW       5u
#define FLUX_PARAM_RESET_TOKEN  6u
#define FLUX_PARAM_FIRST_SEQ    17u

/*
 * Decode all that is left in `r`. False: a length is wrong, a type below 64 is given twice, the
 * list is cut. Unknown even types are skipped; an unknown odd type sets unknown_critical and is
 * no syntax error.
 */
bool flux_params_decode(struct flux_params *p, struct flux_reader *r);

/* Write the members that `has` names, ascending by type. */
void flux_params_encode(const struct flux_params *p, struct flux_writer *w);

#endif
