/* SPDX-License-Identifier: MIT */
/*
 * Two ends on one loop of some adapter, with a stream of numbered messages that check themselves.
 * A test body is written once and run over every row.
 */
#ifndef FLUX_TESTS_LOOP_WORLD_H
#define FLUX_TESTS_LOOP_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <flux/pub.h>
#include <flux/sub.h>

/* A host's loop with Flux in it. */
struct adapter {
	const char *name;
	/* NULL: this build has no such loop. Make the host's loop and open Flux in it. *loop becomes NULL when the test closes it. */
	int (*open)(struct flux_loop **loop, void **host);
	/* One round of the host's loop. It may sleep until something happens, but not for ever. */
	void (*round)(void *host);
	/* Free the host's loop, when Flux has left it. */
	void (*close)(void *host);
	/* What a forked child must do to the host's loop before anything else; NULL: nothing. */
	void (*forked)(void *host);
	bool adoptable; /* the loop, by such a child */
};

/* Every row there is, one after the other; NULL behind the last. */
const struct adapter *adapter_at(unsigned int i);

/* Which callback calls end->hook. */
enum where {
	IN_EVENT,
	IN_WRITABLE,
	IN_MESSAGE,
	IN_CLOSED
};

/* A binding with one session that matters to the test. */
struct end {
	struct world *world;
	struct flux_binding *binding; /* NULL: not open */
	struct flux_pub *pub;
	struct flux_sub *sub;
	flux_sid sid;
	char local[FLUX_ADDR_TEXT];

	/* What the test wants; set before end_open(). */
	bool no_sub; /* do not subscribe when the session comes up */
	bool echo;   /* send back what comes */
	bool batch;  /* read several messages at a time */
	struct flux_binding_cfg cfg;
	enum flux_take (*take)(struct end *end, const struct flux_msg *msg); /* NULL: take all */
	void (*hook)(struct end *end, enum where where, const struct flux_event *event);

	/* What happened. */
	uint32_t ups, eos, gaps, closes, writables, ended;
	struct flux_event last; /* the last CLOSED */
	uint64_t sent, received, bytes;
	uint64_t wrong; /* messages out of order or with other bytes */
	uint32_t depth, deepest;
};

struct world {
	const struct adapter *adapter;
	struct flux_loop *loop; /* NULL once closed */
	void *host;
	struct end a, b; /* a listens, b connects */
};

/* As cmocka wants them: the initial state is the adapter, the state a struct world. */
int world_setup(void **state);
int world_teardown(void **state);

/* Open `a` on a free port, `b` connected to it, and run until both are up. */
void world_connect(struct world *w);

/* Open a binding; `local` as in its configuration. */
void end_open(struct end *end, const char *local);
/* Start a session, with a publication. */
void end_connect(struct end *end, const char *peer);
/* Read the session's messages, which UP does by itself unless no_sub says no. */
void end_subscribe(struct end *end);
/* Send the next message of the stream. Returns what flux_pub_send() did. */
int end_send(struct end *end, uint32_t len);
/* The same, written in place. */
int end_claim(struct end *end, uint32_t len);
/* The same, up to `most` at a time. */
int end_claim_some(struct end *end, uint32_t len, uint32_t most);

/* One round. */
void world_round(struct world *w);
/* Rounds until it is true; fails the test after very many. Evaluated anew each round. */
#define world_until(w, condition)                                      \
	do {                                                           \
		uint32_t rounds_ = 0;                                  \
		while (!(condition)) {                                 \
			world_round(w);                                \
			if (++rounds_ > WORLD_PATIENCE)                \
				fail_msg("still not: %s", #condition); \
		}                                                      \
	} while (0)

/* Rounds that sleep do so for some milliseconds at most, so this is more than a minute. */
#define WORLD_PATIENCE 400000u

/* Rounds in which nothing should happen: some fifty milliseconds. */
void world_idle(struct world *w);

/* Run `test` over every adapter, or over the one that FLUX_TEST_ADAPTER names; names become "adapter: name". */
struct world_test {
	const char *name;
	void (*test)(void **state);
};
int world_run(const char *group, const struct world_test *tests, unsigned int n);

#endif
