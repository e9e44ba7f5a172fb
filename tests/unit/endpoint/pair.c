/* SPDX-License-Identifier: MIT */
/* Two endpoints in one process and the wire between them. */
#include "tests/unit/endpoint/pair.h"

void pair_init(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	p->now = FLUX_S(1000);
	for (int i = 0; i < 2; i++) {
		p->cfg[i] = (struct flux_endpoint_cfg)FLUX_ENDPOINT_CFG_INIT;
		p->cfg[i].seed[0] = (uint8_t)(i + 1);
		p->cfg[i].max_sessions = 8;
		p->cfg[i].window = 64;
		p->cfg[i].max_message = 65536;
		p->addr[i] = (struct flux_addr){ .ip = { 192, 0, 2, (uint8_t)(i + 1) }, .port = 7000, .family = 4 };
	}
	p->cfg[SERVER].accept = 1;
}

void pair_open(struct pair *p)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(flux_endpoint_create(&p->ep[i], &p->cfg[i], NULL), 0);
}

void pair_close(struct pair *p)
{
	pair_check(p);
	flux_endpoint_destroy(p->ep[CLIENT]);
	flux_endpoint_destroy(p->ep[SERVER]);
}

void pair_up(struct pair *p)
{
	pair_init(p);
	pair_open(p);
	assert_int_equal(flux_endpoint_connect(p->ep[CLIENT], p->now, &p->addr[SERVER], &p->sid[CLIENT]), 0);
	pair_run(p, FLUX_MS(50));
	assert_non_null(pair_event(p, CLIENT, FLUX_EVENT_UP));
	assert_non_null(pair_event(p, SERVER, FLUX_EVENT_UP));
	assert_int_equal(pair_event(p, SERVER, FLUX_EVENT_UP)->incoming, 1);
	pair_forget(p);
}

void pair_check(const struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		const char *bad = flux_endpoint_check(p->ep[i]);

		if (bad)
			fail_msg("side %d: %s", i, bad);
	}
}

/* What a driver tells only for as long as it lends the datagram. */
static const struct flux_local *lend_local(const struct pair *p, int side, struct flux_local *copy)
{
	if (!p->local[side])
		return NULL;
	*copy = *p->local[side];
	return copy;
}

static void count_from(struct pair *p, int side, const struct flux_tx *tx)
{
	p->n_sent[side]++;
	if (!tx->local)
		return;
	assert_non_null(p->local[side]);
	assert_memory_equal(tx->local, p->local[side], sizeof(*tx->local));
	p->n_from[side]++;
}

static void put_on_wire(struct pair *p, int to, const struct flux_tx *tx)
{
	struct pair_datagram *d = &p->wire[p->n_wire];

	count_from(p, !to, tx);
	assert_int_equal(tx->to.ip[3], p->addr[to].ip[3]);
	assert_true(tx->head_len + tx->body_len <= PAIR_DATAGRAM);
	if (p->lose[to])
		return;
	assert_true(p->n_wire < PAIR_WIRE);
	p->n_wire++;
	d->to = to;
	d->len = tx->head_len + tx->body_len;
	d->t_arrive = p->now + PAIR_DELAY;
	if (tx->head_len)
		memcpy(d->data, tx->head, tx->head_len);
	memcpy(d->data + tx->head_len, tx->body, tx->body_len);
}

uint32_t pair_flush(struct pair *p, int side)
{
	const struct flux_tx *tx;
	uint32_t n, total = 0;

	while ((n = flux_endpoint_peek(p->ep[side], p->now, &tx))) {
		uint32_t tokens[FLUX_PEEK_MAX];

		for (uint32_t i = 0; i < n; i++) {
			put_on_wire(p, !side, &tx[i]);
			tokens[i] = tx[i].token;
		}
		flux_endpoint_commit(p->ep[side], p->now, n);
		flux_endpoint_retire(p->ep[side], tokens, n);
		total += n;
	}
	return total;
}

static void pull_events(struct pair *p, int side)
{
	struct flux_event event;

	while (flux_endpoint_event(p->ep[side], &event)) {
		assert_true(p->n_events[side] < PAIR_EVENTS);
		p->events[side][p->n_events[side]++] = event;
		if (event.type == FLUX_EVENT_UP)
			p->sid[side] = event.sid;
	}
}

void pair_drain(struct pair *p, int side)
{
	struct flux_msg msgs[16];
	flux_sid sid;
	uint32_t n;

	pull_events(p, side);
	while (!p->unread[side] && (sid = flux_endpoint_readable(p->ep[side]))) {
		n = flux_session_read(p->ep[side], sid, msgs, 16);
		for (uint32_t i = 0; i < n; i++) {
			p->n_bytes[side] += msgs[i].len;
			p->last_len = msgs[i].len;
			memcpy(p->last, msgs[i].data, flux_min_u32(msgs[i].len, sizeof(p->last)));
		}
		p->n_messages[side] += n;
		flux_session_release(p->ep[side], sid, n);
		pull_events(p, side);
	}
	flux_endpoint_settle(p->ep[side]);
	pull_events(p, side);
	pair_check(p);
}

void pair_deliver(struct pair *p, int side)
{
	static struct pair_datagram arrived[PAIR_WIRE];
	struct flux_rx rx[PAIR_WIRE];
	struct flux_local local;
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < p->n_wire; i++) {
		struct pair_datagram *d = &p->wire[i];

		if (d->to != side || d->t_arrive > p->now) {
			if (kept != i)
				p->wire[kept] = *d;
			kept++;
			continue;
		}
		arrived[n] = *d;
		rx[n] = (struct flux_rx){ .data = arrived[n].data, .len = d->len, .from = p->addr[!side] };
		rx[n].local = lend_local(p, side, &local);
		n++;
	}
	p->n_wire = kept;
	flux_endpoint_receive(p->ep[side], p->now, rx, n);
	pair_drain(p, side);
	memset(&local, 0xaa, sizeof(local));
}

/* When something happens next. */
static flux_ts next_time(const struct pair *p)
{
	flux_ts t = flux_ts_min(flux_endpoint_deadline(p->ep[0]), flux_endpoint_deadline(p->ep[1]));

	for (uint32_t i = 0; i < p->n_wire; i++)
		t = flux_ts_min(t, p->wire[i].t_arrive);
	return t;
}

void pair_run(struct pair *p, flux_ts time)
{
	flux_ts end = p->now + time;

	for (uint32_t turns = 0, same = 0; p->now <= end; turns++) {
		flux_ts t;

		for (int i = 0; i < 2; i++) {
			pair_deliver(p, i);
			if (p->now >= flux_endpoint_deadline(p->ep[i]))
				flux_endpoint_expire(p->ep[i], p->now);
			pair_flush(p, i);
			pair_drain(p, i);
			pair_flush(p, i);
		}
		pair_check(p);
		t = next_time(p);
		same = t <= p->now ? same + 1 : 0;
		if (same > 8)
			fail_msg("a deadline that stays in the past: the loop would spin");
		assert_true(turns < 1000000);
		p->now = flux_ts_max(p->now, t);
	}
	p->now = end;
}

struct flux_session *pair_session(struct pair *p, int side)
{
	return flux_table_find(p->ep[side], p->sid[side]);
}

void pair_inject(struct pair *p, int side, const void *data, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1); /* of exactly this size, for the sanitizers */
	struct flux_rx rx = { .data = copy, .len = len, .from = p->addr[!side] };
	struct flux_local local;

	assert_non_null(copy);
	memcpy(copy, data, len);
	rx.local = lend_local(p, side, &local);
	flux_endpoint_receive(p->ep[side], p->now, &rx, 1);
	pair_drain(p, side);
	memset(&local, 0xaa, sizeof(local));
	free(copy);
}

void pair_forge(struct pair *p, int side, uint8_t type, uint16_t stream, uint64_t num, const void *body,
		uint32_t len)
{
	const struct flux_session *s = pair_session(p, side);
	struct flux_header h = {
		.version = FLUX_WIRE_VERSION,
		.type = type,
		.stream = stream,
		.cid = p->sid[side],
		.num = (uint32_t)num,
		.ts = flux_ts_us(p->now),
	};
	uint8_t data[PAIR_DATAGRAM];

	assert_non_null(s);
	assert_true(len <= sizeof(data) - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
	flux_header_encode(&h, data);
	memcpy(data + FLUX_HEADER_LEN, body, len);
	flux_trailer_seal(data, FLUX_HEADER_LEN + len, s->tag_rx);
	pair_inject(p, side, data, FLUX_HEADER_LEN + len + FLUX_TRAILER_LEN);
}

uint64_t pair_fresh(struct pair *p, int side)
{
	return pair_session(p, side)->replay.next + 100;
}

const struct flux_event *pair_event(const struct pair *p, int side, enum flux_event_type type)
{
	for (uint32_t i = p->n_events[side]; i-- > 0;)
		if (p->events[side][i].type == type)
			return &p->events[side][i];
	return NULL;
}

void pair_forget(struct pair *p)
{
	p->n_events[CLIENT] = p->n_events[SERVER] = 0;
}

struct flux_endpoint_stats pair_stats(const struct pair *p, int side)
{
	struct flux_endpoint_stats stats = { .size = sizeof(stats) };

	flux_endpoint_get_stats(p->ep[side], &stats);
	return stats;
}
