/* SPDX-License-Identifier: MIT */
/* The parties of a measurement, each a thread or a process: started, pinned, let go together, and ended. */
#ifndef FLUX_TOOLS_PERF_TEAM_H
#define FLUX_TOOLS_PERF_TEAM_H

#include <pthread.h>
#include <sys/types.h>

#include "perf/ring.h"
#include "perf/stage.h"

#define PERF_PARTIES (2 * FLUX_RING_SEATS)

struct perf_team {
	struct perf_stage *stage;
	struct perf_ring rings[2]; /* forth, and back in rtt; each process has its own handles */
	char names[2][PERF_RING_NAME];
	struct perf_runner {
		struct perf_team *team;
		uint32_t nth;
		pthread_t thread;
		pid_t pid; /* between processes; 0: it has ended */
	} runners[PERF_PARTIES];
	uint32_t started;
};

/*
 * Start all parties and make the rings; when this returns, each waits for the sign. Returns CLI_OK, or
 * CLI_FAILED after a message. perf_team_end() follows in any case.
 */
int perf_team_start(struct perf_team *team, struct perf_stage *stage);

/* Give the sign. */
void perf_team_go(struct perf_team *team);

/* Look at them, now and then: whether all have ended. */
bool perf_team_ended(struct perf_team *team);

/* Wait for all, and end the rings. Returns CLI_OK, or CLI_FAILED after a message for one that failed. */
int perf_team_end(struct perf_team *team);

#endif
