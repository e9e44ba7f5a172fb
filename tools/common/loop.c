/* SPDX-License-Identifier: MIT */
/* The loop of a tool, of the kind that its user asks for: opened, run until told to stop, and closed. */
#include "common/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sys/signalfd.h>
#include <unistd.h>

#include <flux/epoll.h>
#include <flux/watch.h>
#include <flux/worker.h>
#ifdef HAVE_LIBEVENT
#include <event2/event.h>
#include <flux/event.h>
#endif
#ifdef HAVE_LIBURING
#include <flux/uring.h>
#endif

#include "common/cli.h"

/* ---- The command line ---- */

/* At their places in enum loop_kind, less one, and in enum flux_idle. */
static const char *const kinds[] = { "event", "uring", "thread", "auto", NULL };
static const char *const idles[] = { "adaptive", "spin", "epoll", NULL };

const char *loop_kind_name(uint32_t kind)
{
	return kinds[kind - LOOP_EVENT];
}

const char *loop_idle_name(uint32_t idle)
{
	return idles[idle];
}

int loop_parse_kind(struct loop_options *options, const char *text)
{
	uint32_t which;

	if (cli_parse_word("--loop", kinds, text, &which) != CLI_OK)
		return CLI_USAGE;
	options->kind = which + LOOP_EVENT;
#ifndef HAVE_LIBEVENT
	if (options->kind == LOOP_EVENT)
		return cli_usage("--loop event: this build has no libflux-event; give thread or auto, or build "
				 "with libevent");
#endif
#ifndef HAVE_LIBURING
	if (options->kind == LOOP_URING)
		return cli_usage("--loop uring: this build has no libflux-uring; give thread or auto, or build "
				 "with liburing");
#endif
	return CLI_OK;
}

int loop_parse_idle(struct loop_options *options, const char *text)
{
	options->idle_chosen = true;
	return cli_parse_word("--idle", idles, text, &options->idle);
}

int loop_settle(struct loop_options *options)
{
	if (options->kind == LOOP_ANY) {
#ifdef HAVE_LIBEVENT
		options->kind = LOOP_EVENT;
#else
		options->kind = LOOP_AUTO;
#endif
	}
	if (!options->idle_chosen)
		options->idle = options->kind == LOOP_EVENT ? FLUX_IDLE_SLEEP : FLUX_IDLE_ADAPTIVE;
	if (options->kind == LOOP_EVENT && options->idle != FLUX_IDLE_SLEEP)
		return cli_usage("--idle %s: a libevent base sleeps by itself; give --idle epoll, or choose "
				 "--loop thread, uring or auto",
				 loop_idle_name(options->idle));
	return CLI_OK;
}

/* ---- Signals ---- */

/* They come by a descriptor. Blocked before a thread is started, as one that does not block gets them. */
static int open_signals(struct loop *loop, sigset_t *before)
{
	sigset_t set;

	loop->signal_fd = -1;
	if (!loop->user->on_signal)
		return CLI_OK;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0)
		return cli_fail("cannot wait for signals: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &set, before);
	return CLI_OK;
}

static void close_signals(const struct loop *loop, const sigset_t *before)
{
	if (loop->signal_fd < 0)
		return;
	close(loop->signal_fd);
	sigprocmask(SIG_SETMASK, before, NULL);
}

static void on_signal(void *ctx, struct flux_watch *watch, uint32_t events)
{
	struct loop *loop = ctx;
	struct signalfd_siginfo info;

	(void)watch;
	(void)events;
	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info))
		loop->user->on_signal(loop->user->ctx, (int)info.ssi_signo);
}

/* ---- On the loop's thread ---- */

static int enter(struct loop *loop)
{
	struct flux_watch *watch;

	if (loop->signal_fd >= 0 &&
	    flux_watch_open(&watch, loop->flux, loop->signal_fd, FLUX_LOOP_IN, on_signal, loop) < 0)
		return cli_fail("cannot watch for signals: %s", flux_loop_detail(loop->flux));
	loop->started = true;
	return loop->user->start(loop->user->ctx, loop);
}

static void leave(struct loop *loop)
{
	if (loop->started)
		loop->user->stop(loop->user->ctx);
}

/* ---- libevent ---- */

#ifdef HAVE_LIBEVENT
static int run_event(struct loop *loop)
{
	int rc = flux_loop_open_event(&loop->flux, NULL);

	if (rc < 0)
		return cli_fail("cannot open a libevent loop: %s", flux_strerror(rc));
	loop->ran = LOOP_EVENT;
	loop->status = enter(loop);
	if (loop->status == CLI_OK && !loop->stops && flux_loop_run_event(loop->flux) < 0)
		loop->status = cli_fail("libevent could not go on: %s", strerror(errno));
	leave(loop);
	flux_loop_close(loop->flux);
	return loop->status;
}

static void break_event(struct loop *loop)
{
	event_base_loopbreak(flux_loop_event_base(loop->flux));
}
#else
static int run_event(struct loop *loop)
{
	(void)loop;
	return CLI_FAILED; /* loop_parse_kind() refused it */
}

static void break_event(struct loop *loop)
{
	(void)loop;
}
#endif

/* ---- A thread ---- */

#ifdef HAVE_LIBURING
static int open_required(struct flux_loop **loop, char *why, size_t why_cap)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char words[FLUX_WHY_TEXT];
	int rc;

	cfg.require = 1;
	rc = flux_loop_open_uring(loop, &cfg, words);
	snprintf(why, why_cap, "%s", words);
	return rc;
}

/* Who names it wants it, and no other that is like it. */
static const struct flux_driver required = {
	.size = sizeof(required),
	.name = "uring",
	.open = open_required,
	.poll = flux_loop_poll_uring,
};

static const struct flux_driver *driver_of(uint32_t kind)
{
	return kind == LOOP_URING ? &required : kind == LOOP_AUTO ? &flux_driver_uring :
								    &flux_driver_epoll;
}

static bool is_uring(const struct loop *loop)
{
	return flux_loop_is_uring(loop->flux);
}
#else
static const struct flux_driver *driver_of(uint32_t kind)
{
	(void)kind;
	return &flux_driver_epoll;
}

static bool is_uring(const struct loop *loop)
{
	(void)loop;
	return false;
}
#endif

static int on_start(void *ctx, struct flux_loop *flux)
{
	struct loop *loop = ctx;

	loop->flux = flux;
	loop->ran = is_uring(loop) ? LOOP_URING : LOOP_THREAD;
	loop->status = enter(loop);
	if (loop->status == CLI_OK)
		return 0;
	leave(loop);
	return FLUX_EINVAL; /* the status is what counts */
}

static void on_stop(void *ctx, struct flux_loop *flux)
{
	(void)flux;
	leave(ctx);
}

static void tell_why(struct loop *loop, const char *why)
{
	if (loop->ran == LOOP_URING)
		why = "io_uring works here";
#ifndef HAVE_LIBURING
	why = "this build has no libflux-uring";
#endif
	snprintf(loop->why, sizeof(loop->why), "%s", why);
}

static int run_worker(struct loop *loop, const struct loop_options *options)
{
	struct flux_worker_cfg cfg = FLUX_WORKER_CFG_INIT;
	char why[FLUX_WHY_TEXT] = "";
	struct flux_worker *worker;
	int rc;

	cfg.idle = options->idle;
	cfg.driver = driver_of(options->kind);
	cfg.on_start = on_start;
	cfg.on_stop = on_stop;
	cfg.ctx = loop;
	sem_init(&loop->ended, 0, 0);
	rc = flux_worker_open(&worker, &cfg, why);
	if (rc < 0 && loop->status == CLI_OK)
		loop->status = cli_fail("--loop %s --idle %s: %s", loop_kind_name(options->kind),
					loop_idle_name(options->idle), why);
	if (rc == 0) {
		while (sem_wait(&loop->ended) < 0)
			;
		flux_worker_close(worker);
		if (options->kind == LOOP_AUTO)
			tell_why(loop, why);
	}
	sem_destroy(&loop->ended);
	return loop->status;
}

/* ---- Both ---- */

int loop_run(struct loop *loop, const struct loop_options *options, const struct loop_user *user)
{
	sigset_t before;
	int rc;

	*loop = (struct loop){ .user = user };
	rc = open_signals(loop, &before);
	if (rc == CLI_OK)
		rc = options->kind == LOOP_EVENT ? run_event(loop) : run_worker(loop, options);
	close_signals(loop, &before);
	return rc;
}

void loop_stop(struct loop *loop)
{
	if (loop->stops)
		return;
	loop->stops = true;
	if (loop->ran == LOOP_EVENT)
		break_event(loop);
	else
		sem_post(&loop->ended);
}

void loop_fail(struct loop *loop)
{
	loop->status = CLI_FAILED;
	loop_stop(loop);
}
