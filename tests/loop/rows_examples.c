/* SPDX-License-Identifier: MIT */
/* The example adapters, in the loops of other libraries and in a bare one. */
#include <stdlib.h>

#include <sys/epoll.h>
#include <unistd.h>

#include "examples/loops/loops.h"
#include "tests/loop/rows.h"

/* A round that waits in vain ends, and so does the test. */
#define LONGEST_MS 5

/* ---- A bare one ---- */

struct program {
	int epoll_fd;
	struct bare *bare; /* NULL: closed */
	int awake;
};

static int open_bare(struct flux_loop **loop, void **host)
{
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	*host = p;
	return p->epoll_fd < 0 ? -1 : open_in_bare(loop, &p->bare, p->epoll_fd);
}

static void end_round(struct program *p)
{
	if (!p->bare)
		return;
	p->awake = bare_end_of_round(p->bare);
	if (p->awake < 0)
		p->bare = NULL;
}

static void bare_round(void *host)
{
	struct program *p = host;
	struct epoll_event events[16];
	int n;

	end_round(p);
	n = epoll_wait(p->epoll_fd, events, 16, p->awake ? 0 : LONGEST_MS);
	for (int i = 0; i < n && p->bare; i++)
		bare_on_event(p->bare, &events[i]);
	end_round(p);
}

static void bare_close(void *host)
{
	struct program *p = host;

	end_round(p);
	close(p->epoll_fd);
	free(p);
}

const struct adapter bare_rows[1] = {
	{ "bare epoll", open_bare, bare_round, bare_close, NULL, false },
};

/* ---- libuv ---- */

#ifdef HAVE_UV
#include <uv.h>

struct uv_program {
	uv_loop_t uv;
	uv_timer_t tick;
};

static void on_tick(uv_timer_t *tick)
{
	(void)tick;
}

static int open_uv(struct flux_loop **loop, void **host)
{
	struct uv_program *p = calloc(1, sizeof(*p));

	if (!p || uv_loop_init(&p->uv) < 0)
		return -1;
	uv_timer_init(&p->uv, &p->tick);
	uv_timer_start(&p->tick, on_tick, LONGEST_MS, LONGEST_MS);
	*host = p;
	return open_in_uv(loop, &p->uv);
}

static void uv_round(void *host)
{
	uv_run(&((struct uv_program *)host)->uv, UV_RUN_ONCE);
}

static void uv_program_close(void *host)
{
	struct uv_program *p = host;

	uv_close((uv_handle_t *)&p->tick, NULL);
	uv_run(&p->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&p->uv) < 0)
		abort(); /* a handle was left */
	free(p);
}

static void uv_forked(void *host)
{
	uv_loop_fork(&((struct uv_program *)host)->uv);
}

const struct adapter uv_rows[1] = {
	{ "libuv", open_uv, uv_round, uv_program_close, uv_forked, false },
};
#endif

/* ---- GLib ---- */

#ifdef HAVE_GLIB
#include <glib.h>

static gboolean on_glib_tick(gpointer unused)
{
	(void)unused;
	return G_SOURCE_CONTINUE;
}

static int open_glib(struct flux_loop **loop, void **host)
{
	GMainContext *context = g_main_context_new();
	GSource *tick = g_timeout_source_new(LONGEST_MS);

	g_source_set_callback(tick, on_glib_tick, NULL, NULL);
	g_source_attach(tick, context);
	g_source_unref(tick);
	*host = context;
	return open_in_glib(loop, context);
}

static void glib_round(void *host)
{
	g_main_context_iteration(host, TRUE);
}

static void glib_close(void *host)
{
	g_main_context_unref(host);
}

const struct adapter glib_rows[1] = {
	{ "GLib", open_glib, glib_round, glib_close, NULL, false },
};
#endif

/* ---- sd-event ---- */

#ifdef HAVE_SYSTEMD
#include <systemd/sd-event.h>

static int open_sd(struct flux_loop **loop, void **host)
{
	sd_event *event;

	if (sd_event_new(&event) < 0)
		return -1;
	*host = event;
	return open_in_sd_event(loop, event);
}

static void sd_round(void *host)
{
	sd_event_run(host, LONGEST_MS * 1000);
}

static void sd_close(void *host)
{
	sd_event_unref(host);
}

const struct adapter sd_rows[1] = {
	{ "sd-event", open_sd, sd_round, sd_close, NULL, false },
};
#endif
