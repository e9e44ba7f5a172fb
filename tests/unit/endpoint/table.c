/* SPDX-License-Identifier: MIT */
/*
 * The table of sessions: names that do not come again soon, shares of a socket buffer, many sessions of one
 * peer, and counters for callers of any age.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;

static int setup(void **state)
{
	(void)state;
	pair_init(&p);
	p.cfg[CLIENT].max_sessions = 100;
	pair_open(&p);
	ep = p.ep[CLIENT];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static flux_sid add(uint16_t port)
{
	struct flux_addr addr = p.addr[SERVER];
	flux_sid sid;

	addr.port = port;
	assert_int_equal(flux_endpoint_connect(ep, p.now, &addr, &sid), 0);
	return sid;
}

static void drop(flux_sid sid)
{
	flux_table_remove(ep, flux_table_find(ep, sid));
	pair_check(&p);
}

/* A name that is gone stays gone for thousands of sessions. */
static void names(void **state)
{
	flux_sid old = add(1);

	(void)state;
	assert_int_not_equal(old, 0);
	assert_int_equal(old >> 31, 0);
	drop(old);
	for (int i = 0; i < 100 * 2000; i++) {
		flux_sid sid = add(1);

		if (sid == old || flux_table_find(ep, old))
			fail_msg("the name came again after %d sessions", i);
		flux_table_remove(ep, flux_table_find(ep, sid));
	}
	for (uint32_t i = 0; i < 2048; i++) /* other generations of the slot are no sessions */
		assert_null(flux_table_find(ep, i << 20 | (old & 0xFFFFF)));
}

static void full(void **state)
{
	flux_sid sid[100], more;

	(void)state;
	for (uint16_t i = 0; i < 100; i++)
		sid[i] = add((uint16_t)(i + 1));
	for (uint32_t i = 0; i < 100; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(sid[i], sid[j]);
	assert_int_equal(flux_endpoint_connect(ep, p.now, &p.addr[SERVER], &more), FLUX_EBUSY);
	drop(sid[50]);
	assert_int_not_equal(add(7), 0);
	assert_int_equal(pair_stats(&p, CLIENT).sessions, 100);
}

/* All sessions with one address are found, in any order of coming and going; those of others are not. */
static void by_peer(void **state)
{
	struct flux_addr addr = p.addr[SERVER];
	struct flux_session *s = NULL;
	flux_sid sid[60];
	uint32_t n = 0;

	(void)state;
	for (uint16_t i = 0; i < 60; i++)
		sid[i] = add((uint16_t)(100 + i % 3));
	for (uint32_t i = 0; i < 60; i += 2)
		drop(sid[i]);
	addr.port = 101;
	while ((s = flux_table_peer(ep, &addr, s))) {
		assert_int_equal(s->peer.port, 101);
		n++;
	}
	assert_int_equal(n, 10);
	addr.port = 99;
	assert_null(flux_table_peer(ep, &addr, NULL));
}

/* What a socket buffer holds is shared by the sessions that are open. */
static void shares(void **state)
{
	uint32_t last = UINT32_MAX;

	(void)state;
	teardown(state);
	pair_init(&p);
	p.cfg[CLIENT].max_sessions = 100;
	p.cfg[CLIENT].window = 1024;
	p.cfg[CLIENT].rcvbuf = 212992; /* Linux's default, doubled */
	pair_open(&p);
	ep = p.ep[CLIENT];
	for (uint16_t i = 1; i <= 100; i++) {
		uint32_t window = flux_table_find(ep, add(i))->window;

		assert_true(window >= 16 && window <= last);
		assert_true(i > 1 || window * 1200 <= 212992 * 3 / 4);
		assert_true(window == 16 || window * (uint64_t)i * 2304 <= 212992);
		last = window;
	}
	assert_int_equal(last, 16);
}

/* Callers of an older and of a newer header get what they know of. */
static void sized_counters(void **state)
{
	struct {
		struct flux_endpoint_stats known;
		uint8_t tail[32];
	} newer;
	flux_sid sid = add(1);

	(void)state;
	memset(&newer, 0x77, sizeof(newer));
	newer.known.size = sizeof(newer);
	flux_endpoint_get_stats(ep, &newer.known);
	assert_int_equal(newer.known.size, sizeof(newer));
	assert_int_equal(newer.known.sessions, 1);
	assert_int_equal(newer.known.rx_datagrams, 0);
	assert_int_equal(newer.tail[0], 0x77);
	for (uint32_t size = 0; size < 40; size++) {
		struct flux_endpoint_stats old;
		struct flux_session_stats s;

		memset(&old, 0x77, sizeof(old));
		memset(&s, 0x77, sizeof(s));
		old.size = s.size = size;
		flux_endpoint_get_stats(ep, &old);
		assert_int_equal(flux_session_get_stats(ep, sid, &s), 0);
		assert_int_equal(old.size, size);
		assert_int_equal(((uint8_t *)&old)[size < 4 ? 4 : size], 0x77);
		assert_int_equal(((uint8_t *)&s)[size < 4 ? 4 : size], 0x77);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names),
		CASE(full),
		CASE(by_peer),
		CASE(shares),
		CASE(sized_counters),
	};

	return cmocka_run_group_tests_name("endpoint/table", tests, NULL, NULL);
}
