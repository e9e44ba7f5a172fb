/* SPDX-License-Identifier: MIT */
/* One direction of the relay: what a datagram goes through until it is due, counted. */
#ifndef FLUX_TOOLS_RELAY_LINK_H
#define FLUX_TOOLS_RELAY_LINK_H

#include "relay/client.h"
#include "relay/impair.h"
#include "relay/line.h"

#include <stdbool.h>
#include <stdint.h>

enum relay_direction {
	RELAY_FORWARD,
	RELAY_BACKWARD
};

/*
 * The counters of a direction, in the order in which they are printed; fluxrelay(1) explains
 * them. The books balance: received + duplicated = forwarded + lost + burst_lost +
 * queue_dropped + mtu_dropped + send_failed + unsent.
 */
#define RELAY_COUNTERS(X) \
	X(received)       \
	X(forwarded)      \
	X(lost)           \
	X(burst_lost)     \
	X(duplicated)     \
	X(corrupted)      \
	X(reordered)      \
	X(queue_dropped)  \
	X(mtu_dropped)    \
	X(kernel_dropped) \
	X(send_failed)    \
	X(unsent)         \
	X(bytes)          \
	X(data_received)  \
	X(data_lost)      \
	X(data_corrupted)

struct relay_counters {
#define X(name) uint64_t name;
	RELAY_COUNTERS(X)
#undef X
};

struct relay_link {
	struct relay_impair impair;
	struct relay_line line;
	struct relay_counters count;
	struct relay_clients *clients;
	enum relay_direction direction;
	bool overflow_said;
};

/* Returns 0 or a negative errno value. `set` and `clients` must outlive the link. */
int relay_link_create(struct relay_link *link, const struct relay_impairments *set,
		      uint64_t seed, enum relay_direction direction,
		      struct relay_clients *clients);
void relay_link_destroy(struct relay_link *link);

/* Take the `len` bytes of a datagram that came from or for `client` at `now`. */
void relay_link_take(struct relay_link *link, uint64_t now, uint32_t client,
		     const uint8_t *bytes, uint32_t len);

/* Give out the next datagram that is due, if any. The caller counts it and frees the slot. */
bool relay_link_pop(struct relay_link *link, uint64_t now, uint32_t *slot);

#endif
