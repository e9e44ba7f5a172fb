/* SPDX-License-Identifier: MIT */
/* The processes of a measurement over the network: started one after the other, looked after, and ended. */
#include "perf/net_team.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "perf/net_end.h"
#include "perf/net_relay.h"

/* How often it is looked: while something is to come at once, and while all goes its way. */
#define SOON_NS     1000000u
#define LOOK_NS     10000000u
#define PROGRESS_NS 500000000u

enum member {
	RECEIVER,
	RELAY,
	SENDER,
	MEMBERS,
};

static const char *const names[MEMBERS] = { "receiver", "relay", "sender" };

struct team {
	struct net_stage *stage;
	const volatile int *stopped;
	pid_t pids[MEMBERS]; /* 0: not started, or ended */
	bool failed;
	uint64_t shown_ns;
};

/* ---- Starting ---- */

static int work(struct net_stage *stage, enum member member)
{
	switch (member) {
	case RECEIVER:
		return net_end_run(stage, NET_RECEIVER);
	case RELAY:
		return net_relay_run(stage);
	default:
		return net_end_run(stage, NET_SENDER);
	}
}

/*
 * The first process alone decides about the end, and none outlives it. An interrupt from the terminal is for
 * the first one; the relay hears it even when it is ignored, and so has a process group of its own.
 */
static _Noreturn void process_main(struct net_stage *stage, enum member member, pid_t first)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != first)
		_exit(CLI_FAILED);
	if (member == RELAY)
		setpgid(0, 0);
	_exit(work(stage, member));
}

static int start(struct team *team, enum member member)
{
	pid_t first = getpid();
	pid_t pid = fork();

	if (pid == 0)
		process_main(team->stage, member, first);
	if (pid < 0)
		return cli_fail("cannot start the %s: %s", names[member], strerror(errno));
	team->pids[member] = pid;
	return CLI_OK;
}

/* ---- Looking after them ---- */

/* One that failed has said why; one that was killed could not. */
static void mourn(struct team *team, enum member member, int status)
{
	if (WIFSIGNALED(status))
		cli_warn("the process %d, the %s, was killed by signal %d", (int)team->pids[member],
			 names[member], WTERMSIG(status));
	team->failed = team->failed || !WIFEXITED(status) || WEXITSTATUS(status) != CLI_OK;
	team->pids[member] = 0;
}

static void reap(struct team *team)
{
	int status;

	for (int i = 0; i < MEMBERS; i++)
		if (team->pids[i] && waitpid(team->pids[i], &status, WNOHANG) == team->pids[i])
			mourn(team, (enum member)i, status);
}

static uint64_t arrived(const struct net_stage *stage)
{
	const struct check *check = &stage->parties[NET_RECEIVER].check;

	return __atomic_load_n(&check->received, __ATOMIC_RELAXED) +
	       __atomic_load_n(&check->damaged, __ATOMIC_RELAXED) +
	       __atomic_load_n(&check->disordered, __ATOMIC_RELAXED);
}

static void show_progress(struct team *team, uint64_t now, uint64_t start, bool last)
{
	double seconds = (double)(now - start) * 1e-9;
	double msgs = (double)arrived(team->stage);

	if (!isatty(STDERR_FILENO) || (last ? !team->shown_ns : now - team->shown_ns < PROGRESS_NS))
		return;
	team->shown_ns = now;
	fprintf(stderr, "\r%8.1f s %12.0f messages %12.0f/s%s", seconds, msgs, seconds > 0 ? msgs / seconds : 0,
		last ? "\r\033[K" : "");
}

static void look(struct team *team, uint32_t after_ns)
{
	const struct timespec ts = { 0, after_ns };

	nanosleep(&ts, NULL);
	reap(team);
}

static int await(struct team *team, const struct net_place *place)
{
	while (!team->failed && !net_place_known(place))
		look(team, SOON_NS);
	return team->failed ? CLI_FAILED : CLI_OK;
}

static void sign(int fd)
{
	(void)!write(fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

/* Until the sender has ended. */
static void watch_sender(struct team *team)
{
	struct net_stage *stage = team->stage;
	const uint64_t *start = &stage->parties[NET_SENDER].start_ns;
	bool told = false;
	uint64_t from = 0, now = 0;

	while (!team->failed && team->pids[SENDER]) {
		look(team, told ? SOON_NS : LOOK_NS);
		now = clock_now();
		from = __atomic_load_n(start, __ATOMIC_ACQUIRE);
		if (!told && (*team->stopped || (from && now - from >= stage->options->run_ns))) {
			sign(stage->stop_fd);
			told = true;
		}
		if (from)
			show_progress(team, now, from, false);
	}
	if (from)
		show_progress(team, now, from, true);
}

static void end_relay(struct team *team)
{
	if (team->pids[RELAY])
		kill(team->pids[RELAY], SIGTERM);
	while (!team->failed && team->pids[RELAY])
		look(team, SOON_NS);
}

/*
 * In the order of their way, so that what has been sent arrives or is lost: the sender has ended, the relay
 * lets through what it has, then the receiver takes what is there. Over Flux all has arrived by now, and the
 * receiver, who may still be speaking to one who has gone, ends first.
 */
static void end_others(struct team *team)
{
	if (!team->stage->options->reliable)
		end_relay(team);
	sign(team->stage->end_fd);
	while (!team->failed && team->pids[RECEIVER])
		look(team, SOON_NS);
	end_relay(team);
}

/* ---- All of it ---- */

static int start_all(struct team *team)
{
	struct net_stage *stage = team->stage;
	int rc = start(team, RECEIVER);

	if (rc == CLI_OK)
		rc = await(team, &stage->receiver);
	if (rc == CLI_OK && net_impaired(stage->options) && !*team->stopped) {
		rc = start(team, RELAY);
		if (rc == CLI_OK)
			rc = await(team, &stage->relay);
	}
	return rc == CLI_OK && !*team->stopped ? start(team, SENDER) : rc;
}

int net_team_play(struct net_stage *stage, const volatile int *stopped)
{
	struct team team = { .stage = stage, .stopped = stopped };
	int rc;

	fflush(NULL);
	rc = start_all(&team);
	if (rc == CLI_OK) {
		watch_sender(&team);
		end_others(&team);
	}
	for (int i = 0; i < MEMBERS; i++)
		if (team.pids[i])
			kill(team.pids[i], SIGKILL); /* one failed, and the others wait for what will not come */
	while (waitpid(-1, NULL, 0) > 0)
		;
	return team.failed ? CLI_FAILED : rc;
}
