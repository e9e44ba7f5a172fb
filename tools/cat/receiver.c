/* SPDX-License-Identifier: MIT */
/* The receiving side of fluxcat: from the session into a file or standard output. */
#include "cat/cat.h"

#include <errno.h>
#include <fcntl.h>
#include <flux/sub.h>
#include <flux/watch.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct receiver {
	struct cat cat;
	struct flux_sub *sub;
	int fd;
	const char *name;          /* of the output, in messages */
	bool regular;              /* always ready: no need to ask */
	bool complete;             /* the sender's stream was read to its end */
	uint32_t written;          /* bytes of the message now first in line that are out already */
	struct flux_watch *output; /* while the output must be waited for; NULL: closed */
	struct flux_timer *nobody; /* no sender came in time */
};

static int open_output(struct receiver *receiver, const char *file)
{
	struct stat st;

	receiver->name = file ? file : "standard output";
	receiver->fd = file ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666) : STDOUT_FILENO;
	if (receiver->fd < 0 || fstat(receiver->fd, &st) != 0)
		return cli_fail("cannot write %s: %s", receiver->name, strerror(errno));
	receiver->regular = S_ISREG(st.st_mode);
	return CLI_OK;
}

/*
 * Write the message, or as much as the output takes now. A pipe that is ready takes PIPE_BUF bytes
 * without waiting, so no fd has to be made non-blocking for everybody who shares it.
 */
static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid,
				 const struct flux_msg *msg)
{
	struct receiver *receiver = ctx;
	const unsigned char *data = msg->data;
	size_t piece;
	ssize_t n;

	(void)sub;
	(void)sid;
	if (receiver->cat.decided)
		return FLUX_KEEP;
	for (; receiver->written < msg->len; receiver->written += (uint32_t)n) {
		piece = msg->len - receiver->written;
		if (!receiver->regular) {
			if (piece > PIPE_BUF)
				piece = PIPE_BUF;
			if (!cat_fd_ready(receiver->fd, POLLOUT))
				goto wait;
		}
		n = write(receiver->fd, data + receiver->written, piece);
		if (n < 0 && errno == EAGAIN)
			goto wait;
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0) {
			cat_fail(&receiver->cat, CAT_CODE_OUTPUT, "cannot write %s: %s", receiver->name,
				 strerror(errno));
			return FLUX_KEEP;
		}
	}
	receiver->written = 0;
	receiver->cat.report.messages++;
	receiver->cat.report.bytes += msg->len;
	return FLUX_TAKE;

wait:
	if (flux_watch_change(receiver->output, FLUX_LOOP_OUT) != 0)
		cat_fail(&receiver->cat, CAT_CODE_OUTPUT, "cannot wait for %s", receiver->name);
	return FLUX_KEEP;
}

static void on_output(void *ctx, struct flux_watch *watch, uint32_t events)
{
	struct receiver *receiver = ctx;

	(void)events;
	(void)!flux_watch_change(watch, 0); /* on_message() waits anew, if it has to */
	if (!receiver->cat.decided)
		flux_sub_resume(receiver->sub, receiver->cat.sid);
}

static void on_nobody(void *ctx, struct flux_timer *timer)
{
	struct cat *cat = ctx;

	(void)timer;
	if (cat->sid == 0)
		cat_fail(cat, 0, "no sender came within %g s", (double)cat->options->timeout_ns / 1e9);
}

static void subscribe(struct receiver *receiver)
{
	struct flux_sub_cfg cfg = FLUX_SUB_CFG_INIT;
	struct cat *cat = &receiver->cat;
	int rc;

	cfg.on_message = on_message;
	cfg.ctx = receiver;
	rc = flux_sub_open(&receiver->sub, cat->binding, cat->sid, &cfg);
	if (rc != 0)
		cat_fail(cat, CAT_CODE_FAULT, "cannot subscribe: %s", flux_strerror(rc));
}

/* Some file systems report a full disk only here. */
static void close_output(struct receiver *receiver)
{
	int fd = receiver->fd;

	flux_watch_close(receiver->output);
	receiver->output = NULL;
	receiver->fd = -1;
	if (close(fd) != 0)
		cat_fail(&receiver->cat, CAT_CODE_OUTPUT, "cannot write %s: %s", receiver->name,
			 strerror(errno));
}

static void on_event(struct cat *cat, const struct flux_event *event)
{
	struct receiver *receiver = (struct receiver *)cat;

	switch (event->type) {
	case FLUX_EVENT_UP:
		subscribe(receiver);
		break;
	case FLUX_EVENT_EOS:
		receiver->complete = true;
		close_output(receiver);
		break;
	case FLUX_EVENT_CLOSED:
		/* After its end nothing is missing here, even if the sender's CLOSE never came. */
		if (receiver->complete)
			cat_succeed(cat);
		else
			cat_fail_closed(cat, event);
		break;
	default:
		break;
	}
}

/* Whether the kernel chose the port, so that the user must be told. */
static bool has_no_port(const char *addr)
{
	return strcmp(strrchr(addr, ':'), ":0") == 0;
}

static int start(struct cat *cat)
{
	struct receiver *receiver = (struct receiver *)cat;
	struct flux_loop *loop = cat->loop.flux;
	char asked[CLI_ADDR_TEXT];

	if (flux_watch_open(&receiver->output, loop, receiver->fd, 0, on_output, receiver) != 0 ||
	    flux_timer_open(&receiver->nobody, loop, on_nobody, cat) != 0)
		return cli_fail("no memory for the output");
	if (cat->options->timeout_given)
		flux_timer_set(receiver->nobody, flux_loop_now() + cat->options->timeout_ns);
	if (has_no_port(cli_addr_format(&cat->options->addr, asked)) || isatty(STDERR_FILENO)) {
		struct flux_addr local;
		char text[FLUX_ADDR_TEXT];

		flux_binding_local(cat->binding, &local);
		cli_warn("listening on %s", flux_addr_format(&local, text));
	}
	return CLI_OK;
}

int cat_receive(const struct cat_options *options)
{
	struct receiver receiver = { .cat = { .options = options, .start = start, .on_event = on_event }, .fd = -1 };
	int rc = open_output(&receiver, options->file);

	if (rc == CLI_OK)
		rc = cat_run(&receiver.cat);
	if (receiver.fd > STDERR_FILENO)
		close(receiver.fd);
	return rc;
}
