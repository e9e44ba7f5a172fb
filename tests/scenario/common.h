/* SPDX-License-Identifier: MIT */
/* What every scenario begins with: two hosts, a link, and an end at which the oracle was content. */
#ifndef FLUX_TESTS_SCENARIO_COMMON_H
#define FLUX_TESTS_SCENARIO_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/host.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/view.h"

/* `a` connects, `b` accepts. The world is too large for a stack. */
struct pair {
	struct sim sim;
	struct sim_host *a, *b;
	struct sim_host_cfg a_cfg, b_cfg; /* change them between pair_init() and pair_start() */
};

/* FLUX_TRACE in the environment prints every packet of the run to stderr. */
void pair_init(struct pair *pair, uint64_t seed);
/* Make both hosts; drives follow from the seed: every combination comes within nine. */
void pair_start(struct pair *pair, const struct sim_link_cfg *link);
/* The usual: both at once. */
void pair_open(struct pair *pair, uint64_t seed, const struct sim_link_cfg *link);
/* Free everything; fail the test if anything was violated. */
void pair_close(struct pair *pair);
/* Fail the test now if anything was violated. */
void pair_assert_fine(struct pair *pair);
/* sim_run() and sim_run_done() that fail the test with the oracle's words. */
void pair_run(struct pair *pair, flux_ts time);
void pair_run_done(struct pair *pair, flux_ts limit);

/* `count` messages of `size` bytes, one each `interval` (0: as fast as they are taken). */
struct sim_plan plan_steady(uint64_t count, uint32_t size, flux_ts interval);

/* Sum over the links from a to b. */
const struct sim_link_stats *pair_out(struct pair *pair);
const struct sim_link_stats *pair_back(struct pair *pair);
struct flux_endpoint_stats host_stats(const struct sim_host *host);

/*
 * A packet of the session between two hosts that neither of them made: `type` and `num` as given, the
 * session's cid, `body` behind the header, sealed as the real sender would. Put it in with sim_inject().
 */
struct sim_packet *forge(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
			 const struct flux_header *header, const void *body, uint32_t len);

#endif
