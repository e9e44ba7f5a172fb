/* SPDX-License-Identifier: MIT */
/* One direction of the relay: what a datagram goes through until it is due, counted. */
#include "relay/link.h"

#include <string.h>

int relay_link_create(struct relay_link *link, const struct relay_impairments *set,
		      uint64_t seed, enum relay_direction direction,
		      struct relay_clients *clients)
{
	memset(link, 0, sizeof(*link));
	link->clients = clients;
	link->direction = direction;
	relay_impair_init(&link->impair, set, seed, direction);
	return relay_line_create(&link->line);
}

void relay_link_destroy(struct relay_link *link)
{
	relay_line_destroy(&link->line);
}

/* DATA of Flux protocol version 1, by the first two bytes of its header. */
static bool is_data(const uint8_t *bytes, uint32_t len)
{
	return len >= 2 && bytes[0] == 0x09 && (bytes[1] & 0x0f) == 1;
}

/* Say once that the delay line, which stands for no queue, is too small for this traffic. */
static void say_overflow(struct relay_link *link)
{
	if (link->overflow_said)
		return;
	link->overflow_said = true;
	cli_warn("%s: more than %u datagrams (%u above %u bytes) are on their way at once; the "
		 "rest is dropped and counted in queue_dropped: give a shorter --delay",
		 link->direction == RELAY_FORWARD ? "forward" : "backward", RELAY_SMALL_SLOTS,
		 RELAY_LARGE_SLOTS, RELAY_SMALL_BYTES);
}

/* Put one passage of a datagram into the line. Returns false if it is dropped. */
static bool hold(struct relay_link *link, const struct relay_passage *passage, uint32_t client,
		 const uint8_t *bytes, uint32_t len)
{
	uint8_t *held;
	uint32_t slot;

	if (passage->queue_dropped || !relay_line_claim(&link->line, len, &slot)) {
		if (!passage->queue_dropped)
			say_overflow(link);
		link->count.queue_dropped++;
		return false;
	}
	held = relay_line_bytes(&link->line, slot);
	memcpy(held, bytes, len);
	if (passage->flip_bit != RELAY_NO_FLIP) {
		held[passage->flip_bit / 8] ^= (uint8_t)(1u << (passage->flip_bit % 8));
		link->count.corrupted++;
	}
	relay_line_push(&link->line, passage->due, slot, len, client);
	link->clients->table[client].held++;
	return true;
}

static void count_drop(struct relay_counters *count, enum relay_verdict verdict)
{
	count->mtu_dropped += verdict == RELAY_MTU_DROPPED;
	count->lost += verdict == RELAY_LOST;
	count->burst_lost += verdict == RELAY_BURST_LOST;
}

void relay_link_take(struct relay_link *link, uint64_t now, uint32_t client,
		     const uint8_t *bytes, uint32_t len)
{
	struct relay_counters *count = &link->count;
	bool data = is_data(bytes, len);
	struct relay_fate fate;
	bool passed;

	link->clients->table[client].active_at = now;
	relay_impair_decide(&link->impair, now, len, &fate);
	count_drop(count, fate.verdict);
	passed = fate.passages > 0 && hold(link, &fate.passage[0], client, bytes, len);
	if (fate.passages == 2) {
		count->duplicated++;
		(void)hold(link, &fate.passage[1], client, bytes, len);
	}
	count->received++;
	count->data_received += data;
	count->data_lost += data && !passed;
	count->data_corrupted += data && passed && fate.passage[0].flip_bit != RELAY_NO_FLIP;
}

bool relay_link_pop(struct relay_link *link, uint64_t now, uint32_t *slot)
{
	const struct relay_slot *datagram;
	struct relay_client *client;
	uint64_t *passed;

	if (!relay_line_pop(&link->line, now, slot))
		return false;
	datagram = &link->line.slots[*slot];
	client = &link->clients->table[datagram->client];
	client->held--;
	passed = &client->passed[link->direction];
	if (datagram->number < *passed)
		link->count.reordered++;
	else
		*passed = datagram->number;
	return true;
}
