/* SPDX-License-Identifier: MIT */
/* What the sending and the receiving side of fluxcat share: the loop, the binding, the one session. */
#include "cat/cat.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_MS 250

/* Long enough to answer a peer that did not hear our last word, by its own timer of a few round trips. */
#define ENDING_MIN  FLUX_MS(100)
#define ENDING_RTTS 4u
#define ENDING_MAX  FLUX_S(2)

static void arm(struct flux_timer *timer, flux_ts delay)
{
	flux_timer_set(timer, flux_loop_now() + delay);
}

/* The result stands. Leave as soon as the peer has heard it. */
static void decide(struct cat *cat)
{
	flux_ts wait = cat->report.session.srtt * ENDING_RTTS;

	cat->decided = true;
	cat->report.ended_at = flux_loop_now();
	if (wait < ENDING_MIN)
		wait = ENDING_MIN;
	if (wait > ENDING_MAX)
		wait = ENDING_MAX;
	arm(cat->ending, cat->sid ? wait : 0);
}

void cat_succeed(struct cat *cat)
{
	if (!cat->decided)
		decide(cat);
}

/* The peer's words may end up on a terminal: keep what is printable. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void cat_fail(struct cat *cat, uint32_t code, const char *format, ...)
{
	va_list args;

	if (cat->decided)
		return;
	va_start(args, format);
	vsnprintf(cat->why, sizeof(cat->why), format, args);
	va_end(args);
	make_printable(cat->why);
	cat->status = CLI_FAILED;
	cat_report_sample(&cat->report, cat->binding, cat->sid);
	if (cat->open)
		flux_binding_abort_session(cat->binding, cat->sid, code, cat->why);
	decide(cat);
}

void cat_fail_closed(struct cat *cat, const struct flux_event *event)
{
	const char *peer = cat->options->listen ? "sender" : "receiver";
	double timeout = (double)cat->options->endpoint.connect_timeout / 1e9;

	if (event->reason == FLUX_ETIMEDOUT && cat->report.up_at == 0)
		cat_fail(cat, 0, "the %s was not reached within %g s", peer, timeout);
	else if (event->reason == FLUX_ETIMEDOUT)
		cat_fail(cat, 0, "the %s has been silent for too long: it is gone, or the path is",
			 peer);
	else if (event->reason == 0)
		cat_fail(cat, 0, "the %s closed before everything was sent", peer);
	else if (event->text[0])
		cat_fail(cat, 0, "the %s gave up: %s", peer, event->text);
	else
		cat_fail(cat, 0, "the session with the %s ended: %s (code %u)", peer,
			 flux_strerror(event->reason), event->code);
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct cat *cat = ctx;

	if (event->type == FLUX_EVENT_UP && cat->options->listen && cat->sid == 0) {
		cat->sid = event->sid;
		cat->open = true;
	}
	if (event->sid != cat->sid) {
		/* Not ours: another sender, while this receiver has one already. */
		if (event->type == FLUX_EVENT_UP)
			flux_binding_abort_session(binding, event->sid, CAT_CODE_BUSY,
						   "already receiving from another sender");
		return;
	}
	cat_report_sample(&cat->report, binding, cat->sid);
	if (event->type == FLUX_EVENT_UP) {
		cat->report.up_at = flux_loop_now();
		cat->report.shown_at = cat->report.up_at;
		cat->report.peer = event->peer;
	} else if (event->type == FLUX_EVENT_CLOSED) {
		cat->open = false;
	} else if (event->type == FLUX_EVENT_GAP) {
		cat_fail(cat, CAT_CODE_FAULT, "datagrams were given up: the stream has a hole");
	}
	if (!cat->decided)
		cat->on_event(cat, event);
}

static void on_signal(void *ctx, int number)
{
	struct cat *cat = ctx;

	if (cat->decided)
		loop_stop(&cat->loop); /* asked twice: leave at once */
	else
		cat_fail(cat, CAT_CODE_STOPPED, "stopped by %s",
			 number == SIGINT ? "an interrupt" : "SIGTERM");
}

static void on_tick(void *ctx, struct flux_timer *timer)
{
	struct cat *cat = ctx;

	arm(timer, FLUX_MS(PROGRESS_MS));
	if (cat->report.up_at == 0 || cat->decided)
		return;
	cat_report_sample(&cat->report, cat->binding, cat->sid);
	cat_report_progress(&cat->report, flux_loop_now(), false);
}

static void on_ending(void *ctx, struct flux_timer *timer)
{
	struct cat *cat = ctx;

	(void)timer;
	loop_stop(&cat->loop);
}

static int open_binding(struct cat *cat)
{
	const struct cat_options *options = cat->options;
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	char local[CLI_ADDR_TEXT];

	cfg.local = options->listen ? cli_addr_format(&options->addr, local) : NULL;
	cfg.endpoint = &options->endpoint;
	cfg.on_event = on_event;
	cfg.ctx = cat;
	if (flux_binding_open(&cat->binding, cat->loop.flux, &cfg) != 0)
		return cli_fail("%s", flux_loop_detail(cat->loop.flux));
	return CLI_OK;
}

static int start(void *ctx, struct loop *loop)
{
	struct cat *cat = ctx;
	int rc;

	if (flux_timer_open(&cat->tick, loop->flux, on_tick, cat) != 0 ||
	    flux_timer_open(&cat->ending, loop->flux, on_ending, cat) != 0)
		return cli_fail("no memory for the timers");
	if (isatty(STDERR_FILENO))
		arm(cat->tick, FLUX_MS(PROGRESS_MS));
	rc = open_binding(cat);
	return rc == CLI_OK ? cat->start(cat) : rc;
}

/* The counters go with the binding. */
static void stop(void *ctx)
{
	struct cat *cat = ctx;

	cat_report_sample(&cat->report, cat->binding, cat->open ? cat->sid : 0);
}

int cat_run(struct cat *cat)
{
	const struct loop_user user = { .start = start, .on_signal = on_signal, .stop = stop, .ctx = cat };
	int rc;

	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write(), reported like others */
	cat->report.sender = !cat->options->listen;
	rc = loop_run(&cat->loop, &cat->options->loop, &user);
	if (rc != CLI_OK)
		return rc;
	cat_report_progress(&cat->report, cat->report.ended_at, true);
	if (cat->why[0])
		cli_warn("%s", cat->why);
	if (cat->options->json)
		cat_report_json(&cat->report, &cat->loop, cat->options, cat->status, cat->why);
	return cat->status;
}

bool cat_fd_ready(int fd, short events)
{
	struct pollfd entry = { .fd = fd, .events = events };

	return poll(&entry, 1, 0) != 0;
}
