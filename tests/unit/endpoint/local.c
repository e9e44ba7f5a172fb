/* SPDX-License-Identifier: MIT */
/* S07: whatever an endpoint sends leaves from the address that its peer sends to, where the driver tells it. */
#include "tests/unit/endpoint/pair.h"

static struct pair p;

static const struct flux_local here = { .ip = { 192, 0, 2, 2 }, .ifindex = 3, .family = 4 };
static const struct flux_local there = { .ip = { 192, 0, 2, 1 }, .ifindex = 7, .family = 4 };

static int setup(void **state)
{
	(void)state;
	pair_init(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static void connect_and_talk(void)
{
	pair_open(&p);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	pair_run(&p, FLUX_MS(50));
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_UP));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(flux_session_send(p.ep[i], p.sid[i], "hello", 5), 0);
		p.lose[!i] = true; /* it is sent twice: a repair has an address too */
		pair_flush(&p, i);
		p.lose[!i] = false;
		pair_run(&p, FLUX_S(1));
		assert_int_equal(p.n_messages[!i], 1);
	}
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_S(1)), 0);
	pair_run(&p, FLUX_S(1));
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_CLOSED));
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
}

/* From the first COOKIE to the last word; the client, whose driver tells nothing, says nothing. */
static void s07_server(void **state)
{
	(void)state;
	p.local[SERVER] = &here;
	connect_and_talk();
	assert_true(p.n_sent[SERVER] > 8);
	assert_int_equal(p.n_from[SERVER], p.n_sent[SERVER]);
	assert_int_equal(p.n_from[CLIENT], 0);
}

/* Who connects is where the route says, until the answer tells him; from then on he stays there. */
static void s07_client(void **state)
{
	(void)state;
	p.local[CLIENT] = &there;
	connect_and_talk();
	assert_int_equal(p.n_from[SERVER], 0);
	assert_true(p.n_sent[CLIENT] > 8);
	assert_int_equal(p.n_from[CLIENT], p.n_sent[CLIENT] - 2); /* HELLO, and HELLO with the cookie */
}

/* A session's address is its own: one that came to another address is answered from that. */
static void s07_two_addresses(void **state)
{
	flux_sid other;

	(void)state;
	p.local[SERVER] = &here;
	pair_open(&p);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	pair_run(&p, FLUX_MS(50));
	assert_memory_equal(&pair_session(&p, SERVER)->local, &here, sizeof(here));
	p.local[SERVER] = &there;
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &other), 0);
	for (int i = 0; i < 3; i++) { /* HELLO, COOKIE; HELLO, WELCOME; what proves it */
		pair_flush(&p, CLIENT);
		p.now += PAIR_DELAY;
		pair_deliver(&p, SERVER);
		pair_flush(&p, SERVER);
		p.now += PAIR_DELAY;
		pair_deliver(&p, CLIENT);
	}
	assert_int_equal(p.n_from[SERVER], p.n_sent[SERVER]);
	assert_memory_equal(&pair_session(&p, SERVER)->local, &there, sizeof(there));
}

/* What is about no session: other versions, a cookie, and "no such session". */
static void s07_without_a_session(void **state)
{
	struct flux_hello h = { .cid = 7, .version_min = 1, .version_max = 1, .suites = 1, .nonce = 9, .boot = 3 };
	struct flux_header unknown = { .version = 1, .type = FLUX_PKT_PING, .cid = 0x100001 };
	uint8_t data[PAIR_DATAGRAM] = { 0 };
	uint32_t len = (uint32_t)flux_hello_encode(&h, data, sizeof(data));
	static const uint8_t answers[] = { FLUX_PKT_COOKIE, FLUX_PKT_VERSIONS, FLUX_PKT_RESET };

	(void)state;
	p.local[SERVER] = &here;
	pair_open(&p);
	pair_inject(&p, SERVER, data, len);
	data[0] = 0x08 | 5;
	pair_inject(&p, SERVER, data, len);
	memset(data, 0, sizeof(data));
	flux_header_encode(&unknown, data);
	pair_inject(&p, SERVER, data, 100);
	assert_int_equal(pair_flush(&p, SERVER), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(p.wire[i].data[1] & 15, answers[i]);
	assert_int_equal(p.n_from[SERVER], 3);
	/* The next ones take the same places, and say nothing that nobody told. */
	p.local[SERVER] = NULL;
	pair_inject(&p, SERVER, data, 100);
	assert_int_equal(pair_flush(&p, SERVER), 1);
	assert_int_equal(p.n_from[SERVER], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(s07_server, setup, teardown),
		cmocka_unit_test_setup_teardown(s07_client, setup, teardown),
		cmocka_unit_test_setup_teardown(s07_two_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(s07_without_a_session, setup, teardown),
	};

	return cmocka_run_group_tests_name("endpoint/local", tests, NULL, NULL);
}
