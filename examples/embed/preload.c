/* SPDX-License-Identifier: MIT */
/*
 * Puts Flux into a memcached that knows nothing of it: LD_PRELOAD this, and say where to listen in
 * FLUX_EMBED=host:port. Three functions of libevent are stepped before; what they serve is in kv.c.
 *
 * memcached runs a base in each of its threads, and those of its workers come first. Ours is the one
 * that the main thread runs, and it is met when it is run: after the fork of memcached -d.
 */
#define _GNU_SOURCE 1 /* RTLD_NEXT, gettid */
#include <dlfcn.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "kv.h"

#define INTERPOSED __attribute__((visibility("default")))

static int (*real_loop)(struct event_base *base, int flags);
static int (*real_dispatch)(struct event_base *base);
static void (*real_free)(struct event_base *base);

/* The main thread's own. */
static bool tried;
static struct event_base *main_base;
static struct kv *kv;

/* Through void **, because ISO C has no cast from an object to a function. */
static __attribute__((constructor)) void find_real(void)
{
	*(void **)&real_loop = dlsym(RTLD_NEXT, "event_base_loop");
	*(void **)&real_dispatch = dlsym(RTLD_NEXT, "event_base_dispatch");
	*(void **)&real_free = dlsym(RTLD_NEXT, "event_base_free");
}

static bool on_main_thread(void)
{
	return gettid() == getpid();
}

static void attach_once(struct event_base *base)
{
	const char *local = getenv("FLUX_EMBED");

	if (!on_main_thread() || tried)
		return;
	tried = true;
	main_base = base;
	if (local && *local)
		kv = kv_open(base, local);
}

INTERPOSED int event_base_loop(struct event_base *base, int flags)
{
	attach_once(base);
	return real_loop(base, flags);
}

INTERPOSED int event_base_dispatch(struct event_base *base)
{
	attach_once(base);
	return real_dispatch(base);
}

INTERPOSED void event_base_free(struct event_base *base)
{
	if (on_main_thread() && base && base == main_base) {
		kv_close(kv);
		kv = NULL;
		main_base = NULL;
	}
	real_free(base);
}
