/* SPDX-License-Identifier: MIT */
/* The sending side of fluxcat: from a file or standard input into the session. */
#include "cat/cat.h"

#include <errno.h>
#include <fcntl.h>
#include <flux/pub.h>
#include <flux/watch.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How an attempt to send one message ended. */
enum step {
	STEP_SENT,
	STEP_ROOM,  /* the session is full: its callback goes on */
	STEP_INPUT, /* the input has nothing now: its watch goes on */
	STEP_END,   /* the input is at its end */
	STEP_FAILED,
};

struct sender {
	struct cat cat;
	struct flux_pub *pub;
	int fd;
	const char *name; /* of the input, in messages */
	bool regular;     /* always ready: no need to ask */
	bool ended;       /* the input was read to its end */
	bool waits;       /* for the input */
	struct flux_watch *input;
	unsigned char *buffer; /* of a message longer than a datagram; NULL: not needed so far */
	uint32_t held;         /* bytes in `buffer` that the session had no room for */
};

static int open_input(struct sender *sender, const char *file)
{
	struct stat st;

	sender->name = file ? file : "standard input";
	sender->fd = file ? open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
	if (sender->fd < 0 || fstat(sender->fd, &st) != 0)
		return cli_fail("cannot read %s: %s", sender->name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return cli_fail("cannot read %s: %s", sender->name, strerror(EISDIR));
	sender->regular = S_ISREG(st.st_mode);
	if (sender->regular && st.st_size > 0)
		sender->cat.report.expected = (uint64_t)st.st_size;
	return CLI_OK;
}

/*
 * Read until `data` is full or the input has nothing more now; both at once are possible for a
 * pipe or a terminal, whose short pieces are sent as they come.
 */
static enum step fill(struct sender *sender, unsigned char *data, uint32_t size, uint32_t *got)
{
	ssize_t n;

	for (*got = 0; *got < size; *got += (uint32_t)n) {
		if (!sender->regular && !cat_fd_ready(sender->fd, POLLIN))
			return *got ? STEP_SENT : STEP_INPUT;
		n = read(sender->fd, data + *got, size - *got);
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			n = 0;
		} else if (n < 0) {
			cat_fail(&sender->cat, CAT_CODE_INPUT, "cannot read %s: %s", sender->name,
				 strerror(errno));
			return STEP_FAILED;
		} else if (n == 0) {
			sender->ended = true;
			return *got ? STEP_SENT : STEP_END;
		}
	}
	return STEP_SENT;
}

static enum step refused(struct sender *sender, int rc)
{
	if (rc == FLUX_EAGAIN || rc == FLUX_ECLOSED)
		return STEP_ROOM; /* or CLOSED is on its way, and knows why */
	cat_fail(&sender->cat, CAT_CODE_FAULT, "cannot send: %s", flux_strerror(rc));
	return STEP_FAILED;
}

/* A message within one datagram: read straight to where it leaves from. */
static enum step send_in_place(struct sender *sender, uint32_t *sent)
{
	struct flux_claim claim;
	enum step step;
	int rc = flux_pub_claim(sender->pub, sender->cat.options->message_size, &claim);

	if (rc != 0)
		return refused(sender, rc);
	step = fill(sender, claim.data, claim.len, sent);
	if (step != STEP_SENT) {
		flux_pub_abort(sender->pub);
		return step;
	}
	rc = flux_pub_publish(sender->pub, *sent);
	return rc == 0 ? STEP_SENT : refused(sender, rc);
}

/* A longer message: read into a buffer, which is held while the session is full. */
static enum step send_buffered(struct sender *sender, uint32_t *sent)
{
	enum step step;
	int rc;

	if (!sender->buffer)
		sender->buffer = malloc(sender->cat.options->message_size);
	if (!sender->buffer)
		return refused(sender, FLUX_ENOMEM);
	if (sender->held == 0) {
		step = fill(sender, sender->buffer, sender->cat.options->message_size, &sender->held);
		if (step != STEP_SENT)
			return step;
	}
	rc = flux_pub_send(sender->pub, sender->buffer, sender->held);
	if (rc != 0)
		return refused(sender, rc);
	*sent = sender->held;
	sender->held = 0;
	return STEP_SENT;
}

/* Be called when the input has something, or no more. */
static void wait_for_input(struct sender *sender, bool waits)
{
	sender->waits = waits;
	if (flux_watch_change(sender->input, waits ? FLUX_LOOP_IN : 0) != 0)
		cat_fail(&sender->cat, CAT_CODE_FAULT, "cannot wait for %s", sender->name);
}

/* Send until something must be waited for. */
static void pump(struct sender *sender)
{
	struct cat *cat = &sender->cat;
	bool in_place = cat->options->message_size <= flux_pub_max_claim(sender->pub);
	enum step step = STEP_SENT;
	uint32_t sent;

	while (step == STEP_SENT) {
		if (sender->ended && sender->held == 0) {
			step = STEP_END;
			break;
		}
		step = in_place ? send_in_place(sender, &sent) : send_buffered(sender, &sent);
		if (step == STEP_SENT) {
			cat->report.messages++;
			cat->report.bytes += sent;
		}
	}
	if (step == STEP_INPUT) {
		wait_for_input(sender, true);
	} else if (step == STEP_END) {
		sender->ended = true;
		flux_binding_close_session(cat->binding, cat->sid, FLUX_NEVER);
	}
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	struct sender *sender = ctx;
	uint32_t limit = flux_pub_max_message(pub);

	if (sender->cat.decided || (sender->ended && sender->held == 0))
		return;
	if (sender->waits)
		return; /* there is room, but nothing to send: the input's watch goes on */
	/* 0: not up any more, and CLOSED is on its way */
	if (limit && sender->cat.options->message_size > limit) {
		cat_fail(&sender->cat, CAT_CODE_FAULT,
			 "the receiver takes messages of up to %u bytes: use --message-size %u here, "
			 "or a larger one there",
			 limit, limit);
		return;
	}
	pump(sender);
}

static void on_input(void *ctx, struct flux_watch *watch, uint32_t events)
{
	struct sender *sender = ctx;

	(void)watch;
	(void)events;
	wait_for_input(sender, false);
	if (!sender->cat.decided)
		pump(sender);
}

static void on_event(struct cat *cat, const struct flux_event *event)
{
	struct sender *sender = (struct sender *)cat;

	if (event->type != FLUX_EVENT_CLOSED)
		return;
	if (event->reason == 0 && event->undelivered == 0 && sender->ended && sender->held == 0)
		cat_succeed(cat);
	else
		cat_fail_closed(cat, event);
}

static int start(struct cat *cat)
{
	struct sender *sender = (struct sender *)cat;
	struct flux_pub_cfg cfg = FLUX_PUB_CFG_INIT;
	char peer[CLI_ADDR_TEXT];
	int rc;

	cfg.on_writable = on_writable;
	cfg.ctx = sender;
	if (flux_watch_open(&sender->input, cat->loop.flux, sender->fd, 0, on_input, sender) != 0)
		return cli_fail("no memory for the input");
	rc = flux_binding_connect(cat->binding, cli_addr_format(&cat->options->addr, peer), &cat->sid);
	if (rc != 0)
		return cli_fail("cannot connect to %s: %s", peer, flux_loop_detail(cat->loop.flux));
	cat->open = true;
	rc = flux_pub_open(&sender->pub, cat->binding, cat->sid, &cfg);
	if (rc != 0)
		return cli_fail("cannot publish: %s", flux_strerror(rc));
	return CLI_OK;
}

int cat_send(const struct cat_options *options)
{
	struct sender sender = { .cat = { .options = options, .start = start, .on_event = on_event }, .fd = -1 };
	int rc = open_input(&sender, options->file);

	if (rc == CLI_OK)
		rc = cat_run(&sender.cat);
	if (sender.fd > STDERR_FILENO)
		close(sender.fd);
	free(sender.buffer);
	return rc;
}
