/* SPDX-License-Identifier: MIT */
/* Who wants the events and messages of a session, and which sessions wait because nobody does. */
#include <flux/error.h>

#include <string.h>

#include "core/base/mem.h"
#include "loop/binding.h"

/* ---- The table ---- */

int flux_attachments_init(struct flux_binding *binding, uint32_t max_sessions)
{
	uint32_t n = 1;

	while (n < max_sessions)
		n *= 2;
	binding->n_buckets = n;
	binding->max_paused = max_sessions;
	binding->buckets = flux_mem_take_zeroed(binding->mem, n, sizeof(*binding->buckets));
	binding->paused = flux_mem_take(binding->mem, max_sessions, sizeof(*binding->paused));
	return binding->buckets && binding->paused ? 0 : FLUX_ENOMEM;
}

void flux_attachments_sweep(struct flux_binding *binding)
{
	struct flux_attachment *att;

	while ((att = binding->gone) != NULL) {
		binding->gone = att->next_gone;
		flux_mem_give(binding->mem, att, 1, att->bytes);
	}
}

void flux_attachments_fini(struct flux_binding *binding)
{
	flux_attachments_sweep(binding);
	for (uint32_t i = 0; binding->buckets && i < binding->n_buckets; i++) {
		struct flux_attachment *att = binding->buckets[i];

		while (att) {
			struct flux_attachment *next = att->next;

			if (att->on_end)
				att->on_end(att);
			flux_mem_give(binding->mem, att, 1, att->bytes);
			att = next;
		}
	}
	flux_mem_give(binding->mem, binding->buckets, binding->n_buckets, sizeof(*binding->buckets));
	flux_mem_give(binding->mem, binding->paused, binding->max_paused, sizeof(*binding->paused));
}

static struct flux_attachment **bucket(const struct flux_binding *binding, flux_sid sid)
{
	return &binding->buckets[sid & (binding->n_buckets - 1)];
}

struct flux_attachment *flux_attachment_first(const struct flux_binding *binding, flux_sid sid)
{
	return *bucket(binding, sid);
}

static struct flux_attachment *find_reader(const struct flux_binding *binding, flux_sid sid)
{
	struct flux_attachment *att = flux_attachment_first(binding, sid);

	while (att && (att->sid != sid || !flux_attachment_reads(att)))
		att = att->next;
	return att;
}

struct flux_attachment *flux_attachment_reader(const struct flux_binding *binding, flux_sid sid)
{
	struct flux_attachment *att = find_reader(binding, sid);

	return att ? att : find_reader(binding, 0);
}

/* ---- Attaching and detaching ---- */

static bool is_live(const struct flux_binding *binding, flux_sid sid)
{
	struct flux_session_stats stats = { .size = sizeof(stats.size) };

	return flux_session_get_stats(binding->ep, sid, &stats) == 0;
}

void flux_binding_resume_for(struct flux_binding *binding, flux_sid sid)
{
	uint32_t i = 0;

	binding->stop = true;
	if (sid != 0) {
		flux_binding_resume(binding, sid);
		return;
	}
	while (i < binding->n_paused) {
		sid = binding->paused[i];
		if (find_reader(binding, sid))
			i++; /* paused by its own reader */
		else
			flux_binding_resume(binding, sid); /* another takes its place in the list */
	}
}

int flux_attachment_create(struct flux_attachment **att, struct flux_binding *binding, flux_sid sid,
			   size_t bytes, bool reads)
{
	struct flux_attachment *a;

	if (binding->member.closing)
		return flux_loop_fail(binding->member.loop, FLUX_ECLOSED, "the binding is closed");
	if (sid != 0 && !is_live(binding, sid))
		return flux_loop_fail(binding->member.loop, FLUX_ECLOSED, "session %u is closed, or never was", sid);
	if (reads && find_reader(binding, sid))
		return flux_loop_fail(binding->member.loop, FLUX_EBUSY,
				      "session %u (0: all) has a subscription already: close it first", sid);
	a = flux_mem_take_zeroed(binding->mem, 1, bytes);
	if (!a)
		return flux_loop_fail(binding->member.loop, FLUX_ENOMEM, "no memory for a handle of %zu bytes", bytes);
	a->binding = binding;
	a->sid = sid;
	a->bytes = bytes;
	if (reads)
		flux_binding_resume_for(binding, sid); /* what waited for a reader goes on */
	a->next = *bucket(binding, sid);
	*bucket(binding, sid) = a;
	*att = a;
	return 0;
}

void flux_attachment_destroy(struct flux_attachment *att)
{
	struct flux_binding *binding = att->binding;
	struct flux_attachment **link = bucket(binding, att->sid);

	if (att->gone)
		return;
	while (*link != att)
		link = &(*link)->next;
	*link = att->next;
	att->gone = true;
	att->next_gone = binding->gone;
	binding->gone = att;
	if (flux_attachment_reads(att))
		binding->stop = true;
	if (!binding->member.loop->busy)
		flux_attachments_sweep(binding);
	else
		binding->member.loop->reap = true;
}

/* ---- Sessions that wait ---- */

static uint32_t find_paused(const struct flux_binding *binding, flux_sid sid)
{
	uint32_t i = 0;

	while (i < binding->n_paused && binding->paused[i] != sid)
		i++;
	return i;
}

void flux_binding_pause(struct flux_binding *binding, flux_sid sid)
{
	uint32_t i = find_paused(binding, sid);

	if (i < binding->n_paused || i == binding->max_paused || !is_live(binding, sid))
		return;
	binding->paused[binding->n_paused++] = sid;
	if (binding->reading == sid)
		binding->stop = true;
	flux_session_pause(binding->ep, sid, 1);
}

void flux_binding_forget(struct flux_binding *binding, flux_sid sid)
{
	uint32_t i = find_paused(binding, sid);

	if (i < binding->n_paused)
		binding->paused[i] = binding->paused[--binding->n_paused];
}

void flux_binding_resume(struct flux_binding *binding, flux_sid sid)
{
	if (find_paused(binding, sid) == binding->n_paused)
		return;
	flux_binding_forget(binding, sid);
	flux_session_pause(binding->ep, sid, 0);
	flux_binding_touch(binding);
}
