/* SPDX-License-Identifier: MIT */
/*
 * Two live endpoints, the wire between them and what is lent to and by them, for a fuzz target that makes
 * calls. Each datagram is handed over in a block of exactly its size that goes when it is settled; each image
 * that is lent is compared when it is retired.
 */
#ifndef FLUX_TESTS_FUZZ_WORLD_H
#define FLUX_TESTS_FUZZ_WORLD_H

#include <stdbool.h>

#include "core/endpoint/endpoint.h"
#include "tests/fuzz/fuzz.h"

#define CLIENT       0
#define SERVER       1
#define DATAGRAM_MAX FLUX_IMAGE_BYTES
#define MESSAGE_MAX  4000u
#define WIRE         64u  /* datagrams under way; more are lost */
#define LENT         256u /* receive buffers, and images, that are lent */
#define SIDS         4u   /* sessions of a side that are followed */

struct datagram {
	int to;
	uint32_t len;
	uint8_t data[DATAGRAM_MAX];
};

/* An image that was committed and not retired: it must not change. */
struct image {
	uint32_t token, head_len, body_len;
	const uint8_t *head, *body;
	uint8_t copy[DATAGRAM_MAX];
};

struct side {
	struct flux_endpoint *ep;
	struct flux_addr addr;
	struct flux_mem mem;
	int allocations;     /* not given back */
	int may_allocate;    /* then the allocator refuses */
	void *buffers[LENT]; /* lent by receive until settled */
	uint32_t n_buffers;
	struct image *images;
	uint32_t n_images;
	flux_sid sids[SIDS];
	uint32_t n_sids;
	struct {
		uint32_t sent, read; /* messages, in order */
		bool up, closed, ending;
	} of[SIDS];
};

struct world {
	struct side side[2];
	uint32_t n_wire;
	flux_ts now;
	bool honest; /* nothing is forged: what arrives is what was sent */
};

extern struct world world;
extern struct datagram wire[WIRE];

/* `flags` chooses the configurations of both sides. */
void world_open(bool honest, const uint8_t flags[2]);
/* Both are destroyed; nothing may be left of them. */
void world_close(void);
/* One session, as it should come up, so that what follows meets live ones. */
void world_shake_hands(void);
/* Both endpoints walk through all they hold. */
void world_check(void);

/* The place of a session in side->sids, SIDS if it is not followed. */
uint32_t world_index(const struct side *s, flux_sid sid);
void world_connect(struct side *s, const struct flux_addr *peer);

/* Bytes into a side. */
void world_receive(struct side *s, const struct flux_addr *from, const uint8_t *data, uint32_t len);
/* The i-th of the wire to where it goes; it stays on the wire. */
void world_deliver(uint32_t i);
void world_lose(uint32_t i);
void world_deliver_all(int to);
void world_settle(struct side *s);

/* Peek, put up to `most` on the wire, commit those; retire them at once or keep them lent. */
void world_send(int from, uint32_t most, bool retire_at_once);
/* Retire up to `n` of what is lent, from the `at`-th on. */
void world_retire(struct side *s, uint32_t at, uint32_t n);
void world_pull_events(struct side *s, uint32_t most);

/* The n-th message of a session is n in every byte. Returns what the call did. */
int world_message(struct side *s, flux_sid sid, uint32_t len);
int world_claim(struct side *s, flux_sid sid, uint32_t len, bool give_up);
void world_read(struct side *s, flux_sid sid, uint32_t most, uint32_t release);

/* With nothing lent and all sent there is no deadline that stays in the past: a loop would spin. */
void world_quiesce(int i);
/* The wire is good again and both sides behave: what was sent arrives. */
void world_heal(void);

#endif
