/* SPDX-License-Identifier: MIT */
/*
 * The client's half of the handshake: when HELLO goes out, which answers count, and that no answer of a
 * stranger ends anything.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;

static int setup(void **state)
{
	(void)state;
	pair_init(&p);
	pair_open(&p);
	ep = p.ep[CLIENT];
	assert_int_equal(flux_endpoint_connect(ep, p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static struct flux_session *session(void)
{
	return pair_session(&p, CLIENT);
}

/* The HELLO that goes out now; false if none does. */
static bool hello(struct flux_hello *h)
{
	uint32_t n;

	p.n_wire = 0;
	n = pair_flush(&p, CLIENT);
	assert_true(n <= 1);
	if (n)
		assert_int_equal(flux_hello_decode(h, p.wire[0].data, p.wire[0].len), FLUX_HELLO_OK);
	return n > 0;
}

static struct flux_params good_params(void)
{
	return (struct flux_params){
		.has = 1u << FLUX_PARAM_MAX_DATAGRAM | 1u << FLUX_PARAM_MAX_MESSAGE | 1u << FLUX_PARAM_WINDOW |
		       1u << FLUX_PARAM_FIRST_SEQ,
		.max_datagram = 1200,
		.max_message = 1000,
		.window = 64,
		.first_seq = 1,
	};
}

static struct flux_welcome good_welcome(void)
{
	return (struct flux_welcome){
		.cid = p.sid[CLIENT],
		.version = 1,
		.server_cid = 0x300001,
		.nonce = 5,
		.boot = 6,
		.echo_ts = flux_ts_us(p.now),
		.params = good_params(),
	};
}

static void inject_welcome(const struct flux_welcome *w, uint64_t nonce)
{
	uint8_t data[PAIR_DATAGRAM];

	pair_inject(&p, CLIENT, data, (uint32_t)flux_welcome_encode(w, nonce, data, sizeof(data)));
}

static void inject_cookie(uint32_t cid, uint64_t nonce, uint8_t fill)
{
	struct flux_cookie_packet c = { .cid = cid };
	uint8_t data[PAIR_DATAGRAM];

	memset(c.cookie, fill, sizeof(c.cookie));
	pair_inject(&p, CLIENT, data, (uint32_t)flux_cookie_encode(&c, nonce, data, sizeof(data)));
}

static void inject_versions(uint32_t cid, uint64_t nonce, uint8_t min, uint8_t max)
{
	const struct flux_versions v = { .cid = cid, .version_min = min, .version_max = max };
	uint8_t data[PAIR_DATAGRAM];

	pair_inject(&p, CLIENT, data, (uint32_t)flux_versions_encode(&v, nonce, data, sizeof(data)));
}

static void what_it_says(void **state)
{
	struct flux_hello h;

	(void)state;
	assert_true(hello(&h));
	assert_int_equal(p.wire[0].len, FLUX_HELLO_LEN);
	assert_int_equal(h.cid, p.sid[CLIENT]);
	assert_int_equal(h.attempt, 0);
	assert_int_equal(h.ts, flux_ts_us(p.now));
	assert_int_equal(h.version_min, 1);
	assert_int_equal(h.version_max, 1);
	assert_int_equal(h.suites, 1);
	assert_false(h.has_cookie);
	assert_int_equal(h.boot, ep->cfg.boot_id);
	assert_int_equal(h.params.max_datagram, 1200);
	assert_int_equal(h.params.max_message, 65536);
	assert_int_equal(h.params.window, 64);
	assert_int_equal(h.params.idle_timeout_ms, 15000);
	assert_in_range(h.params.first_seq, 1, (1u << 31) - 1);
}

/* Again after 200 ms, then up to each 500 ms, a tenth more or less, until the caller's time is over. */
static void repeats_until_it_gives_up(void **state)
{
	flux_ts interval = FLUX_MS(200), last = p.now, end = p.now + FLUX_S(10);
	struct flux_hello h;
	uint32_t attempt = 1;

	(void)state;
	assert_true(hello(&h));
	for (;;) {
		flux_ts t = flux_endpoint_deadline(ep);

		assert_true(t > p.now && t <= end);
		p.now = t - 1;
		flux_endpoint_expire(ep, p.now);
		assert_false(hello(&h));
		p.now = t;
		flux_endpoint_expire(ep, p.now);
		if (t == end)
			break;
		assert_true(hello(&h));
		assert_int_equal(h.attempt, attempt++);
		assert_in_range(p.now - last, interval - interval / 10, interval + interval / 10 + 1);
		interval = flux_ts_min(interval + interval / 2, FLUX_MS(500));
		last = p.now;
	}
	pair_drain(&p, CLIENT);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_ETIMEDOUT);
	assert_in_range(attempt, 18, 24);
}

/* A cookie is taken along at once, three times; more of them wait for the timer. */
static void cookies(void **state)
{
	struct flux_hello h;
	uint64_t nonce;

	(void)state;
	assert_true(hello(&h));
	nonce = h.nonce;
	for (uint8_t i = 1; i <= 3; i++) {
		inject_cookie(p.sid[CLIENT], nonce, i);
		assert_true(hello(&h));
		assert_true(h.has_cookie);
		assert_int_equal(h.cookie[15], i);
		assert_int_equal(h.nonce, nonce);
		assert_int_equal(h.attempt, i);
	}
	inject_cookie(p.sid[CLIENT], nonce, 9);
	assert_false(hello(&h));
	p.now = flux_endpoint_deadline(ep);
	flux_endpoint_expire(ep, p.now);
	assert_true(hello(&h));
	assert_int_equal(h.cookie[0], 9);
}

/* None of these is an answer to us. */
static void strangers(void **state)
{
	struct flux_welcome w = good_welcome();
	uint64_t nonce = session()->nonce_c;
	uint8_t data[PAIR_DATAGRAM];
	uint32_t len;

	(void)state;
	inject_cookie(p.sid[CLIENT], nonce + 1, 1);
	inject_cookie(p.sid[CLIENT] ^ 0x100000, nonce, 1);
	inject_versions(p.sid[CLIENT], nonce + 1, 2, 3);
	inject_versions(p.sid[CLIENT] ^ 0x100000, nonce, 2, 3);
	inject_welcome(&w, nonce + 1);
	w.version = 2;
	inject_welcome(&w, nonce + 1);
	w = good_welcome();
	w.cid ^= 0x100000;
	inject_welcome(&w, nonce);
	/* From another address. */
	w = good_welcome();
	len = (uint32_t)flux_welcome_encode(&w, nonce, data, sizeof(data));
	p.addr[SERVER].port++;
	pair_inject(&p, CLIENT, data, len);
	p.addr[SERVER].port--;
	/* Damaged anywhere. */
	for (uint32_t i = 0; i < len; i += 7) {
		data[i] ^= 0x10;
		pair_inject(&p, CLIENT, data, len);
		data[i] ^= 0x10;
	}
	for (uint32_t i = 0; i < len; i += 11)
		pair_inject(&p, CLIENT, data, i);
	assert_int_equal(session()->state, FLUX_S_WAIT);
	assert_false(session()->knock.has_cookie);
	assert_int_equal(p.n_events[CLIENT], 0);
	pair_inject(&p, CLIENT, data, len);
	assert_int_equal(session()->state, FLUX_S_UP);
}

/* VERSIONS with ours among them is no reason to give up. */
static void versions(void **state)
{
	uint64_t nonce = session()->nonce_c;

	(void)state;
	inject_versions(p.sid[CLIENT], nonce, 1, 1);
	inject_versions(p.sid[CLIENT], nonce, 0, 7);
	assert_int_equal(session()->state, FLUX_S_WAIT);
	inject_versions(p.sid[CLIENT], nonce, 2, 7);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_EVERSION);
	assert_true(strlen(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->text) > 0);
}

static void taken_from_welcome(void **state)
{
	struct flux_welcome w = good_welcome();
	struct flux_session *s = session();

	(void)state;
	w.params.has |= 1u << FLUX_PARAM_IDLE_TIMEOUT;
	w.params.idle_timeout_ms = 3000;
	w.params.max_datagram = 700;
	p.now += FLUX_MS(30);
	inject_welcome(&w, s->nonce_c);
	assert_int_equal(s->state, FLUX_S_UP);
	assert_int_equal(s->max_datagram, 700);
	assert_int_equal(s->idle_timeout, FLUX_S(3));
	assert_int_equal(s->rtt.srtt, FLUX_MS(30));
	assert_int_equal(s->rx.win.ack, 1);
	assert_int_equal(s->tx.limit, s->first_tx + 64);
	assert_int_equal(flux_session_max_message(ep, p.sid[CLIENT]), 1000);
	assert_int_equal(flux_session_max_claim(ep, p.sid[CLIENT]), 700 - 22);
}

/* Each of these from the server itself ends the attempt, in words; what is smaller than our bounds is raised. */
static void absurd_parameters(void **state)
{
	for (int i = 0; i < 12; i++) {
		struct flux_welcome w = good_welcome();
		bool good = false;

		switch (i) {
		case 0:
			w.params.max_datagram = 575;
			break;
		case 1:
			w.params.max_message = 0;
			break;
		case 2:
			w.params.first_seq = 0;
			break;
		case 3:
			w.params.first_seq = 1ull << 62;
			break;
		case 4:
			w.params.has &= ~(1u << FLUX_PARAM_WINDOW);
			break;
		case 5:
			w.params.has &= ~(1u << FLUX_PARAM_MAX_DATAGRAM);
			break;
		case 6:
			w.version = 2;
			break;
		case 7:
			w.suite = 1;
			break;
		case 8: /* shut until FEEDBACK opens it */
			w.params.window = 0;
			good = true;
			break;
		case 9:
			w.params.window = UINT32_MAX;
			good = true;
			break;
		case 10:
			w.params.max_message = UINT32_MAX;
			good = true;
			break;
		default:
			w.params.has |= 1u << FLUX_PARAM_IDLE_TIMEOUT;
			w.params.idle_timeout_ms = 0;
			good = true;
			break;
		}
		inject_welcome(&w, session()->nonce_c);
		if (good) {
			assert_int_equal(session()->state, FLUX_S_UP);
			assert_true(session()->idle_timeout >= FLUX_MS(500));
			assert_true(session()->tx.limit <= session()->first_tx + (1u << 20));
		} else {
			assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_EPROTO);
			assert_null(pair_event(&p, CLIENT, FLUX_EVENT_UP));
		}
		teardown(state);
		setup(state);
	}
}

/* A WELCOME that comes twice, or after the end, changes nothing. */
static void late_welcome(void **state)
{
	struct flux_welcome w = good_welcome();
	struct flux_session *s = session();
	uint64_t nonce = s->nonce_c;
	uint32_t tag;

	(void)state;
	inject_welcome(&w, nonce);
	tag = s->tag_tx;
	w.nonce++;
	inject_welcome(&w, nonce);
	assert_int_equal(s->tag_tx, tag);
	assert_int_equal(pair_stats(&p, CLIENT).rx_out_of_state, 1);
	assert_int_equal(flux_session_abort(ep, p.now, p.sid[CLIENT], 300, NULL), 0);
	inject_welcome(&w, nonce);
	assert_int_equal(s->state, FLUX_S_CLOSING);
}

/* Given up by the application before anybody answered. */
static void closed_while_waiting(void **state)
{
	struct flux_hello h;

	(void)state;
	assert_true(hello(&h));
	assert_int_equal(flux_session_close(ep, p.now, p.sid[CLIENT], FLUX_S(1)), 0);
	pair_drain(&p, CLIENT);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, 0);
	p.now += FLUX_S(1);
	flux_endpoint_expire(ep, p.now);
	assert_false(hello(&h));
	assert_int_equal(pair_stats(&p, CLIENT).sessions, 0);
	assert_true(flux_endpoint_deadline(ep) == FLUX_NEVER);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_it_says),
		CASE(repeats_until_it_gives_up),
		CASE(cookies),
		CASE(strangers),
		CASE(versions),
		CASE(taken_from_welcome),
		CASE(absurd_parameters),
		CASE(late_welcome),
		CASE(closed_while_waiting),
	};

	return cmocka_run_group_tests_name("endpoint/hello", tests, NULL, NULL);
}
