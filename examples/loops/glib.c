/* SPDX-License-Identifier: MIT */
/* Flux in a GLib main context: a source for each descriptor, and one for a turn that was asked for. */
#include <glib-unix.h>

#include "loops.h"

struct host {
	struct flux_loop *loop;
	GMainContext *context;
	GSource *turn; /* NULL: none was asked for */
};

struct watch {
	struct host *host;
	void *tag;
	GSource *source;
};

static gboolean on_ready(gint fd, GIOCondition is, gpointer data)
{
	struct watch *watch = data;
	uint32_t what = (is & ~(guint)G_IO_OUT ? FLUX_LOOP_IN : 0) | (is & G_IO_OUT ? FLUX_LOOP_OUT : 0);

	(void)fd;
	flux_loop_on_fd(watch->host->loop, watch->tag, what);
	return G_SOURCE_CONTINUE; /* a source that was destroyed meanwhile stays so */
}

static void forget(GSource *source)
{
	g_source_destroy(source);
	g_source_unref(source);
}

/* What a source looks for is fixed: other events take another source, with a watch of its own. */
static int watch_fd(void *arg, int fd, uint32_t events, void *tag, void **slot)
{
	GIOCondition what = (events & FLUX_LOOP_IN ? G_IO_IN : 0) | (events & FLUX_LOOP_OUT ? G_IO_OUT : 0);
	struct watch *old = *slot, *watch = NULL;

	if (events) {
		watch = g_new0(struct watch, 1);
		watch->host = arg;
		watch->tag = tag;
		watch->source = g_unix_fd_source_new(fd, what);
		g_source_set_callback(watch->source, G_SOURCE_FUNC(on_ready), watch, g_free);
		g_source_attach(watch->source, watch->host->context);
	}
	if (old)
		forget(old->source); /* frees `old`, when its callback has returned */
	*slot = watch;
	return 0;
}

static gboolean on_turn(gpointer arg)
{
	struct host *host = arg;
	GSource *turn = host->turn;
	int rc;

	host->turn = NULL; /* one that is asked for meanwhile is another */
	rc = flux_loop_on_turn(host->loop);
	if (rc > 0 && !host->turn) {
		host->turn = turn;
		return G_SOURCE_CONTINUE;
	}
	g_source_unref(turn);
	return G_SOURCE_REMOVE;
}

static void rearm(void *arg)
{
	struct host *host = arg;

	if (host->turn)
		return;
	host->turn = g_idle_source_new();
	g_source_set_priority(host->turn, G_PRIORITY_DEFAULT);
	g_source_set_callback(host->turn, on_turn, host, NULL);
	g_source_attach(host->turn, host->context);
}

static void close_host(void *arg)
{
	struct host *host = arg;

	if (host->turn)
		forget(host->turn);
	g_free(host);
}

int open_in_glib(struct flux_loop **loop, struct _GMainContext *context)
{
	static const struct flux_loop_ops ops = { sizeof(ops), watch_fd, rearm, close_host, 0, NULL };
	struct host *host = g_new0(struct host, 1);
	int rc = flux_loop_create(&host->loop, &ops, host, NULL);

	host->context = context;
	*loop = host->loop;
	return rc < 0 ? rc : flux_loop_keep_time(host->loop); /* GLib's own timers count milliseconds */
}
