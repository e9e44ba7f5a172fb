/* SPDX-License-Identifier: MIT */
/*
 * The server's half of the handshake: nothing is kept before a cookie has come back, what is half-open makes
 * room or goes in time, and no answer is longer than its question.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;

static int setup(void **state)
{
	(void)state;
	pair_init(&p);
	p.cfg[SERVER].max_sessions = 4;
	pair_open(&p);
	ep = p.ep[SERVER];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static struct flux_hello good_hello(uint64_t nonce)
{
	return (struct flux_hello){
		.cid = 0x100007,
		.version_min = 1,
		.version_max = 1,
		.suites = 1,
		.nonce = nonce,
		.boot = 3,
		.params = {
			.has = 1u << FLUX_PARAM_MAX_DATAGRAM | 1u << FLUX_PARAM_MAX_MESSAGE |
			       1u << FLUX_PARAM_WINDOW | 1u << FLUX_PARAM_FIRST_SEQ,
			.max_datagram = 1200,
			.max_message = 1000,
			.window = 64,
			.first_seq = 1,
		},
	};
}

/* Send a HELLO from that port; returns the type of the answer, or 0. The answer is wire[0]. */
static uint8_t ask_from(const struct flux_hello *h, uint16_t port)
{
	uint8_t data[PAIR_DATAGRAM];
	uint32_t len = (uint32_t)flux_hello_encode(h, data, sizeof(data)), n;

	p.n_wire = 0;
	p.addr[CLIENT].port = port;
	pair_inject(&p, SERVER, data, len);
	n = pair_flush(&p, SERVER);
	p.addr[CLIENT].port = 7000;
	assert_true(n <= 1);
	if (n)
		assert_true(p.wire[0].len <= len);
	return n ? p.wire[0].data[1] & 15 : 0;
}

static uint8_t ask(const struct flux_hello *h)
{
	return ask_from(h, 7000);
}

/* Fetch the cookie for a HELLO. */
static void get_cookie(struct flux_hello *h, uint16_t port)
{
	struct flux_cookie_packet c;

	h->has_cookie = false;
	assert_int_equal(ask_from(h, port), FLUX_PKT_COOKIE);
	assert_true(flux_cookie_decode(&c, p.wire[0].data, p.wire[0].len, h->nonce));
	memcpy(h->cookie, c.cookie, sizeof(h->cookie));
	h->has_cookie = true;
}

static struct flux_welcome welcome(const struct flux_hello *h, uint16_t port)
{
	struct flux_welcome w;

	assert_int_equal(ask_from(h, port), FLUX_PKT_WELCOME);
	assert_true(flux_welcome_decode(&w, p.wire[0].data, p.wire[0].len, h->nonce));
	return w;
}

static void cookie_before_anything(void **state)
{
	struct flux_hello h = good_hello(1);
	struct flux_welcome w;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ask(&h), FLUX_PKT_COOKIE);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 0);
	get_cookie(&h, 7000);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 0);
	h.ts = 4711;
	h.attempt = 9;
	w = welcome(&h, 7000);
	assert_int_equal(p.wire[0].len, FLUX_HELLO_LEN);
	assert_int_equal(w.cid, h.cid);
	assert_int_equal(w.attempt, 9);
	assert_int_equal(w.echo_ts, 4711);
	assert_int_equal(w.echo_dly, 0);
	assert_int_equal(w.boot, ep->cfg.boot_id);
	assert_int_equal(w.params.max_message, 65536);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 1);
	assert_int_equal(p.n_events[SERVER], 0); /* not heard of before it is proven */
}

/* The same HELLO again is the same session; another nonce or port is another. */
static void repeated(void **state)
{
	struct flux_hello h = good_hello(1), other = good_hello(2);
	struct flux_welcome a, b;

	(void)state;
	get_cookie(&h, 7000);
	a = welcome(&h, 7000);
	h.attempt++;
	b = welcome(&h, 7000);
	assert_int_equal(a.server_cid, b.server_cid);
	assert_int_equal(a.nonce, b.nonce);
	assert_int_equal(b.attempt, h.attempt);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 1);
	get_cookie(&other, 7000);
	b = welcome(&other, 7000);
	assert_int_not_equal(a.server_cid, b.server_cid);
	get_cookie(&h, 7001);
	b = welcome(&h, 7001);
	assert_int_not_equal(a.server_cid, b.server_cid);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 3);
}

static void refused(void **state)
{
	struct flux_hello h = good_hello(1), bad;
	uint64_t count = pair_stats(&p, SERVER).sessions_refused;

	(void)state;
	get_cookie(&h, 7000);
	bad = h;
	bad.suites = 2;
	assert_int_equal(ask(&bad), 0);
	bad = h;
	bad.params.max_datagram = 100;
	assert_int_equal(ask(&bad), 0);
	bad = h;
	bad.params.first_seq = 0;
	assert_int_equal(ask(&bad), 0);
	bad = h;
	bad.params.has &= ~(1u << FLUX_PARAM_FIRST_SEQ);
	assert_int_equal(ask(&bad), 0);
	bad = h;
	bad.params.max_message = 0;
	assert_int_equal(ask(&bad), 0);
	assert_int_equal(pair_stats(&p, SERVER).sessions_refused, count + 5);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 0);
	bad = h;
	bad.mode = 1;
	assert_int_equal(ask(&bad), 0);
	bad = h;
	bad.version_min = 3;
	bad.version_max = 2;
	assert_int_equal(ask(&bad), 0);
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 2);
	assert_int_equal(welcome(&h, 7000).version, 1);
}

/* An endpoint that only connects keeps quiet. */
static void does_not_accept(void **state)
{
	struct flux_hello h = good_hello(1);
	uint8_t data[PAIR_DATAGRAM];

	(void)state;
	pair_inject(&p, CLIENT, data, (uint32_t)flux_hello_encode(&h, data, sizeof(data)));
	flux_hello_encode(&h, data, sizeof(data));
	data[0] = 0x0A;
	pair_inject(&p, CLIENT, data, FLUX_HELLO_LEN);
	assert_int_equal(pair_flush(&p, CLIENT), 0);
	assert_int_equal(pair_stats(&p, CLIENT).hello_received, 2);
	assert_int_equal(pair_stats(&p, CLIENT).sessions_refused, 1);
}

static void other_versions(void **state)
{
	struct flux_hello h = good_hello(0x99);
	struct flux_versions v;
	uint8_t data[PAIR_DATAGRAM];

	(void)state;
	flux_hello_encode(&h, data, sizeof(data));
	data[0] = 0x08 | 5;
	pair_inject(&p, SERVER, data, FLUX_HELLO_LEN);
	assert_int_equal(pair_flush(&p, SERVER), 1);
	assert_true(flux_versions_decode(&v, p.wire[0].data, p.wire[0].len, 0x99));
	assert_int_equal(v.cid, h.cid);
	assert_int_equal(v.version_min, 1);
	assert_int_equal(v.version_max, 1);
	/* Short ones are not answered: the answer would be the longer. */
	p.n_wire = 0;
	pair_inject(&p, SERVER, data, FLUX_HELLO_LEN - 1);
	assert_int_equal(pair_flush(&p, SERVER), 0);
}

/* What nobody proves goes three seconds after it was last asked for, without a word. */
static void half_open_goes(void **state)
{
	struct flux_hello h = good_hello(1);

	(void)state;
	get_cookie(&h, 7000);
	welcome(&h, 7000);
	p.now += FLUX_S(2);
	welcome(&h, 7000); /* a client that still asks is not forgotten */
	assert_true(flux_endpoint_deadline(ep) == p.now + FLUX_S(3));
	p.now += FLUX_S(3) - 1;
	flux_endpoint_expire(ep, p.now);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 1);
	p.now += 1;
	flux_endpoint_expire(ep, p.now);
	pair_drain(&p, SERVER);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 0);
	assert_int_equal(p.n_events[SERVER], 0);
	assert_int_equal(pair_flush(&p, SERVER), 0);
	assert_true(flux_endpoint_deadline(ep) == FLUX_NEVER);
}

/* A table full of half-open sessions: the oldest makes room, if it had a second; else the newcomer waits. */
static void full_of_half_open(void **state)
{
	struct flux_hello h[6];
	flux_sid first = 0;

	(void)state;
	for (uint16_t i = 0; i < 6; i++) {
		h[i] = good_hello(100u + i);
		get_cookie(&h[i], (uint16_t)(7000 + i));
	}
	for (uint16_t i = 0; i < 4; i++) {
		flux_sid sid = welcome(&h[i], (uint16_t)(7000 + i)).server_cid;

		first = i ? first : sid;
		p.now += FLUX_MS(100);
	}
	assert_int_equal(ask_from(&h[4], 7004), 0);
	assert_non_null(flux_table_find(ep, first));
	p.now += FLUX_MS(600); /* the first one is a second old */
	welcome(&h[4], 7004);
	assert_null(flux_table_find(ep, first));
	assert_int_equal(ask_from(&h[5], 7005), 0);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 4);
}

/* The application cannot touch what it has not heard of. */
static void half_open_is_unknown(void **state)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };
	struct flux_hello h = good_hello(1);
	flux_sid sid;

	(void)state;
	get_cookie(&h, 7000);
	sid = welcome(&h, 7000).server_cid;
	assert_int_equal(flux_session_close(ep, p.now, sid, 0), FLUX_ECLOSED);
	assert_int_equal(flux_session_abort(ep, p.now, sid, 300, ""), FLUX_ECLOSED);
	assert_int_equal(flux_session_send(ep, sid, "x", 1), FLUX_ECLOSED);
	assert_int_equal(flux_session_get_stats(ep, sid, &stats), FLUX_ECLOSED);
	assert_int_equal(flux_session_max_message(ep, sid), 0);
	flux_session_pause(ep, sid, 1);
	pair_drain(&p, SERVER);
	assert_int_equal(p.n_events[SERVER], 0);
	assert_non_null(flux_table_find(ep, sid));
}

/* No memory when it is proven: refused with a word to the peer, and unknown to our application. */
struct scarce {
	const struct flux_mem *mem;
	int left;
};

static void *scarce_alloc(void *ctx, size_t bytes)
{
	struct scarce *s = ctx;

	return s->left-- > 0 ? s->mem->alloc(s->mem->ctx, bytes) : NULL;
}

/* Streams keep it for their life. */
static struct scarce scarce;

static void scarce_free(void *ctx, void *ptr, size_t bytes)
{
	struct scarce *s = ctx;

	s->mem->free(s->mem->ctx, ptr, bytes);
}

static void no_memory_at_proof(void **state)
{
	static const struct flux_mem mem = { scarce_alloc, scarce_free, &scarce };
	int n = 0;

	(void)state;
	scarce.mem = ep->mem;
	for (;; n++) { /* each request of a session in turn */
		assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
		scarce.left = n;
		ep->mem = &mem;
		pair_run(&p, FLUX_MS(100));
		ep->mem = scarce.mem;
		if (p.n_events[SERVER])
			break;
		assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
		assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_EREFUSED);
		assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->code, FLUX_CODE_BUSY);
		pair_run(&p, FLUX_S(5));
		assert_int_equal(pair_stats(&p, SERVER).sessions, 0);
		assert_int_equal(p.n_events[SERVER], 0);
		pair_forget(&p);
	}
	assert_int_equal(n, 6); /* what a session asks for */
}

/* The client that cannot hold the session: it says so to itself and to the server. */
static void no_memory_at_the_client(void **state)
{
	static const struct flux_mem mem = { scarce_alloc, scarce_free, &scarce };

	(void)state;
	scarce = (struct scarce){ .mem = p.ep[CLIENT]->mem, .left = 2 };
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	p.ep[CLIENT]->mem = &mem;
	pair_run(&p, FLUX_MS(100));
	p.ep[CLIENT]->mem = scarce.mem;
	assert_null(pair_event(&p, CLIENT, FLUX_EVENT_UP));
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_ENOMEM);
	pair_run(&p, FLUX_S(5));
	assert_int_equal(pair_stats(&p, SERVER).sessions + pair_stats(&p, CLIENT).sessions, 0);
}

/* The first datagram of the client lies outside the window that it was told: the session is up, it is not taken. */
static void proof_out_of_range(void **state)
{
	struct flux_hello h = good_hello(1);
	uint8_t data[32] = { 0 };
	struct flux_header head = { .version = 1, .type = FLUX_PKT_DATA, .num = 1 + 64 };
	struct flux_welcome w;

	(void)state;
	get_cookie(&h, 7000);
	w = welcome(&h, 7000);
	head.cid = w.server_cid;
	flux_header_encode(&head, data);
	flux_trailer_seal(data, 18, flux_table_find(ep, w.server_cid)->tag_rx);
	pair_inject(&p, SERVER, data, 22);
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_UP));
	assert_int_equal(pair_stats(&p, SERVER).rx_out_of_range, 1);
	assert_int_equal(p.n_messages[SERVER], 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(cookie_before_anything),
		CASE(repeated),
		CASE(refused),
		CASE(does_not_accept),
		CASE(other_versions),
		CASE(half_open_goes),
		CASE(full_of_half_open),
		CASE(half_open_is_unknown),
		CASE(no_memory_at_proof),
		CASE(no_memory_at_the_client),
		CASE(proof_out_of_range),
	};

	return cmocka_run_group_tests_name("endpoint/welcome", tests, NULL, NULL);
}
