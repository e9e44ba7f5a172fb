/* SPDX-License-Identifier: MIT */
/*
 * Sessions whose datagrams the kernel refuses: no route, an interface that is down, an address that went. The
 * endpoint sends again by its timers, further and further apart; here it is only told, once each way.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "loop/binding.h"

/* Refused for so long, and nothing has left meanwhile: it is down. */
#define DOWN_AFTER FLUX_MS(250)

int flux_paths_init(struct flux_binding *binding)
{
	flux_list_init(&binding->path_news);
	binding->paths = flux_mem_take_zeroed(binding->mem, binding->n_buckets, sizeof(*binding->paths));
	return binding->paths ? 0 : FLUX_ENOMEM;
}

void flux_paths_fini(struct flux_binding *binding)
{
	flux_mem_give(binding->mem, binding->paths, binding->n_buckets, sizeof(*binding->paths));
}

/* The place of a session. They are numbered from 0 in the low bits, so live ones have one each. */
static struct flux_path *place(const struct flux_binding *binding, flux_sid sid)
{
	return &binding->paths[sid & (binding->n_buckets - 1)];
}

static void clear(struct flux_binding *binding, struct flux_path *path)
{
	flux_list_remove(&path->news);
	memset(path, 0, sizeof(*path));
	binding->n_refused--;
}

void flux_path_forget(struct flux_binding *binding, flux_sid sid)
{
	struct flux_path *path = place(binding, sid);

	if (sid != 0 && path->sid == sid)
		clear(binding, path);
	path->over = sid;
}

/* Half-open ones are nobody's yet. */
static bool is_known(const struct flux_binding *binding, flux_sid sid)
{
	struct flux_session_stats stats = { .size = sizeof(stats.size) };

	return flux_session_get_stats(binding->ep, sid, &stats) == 0;
}

static struct flux_path *take_place(struct flux_binding *binding, const struct flux_tx *tx)
{
	struct flux_path *path = place(binding, tx->sid);

	if (path->sid == tx->sid)
		return path;
	if (path->over == tx->sid || !is_known(binding, tx->sid))
		return NULL;
	if (path->sid != 0)
		clear(binding, path);
	path->sid = tx->sid;
	path->peer = tx->to;
	binding->n_refused++;
	return path;
}

static void refuse(struct flux_binding *binding, const struct flux_tx *tx, int error)
{
	struct flux_path *path = take_place(binding, tx);

	if (!path)
		return;
	path->error = error;
	path->refused_in = binding->sends;
	if (path->since == 0)
		path->since = binding->now;
	if (path->down || binding->now - path->since < DOWN_AFTER)
		return;
	path->down = true;
	flux_list_append(&binding->path_news, &path->news);
}

void flux_path_refused(void *ctx, const struct flux_tx *tx, uint32_t n, int error)
{
	struct flux_binding *binding = ctx;

	/* These two are about the other end, and about this one datagram. */
	if (error == ECONNREFUSED || error == EMSGSIZE)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (tx[i].sid != 0 && (i == 0 || tx[i].sid != tx[i - 1].sid))
			refuse(binding, &tx[i], error);
}

void flux_path_sent(struct flux_binding *binding, const struct flux_tx *tx, uint32_t n)
{
	for (uint32_t i = 0; binding->n_refused > 0 && i < n; i++) {
		struct flux_path *path = place(binding, tx[i].sid);

		if (tx[i].sid == 0 || path->sid != tx[i].sid || path->refused_in == binding->sends)
			continue;
		path->since = 0;
		path->down = false;
		if (path->told)
			flux_list_append(&binding->path_news, &path->news);
		else
			clear(binding, path);
	}
}

bool flux_path_event(struct flux_binding *binding, struct flux_event *event)
{
	struct flux_path *path;
	struct flux_node *node;

	do {
		node = flux_list_first(&binding->path_news);
		if (!node)
			return false;
		flux_list_remove(node);
		path = FLUX_CONTAINER(node, struct flux_path, news);
	} while (path->told == path->down); /* it has changed its mind */
	path->told = path->down;
	memset(event, 0, sizeof(*event));
	event->type = path->down ? FLUX_EVENT_PATH_DOWN : FLUX_EVENT_PATH_UP;
	event->sid = path->sid;
	event->peer = path->peer;
	if (path->down) {
		event->reason = -path->error;
		snprintf(event->text, sizeof(event->text), "%s", strerror(path->error));
	} else {
		clear(binding, path);
	}
	return true;
}
