/* SPDX-License-Identifier: MIT */
/* A datagram as the oracle and a person read it: decoded by core/wire, never by the endpoint. */
#ifndef FLUX_TESTS_SIM_VIEW_H
#define FLUX_TESTS_SIM_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "core/wire/control.h"
#include "core/wire/handshake.h"
#include "core/wire/packet.h"
#include "tests/sim/packet.h"

struct sim_view {
	bool ok; /* header and body follow their tables; the checksum was not looked at */
	struct flux_header header;
	union {
		struct flux_feedback feedback; /* ranges decoded as far as they make sense */
		struct flux_sync sync;         /* ranges not decoded */
		struct flux_ping ping;
		struct flux_pong pong;
		struct flux_close close;
		struct flux_hello hello;
		struct flux_welcome welcome; /* parsed without knowing the nonce: bodies only */
		struct {
			uint32_t messages; /* that begin here */
			bool eos;
			const uint8_t *first; /* data of the first record that begins a message, or NULL */
			uint32_t first_len;
		} data;
	};
};

void sim_view_decode(struct sim_view *view, const void *data, uint32_t len);

/* 64-bit end of what a FEEDBACK's sender knows to exist. */
uint64_t sim_view_high(const struct flux_feedback *feedback);

/* One line without its end, for a trace. */
const char *sim_view_format(const struct sim_view *view, uint32_t len, char *text, size_t room);

#endif
