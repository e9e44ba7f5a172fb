/* SPDX-License-Identifier: MIT */
/* One datagram on the virtual wire. */
#ifndef FLUX_TESTS_SIM_PACKET_H
#define FLUX_TESTS_SIM_PACKET_H

#include <flux/base.h>
#include <stdbool.h>

struct sim_packet {
	struct sim_packet *next; /* in a socket's queue */
	struct flux_addr from, to;
	uint64_t id;  /* which send it comes from; copies share it */
	bool damaged; /* differs from what was sent in more than the RTX bit */
	bool copy;    /* a duplicate that the network made */
	bool forged;  /* made by a test: no endpoint ever sent it */
	uint32_t len;
	uint8_t data[]; /* exactly len bytes, so that a sanitizer sees a read past the end */
};

/* A packet of `len` bytes, zeroed if data is NULL. Free with free(). */
struct sim_packet *sim_packet_new(const void *data, uint32_t len);
struct sim_packet *sim_packet_clone(const struct sim_packet *packet);

/* A 64-bit hash of bytes, chained. */
uint64_t sim_hash(uint64_t hash, const void *data, size_t len);

#endif
