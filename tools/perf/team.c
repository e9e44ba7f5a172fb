/* SPDX-License-Identifier: MIT */
/* The parties of a measurement, each a thread or a process: started, pinned, let go together, and ended. */
#include "perf/team.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/wait.h>

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

/* It failed, and nobody waits for what will not come: the others fail of that, and are not to blame. */
static void fail(struct perf_team *team, uint32_t nth)
{
	struct perf_stage *stage = team->stage;
	uint32_t nobody = 0;

	__atomic_compare_exchange_n(&stage->culprit, &nobody, nth + 1, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED);
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

/* Threads use the rings as they are; a process attaches them. */
static int enter(struct perf_team *team, struct perf_party *party)
{
	const struct perf_options *options = team->stage->options;
	int rc = 0;

	for (int i = 0; options->processes && i < (options->rtt ? 2 : 1) && rc == 0; i++)
		rc = perf_ring_attach(&team->rings[i], options, team->names[i], party->why);
	return rc;
}

static void run_party(struct perf_team *team, uint32_t nth)
{
	struct perf_stage *stage = team->stage;
	struct perf_party *party = &stage->parties[nth];
	struct ends ends = { .writes = false };
	uint32_t state = PERF_FAILED;
	uint32_t made;

	while (!(made = __atomic_load_n(&stage->made, __ATOMIC_ACQUIRE)))
		nap();
	if (made == PERF_NEVER)
		state = PERF_DONE; /* there is nothing to do */
	else if (cpus_pin(&stage->options->cpus, nth, party->why) == 0 && enter(team, party) == 0 &&
		 open_ends(team, party, &ends) == 0)
		state = perform(team, party, &ends);
	if (state == PERF_FAILED)
		fail(team, nth);
	close_ends(&ends);
	set_state(party, state);
}

/* ---- Threads and processes ---- */

static void *thread_main(void *arg)
{
	struct perf_runner *runner = arg;

	run_party(runner->team, runner->nth);
	return NULL;
}

/* The first process alone decides about the end, and none outlives it. */
static _Noreturn void process_main(struct perf_runner *runner, pid_t first)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != first)
		_exit(CLI_FAILED);
	run_party(runner->team, runner->nth);
	for (int i = 0; i < 2; i++)
		perf_ring_end(&runner->team->rings[i]);
	_exit(CLI_OK);
}

static int start_one(struct perf_team *team)
{
	struct perf_runner *runner = &team->runners[team->started];
	bool processes = team->stage->options->processes;
	pid_t first = getpid();

	*runner = (struct perf_runner){ .team = team, .nth = team->started };
	if (processes)
		runner->pid = fork();
	else
		errno = pthread_create(&runner->thread, NULL, thread_main, runner);
	if (processes && runner->pid == 0)
		process_main(runner, first);
	if (processes ? runner->pid < 0 : errno != 0)
		return cli_fail("cannot start more than %u of %u %s: %s", team->started, team->stage->count,
				processes ? "processes" : "threads", strerror(errno));
	team->started++;
	return CLI_OK;
}

/* A process that ended before its work did was killed: the others need not wait for it. */
static void mourn(struct perf_team *team, struct perf_runner *runner, int status)
{
	struct perf_party *party = &team->stage->parties[runner->nth];

	if (state_of(party) < PERF_DONE) {
		snprintf(party->why, sizeof(party->why), "the process %d, a %s, %s %d", (int)runner->pid,
			 party->reads ? "reader" : "writer",
			 WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		fail(team, runner->nth);
		set_state(party, PERF_FAILED);
	}
	runner->pid = 0;
}

/* See which processes have ended; `flags` of waitpid(): WNOHANG, or 0 to wait for all. */
static void reap(struct perf_team *team, int flags)
{
	int status;

	for (uint32_t i = 0; i < team->started; i++) {
		struct perf_runner *runner = &team->runners[i];

		if (runner->pid && waitpid(runner->pid, &status, flags) == runner->pid)
			mourn(team, runner, status);
	}
}

/* ---- All of them ---- */

static int make_rings(struct perf_team *team)
{
	const struct perf_options *options = team->stage->options;
	char why[FLUX_WHY_TEXT];

	for (int i = options->rtt; i >= 0; i--)
		if (perf_ring_make(&team->rings[i], options, team->names[i], why) < 0)
			return cli_fail("%s", why);
	return CLI_OK;
}

/* Whether all parties have come at least as far as `state`; *failed if one will not. */
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
	for (int i = 0; i < 2; i++)
		snprintf(team->names[i], PERF_RING_NAME, "fluxperf-%d-%d", (int)getpid(), i);
	/* First the parties, then the rings: a process must not inherit one. */
	while (rc == CLI_OK && team->started < stage->count)
		rc = start_one(team);
	if (rc == CLI_OK)
		rc = make_rings(team);
	__atomic_store_n(&stage->made, rc == CLI_OK ? PERF_MADE : PERF_NEVER, __ATOMIC_RELEASE);
	while (rc == CLI_OK && !failed && !all_are(team, PERF_READY, &failed)) {
		nap();
		reap(team, WNOHANG);
	}
	return failed ? CLI_FAILED : rc;
}

void perf_team_go(struct perf_team *team)
{
	__atomic_store_n(&team->stage->go, PERF_GO, __ATOMIC_RELEASE);
}

bool perf_team_ended(struct perf_team *team)
{
	bool failed = false;

	reap(team, WNOHANG);
	return all_are(team, PERF_DONE, &failed);
}

int perf_team_end(struct perf_team *team)
{
	int rc = CLI_OK;

	if (!__atomic_load_n(&team->stage->go, __ATOMIC_RELAXED))
		__atomic_store_n(&team->stage->go, PERF_LEAVE, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < team->started && !team->stage->options->processes; i++)
		pthread_join(team->runners[i].thread, NULL);
	reap(team, 0);
	if (team->stage->culprit)
		rc = cli_fail("%s", team->stage->parties[team->stage->culprit - 1].why);
	for (int i = 0; i < 2; i++)
		perf_ring_end(&team->rings[i]);
	return rc;
}
