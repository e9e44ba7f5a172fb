/* SPDX-License-Identifier: MIT */
/*
 * What comes from the wire and is not what it should be: each kind is counted where it belongs, costs no
 * state, and no answer helps an attacker.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;

static int setup(void **state)
{
	(void)state;
	pair_up(&p);
	pair_run(&p, FLUX_S(2)); /* the PINGs of the beginning are over */
	p.n_wire = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

/* A DATA of the session into the server, sealed. */
static uint32_t make_data(uint8_t *out, uint64_t seq, const char *body, uint32_t len)
{
	const struct flux_session *s = pair_session(&p, SERVER);
	struct flux_header h = {
		.version = 1, .type = FLUX_PKT_DATA, .cid = p.sid[SERVER], .num = (uint32_t)seq, .ts = 1
	};

	flux_header_encode(&h, out);
	memcpy(out + FLUX_HEADER_LEN, body, len);
	flux_trailer_seal(out, FLUX_HEADER_LEN + len, s->tag_rx);
	return FLUX_HEADER_LEN + len + FLUX_TRAILER_LEN;
}

static uint64_t next_seq(void)
{
	return pair_session(&p, SERVER)->rx.win.high;
}

static void not_ours(void **state)
{
	uint8_t data[64] = { 0x09, FLUX_PKT_DATA };

	(void)state;
	for (uint32_t len = 0; len < 16; len++)
		pair_inject(&p, SERVER, data, len);
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 16);
	for (int first = 0; first < 256; first++) {
		if (first == 0x09)
			continue;
		data[0] = (uint8_t)first;
		pair_inject(&p, SERVER, data, sizeof(data));
	}
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 16 + 255);
	assert_int_equal(pair_flush(&p, SERVER), 0);
}

/* One bit wrong anywhere: counted, and nothing else. Only RTX may change. */
static void damaged_data(void **state)
{
	uint64_t bad = pair_stats(&p, SERVER).rx_bad_checksum;
	uint8_t data[128];
	uint32_t len = make_data(data, next_seq(), "\x05\x00hello", 7);

	(void)state;
	for (uint32_t bit = 0; bit < len * 8; bit++) {
		if (bit == 15)
			continue;
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		pair_inject(&p, SERVER, data, len);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(p.n_messages[SERVER], 0);
		assert_int_equal(pair_session(&p, SERVER)->rx.datagrams, 0);
	}
	assert_true(pair_stats(&p, SERVER).rx_bad_checksum > bad + 50);
	data[1] |= FLUX_RTX_BIT;
	pair_inject(&p, SERVER, data, len);
	assert_int_equal(p.n_messages[SERVER], 1);
	assert_memory_equal(p.last, "hello", 5);
}

static void odd_data(void **state)
{
	uint64_t seq = next_seq();
	uint8_t data[PAIR_DATAGRAM];
	static const char big[1400];

	(void)state;
	pair_inject(&p, SERVER, data, make_data(data, seq, "", 0)); /* no record at all */
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 1);
	pair_inject(&p, SERVER, data, make_data(data, seq, big, 1181)); /* longer than was agreed */
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 2);
	pair_forge(&p, SERVER, FLUX_PKT_DATA, 1, seq, "\x00\x00", 2); /* a stream that nobody opened */
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 3);
	pair_inject(&p, SERVER, data, make_data(data, seq + 64, "\x00\x00", 2)); /* beyond the window */
	pair_inject(&p, SERVER, data, make_data(data, seq + (1u << 31), "\x00\x00", 2));
	assert_int_equal(pair_stats(&p, SERVER).rx_out_of_range, 2);
	assert_int_equal(pair_session(&p, SERVER)->rx.datagrams, 0);
	pair_inject(&p, SERVER, data, make_data(data, seq, big, 1180)); /* the longest */
	assert_int_equal(pair_session(&p, SERVER)->rx.datagrams, 1);
}

/* A copy is counted, tells nothing new, and is no sign of life. */
static void duplicates(void **state)
{
	uint8_t data[128];
	uint32_t len = make_data(data, next_seq(), "\x01\x00x", 3);
	flux_ts heard;

	(void)state;
	pair_inject(&p, SERVER, data, len);
	heard = pair_session(&p, SERVER)->t_heard;
	p.now += FLUX_S(1);
	for (int i = 0; i < 5; i++)
		pair_inject(&p, SERVER, data, len);
	assert_int_equal(pair_session(&p, SERVER)->rx.duplicates, 5);
	assert_true(pair_session(&p, SERVER)->t_heard == heard);
	assert_int_equal(p.n_messages[SERVER], 1);
}

/* A control datagram counts once; so does its copy after a thousand others. */
static void replayed_control(void **state)
{
	uint64_t num = pair_fresh(&p, SERVER);
	uint8_t body[24] = { 0 };

	(void)state;
	pair_forge(&p, SERVER, FLUX_PKT_PING, 0, num, body, sizeof(body));
	assert_int_equal(pair_flush(&p, SERVER), 1);
	pair_forge(&p, SERVER, FLUX_PKT_PING, 0, num, body, sizeof(body));
	assert_int_equal(pair_flush(&p, SERVER), 0);
	assert_int_equal(pair_stats(&p, SERVER).rx_replayed, 1);
	pair_forge(&p, SERVER, FLUX_PKT_PING, 0, num + 1000, body, sizeof(body));
	pair_flush(&p, SERVER);
	pair_forge(&p, SERVER, FLUX_PKT_PING, 0, num + 1, body, sizeof(body)); /* older than is remembered */
	assert_int_equal(pair_flush(&p, SERVER), 0);
	assert_int_equal(pair_stats(&p, SERVER).rx_replayed, 2);
	pair_forge(&p, SERVER, FLUX_PKT_PING, 0, num + 200, body, sizeof(body)); /* late, but new */
	assert_int_equal(pair_flush(&p, SERVER), 1);
}

/* ---- RESET ---- */

/* A datagram of unknown cid and type from the other side; returns how many answers, all of them RESETs. */
static uint32_t unknown(uint32_t cid, uint8_t type, uint32_t len)
{
	uint8_t data[PAIR_DATAGRAM] = { 0 };
	struct flux_header h = { .version = 1, .type = type, .cid = cid };
	uint32_t n;

	flux_header_encode(&h, data);
	pair_inject(&p, SERVER, data, len);
	p.n_wire = 0;
	n = pair_flush(&p, SERVER);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(p.wire[i].data[1] & 15, FLUX_PKT_RESET);
		assert_int_equal(p.wire[i].len, 40);
	}
	return n;
}

static void reset_answers(void **state)
{
	uint32_t cid = p.sid[SERVER] ^ 0x100000, answers = 0;

	(void)state;
	assert_int_equal(unknown(cid, FLUX_PKT_DATA, 40), 0);             /* the answer would not be shorter */
	assert_int_equal(unknown(cid, FLUX_PKT_RESET, 100), 0);           /* no RESET answers a RESET */
	assert_int_equal(unknown(cid | 1u << 31, FLUX_PKT_DATA, 100), 0); /* a group */
	assert_int_equal(unknown(cid, FLUX_PKT_WELCOME, 1200), 0);        /* nor an answer of a handshake */
	assert_int_equal(unknown(cid, FLUX_PKT_DATA, 41), 1);
	for (int i = 0; i < 100; i++)
		answers += unknown(cid, FLUX_PKT_PING, 100);
	assert_int_equal(answers, 9); /* ten a second */
	p.now += FLUX_S(1);
	assert_int_equal(unknown(cid, FLUX_PKT_PING, 100), 1);
	assert_int_equal(pair_stats(&p, SERVER).resets_sent, 11);
}

/*
 * Somebody elsewhere asks about a live session's cid: what he learns is no token that the session's peer
 * takes.
 */
static void reset_is_no_oracle(void **state)
{
	uint8_t data[64] = { 0 }, reset[64];
	struct flux_header h = { .version = 1, .type = FLUX_PKT_DATA, .cid = p.sid[SERVER] };
	uint32_t len;

	(void)state;
	flux_header_encode(&h, data);
	p.addr[CLIENT].port = 666;
	pair_inject(&p, SERVER, data, sizeof(data));
	p.n_wire = 0;
	assert_int_equal(pair_flush(&p, SERVER), 1);
	p.addr[CLIENT].port = 7000;
	len = p.wire[0].len;
	memcpy(reset, p.wire[0].data, len);
	pair_inject(&p, CLIENT, reset, len); /* as if the server had sent it */
	assert_int_equal(pair_session(&p, CLIENT)->state, FLUX_S_UP);
	assert_int_equal(pair_stats(&p, CLIENT).rx_bad_checksum, 1);
	pair_run(&p, FLUX_S(1));
	assert_int_equal(p.n_events[CLIENT], 0);
}

static void reset_needs_the_token(void **state)
{
	uint8_t reset[64], token[FLUX_RESET_TOKEN_LEN];

	(void)state;
	flux_reset_token(p.ep[SERVER], p.sid[SERVER], &p.addr[CLIENT], token);
	for (int bit = 0; bit < 128; bit++) {
		token[bit / 8] ^= (uint8_t)(1 << bit % 8);
		flux_reset_encode(p.sid[SERVER], token, 40, reset, sizeof(reset));
		pair_inject(&p, CLIENT, reset, 40);
		token[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	flux_reset_encode(p.sid[SERVER] ^ 1, token, 40, reset, sizeof(reset));
	pair_inject(&p, CLIENT, reset, 40);
	flux_reset_encode(p.sid[SERVER], token, 40, reset, sizeof(reset));
	pair_inject(&p, CLIENT, reset, 39);
	assert_int_equal(p.n_events[CLIENT], 0);
	pair_inject(&p, CLIENT, reset, 40);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, FLUX_ERESET);
}

/* ---- Buffers ---- */

/* The pool is empty: dropped and counted, asked for again, delivered in the end. */
static void no_buffer(void **state)
{
	struct flux_pool *pool = &p.ep[SERVER]->rx_pool;
	uint32_t taken[512], n = 0;

	(void)state;
	while (n < 512 && (taken[n] = flux_pool_take(pool)) != FLUX_POOL_NONE)
		n++;
	p.unread[SERVER] = true;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "0123456789", 10), 0);
		pair_flush(&p, CLIENT);
	}
	p.now += PAIR_DELAY;
	{
		struct flux_rx rx[32];

		for (uint32_t i = 0; i < p.n_wire; i++)
			rx[i] = (struct flux_rx){ .data = p.wire[i].data, .len = p.wire[i].len, .from = p.addr[CLIENT] };
		flux_endpoint_receive(p.ep[SERVER], p.now, rx, p.n_wire);
		flux_endpoint_settle(p.ep[SERVER]);
		p.n_wire = 0;
	}
	assert_true(pair_stats(&p, SERVER).rx_no_buffer >= 19);
	assert_int_equal(pair_session(&p, SERVER)->rx.datagrams, 1);
	for (uint32_t i = 0; i < n; i++)
		flux_pool_give(pool, taken[i]);
	p.unread[SERVER] = false;
	pair_run(&p, FLUX_S(1));
	assert_int_equal(p.n_messages[SERVER], 20);
}

/* Results do not depend on how datagrams are cut into batches, nor on when the driver settles. */
static void batches_do_not_matter(void **state)
{
	struct flux_rx rx[64];
	static uint8_t copy[64][PAIR_DATAGRAM];
	uint32_t n;

	(void)state;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], &i, sizeof(i)), 0);
		pair_flush(&p, CLIENT);
	}
	n = p.n_wire;
	assert_in_range(n, 40, 64);
	for (uint32_t i = 0; i < n; i++) { /* backwards, each twice */
		memcpy(copy[i], p.wire[n - 1 - i].data, p.wire[n - 1 - i].len);
		rx[i] = (struct flux_rx){ .data = copy[i], .len = p.wire[n - 1 - i].len, .from = p.addr[CLIENT] };
	}
	p.n_wire = 0;
	flux_endpoint_receive(p.ep[SERVER], p.now, rx, n);
	flux_endpoint_receive(p.ep[SERVER], p.now, rx, n);
	pair_drain(&p, SERVER);
	assert_int_equal(p.n_messages[SERVER], 40);
	memcpy(&n, p.last, sizeof(n));
	assert_int_equal(n, 39);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(not_ours),
		CASE(damaged_data),
		CASE(odd_data),
		CASE(duplicates),
		CASE(replayed_control),
		CASE(reset_answers),
		CASE(reset_is_no_oracle),
		CASE(reset_needs_the_token),
		CASE(no_buffer),
		CASE(batches_do_not_matter),
	};

	return cmocka_run_group_tests_name("endpoint/receive", tests, NULL, NULL);
}
