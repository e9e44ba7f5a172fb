/* SPDX-License-Identifier: MIT */
/* The parties of a measurement, each in a thread: started, pinned, let go together, and ended. */
#include "perf/team.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "perf/echo.h"
#include "perf/flow.h"

#define LOOK_NS 200000

static uint32_t state_of(const struct perf_party *party)
{
	return __atomic_load_n(&party->state, __ATOMIC_ACQUIRE);
}

static void set_state(struct perf_party *party, uint32_t state)
{
	__atomic_store_n(&party->state, state, __ATOMIC_RELEASE);
}

static void nap(void)
{
	struct timespec ts = { 0, LOOK_NS };

	nanosleep(&ts, NULL);
}

static void close_rings(struct perf_team *team)
{
	for (int i = 0; i < 2; i++)
		if (team->rings[i].ring)
			flux_ring_close(team->rings[i].ring);
}

/* ---- One party ---- */

/* What a party holds: in rtt both, else one of the two. */
struct ends {
	struct flux_ring_writer writer;
	struct flux_ring_reader reader;
	bool writes, reads;
};

static int open_ends(struct perf_team *team, struct perf_party *party, struct ends *ends)
{
	const struct perf_options *options = team->stage->options;
	bool answers = options->rtt && party->reads;
	int rc = 0;

	if (options->rtt || party->reads) {
		rc = perf_ring_read(&team->rings[options->rtt && !answers], options, &ends->reader, party->why);
		ends->reads = rc == 0;
	}
	if (rc == 0 && (options->rtt || !party->reads)) {
		rc = perf_ring_write(&team->rings[answers], options, &ends->writer, party->why);
		ends->writes = rc == 0;
	}
	return rc;
}

static void close_ends(struct ends *ends)
{
	if (ends->writes)
		flux_ring_writer_close(&ends->writer);
	if (ends->reads)
		flux_ring_reader_leave(&ends->reader);
}

static int work(struct perf_team *team, struct perf_party *party, struct ends *ends)
{
	struct perf_stage *stage = team->stage;
	int rc;

	if (stage->options->rtt && party->reads)
		return perf_echo_answer(stage, party, &ends->reader, &ends->writer);
	if (party->reads)
		return perf_flow_read(stage, party, &ends->reader);
	rc = stage->options->rtt ? perf_echo_ask(stage, party, &ends->writer, &ends->reader) :
				   perf_flow_write(stage, party, &ends->writer);
	/* The last writer closes, so that readers know their end. */
	if (__atomic_add_fetch(&stage->writers_done, 1, __ATOMIC_ACQ_REL) == stage->options->writers)
		flux_ring_close(team->rings[0].ring);
	return rc;
}

/* Do the work between the signs. Returns the state it ends in. */
static uint32_t perform(struct perf_team *team, struct perf_party *party, struct ends *ends)
{
	struct perf_stage *stage = team->stage;
	uint64_t cpu;
	uint32_t go;
	int rc;

	set_state(party, PERF_READY);
	while (!(go = __atomic_load_n(&stage->go, __ATOMIC_ACQUIRE)))
		sched_yield();
	if (go == PERF_LEAVE)
		return PERF_DONE;
	cpu = clock_cpu();
	party->start_ns = clock_now();
	rc = work(team, party, ends);
	party->end_ns = clock_now();
	party->cpu_ns = clock_cpu() - cpu;
	if (rc == 0)
		return PERF_DONE;
	snprintf(party->why, sizeof(party->why), "a %s ended early: %s", party->reads ? "reader" : "writer",
		 flux_strerror(rc));
	return PERF_FAILED;
}

static void run_party(struct perf_team *team, uint32_t nth)
{
	struct perf_stage *stage = team->stage;
	struct perf_party *party = &stage->parties[nth];
	struct ends ends = { .writes = false };
	uint32_t state = PERF_FAILED;

	while (!__atomic_load_n(&stage->made, __ATOMIC_ACQUIRE))
		nap();
	if (!team->rings[0].ring)
		state = PERF_DONE; /* there is nothing to do */
	else if (cpus_pin(&stage->options->cpus, nth, party->why) == 0 && open_ends(team, party, &ends) == 0)
		state = perform(team, party, &ends);
	if (state == PERF_FAILED)
		close_rings(team); /* nobody waits for what will not come */
	close_ends(&ends);
	set_state(party, state);
}

/* ---- All of them ---- */

static void *thread_main(void *arg)
{
	struct perf_runner *runner = arg;

	run_party(runner->team, runner->nth);
	return NULL;
}

static int make_rings(struct perf_team *team)
{
	const struct perf_options *options = team->stage->options;
	char why[FLUX_WHY_TEXT];

	if ((options->rtt && perf_ring_make(&team->rings[1], options, why) < 0) ||
	    perf_ring_make(&team->rings[0], options, why) < 0)
		return cli_fail("%s", why);
	return CLI_OK;
}

/* Whether `count` parties have come at least as far as `state`; *failed if one will not. */
static bool all_are(struct perf_team *team, uint32_t state, bool *failed)
{
	bool all = true;

	for (uint32_t i = 0; i < team->started; i++) {
		uint32_t is = state_of(&team->stage->parties[i]);

		all = all && is >= state;
		*failed = *failed || is == PERF_FAILED;
	}
	return all;
}

int perf_team_start(struct perf_team *team, struct perf_stage *stage)
{
	bool failed = false;
	int rc = CLI_OK;

	memset(team, 0, sizeof(*team));
	team->stage = stage;
	while (rc == CLI_OK && team->started < stage->count) {
		struct perf_runner *runner = &team->runners[team->started];

		*runner = (struct perf_runner){ .team = team, .nth = team->started };
		if (pthread_create(&runner->thread, NULL, thread_main, runner))
			rc = cli_fail("the system gives no more threads: %u of %u started", team->started,
				      stage->count);
		else
			team->started++;
	}
	if (rc == CLI_OK)
		rc = make_rings(team);
	if (rc != CLI_OK)
		perf_ring_end(&team->rings[0]);
	__atomic_store_n(&stage->made, 1, __ATOMIC_RELEASE);
	while (rc == CLI_OK && !failed && !all_are(team, PERF_READY, &failed))
		nap();
	return failed ? CLI_FAILED : rc;
}

void perf_team_go(struct perf_team *team)
{
	__atomic_store_n(&team->stage->go, PERF_GO, __ATOMIC_RELEASE);
}

bool perf_team_ended(struct perf_team *team)
{
	bool failed = false;

	return all_are(team, PERF_DONE, &failed);
}

int perf_team_end(struct perf_team *team)
{
	int rc = CLI_OK;

	if (!__atomic_load_n(&team->stage->go, __ATOMIC_RELAXED))
		__atomic_store_n(&team->stage->go, PERF_LEAVE, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < team->started; i++)
		pthread_join(team->runners[i].thread, NULL);
	for (uint32_t i = 0; i < team->started && rc == CLI_OK; i++)
		if (state_of(&team->stage->parties[i]) == PERF_FAILED)
			rc = cli_fail("%s", team->stage->parties[i].why);
	for (int i = 0; i < 2; i++)
		perf_ring_end(&team->rings[i]);
	return rc;
}
