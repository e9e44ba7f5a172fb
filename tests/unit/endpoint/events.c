/* SPDX-License-Identifier: MIT */
/*
 * Events: UP first, CLOSED last, the end of a stream after its messages, gaps in their place, and turns
 * among sessions.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;

static int setup(void **state)
{
	(void)state;
	pair_up(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

/* What the events of a side were, a letter each. */
static const char *history(int side)
{
	static char text[PAIR_EVENTS + 1];
	uint32_t i;

	for (i = 0; i < p.n_events[side]; i++)
		text[i] = "?UWGEC"[p.events[side][i].type];
	text[i] = '\0';
	return text;
}

/* Deliver without pulling events or reading. */
static void deliver_only(int side)
{
	for (uint32_t i = 0; i < p.n_wire; i++) {
		struct flux_rx rx = { .data = p.wire[i].data, .len = p.wire[i].len, .from = p.addr[!side] };

		if (p.wire[i].to == side)
			flux_endpoint_receive(p.ep[side], p.now, &rx, 1);
	}
	flux_endpoint_settle(p.ep[side]);
	p.n_wire = 0;
}

/* Nobody pulls for a long time: all of it is there, in order. */
static void pulled_late(void **state)
{
	struct flux_event e;

	(void)state;
	pair_close(&p);
	pair_init(&p);
	pair_open(&p);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	for (int i = 0; i < 6; i++) {
		pair_flush(&p, CLIENT);
		deliver_only(SERVER);
		pair_flush(&p, SERVER);
		p.now += FLUX_MS(1);
		pair_deliver(&p, CLIENT);
	}
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "x", 1), 0);
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 300, ""), 0);
	pair_flush(&p, CLIENT);
	deliver_only(SERVER);
	memset(&e, 0xFF, sizeof(e));
	assert_int_equal(flux_endpoint_event(p.ep[SERVER], &e), 1);
	assert_int_equal(e.type, FLUX_EVENT_UP);
	assert_int_equal(e.incoming, 1);
	assert_true(flux_addr_equal(&e.peer, &p.addr[CLIENT]));
	assert_string_equal(e.text, "");
	assert_int_equal(flux_endpoint_event(p.ep[SERVER], &e), 1);
	assert_int_equal(e.type, FLUX_EVENT_CLOSED);
	memset(&e, 0x5A, sizeof(e));
	assert_int_equal(flux_endpoint_event(p.ep[SERVER], &e), 0);
	assert_int_equal(*(uint8_t *)&e, 0x5A); /* set only if there was one */
}

/* A session whose CLOSED nobody pulls stays, and costs no timer. */
static void closed_waits_to_be_pulled(void **state)
{
	struct flux_event e;

	(void)state;
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 300, ""), 0);
	pair_flush(&p, CLIENT);
	deliver_only(SERVER);
	pair_flush(&p, SERVER);
	p.now += FLUX_S(100);
	flux_endpoint_expire(p.ep[SERVER], p.now);
	assert_true(flux_endpoint_deadline(p.ep[SERVER]) == FLUX_NEVER);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 1);
	assert_int_equal(flux_endpoint_event(p.ep[SERVER], &e), 1);
	flux_endpoint_expire(p.ep[SERVER], p.now);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 0);
	p.n_wire = 0;
}

static void end_after_messages(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "abc", 3), 0);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_S(9)), 0);
	p.unread[SERVER] = true;
	pair_run(&p, FLUX_S(1));
	assert_string_equal(history(SERVER), "");
	p.unread[SERVER] = false;
	pair_run(&p, FLUX_S(1));
	assert_string_equal(history(SERVER), "EC");
	assert_string_equal(history(CLIENT), "C");
}

/* Given up by the writer: the gap is told between what was before it and what comes after. */
static void gap_in_its_place(void **state)
{
	uint64_t first = pair_session(&p, SERVER)->rx.win.high;
	struct flux_sync sync = { .next = first + 4, .floor = first + 3, .gsize = 1 };
	struct flux_msg msgs[4];
	struct flux_event e;
	struct flux_writer w;
	uint8_t body[64];

	(void)state;
	p.unread[SERVER] = true;
	pair_forge(&p, SERVER, FLUX_PKT_DATA, 0, first, "\x01\x00"
							"a",
		   3);
	pair_forge(&p, SERVER, FLUX_PKT_DATA, 0, first + 3, "\x01\x00"
							    "b",
		   3);
	flux_writer_init(&w, body, sizeof(body));
	flux_sync_encode(&sync, &w);
	pair_forge(&p, SERVER, FLUX_PKT_SYNC, 0, pair_fresh(&p, SERVER), body, (uint32_t)(w.pos - body));
	assert_int_equal(flux_endpoint_event(p.ep[SERVER], &e), 0);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], msgs, 4), 1);
	flux_session_release(p.ep[SERVER], p.sid[SERVER], 1);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], msgs, 4), 0);
	assert_int_equal(flux_endpoint_readable(p.ep[SERVER]), 0); /* first the gap */
	assert_int_equal(flux_endpoint_event(p.ep[SERVER], &e), 1);
	assert_int_equal(e.type, FLUX_EVENT_GAP);
	assert_int_equal(e.first, first + 1);
	assert_int_equal(e.last, first + 2);
	assert_int_equal(flux_endpoint_readable(p.ep[SERVER]), p.sid[SERVER]);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], msgs, 4), 1);
	assert_memory_equal(msgs[0].data, "b", 1);
	flux_session_release(p.ep[SERVER], p.sid[SERVER], 1);
}

/* WRITABLE after a refusal, once. */
static void writable(void **state)
{
	static const uint8_t zeros[60000];
	int refusals = 0;

	(void)state;
	while (flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, sizeof(zeros)) == 0)
		;
	while (refusals++ < 5)
		assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, sizeof(zeros)), FLUX_EAGAIN);
	pair_drain(&p, CLIENT);
	assert_string_equal(history(CLIENT), "");
	pair_run(&p, FLUX_S(2));
	assert_string_equal(history(CLIENT), "W");
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, sizeof(zeros)), 0);
	pair_run(&p, FLUX_S(2));
	assert_string_equal(history(CLIENT), "W");
}

/* Readable sessions come in turn, however often one of them has something. */
static void readable_in_turn(void **state)
{
	flux_sid one = p.sid[CLIENT], two, first;

	(void)state;
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &two), 0);
	pair_run(&p, FLUX_MS(50));
	p.unread[SERVER] = true;
	assert_int_equal(flux_session_send(p.ep[CLIENT], one, "1", 1), 0);
	assert_int_equal(flux_session_send(p.ep[CLIENT], two, "2", 1), 0);
	pair_run(&p, FLUX_MS(50));
	first = flux_endpoint_readable(p.ep[SERVER]);
	for (int i = 0; i < 10; i++) {
		flux_sid second = flux_endpoint_readable(p.ep[SERVER]);

		assert_int_not_equal(first, second);
		assert_int_equal(flux_endpoint_readable(p.ep[SERVER]), first);
	}
	flux_session_pause(p.ep[SERVER], first, 1);
	assert_int_equal(flux_endpoint_readable(p.ep[SERVER]), flux_endpoint_readable(p.ep[SERVER]));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pulled_late),
		CASE(closed_waits_to_be_pulled),
		CASE(end_after_messages),
		CASE(gap_in_its_place),
		CASE(writable),
		CASE(readable_in_turn),
	};

	return cmocka_run_group_tests_name("endpoint/events", tests, NULL, NULL);
}
