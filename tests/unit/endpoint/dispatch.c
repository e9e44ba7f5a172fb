/* SPDX-License-Identifier: MIT */
/*
 * Control packets of a session: what each is answered with, bodies that break their tables, and numbers of
 * another stream.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;

static int setup(void **state)
{
	(void)state;
	pair_up(&p);
	pair_run(&p, FLUX_S(2));
	p.n_wire = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static void into_server(uint8_t type, uint16_t stream, const void *body, uint32_t len)
{
	pair_forge(&p, SERVER, type, stream, pair_fresh(&p, SERVER), body, len);
}

/* The body of the one datagram that the server answers with. */
static struct flux_reader answer(uint8_t type)
{
	struct flux_reader r;

	p.n_wire = 0;
	assert_int_equal(pair_flush(&p, SERVER), 1);
	assert_int_equal(p.wire[0].data[1] & 15, type);
	assert_true(flux_trailer_check(p.wire[0].data, p.wire[0].len, pair_session(&p, SERVER)->tag_tx));
	flux_reader_init(&r, p.wire[0].data + FLUX_HEADER_LEN, p.wire[0].len - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
	return r;
}

static void nothing(void)
{
	p.n_wire = 0;
	assert_int_equal(pair_flush(&p, SERVER), 0);
}

/* Too short for its table: counted as malformed, no answer, no change. */
static void short_bodies(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t len; /* the least that is taken */
	} table[] = {
		{ FLUX_PKT_FEEDBACK, 36 },
		{ FLUX_PKT_SYNC, 36 },
		{ FLUX_PKT_OPEN, 12 },
		{ FLUX_PKT_PING, 24 },
		{ FLUX_PKT_PONG, 24 },
		{ FLUX_PKT_CLOSE, 8 },
	};
	static const uint8_t zeros[64];
	uint64_t bad = 0;

	(void)state;
	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		for (uint32_t len = 0; len < table[i].len; len++) {
			into_server(table[i].type, 0, zeros, len);
			nothing();
			assert_int_equal(pair_stats(&p, SERVER).rx_malformed, ++bad);
			assert_int_equal(pair_session(&p, SERVER)->state, FLUX_S_UP);
		}
}

/* Of a stream that there is not. */
static void other_streams(void **state)
{
	static const uint8_t zeros[64];
	uint64_t bad = 0;

	(void)state;
	for (uint8_t type = 0; type < 16; type++) {
		if (type == FLUX_PKT_OPEN || type == FLUX_PKT_CLOSE || type == FLUX_PKT_DATA ||
		    (type >= FLUX_PKT_RESET && type <= FLUX_PKT_VERSIONS) || type == FLUX_PKT_REPAIR)
			continue;
		into_server(type, 3, zeros, sizeof(zeros));
		nothing();
		assert_int_equal(pair_stats(&p, SERVER).rx_malformed, ++bad);
	}
}

static void later_types(void **state)
{
	static const uint8_t zeros[64];

	(void)state;
	into_server(0, 0, zeros, 10);
	into_server(FLUX_PKT_PIECE, 0, zeros, 10);
	into_server(FLUX_PKT_EXT, 0, zeros, 0);
	nothing();
	assert_int_equal(pair_stats(&p, SERVER).rx_unused, 3);
	/* One of another number space takes no number of this one. */
	{
		uint64_t num = pair_fresh(&p, SERVER);

		pair_forge(&p, SERVER, FLUX_PKT_REPAIR, 0, num, zeros, 24);
		pair_forge(&p, SERVER, FLUX_PKT_PING, 0, num, zeros, 24);
		answer(FLUX_PKT_PONG);
	}
}

static void ping_pong(void **state)
{
	const struct flux_ping ping = { .data = 0x1122334455667788, .size = 60, .flags = 5, .path = 9 };
	struct flux_pong pong;
	struct flux_writer w;
	struct flux_reader r;
	uint8_t body[64];

	(void)state;
	flux_writer_init(&w, body, sizeof(body));
	flux_ping_encode(&ping, &w);
	into_server(FLUX_PKT_PING, 0, body, (uint32_t)(w.pos - body));
	r = answer(FLUX_PKT_PONG);
	assert_true(p.wire[0].len <= 60);
	assert_true(flux_pong_decode(&pong, &r));
	assert_int_equal(pong.data, ping.data);
	assert_int_equal(pong.size, 60);
	assert_int_equal(pong.flags, 5);
	assert_int_equal(pong.path, 9);
	assert_int_equal(pong.echo_ts, flux_ts_us(p.now));
	assert_int_equal(pong.echo_dly, 0);
}

/* A PONG that nobody asked for is no sample. */
static void strange_pong(void **state)
{
	struct flux_rtt before = pair_session(&p, SERVER)->rtt;
	const struct flux_pong pong = { .data = 7, .echo_ts = flux_ts_us(p.now) - 900000 };
	struct flux_writer w;
	uint8_t body[64];

	(void)state;
	flux_writer_init(&w, body, sizeof(body));
	flux_pong_encode(&pong, &w);
	into_server(FLUX_PKT_PONG, 0, body, (uint32_t)(w.pos - body));
	memset(body, 0, sizeof(body)); /* nor one with the data 0, while none is awaited */
	into_server(FLUX_PKT_PONG, 0, body, 24);
	nothing();
	assert_int_equal(pair_stats(&p, SERVER).rx_out_of_range, 2);
	assert_memory_equal(&before, &pair_session(&p, SERVER)->rtt, sizeof(before));
}

static void opens(void **state)
{
	struct flux_open o = { .op = FLUX_OPEN_OPEN, .first_seq = 77 }, a;
	struct flux_writer w;
	struct flux_reader r;
	uint8_t body[64];

	(void)state;
	for (uint8_t op = 0; op < 6; op++) {
		o.op = op;
		flux_writer_init(&w, body, sizeof(body));
		flux_open_encode(&o, &w);
		into_server(FLUX_PKT_OPEN, 0, body, (uint32_t)(w.pos - body));
		if (op != FLUX_OPEN_OPEN) {
			nothing();
			continue;
		}
		r = answer(FLUX_PKT_OPEN);
		assert_true(flux_open_decode(&a, &r));
		assert_int_equal(a.op, FLUX_OPEN_ACCEPT);
		assert_int_equal(a.first_seq, 77);
		into_server(FLUX_PKT_OPEN, 4, body, (uint32_t)(w.pos - body));
		r = answer(FLUX_PKT_OPEN);
		assert_true(flux_open_decode(&a, &r));
		assert_int_equal(a.op, FLUX_OPEN_REJECT);
		assert_int_equal(a.reason, FLUX_CODE_REFUSED);
		assert_int_equal(p.wire[0].data[2], 4);
	}
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 2); /* ops 0 and 5 */
}

/* Absurd FEEDBACK and SYNC, one each second (U14): counted, and the stream goes on as if nothing was. */
static void absurd_values(void **state)
{
	uint32_t injected = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		const struct flux_session *s = pair_session(&p, SERVER);
		uint64_t next = s->tx.win.next;
		struct flux_feedback fb = { .ack = next, .window = 64, .high = (uint32_t)next, .echo_dly = FLUX_NO_ECHO };
		struct flux_sync sync = { .next = s->rx.win.high, .floor = s->rx.win.ack, .gsize = 1 };
		struct flux_writer w;
		uint8_t body[128];

		flux_writer_init(&w, body, sizeof(body));
		switch (i % 8) {
		case 0:
			fb.ack = UINT64_MAX;
			break;
		case 1:
			fb.ack = next + 1000;
			break;
		case 2:
			fb.ack = next - 1;
			fb.high = (uint32_t)(next - 2);
			break;
		case 3:
			fb.window = 1u << 31;
			break;
		case 4:
			fb.n = 1;
			fb.ranges[0] = (struct flux_range){ .first = next, .count = 1u << 31 };
			break;
		case 5:
			sync.next += 1000;
			break;
		case 6:
			sync.floor = sync.next + 1;
			break;
		default:
			sync.floor = UINT64_MAX;
			sync.next = UINT64_MAX;
			break;
		}
		if (i % 8 < 5)
			flux_feedback_encode(&fb, &w);
		else
			flux_sync_encode(&sync, &w);
		into_server(i % 8 < 5 ? FLUX_PKT_FEEDBACK : FLUX_PKT_SYNC, 0, body, (uint32_t)(w.pos - body));
		assert_int_equal(pair_stats(&p, SERVER).rx_out_of_range, ++injected);
		for (int k = 0; k < 2; k++)
			assert_int_equal(flux_session_send(p.ep[k], p.sid[k], &i, sizeof(i)), 0);
		pair_run(&p, FLUX_S(1));
		assert_int_equal(p.n_messages[CLIENT], i + 1);
		assert_int_equal(p.n_messages[SERVER], i + 1);
	}
	assert_int_equal(pair_session(&p, SERVER)->tx.retransmitted, 0);
	assert_int_equal(p.n_events[SERVER], 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(short_bodies),
		CASE(other_streams),
		CASE(later_types),
		CASE(ping_pong),
		CASE(strange_pong),
		CASE(opens),
		CASE(absurd_values),
	};

	return cmocka_run_group_tests_name("endpoint/dispatch", tests, NULL, NULL);
}
