/* SPDX-License-Identifier: MIT */
/* What the sending and the receiving side of fluxcat share: the loop, the binding, the one session. */
#ifndef FLUX_TOOLS_CAT_CAT_H
#define FLUX_TOOLS_CAT_CAT_H

#include "cat/options.h"
#include "cat/report.h"

#include <flux/binding.h>
#include <flux/timer.h>
#include <stdbool.h>

/* Close codes of fluxcat, seen by the peer with their text. */
enum {
	CAT_CODE_OUTPUT = 256,  /* the receiver cannot write */
	CAT_CODE_INPUT = 257,   /* the sender cannot read */
	CAT_CODE_STOPPED = 258, /* a signal ended the peer */
	CAT_CODE_BUSY = 259,    /* the receiver has another sender */
	CAT_CODE_FAULT = 260,   /* anything else */
};

struct cat {
	const struct cat_options *options;
	struct loop loop;
	struct flux_binding *binding;
	struct flux_timer *tick;   /* progress */
	struct flux_timer *ending; /* ends the loop when the last datagrams have been answered */
	flux_sid sid;              /* 0: none yet */
	bool open;                 /* the session is not closed yet */
	bool decided;              /* `status` stands: the first reason counts, what follows is only tidying */
	int status;                /* exit code */
	char why[512];             /* of a failure; "": none */
	struct cat_report report;
	/* The side's own part of the start, on the loop's thread. CLI_OK, or CLI_FAILED after a message. */
	int (*start)(struct cat *cat);
	/* An event of the one session, after the common part has dealt with it. */
	void (*on_event)(struct cat *cat, const struct flux_event *event);
};

/*
 * Open loop and binding, run until the end is decided and told to the peer, report. `options`, `start` and
 * `on_event` are set; everything else is zero. Returns the exit code; nothing is left on the loop then.
 */
int cat_run(struct cat *cat);

/* Everything was delivered; the rest is tidying. */
void cat_succeed(struct cat *cat);

/* End with status 1 for the reason given, and abort the session with it. */
void cat_fail(struct cat *cat, uint32_t code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* cat_fail() for a session that ended without our doing. */
void cat_fail_closed(struct cat *cat, const struct flux_event *event);

/* The two sides; each returns the exit code. */
int cat_send(const struct cat_options *options);
int cat_receive(const struct cat_options *options);

/* Whether read() or write() would return at once, so that `fd` may stay a blocking one. */
bool cat_fd_ready(int fd, short events);

#endif
