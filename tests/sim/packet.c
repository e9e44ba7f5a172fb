/* SPDX-License-Identifier: MIT */
/* Making and copying of virtual datagrams. */
#include "tests/sim/packet.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/pcg.h"

struct sim_packet *sim_packet_new(const void *data, uint32_t len)
{
	struct sim_packet *packet = malloc(sizeof(*packet) + len);

	if (!packet)
		abort();
	memset(packet, 0, sizeof(*packet));
	packet->len = len;
	if (data && len)
		memcpy(packet->data, data, len);
	else
		memset(packet->data, 0, len);
	return packet;
}

struct sim_packet *sim_packet_clone(const struct sim_packet *packet)
{
	struct sim_packet *twin = sim_packet_new(packet->data, packet->len);
	uint32_t len = twin->len;

	memcpy(twin, packet, sizeof(*twin));
	twin->len = len;
	twin->next = NULL;
	return twin;
}

uint64_t sim_hash(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word;

	hash = sim_mix(hash, len);
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 29;
	}
	word = 0;
	if (len)
		memcpy(&word, p, len);
	return sim_mix(hash, word);
}
