/* SPDX-License-Identifier: MIT */
/* The two ends, and messages that know their number and their bytes. */
#include "tests/loop/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST (1u << 20)

static uint8_t scratch[LARGEST];

/* ---- Messages ---- */

/* Bytes follow from the number and the length; as much of the number as fits comes first. */
static void write_message(uint8_t *data, uint32_t len, uint64_t number)
{
	memset(data, (int)(number * 31 + len), len);
	memcpy(data, &number, len < sizeof(number) ? len : sizeof(number));
}

static bool is_message(const struct flux_msg *msg, uint64_t number)
{
	write_message(scratch, msg->len, number);
	return msg->len <= LARGEST && memcmp(scratch, msg->data, msg->len) == 0;
}

int end_send(struct end *end, uint32_t len)
{
	int rc;

	write_message(scratch, len, end->sent);
	rc = flux_pub_send(end->pub, len ? scratch : NULL, len);
	if (rc == 0)
		end->sent++;
	return rc;
}

int end_claim(struct end *end, uint32_t len)
{
	struct flux_claim claim;
	int rc = flux_pub_claim(end->pub, len, &claim);

	if (rc < 0)
		return rc;
	write_message(claim.data, len, end->sent);
	rc = flux_pub_publish(end->pub, len);
	if (rc == 0)
		end->sent++;
	return rc;
}

int end_claim_some(struct end *end, uint32_t len, uint32_t most)
{
	struct flux_claims claims;
	int rc = flux_pub_claim_some(end->pub, len, most, &claims);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < claims.n; i++)
		write_message((uint8_t *)claims.data + (size_t)i * claims.stride, len, end->sent + i);
	rc = flux_pub_publish_some(end->pub, claims.n);
	if (rc == 0)
		end->sent += claims.n;
	return rc;
}

/* ---- Callbacks ---- */

static void enter(struct end *end)
{
	end->depth++;
	if (end->depth > end->deepest)
		end->deepest = end->depth;
}

static void call_hook(struct end *end, enum where where, const struct flux_event *event)
{
	if (end->hook)
		end->hook(end, where, event);
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct end *end = ctx;
	enum flux_take answer = FLUX_TAKE;

	(void)sub;
	(void)sid;
	enter(end);
	if (!is_message(msg, end->received))
		end->wrong++;
	if (end->take)
		answer = end->take(end, msg);
	if (answer == FLUX_TAKE) {
		end->received++;
		end->bytes += msg->len;
		if (end->echo && end_send(end, msg->len) < 0)
			end->wrong++;
	}
	call_hook(end, IN_MESSAGE, NULL);
	end->depth--;
	return answer;
}

static uint32_t on_batch(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msgs, uint32_t n)
{
	uint32_t taken = 0;

	while (taken < n && on_message(ctx, sub, sid, &msgs[taken]) == FLUX_TAKE)
		taken++;
	return taken;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	struct end *end = ctx;

	(void)pub;
	enter(end);
	end->writables++;
	call_hook(end, IN_WRITABLE, NULL);
	end->depth--;
}

void end_subscribe(struct end *end)
{
	struct flux_sub_cfg in = { .size = sizeof(in), .ctx = end };

	if (end->batch)
		in.on_batch = on_batch;
	else
		in.on_message = on_message;
	assert_int_equal(flux_sub_open(&end->sub, end->binding, end->sid, &in), 0);
}

static void on_up(struct end *end, const struct flux_event *event)
{
	struct flux_pub_cfg out = { .size = sizeof(out), .on_writable = on_writable, .ctx = end };

	end->ups++;
	if (end->sid == 0)
		end->sid = event->sid;
	if (event->sid != end->sid)
		return;
	if (!end->pub)
		assert_int_equal(flux_pub_open(&end->pub, end->binding, end->sid, &out), 0);
	if (!end->no_sub)
		end_subscribe(end);
}

static void on_event(void *ctx, struct flux_binding *binding, const struct flux_event *event)
{
	struct end *end = ctx;

	enter(end);
	assert_ptr_equal(binding, end->binding);
	switch (event->type) {
	case FLUX_EVENT_UP:
		on_up(end, event);
		break;
	case FLUX_EVENT_EOS:
		end->eos++;
		break;
	case FLUX_EVENT_GAP:
		end->gaps++;
		break;
	case FLUX_EVENT_CLOSED:
		end->closes++;
		end->last = *event;
		break;
	default:
		break;
	}
	call_hook(end, IN_EVENT, event);
	end->depth--;
}

static void on_closed(void *ctx)
{
	struct end *end = ctx;

	enter(end);
	end->ended++;
	end->binding = NULL;
	end->pub = NULL;
	end->sub = NULL;
	end->sid = 0;
	call_hook(end, IN_CLOSED, NULL);
	end->depth--;
}

/* ---- Ends ---- */

void end_open(struct end *end, const char *local)
{
	struct flux_addr addr;

	end->cfg.size = sizeof(end->cfg);
	end->cfg.local = local;
	end->cfg.on_event = on_event;
	end->cfg.on_closed = on_closed;
	end->cfg.ctx = end;
	assert_int_equal(flux_binding_open(&end->binding, end->world->loop, &end->cfg), 0);
	flux_binding_local(end->binding, &addr);
	flux_addr_format(&addr, end->local);
}

void end_connect(struct end *end, const char *peer)
{
	struct flux_pub_cfg out = { .size = sizeof(out), .on_writable = on_writable, .ctx = end };

	assert_int_equal(flux_binding_connect(end->binding, peer, &end->sid), 0);
	assert_int_equal(flux_pub_open(&end->pub, end->binding, end->sid, &out), 0);
}

void world_connect(struct world *w)
{
	end_open(&w->a, "127.0.0.1:0");
	end_open(&w->b, NULL);
	end_connect(&w->b, w->a.local);
	world_until(w, w->a.ups && w->b.ups);
}

/* ---- The world ---- */

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->adapter = *state;
	w->a.world = w->b.world = w;
	*state = w;
	return w->adapter->open(&w->loop, &w->host);
}

int world_teardown(void **state)
{
	struct world *w = *state;
	uint64_t wrong = w->a.wrong + w->b.wrong;
	uint32_t deepest = w->a.deepest > w->b.deepest ? w->a.deepest : w->b.deepest;

	flux_loop_close(w->loop);
	w->adapter->close(w->host);
	*state = (void *)w->adapter;
	free(w);
	/* In every test: the right messages in order, and no callback inside another of its end. */
	return wrong == 0 && deepest <= 1 ? 0 : -1;
}

void world_round(struct world *w)
{
	w->adapter->round(w->host);
}

void world_idle(struct world *w)
{
	for (int i = 0; i < 10; i++)
		world_round(w);
}

static void absent(void **state)
{
	(void)state;
	skip();
}

int world_run(const char *group, const struct world_test *tests, unsigned int n)
{
	const char *only = getenv("FLUX_TEST_ADAPTER");
	unsigned int adapters = 0, all = 0;
	struct CMUnitTest *list;
	char(*names)[128];
	int rc;

	while (adapter_at(adapters))
		adapters++;
	list = calloc(n * adapters, sizeof(*list));
	names = calloc(n * adapters, sizeof(*names));
	if (!list || !names)
		return 1;
	for (unsigned int i = 0; i < n * adapters; i++) {
		const struct adapter *adapter = adapter_at(i / n);

		if (only && strcmp(only, adapter->name) != 0)
			continue;
		snprintf(names[all], sizeof(names[all]), "%s: %s%s", adapter->name, tests[i % n].name,
			 adapter->open ? "" : " (configure found no such library)");
		list[all] = (struct CMUnitTest){ names[all], absent, NULL, NULL, NULL };
		if (adapter->open)
			list[all] = (struct CMUnitTest){ names[all], tests[i % n].test, world_setup, world_teardown,
							 (void *)(uintptr_t)adapter };
		all++;
	}
	rc = all ? _cmocka_run_group_tests(group, list, all, NULL, NULL) : 1;
	free(list);
	free(names);
	return rc;
}
