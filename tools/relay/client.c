/* SPDX-License-Identifier: MIT */
/* The clients of the relay: by source address, each with its own socket to the target. */
#include "relay/client.h"
#include "relay/rng.h"
#include "relay/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int relay_clients_create(struct relay_clients *clients)
{
	memset(clients, 0, sizeof(*clients));
	clients->table = calloc(RELAY_CLIENTS, sizeof(*clients->table));
	if (!clients->table)
		return -ENOMEM;
	for (uint32_t i = 0; i < RELAY_BUCKETS; i++)
		clients->buckets[i] = RELAY_NO_CLIENT;
	for (uint32_t i = 0; i < RELAY_CLIENTS; i++) {
		clients->table[i].fd = -1;
		clients->table[i].next = i + 1 < RELAY_CLIENTS ? i + 1 : RELAY_NO_CLIENT;
	}
	clients->last = RELAY_NO_CLIENT;
	return 0;
}

void relay_clients_destroy(struct relay_clients *clients)
{
	for (uint32_t i = 0; clients->table && i < RELAY_CLIENTS; i++)
		if (clients->table[i].fd >= 0)
			close(clients->table[i].fd);
	free(clients->table);
	clients->table = NULL;
}

/* Only the fields that make an address: what the kernel leaves in padding does not matter. */
static bool same_address(const struct cli_addr *a, const struct cli_addr *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->ss;
	const struct sockaddr_in *b4 = (const void *)&b->ss;
	const struct sockaddr_in6 *a6 = (const void *)&a->ss;
	const struct sockaddr_in6 *b6 = (const void *)&b->ss;

	if (a->ss.ss_family != b->ss.ss_family)
		return false;
	if (a4->sin_port != b4->sin_port) /* at the same place in both families */
		return false;
	if (a->ss.ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_scope_id == b6->sin6_scope_id &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static uint32_t *bucket_of(struct relay_clients *clients, const struct cli_addr *addr)
{
	const struct sockaddr_in *v4 = (const void *)&addr->ss;
	const struct sockaddr_in6 *v6 = (const void *)&addr->ss;
	uint64_t low = v4->sin_addr.s_addr;
	uint64_t high = 0;

	if (addr->ss.ss_family == AF_INET6) {
		memcpy(&low, &v6->sin6_addr.s6_addr[0], sizeof(low));
		memcpy(&high, &v6->sin6_addr.s6_addr[8], sizeof(high));
	}
	low = relay_rng_mix(relay_rng_mix(low) ^ high) ^ v4->sin_port;
	return &clients->buckets[relay_rng_mix(low) % RELAY_BUCKETS];
}

uint32_t relay_clients_find(struct relay_clients *clients, const struct cli_addr *addr)
{
	uint32_t i = clients->last;

	if (i != RELAY_NO_CLIENT && same_address(&clients->table[i].addr, addr))
		return i;
	for (i = *bucket_of(clients, addr); i != RELAY_NO_CLIENT; i = clients->table[i].next)
		if (same_address(&clients->table[i].addr, addr))
			break;
	clients->last = i;
	return i;
}

uint32_t relay_clients_add(struct relay_clients *clients, const struct cli_addr *addr, int fd)
{
	uint32_t *bucket = bucket_of(clients, addr);
	uint32_t i = clients->free;

	if (i == RELAY_NO_CLIENT)
		return RELAY_NO_CLIENT;
	clients->free = clients->table[i].next;
	clients->table[i] = (struct relay_client){ .addr = *addr, .fd = fd, .next = *bucket };
	*bucket = i;
	clients->count++;
	clients->seen++;
	return i;
}

static void remove_client(struct relay_clients *clients, uint32_t i)
{
	struct relay_client *client = &clients->table[i];
	uint32_t *link = bucket_of(clients, &client->addr);

	while (*link != i)
		link = &clients->table[*link].next;
	*link = client->next;
	clients->closed_dropped += relay_sock_dropped(client->fd);
	close(client->fd);
	client->fd = -1;
	client->next = clients->free;
	clients->free = i;
	clients->last = RELAY_NO_CLIENT;
	clients->count--;
}

void relay_clients_expire(struct relay_clients *clients, uint64_t now)
{
	for (uint32_t i = 0; i < RELAY_CLIENTS; i++) {
		const struct relay_client *client = &clients->table[i];

		if (client->fd >= 0 && client->held == 0 &&
		    now - client->active_at >= RELAY_IDLE_NS)
			remove_client(clients, i);
	}
}

uint64_t relay_clients_dropped(const struct relay_clients *clients)
{
	uint64_t dropped = clients->closed_dropped;

	for (uint32_t i = 0; i < RELAY_CLIENTS; i++)
		if (clients->table[i].fd >= 0)
			dropped += relay_sock_dropped(clients->table[i].fd);
	return dropped;
}
