/* SPDX-License-Identifier: MIT */
/* The clients of the relay: by source address, each with its own socket to the target. */
#ifndef FLUX_TOOLS_RELAY_CLIENT_H
#define FLUX_TOOLS_RELAY_CLIENT_H

#include "common/cli.h"

#include <stdint.h>

#define RELAY_CLIENTS   1024u
#define RELAY_BUCKETS   2048u /* a power of two */
#define RELAY_NO_CLIENT UINT32_MAX
#define RELAY_IDLE_NS   60000000000u /* a client that is silent so long is forgotten */

struct relay_client {
	struct cli_addr addr;
	int fd;             /* connected to the target; -1: a free entry */
	uint32_t next;      /* of the same bucket, or the next free entry */
	uint32_t held;      /* datagrams in both delay lines */
	uint64_t active_at; /* the last datagram in either direction */
	uint64_t passed[2]; /* for each direction, the highest number that has left */
};

struct relay_clients {
	struct relay_client *table;
	uint32_t buckets[RELAY_BUCKETS];
	uint32_t free;
	uint32_t last;           /* the last one found: most datagrams come in runs */
	uint32_t count;          /* now */
	uint64_t seen;           /* ever */
	uint64_t closed_dropped; /* by the kernel, at sockets that are closed by now */
};

/* Returns 0 or a negative errno value. */
int relay_clients_create(struct relay_clients *clients);
void relay_clients_destroy(struct relay_clients *clients);

/* The client with this address, or RELAY_NO_CLIENT. */
uint32_t relay_clients_find(struct relay_clients *clients, const struct cli_addr *addr);

/*
 * Add a client whose socket to the target is `fd`, which the table then owns. Returns its
 * index, or RELAY_NO_CLIENT if the table is full.
 */
uint32_t relay_clients_add(struct relay_clients *clients, const struct cli_addr *addr, int fd);

/* Forget the clients without a datagram in flight that have been silent for RELAY_IDLE_NS. */
void relay_clients_expire(struct relay_clients *clients, uint64_t now);

/* Datagrams from the target that the kernel dropped, over all clients there ever were. */
uint64_t relay_clients_dropped(const struct relay_clients *clients);

#endif
