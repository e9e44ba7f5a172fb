/* SPDX-License-Identifier: MIT */
/* Two live endpoints and the wire between them, for a fuzz target that makes calls. */
#include "tests/fuzz/world.h"

#include <string.h>

#include "core/base/bits.h"
#include "core/base/time.h"
#include "core/endpoint/check.h"

#define HEAL_TURNS 20000

struct world world;
struct datagram wire[WIRE];
static struct image images[2][LENT];

/* ---- Life ---- */

static void *take(void *ctx, size_t bytes)
{
	struct side *s = ctx;

	if (s->may_allocate == 0)
		return NULL;
	s->may_allocate--;
	s->allocations++;
	return malloc(bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
	(void)bytes;
	((struct side *)ctx)->allocations--;
	free(ptr);
}

static void open_side(int i, uint8_t flags)
{
	struct flux_endpoint_cfg cfg = FLUX_ENDPOINT_CFG_INIT;
	struct side *s = &world.side[i];

	s->mem = (struct flux_mem){ take, give, s };
	s->may_allocate = INT32_MAX;
	s->images = images[i];
	s->addr = (struct flux_addr){ .ip = { 10, 0, 0, (uint8_t)(i + 1) }, .port = 7, .family = 4 };
	cfg.mem = &s->mem;
	cfg.seed[0] = (uint8_t)i;
	cfg.accept = i == SERVER || flags & 1;
	cfg.max_sessions = 2;
	cfg.max_datagram = 576;
	cfg.max_message = MESSAGE_MAX;
	cfg.window = flags & 2 ? 64 : 16;
	cfg.rx_pool = flags & 4 ? 3 : 40;
	cfg.tx_queue = 16 * 576;
	cfg.cwnd = flags & 8 ? 1500 : 0;
	cfg.rate_bps = flags & 16 ? 1000000 : 0;
	cfg.idle_timeout = flags & 32 ? FLUX_MS(500) : FLUX_S(15);
	cfg.first_seq = flags & 64 ? 0xFFFFFFFA : 0;
	FUZZ_CHECK(flux_endpoint_create(&s->ep, &cfg, NULL) == 0);
}

void world_open(bool honest, const uint8_t flags[2])
{
	memset(&world, 0, sizeof(world));
	world.honest = honest;
	world.now = FLUX_S(1000);
	open_side(CLIENT, flags[0]);
	open_side(SERVER, flags[1]);
}

static void unchanged(const struct image *m)
{
	FUZZ_CHECK(!m->head_len || memcmp(m->head, m->copy, m->head_len) == 0);
	FUZZ_CHECK(memcmp(m->body, m->copy + m->head_len, m->body_len) == 0);
}

void world_close(void)
{
	for (int i = 0; i < 2; i++) {
		struct side *s = &world.side[i];

		for (uint32_t k = 0; k < s->n_images; k++)
			unchanged(&s->images[k]);
		world_settle(s);
		flux_endpoint_destroy(s->ep);
		FUZZ_CHECK(s->allocations == 0);
	}
}

void world_check(void)
{
	for (int i = 0; i < 2; i++) {
		const char *bad = flux_endpoint_check(world.side[i].ep);

		if (bad)
			fuzz_fail(i ? "server" : "client", __LINE__, bad);
	}
}

void world_shake_hands(void)
{
	world_connect(&world.side[CLIENT], &world.side[SERVER].addr);
	for (int turn = 0; turn < 8; turn++) {
		int i = turn % 2;

		world_send(i, FLUX_PEEK_MAX, true);
		world.now += FLUX_MS(1);
		world_deliver_all(!i);
		world_settle(&world.side[!i]);
		world_pull_events(&world.side[!i], 10);
	}
	world_check();
}

/* ---- Sessions ---- */

uint32_t world_index(const struct side *s, flux_sid sid)
{
	for (uint32_t i = 0; i < s->n_sids; i++)
		if (s->sids[i] == sid)
			return i;
	return SIDS;
}

static uint32_t follow(struct side *s, flux_sid sid)
{
	uint32_t i = world_index(s, sid);

	if (i == SIDS && s->n_sids < SIDS) {
		i = s->n_sids++;
		s->sids[i] = sid;
	}
	return i;
}

void world_connect(struct side *s, const struct flux_addr *peer)
{
	flux_sid sid;

	if (flux_endpoint_connect(s->ep, world.now, peer, &sid) == 0)
		follow(s, sid);
}

void world_pull_events(struct side *s, uint32_t most)
{
	struct flux_event e;

	while (most-- > 0 && flux_endpoint_event(s->ep, &e)) {
		uint32_t i = e.type == FLUX_EVENT_UP ? follow(s, e.sid) : world_index(s, e.sid);

		FUZZ_CHECK(memchr(e.text, '\0', sizeof(e.text)));
		if (i == SIDS)
			continue;
		FUZZ_CHECK(!s->of[i].closed);
		FUZZ_CHECK(e.type != FLUX_EVENT_UP || !s->of[i].up);
		FUZZ_CHECK(e.type == FLUX_EVENT_UP || e.type == FLUX_EVENT_CLOSED || s->of[i].up);
		FUZZ_CHECK(!world.honest || e.type != FLUX_EVENT_GAP);
		FUZZ_CHECK(!world.honest || e.type != FLUX_EVENT_CLOSED || e.reason != FLUX_EPROTO);
		s->of[i].up = s->of[i].up || e.type == FLUX_EVENT_UP;
		s->of[i].closed = e.type == FLUX_EVENT_CLOSED;
	}
}

int world_message(struct side *s, flux_sid sid, uint32_t len)
{
	static uint8_t data[MESSAGE_MAX];
	uint32_t i = world_index(s, sid);
	int rc;

	memset(data, (uint8_t)(i < SIDS ? s->of[i].sent : 0), len);
	rc = flux_session_send(s->ep, sid, data, len);
	if (rc == 0 && i < SIDS)
		s->of[i].sent++;
	return rc;
}

int world_claim(struct side *s, flux_sid sid, uint32_t len, bool give_up)
{
	uint32_t i = world_index(s, sid);
	struct flux_claim c;
	int rc = flux_session_claim(s->ep, sid, len, &c);

	if (rc)
		return rc;
	memset(c.data, (uint8_t)(i < SIDS ? s->of[i].sent : 0), c.len);
	if (give_up) {
		flux_session_abort_claim(s->ep, sid);
		return 0;
	}
	rc = flux_session_publish(s->ep, sid, c.len - c.len / 4);
	FUZZ_CHECK(rc == 0);
	if (i < SIDS)
		s->of[i].sent++;
	return rc;
}

void world_read(struct side *s, flux_sid sid, uint32_t most, uint32_t release)
{
	struct flux_msg msgs[16];
	uint32_t n = flux_session_read(s->ep, sid, msgs, 1 + most % 16);
	uint32_t i = n ? follow(s, sid) : world_index(s, sid), sum = 0; /* UP may not have been pulled yet */

	for (uint32_t k = 0; k < n; k++) {
		const uint8_t *p = msgs[k].data;

		FUZZ_CHECK(p && msgs[k].len <= MESSAGE_MAX);
		for (uint32_t j = 0; j < msgs[k].len; j++) {
			sum += p[j]; /* every byte is looked at */
			FUZZ_CHECK(!world.honest || i == SIDS || p[j] == (uint8_t)(s->of[i].read + k));
		}
	}
	(void)sum;
	flux_session_release(s->ep, sid, release);
	if (i < SIDS)
		s->of[i].read += flux_min_u32(n, release);
}

/* ---- The wire ---- */

/* One side is told where its datagrams were sent to; whatever it answers leaves from there or from nowhere. */
static const struct flux_local here = { .ip = { 192, 0, 2, 9 }, .ifindex = 3, .family = 4 };

static void put_on_wire(int to, const struct flux_tx *tx)
{
	struct datagram *d;

	FUZZ_CHECK(!tx->local || (to == 0 && memcmp(tx->local, &here, sizeof(here)) == 0));
	FUZZ_CHECK(tx->head_len + tx->body_len <= DATAGRAM_MAX);
	if (world.n_wire == WIRE)
		return;
	d = &wire[world.n_wire++];
	d->to = to;
	d->len = tx->head_len + tx->body_len;
	if (tx->head_len)
		memcpy(d->data, tx->head, tx->head_len);
	memcpy(d->data + tx->head_len, tx->body, tx->body_len);
}

void world_receive(struct side *s, const struct flux_addr *from, const uint8_t *data, uint32_t len)
{
	struct flux_rx rx = { .len = len, .from = *from };
	struct flux_local local = here;
	uint8_t *copy = malloc(len ? len : 1);

	FUZZ_CHECK(copy);
	if (s->n_buffers == LENT)
		world_settle(s);
	memcpy(copy, data, len);
	s->buffers[s->n_buffers++] = copy;
	rx.data = copy;
	rx.local = s == &world.side[1] ? &local : NULL;
	flux_endpoint_receive(s->ep, world.now, &rx, 1);
}

void world_deliver(uint32_t i)
{
	const struct datagram *d = &wire[i];

	world_receive(&world.side[d->to], &world.side[!d->to].addr, d->data, d->len);
}

void world_lose(uint32_t i)
{
	world.n_wire--;
	memmove(&wire[i], &wire[i + 1], (world.n_wire - i) * sizeof(*wire));
}

void world_deliver_all(int to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < world.n_wire; i++)
		if (wire[i].to == to)
			world_deliver(i);
		else
			wire[kept++] = wire[i];
	world.n_wire = kept;
}

void world_settle(struct side *s)
{
	flux_endpoint_settle(s->ep);
	while (s->n_buffers)
		free(s->buffers[--s->n_buffers]);
}

static void remember(struct image *m, const struct flux_tx *tx)
{
	*m = (struct image){
		.token = tx->token,
		.head_len = tx->head_len,
		.body_len = tx->body_len,
		.head = tx->head,
		.body = tx->body,
	};
	if (m->head_len)
		memcpy(m->copy, m->head, m->head_len);
	memcpy(m->copy + m->head_len, m->body, m->body_len);
}

void world_send(int from, uint32_t most, bool retire_at_once)
{
	struct side *s = &world.side[from];
	const struct flux_tx *tx;
	uint32_t n = flux_endpoint_peek(s->ep, world.now, &tx), tokens[FLUX_PEEK_MAX];

	FUZZ_CHECK(n <= FLUX_PEEK_MAX);
	n = flux_min_u32(n, flux_min_u32(most, LENT - s->n_images));
	for (uint32_t i = 0; i < n; i++) {
		put_on_wire(!from, &tx[i]);
		if (!retire_at_once)
			remember(&s->images[s->n_images + i], &tx[i]);
		tokens[i] = tx[i].token;
	}
	flux_endpoint_commit(s->ep, world.now, n);
	if (retire_at_once)
		flux_endpoint_retire(s->ep, tokens, n);
	else
		s->n_images += n;
}

void world_retire(struct side *s, uint32_t at, uint32_t n)
{
	for (; n > 0 && s->n_images; n--) {
		struct image *m = &s->images[at % s->n_images];

		unchanged(m);
		flux_endpoint_retire(s->ep, &m->token, 1);
		*m = s->images[--s->n_images];
	}
}

/* ---- Good behaviour ---- */

void world_quiesce(int i)
{
	struct side *s = &world.side[i];
	int turns = 0;

	world_retire(s, 0, LENT);
	world_pull_events(s, 1000);
	while (flux_endpoint_deadline(s->ep) <= world.now || turns == 0) {
		const struct flux_tx *tx;

		flux_endpoint_expire(s->ep, world.now);
		do
			world_send(i, FLUX_PEEK_MAX, true);
		while (flux_endpoint_peek(s->ep, world.now, &tx));
		world_check();
		world_pull_events(s, 1000);
		FUZZ_CHECK(++turns < 10);
	}
}

/* Whether all that one side sent in sessions that nobody ends was read by the other. */
static bool all_read(int from)
{
	const struct side *a = &world.side[from], *b = &world.side[!from];

	for (uint32_t i = 0; i < a->n_sids; i++) {
		const struct flux_session *s = flux_table_find(a->ep, a->sids[i]);
		uint32_t k = s ? world_index(b, s->peer_cid) : SIDS;

		if (k == SIDS || !a->of[i].up || a->of[i].closed || a->of[i].ending || !b->of[k].up ||
		    b->of[k].closed || b->of[k].ending)
			continue;
		if (b->of[k].read != a->of[i].sent)
			return false;
	}
	return true;
}

static void behave(int i)
{
	struct side *s = &world.side[i];
	flux_sid sid;

	world_deliver_all(i);
	if (world.now >= flux_endpoint_deadline(s->ep))
		flux_endpoint_expire(s->ep, world.now);
	world_pull_events(s, 1000);
	while ((sid = flux_endpoint_readable(s->ep)))
		world_read(s, sid, 15, 16);
	world_settle(s);
	world_pull_events(s, 1000);
	world_send(i, FLUX_PEEK_MAX, true);
}

static void pass_to_next(void)
{
	flux_ts t = flux_ts_min(flux_endpoint_deadline(world.side[CLIENT].ep),
				flux_endpoint_deadline(world.side[SERVER].ep));

	if (world.n_wire)
		world.now += FLUX_MS(1);
	else if (t != FLUX_NEVER)
		world.now = flux_ts_max(world.now, t);
}

void world_heal(void)
{
	flux_ts end;

	for (int i = 0; i < 2; i++) {
		struct side *s = &world.side[i];

		world.now = flux_ts_max(world.now, s->ep->now);
		s->may_allocate = INT32_MAX;
		world_retire(s, 0, LENT);
		for (uint32_t k = 0; k < s->n_sids; k++)
			flux_session_pause(s->ep, s->sids[k], 0);
	}
	end = world.now + FLUX_S(300);
	for (int turn = 0; turn == 0 || !all_read(CLIENT) || !all_read(SERVER); turn++) {
		behave(CLIENT);
		behave(SERVER);
		if (turn % 16 == 0)
			world_check();
		pass_to_next();
		FUZZ_CHECK(turn < HEAL_TURNS && world.now < end);
	}
}
