/* SPDX-License-Identifier: MIT */
/*
 * Flux in loops of other libraries, and in a bare one: copy the one that you need. Each is written by
 * flux/loop.h alone. The host's loop is borrowed; flux_loop_close() takes Flux out of it again, also when
 * opening failed and `*loop` is set.
 */
#ifndef EXAMPLES_LOOPS_H
#define EXAMPLES_LOOPS_H

#include <flux/loop.h>

struct uv_loop_s; /* uv_loop_t */
int open_in_uv(struct flux_loop **loop, struct uv_loop_s *uv);

struct _GMainContext; /* GMainContext */
int open_in_glib(struct flux_loop **loop, struct _GMainContext *context);

struct sd_event; /* sd_event */
int open_in_sd_event(struct flux_loop **loop, struct sd_event *event);

/* A loop over epoll that is the program's own: its part is two calls. */
struct epoll_event;
struct bare;
int open_in_bare(struct flux_loop **loop, struct bare **bare, int epoll_fd);
/* For each event whose data.ptr is none of the program's. */
void bare_on_event(struct bare *bare, const struct epoll_event *event);
/* At the end of each round. 1: do not sleep; 0; -1: Flux was closed, and `bare` is gone. */
int bare_end_of_round(struct bare *bare);

#endif
