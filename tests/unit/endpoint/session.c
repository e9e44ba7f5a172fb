/* SPDX-License-Identifier: MIT */
/*
 * How sessions end: every reason that CLOSED can give, at both ends, with its code and its words, and what
 * is left of a session afterwards: nothing.
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

static void closed(int side, int reason, uint32_t code)
{
	const struct flux_event *e = pair_event(&p, side, FLUX_EVENT_CLOSED);

	if (!e)
		fail_msg("side %d: no CLOSED", side);
	assert_int_equal(e->reason, reason);
	assert_int_equal(e->code, code);
	/* The last word of a side. */
	assert_int_equal(p.events[side][p.n_events[side] - 1].type, FLUX_EVENT_CLOSED);
}

/* Both ends forget it, and no timer runs on. */
static void all_gone(void)
{
	pair_run(&p, FLUX_S(20));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair_stats(&p, i).sessions, 0);
		assert_true(flux_endpoint_deadline(p.ep[i]) == FLUX_NEVER);
		assert_int_equal(p.ep[i]->rx_pool.n_free, p.ep[i]->rx_pool.n);
		assert_int_equal(p.ep[i]->images.n_free, p.ep[i]->images.n);
		assert_int_equal(flux_session_send(p.ep[i], p.sid[i], "x", 1), FLUX_ECLOSED);
		assert_int_equal(flux_session_close(p.ep[i], p.now, p.sid[i], 0), FLUX_ECLOSED);
	}
}

static void send_n(int side, uint32_t n, uint32_t len)
{
	static const uint8_t zeros[65536];

	while (n-- > 0)
		assert_int_equal(flux_session_send(p.ep[side], p.sid[side], zeros, len), 0);
}

static void graceful(void **state)
{
	(void)state;
	send_n(CLIENT, 20, 3000);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_NEVER), 0);
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "x", 1), FLUX_ECLOSED);
	pair_run(&p, FLUX_S(1));
	closed(CLIENT, 0, FLUX_CODE_OK);
	closed(SERVER, 0, FLUX_CODE_OK);
	assert_int_equal(p.n_messages[SERVER], 20);
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_EOS));
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->undelivered, 0);
	all_gone();
}

/* The reader takes its time: the closer waits for it, the events wait for the messages. */
static void graceful_waits_for_the_reader(void **state)
{
	(void)state;
	p.unread[SERVER] = true;
	send_n(CLIENT, 5, 100);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_NEVER), 0);
	pair_run(&p, FLUX_S(3));
	assert_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
	assert_null(pair_event(&p, SERVER, FLUX_EVENT_EOS));
	p.unread[SERVER] = false;
	pair_run(&p, FLUX_S(3));
	closed(CLIENT, 0, FLUX_CODE_OK);
	closed(SERVER, 0, FLUX_CODE_OK);
	assert_int_equal(p.events[SERVER][0].type, FLUX_EVENT_EOS);
}

static void linger_runs_out(void **state)
{
	const struct flux_event *e;

	(void)state;
	p.lose[SERVER] = true;
	send_n(CLIENT, 7, 100);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_S(2)), 0);
	pair_run(&p, FLUX_S(2) - 1);
	assert_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
	p.lose[SERVER] = false;
	pair_run(&p, FLUX_MS(20));
	closed(CLIENT, FLUX_EUNDELIVERED, FLUX_CODE_LOST);
	e = pair_event(&p, CLIENT, FLUX_EVENT_CLOSED);
	assert_int_equal(e->undelivered, 7);
	assert_true(strlen(e->text) > 0);
	closed(SERVER, FLUX_EABORTED, FLUX_CODE_LOST);
	all_gone();
}

/* A second close may shorten the time, not lengthen it. */
static void linger_only_shrinks(void **state)
{
	(void)state;
	p.lose[SERVER] = true;
	send_n(CLIENT, 1, 1);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_S(3)), 0);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_NEVER), 0);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_S(1)), 0);
	pair_run(&p, FLUX_S(1) + FLUX_MS(1));
	closed(CLIENT, FLUX_EUNDELIVERED, FLUX_CODE_LOST);
}

static void at_once(void **state)
{
	(void)state;
	send_n(CLIENT, 3, 1);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], 0), 0);
	pair_run(&p, FLUX_MS(20));
	closed(CLIENT, FLUX_EUNDELIVERED, FLUX_CODE_LOST);
}

static void aborted(void **state)
{
	(void)state;
	send_n(CLIENT, 3, 1000);
	send_n(SERVER, 3, 1000);
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 4711, "disk full"), 0);
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 1, ""), FLUX_ECLOSED);
	pair_run(&p, FLUX_MS(100));
	closed(CLIENT, FLUX_EABORTED, 4711);
	closed(SERVER, FLUX_EABORTED, 4711);
	assert_string_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->text, "disk full");
	assert_string_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->text, "disk full");
	assert_int_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->undelivered, 3);
	assert_int_equal(p.n_messages[CLIENT], 0);
	all_gone();
}

/* Codes above 16 bits and texts above 200 bytes are cut, a missing text is empty. */
static void abort_borders(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[399] = '\0';
	assert_int_equal(flux_session_abort(p.ep[SERVER], p.now, p.sid[SERVER], UINT32_MAX, text), 0);
	pair_run(&p, FLUX_MS(100));
	closed(CLIENT, FLUX_EABORTED, 65535);
	assert_int_equal(strlen(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->text), 200);
	teardown(state);
	setup(state);
	assert_int_equal(flux_session_abort(p.ep[SERVER], p.now, p.sid[SERVER], 256, NULL), 0);
	pair_run(&p, FLUX_MS(100));
	assert_string_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->text, "");
}

/* What the peer says is for people to read: nothing in it can steer a terminal. */
static void words_are_printable(void **state)
{
	(void)state;
	assert_int_equal(flux_session_abort(p.ep[SERVER], p.now, p.sid[SERVER], 256, "a\x1b[2Jb\n\x7f"), 0);
	pair_run(&p, FLUX_MS(100));
	assert_string_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->text, "a?[2Jb??");
}

/* Nobody hears: CLOSE goes out three times and no more, then it is over. */
static void close_three_times(void **state)
{
	uint64_t before = pair_stats(&p, CLIENT).tx_datagrams;

	(void)state;
	p.lose[SERVER] = true;
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 256, ""), 0);
	pair_run(&p, FLUX_MS(1));
	closed(CLIENT, FLUX_EABORTED, 256); /* told when it has left, whoever hears it */
	pair_run(&p, FLUX_S(2));
	assert_int_equal(pair_stats(&p, CLIENT).tx_datagrams, before + 3);
	assert_int_equal(pair_stats(&p, CLIENT).sessions, 0);
}

/* The answer to CLOSE is lost: the tomb answers again. */
static void ack_is_repeated(void **state)
{
	(void)state;
	p.lose[CLIENT] = true;
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 256, ""), 0);
	pair_run(&p, FLUX_MS(3));
	closed(SERVER, FLUX_EABORTED, 256);
	p.lose[CLIENT] = false;
	pair_run(&p, FLUX_MS(100));
	assert_true(pair_session(&p, CLIENT) == NULL || pair_session(&p, CLIENT)->state == FLUX_S_TOMB);
	assert_int_equal(p.n_events[SERVER], 1);
	all_gone();
}

static void both_abort(void **state)
{
	(void)state;
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 300, "c"), 0);
	assert_int_equal(flux_session_abort(p.ep[SERVER], p.now, p.sid[SERVER], 400, "s"), 0);
	pair_run(&p, FLUX_MS(100));
	closed(CLIENT, FLUX_EABORTED, 300); /* each tells its own reason */
	closed(SERVER, FLUX_EABORTED, 400);
	all_gone();
}

static void silence(void **state)
{
	flux_ts start = p.now;

	(void)state;
	p.lose[CLIENT] = p.lose[SERVER] = true;
	send_n(CLIENT, 2, 10);
	while (!pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)) {
		pair_run(&p, FLUX_MS(100));
		assert_true(p.now - start < FLUX_S(18));
	}
	assert_true(p.now - start >= FLUX_S(15));
	closed(CLIENT, FLUX_ETIMEDOUT, FLUX_CODE_IDLE);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->undelivered, 2);
	pair_run(&p, FLUX_S(2));
	closed(SERVER, FLUX_ETIMEDOUT, FLUX_CODE_IDLE);
	all_gone();
}

/* The peer gave up on us: it says so, and we know why. */
static void peer_timed_out(void **state)
{
	(void)state;
	p.lose[SERVER] = true;
	pair_run(&p, FLUX_S(14));
	pair_run(&p, FLUX_S(3));
	closed(SERVER, FLUX_ETIMEDOUT, FLUX_CODE_IDLE);
	closed(CLIENT, FLUX_ETIMEDOUT, FLUX_CODE_IDLE);
}

/* Messages that arrived before the silence can still be read. */
static void read_after_timeout(void **state)
{
	(void)state;
	p.unread[SERVER] = true;
	send_n(CLIENT, 4, 100);
	pair_run(&p, FLUX_MS(100));
	p.lose[CLIENT] = p.lose[SERVER] = true;
	pair_run(&p, FLUX_S(20));
	assert_null(pair_event(&p, SERVER, FLUX_EVENT_CLOSED));
	p.unread[SERVER] = false;
	pair_drain(&p, SERVER);
	assert_int_equal(p.n_messages[SERVER], 4);
	closed(SERVER, FLUX_ETIMEDOUT, FLUX_CODE_IDLE);
	all_gone();
}

/* A new life of the client from the same address: the old session ends at the server, in words. */
static void restarted(void **state)
{
	flux_sid old = p.sid[SERVER];

	(void)state;
	send_n(SERVER, 5, 100);
	flux_endpoint_destroy(p.ep[CLIENT]);
	p.cfg[CLIENT].seed[5] = 99;
	assert_int_equal(flux_endpoint_create(&p.ep[CLIENT], &p.cfg[CLIENT], NULL), 0);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	p.n_wire = 0;
	pair_run(&p, FLUX_MS(100));
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_UP));
	assert_int_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->reason, FLUX_ERESTARTED);
	assert_int_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->sid, old);
	assert_int_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->undelivered, 5);
	assert_int_equal(p.n_messages[CLIENT], 0);
	assert_int_equal(pair_session(&p, SERVER)->state, FLUX_S_UP);
}

/* A word of the old life comes late and proves its half-open session: the new life's goes on all the same. */
static void late_proof_of_an_old_life(void **state)
{
	static struct pair_datagram late;
	uint32_t n;

	(void)state;
	teardown(state);
	pair_init(&p);
	pair_open(&p);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	for (int i = 0; i < 4; i++) { /* HELLO, COOKIE, HELLO, WELCOME */
		pair_flush(&p, i % 2);
		p.now += PAIR_DELAY;
		pair_deliver(&p, !(i % 2));
	}
	n = pair_flush(&p, CLIENT); /* the proof, which is slow */
	assert_true(n >= 1);
	late = p.wire[0];
	p.n_wire = 0;
	assert_int_equal(pair_stats(&p, SERVER).sessions, 1);

	flux_endpoint_destroy(p.ep[CLIENT]);
	p.cfg[CLIENT].seed[5] = 99;
	assert_int_equal(flux_endpoint_create(&p.ep[CLIENT], &p.cfg[CLIENT], NULL), 0);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	pair_run(&p, FLUX_MS(50));
	assert_non_null(pair_event(&p, SERVER, FLUX_EVENT_UP));
	pair_forget(&p);

	pair_inject(&p, SERVER, late.data, late.len);
	assert_null(pair_event(&p, SERVER, FLUX_EVENT_CLOSED));
	p.sid[SERVER] = 0;
	assert_int_equal(flux_session_send(p.ep[CLIENT], p.sid[CLIENT], "new", 3), 0);
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(p.n_messages[SERVER], 1);
}

/* The server lost its memory and kept its key: the client learns it with its next word. */
static void reset_by_token(void **state)
{
	(void)state;
	teardown(state);
	pair_init(&p);
	p.cfg[SERVER].reset_key[0] = 7;
	pair_open(&p);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	pair_run(&p, FLUX_MS(50));
	pair_forget(&p);
	flux_endpoint_destroy(p.ep[SERVER]);
	p.cfg[SERVER].seed[5] = 99;
	assert_int_equal(flux_endpoint_create(&p.ep[SERVER], &p.cfg[SERVER], NULL), 0);
	send_n(CLIENT, 2, 100);
	pair_run(&p, FLUX_MS(50));
	closed(CLIENT, FLUX_ERESET, FLUX_CODE_RESTART);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->undelivered, 2);
	assert_in_range(pair_stats(&p, SERVER).resets_sent, 1, 3);
}

/* The peer has forgotten us while we say good-bye: that will do as an answer. */
static void reset_while_closing(void **state)
{
	uint8_t token[FLUX_RESET_TOKEN_LEN], reset[64];

	(void)state;
	p.lose[SERVER] = true;
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 300, ""), 0);
	pair_flush(&p, CLIENT);
	flux_reset_token(p.ep[SERVER], p.sid[SERVER], &p.addr[CLIENT], token);
	flux_reset_encode(p.sid[SERVER], token, 40, reset, sizeof(reset));
	pair_inject(&p, CLIENT, reset, 40);
	closed(CLIENT, FLUX_EABORTED, 300);
	assert_int_equal(pair_session(&p, CLIENT)->state, FLUX_S_TOMB);
}

/* Records that break their rules, sealed by the peer itself: we end it and say so. */
static void protocol_error(void **state)
{
	const struct flux_rxstream *rx = &pair_session(&p, SERVER)->rx;

	(void)state;
	pair_forge(&p, SERVER, FLUX_PKT_DATA, 0, rx->win.high, "\x02\x40zz", 4);
	pair_run(&p, FLUX_MS(50));
	closed(SERVER, FLUX_EPROTO, FLUX_CODE_PROTOCOL);
	closed(CLIENT, FLUX_EPROTO, FLUX_CODE_PROTOCOL);
	assert_true(strlen(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->text) > 0);
	all_gone();
}

/* Closing while EOS does not fit into a full queue: it follows when there is room. */
static void close_with_a_full_queue(void **state)
{
	static const uint8_t zeros[65536];
	uint32_t n = 0;

	(void)state;
	while (flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, 40000) == 0)
		n++;
	while (flux_session_send(p.ep[CLIENT], p.sid[CLIENT], zeros, 1178) == 0)
		n++;
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_NEVER), 0);
	assert_false(pair_session(&p, CLIENT)->tx.finished);
	pair_run(&p, FLUX_S(5));
	closed(CLIENT, 0, FLUX_CODE_OK);
	assert_int_equal(p.n_messages[SERVER], n);
}

/* A claim that nobody finished does not keep the end from coming. */
static void close_with_an_open_claim(void **state)
{
	struct flux_claim claim;

	(void)state;
	send_n(CLIENT, 1, 10);
	assert_int_equal(flux_session_claim(p.ep[CLIENT], p.sid[CLIENT], 100, &claim), 0);
	memset(claim.data, 'x', 100);
	assert_int_equal(flux_session_close(p.ep[CLIENT], p.now, p.sid[CLIENT], FLUX_NEVER), 0);
	assert_int_equal(flux_session_publish(p.ep[CLIENT], p.sid[CLIENT], 100), FLUX_ECLOSED);
	flux_session_abort_claim(p.ep[CLIENT], p.sid[CLIENT]);
	pair_run(&p, FLUX_S(1));
	closed(CLIENT, 0, FLUX_CODE_OK);
	assert_int_equal(p.n_messages[SERVER], 1);
}

/* The socket is lost: a session that is up and one that knocks end, and nothing is sent. */
static void abandoned(void **state)
{
	const struct flux_addr nobody = { .family = 4, .port = 9, .ip = { 127, 0, 0, 1 } };
	flux_sid knocking;

	(void)state;
	p.lose[SERVER] = true;
	send_n(CLIENT, 3, 100);
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &nobody, &knocking), 0);
	flux_endpoint_abandon(p.ep[CLIENT], p.now, -EBADF, "gone");
	flux_endpoint_abandon(p.ep[CLIENT], p.now, -EPIPE, "again");
	assert_int_equal(pair_flush(&p, CLIENT), 0);
	pair_drain(&p, CLIENT);
	assert_int_equal(p.n_events[CLIENT], 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct flux_event *e = &p.events[CLIENT][i];

		assert_int_equal(e->type, FLUX_EVENT_CLOSED);
		assert_int_equal(e->reason, -EBADF);
		assert_string_equal(e->text, "gone");
		assert_int_equal(e->undelivered, e->sid == p.sid[CLIENT] ? 3 : 0);
	}
	all_gone();
	closed(SERVER, FLUX_ETIMEDOUT, FLUX_CODE_IDLE);
}

/* One that is closing already keeps its own reason. */
static void abandoned_while_closing(void **state)
{
	(void)state;
	assert_int_equal(flux_session_abort(p.ep[CLIENT], p.now, p.sid[CLIENT], 300, "no more"), 0);
	flux_endpoint_abandon(p.ep[CLIENT], p.now, -EBADF, "gone");
	pair_drain(&p, CLIENT);
	closed(CLIENT, FLUX_EABORTED, 300);
	pair_run(&p, FLUX_S(1));
	assert_int_equal(p.n_events[CLIENT], 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(abandoned),
		CASE(abandoned_while_closing),
		CASE(graceful),
		CASE(graceful_waits_for_the_reader),
		CASE(linger_runs_out),
		CASE(linger_only_shrinks),
		CASE(at_once),
		CASE(aborted),
		CASE(abort_borders),
		CASE(words_are_printable),
		CASE(close_three_times),
		CASE(ack_is_repeated),
		CASE(both_abort),
		CASE(silence),
		CASE(peer_timed_out),
		CASE(read_after_timeout),
		CASE(restarted),
		CASE(late_proof_of_an_old_life),
		CASE(reset_by_token),
		CASE(reset_while_closing),
		CASE(protocol_error),
		CASE(close_with_a_full_queue),
		CASE(close_with_an_open_claim),
	};

	return cmocka_run_group_tests_name("endpoint/session", tests, NULL, NULL);
}
