/* SPDX-License-Identifier: MIT */
/*
 * Control packets when there is no image for them, or the kernel does not give them back: put off, never
 * lost for good, and no loop spins meanwhile.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;
static uint32_t taken[FLUX_IMAGES], n_taken;

static int setup(void **state)
{
	(void)state;
	pair_up(&p);
	pair_run(&p, FLUX_S(2));
	ep = p.ep[CLIENT];
	n_taken = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

/*
 * Somebody else has all images, as others would whose answers fill the queue. The walk of pair_check() would
 * miss them, so time passes by hand until they are back.
 */
static void take_images(void)
{
	uint32_t image;

	while ((image = flux_pool_take(&ep->images)) != FLUX_POOL_NONE)
		taken[n_taken++] = image;
	assert_int_equal(n_taken, FLUX_IMAGES);
}

static void give_images(void)
{
	while (n_taken > 0)
		flux_pool_give(&ep->images, taken[--n_taken]);
}

/* What the client has to send now, committed and retired; the wire takes it. */
static uint32_t send_now(void)
{
	return pair_flush(&p, CLIENT);
}

/* Bytes into the client, which are settled but looked at by no one. */
static void into_client(uint8_t type, const void *body, uint32_t len)
{
	const struct flux_session *s = pair_session(&p, CLIENT);
	struct flux_header h = {
		.version = 1, .type = type, .cid = s->sid, .num = (uint32_t)pair_fresh(&p, CLIENT), .ts = 1
	};
	uint8_t data[256];
	struct flux_rx rx = { .data = data, .from = p.addr[SERVER] };

	flux_header_encode(&h, data);
	memcpy(data + FLUX_HEADER_LEN, body, len);
	flux_trailer_seal(data, FLUX_HEADER_LEN + len, s->tag_rx);
	rx.len = FLUX_HEADER_LEN + len + FLUX_TRAILER_LEN;
	flux_endpoint_receive(ep, p.now, &rx, 1);
	flux_endpoint_settle(ep);
}

/* Peeks end and deadlines lie ahead, though there is something to say and no way to say it. */
static void does_not_spin(void)
{
	for (int i = 0; i < 50; i++) {
		flux_ts t;

		assert_int_equal(send_now(), 0);
		t = flux_endpoint_deadline(ep);
		if (t <= p.now) {
			flux_endpoint_expire(ep, p.now);
			assert_int_equal(send_now(), 0);
			t = flux_endpoint_deadline(ep);
		}
		assert_true(t > p.now);
		p.now = flux_ts_min(t, p.now + FLUX_MS(10));
	}
}

static void data_needs_none(void **state)
{
	(void)state;
	take_images();
	assert_int_equal(flux_session_send(ep, p.sid[CLIENT], "x", 1), 0);
	assert_int_equal(send_now(), 1);
	does_not_spin(); /* the SYNC that asks for its ack waits */
	give_images();
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(pair_session(&p, CLIENT)->tx.win.una, pair_session(&p, CLIENT)->tx.win.next);
	assert_int_equal(p.n_messages[SERVER], 1);
}

static void feedback_waits(void **state)
{
	struct flux_session *s = pair_session(&p, CLIENT);
	struct flux_sync sync = { .next = s->rx.win.high + 3, .floor = s->rx.win.high, .gsize = 1, .flags = 1 };
	struct flux_writer w;
	uint8_t body[64];

	(void)state;
	flux_writer_init(&w, body, sizeof(body));
	flux_sync_encode(&sync, &w);
	take_images();
	into_client(FLUX_PKT_SYNC, body, (uint32_t)(w.pos - body));
	does_not_spin();
	assert_int_equal(s->rx.feedbacks, 0);
	give_images();
	assert_true(send_now() >= 1);
	assert_int_equal(s->rx.feedbacks, 1);
	assert_int_equal(s->rx.naks, 1);
	p.n_wire = 0; /* it asks for what never was */
}

/* Answers are dropped: whoever asked asks again. */
static void answers_are_dropped(void **state)
{
	uint8_t body[24] = { 1 };

	(void)state;
	take_images();
	into_client(FLUX_PKT_PING, body, 24);
	into_client(FLUX_PKT_OPEN, body, 12);
	does_not_spin();
	give_images();
	into_client(FLUX_PKT_PING, body, 24);
	assert_true(send_now() >= 1);
	pair_run(&p, FLUX_S(1));
	assert_int_equal(p.n_events[CLIENT], 0);
}

static void close_waits(void **state)
{
	(void)state;
	take_images();
	assert_int_equal(flux_session_abort(ep, p.now, p.sid[CLIENT], 300, "late"), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(send_now(), 0);
		p.now += FLUX_MS(20);
	}
	give_images();
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(pair_event(&p, SERVER, FLUX_EVENT_CLOSED)->code, 300);
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->code, 300);
}

static void hello_waits(void **state)
{
	flux_sid sid;

	(void)state;
	take_images();
	assert_int_equal(flux_endpoint_connect(ep, p.now, &p.addr[SERVER], &sid), 0);
	does_not_spin();
	give_images();
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_UP)->sid, sid);
}

/* A server whose images are all in use answers no HELLO, and answers the next one. */
static void server_without_images(void **state)
{
	flux_sid sid;

	(void)state;
	ep = p.ep[SERVER];
	take_images();
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &sid), 0);
	pair_flush(&p, CLIENT);
	for (uint32_t i = 0; i < p.n_wire; i++) {
		struct flux_rx rx = { .data = p.wire[i].data, .len = p.wire[i].len, .from = p.addr[CLIENT] };

		flux_endpoint_receive(ep, p.now, &rx, 1);
	}
	p.n_wire = 0;
	/* Of a version that is not ours, and of a session that is not here. */
	p.wire[0].data[0] = 0x0A;
	for (int i = 0; i < 2; i++) {
		struct flux_rx rx = { .data = p.wire[0].data, .len = 1200, .from = p.addr[CLIENT] };

		flux_endpoint_receive(ep, p.now, &rx, 1);
		memset(p.wire[0].data, 0, 1200);
		p.wire[0].data[0] = 0x09;
		p.wire[0].data[1] = FLUX_PKT_PING;
	}
	assert_int_equal(pair_stats(&p, SERVER).resets_sent, 0);
	give_images();
	pair_run(&p, FLUX_S(1));
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_UP)->sid, sid);
}

/* ---- Images that come back late ---- */

/* Commit all that is due and keep the tokens. */
static uint32_t commit_only(int side, uint32_t *tokens)
{
	const struct flux_tx *tx;
	uint32_t n = flux_endpoint_peek(p.ep[side], p.now, &tx);

	for (uint32_t i = 0; i < n; i++)
		tokens[i] = tx[i].token;
	flux_endpoint_commit(p.ep[side], p.now, n);
	return n;
}

/* A buried session stays while the kernel reads its last word, and goes when it is done. */
static void tomb_waits_for_the_kernel(void **state)
{
	uint32_t tokens[FLUX_PEEK_MAX], n;

	(void)state;
	assert_int_equal(flux_session_abort(p.ep[SERVER], p.now, p.sid[SERVER], 300, ""), 0);
	pair_flush(&p, SERVER);
	p.now += PAIR_DELAY;
	pair_deliver(&p, CLIENT);
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
	n = commit_only(CLIENT, tokens);
	assert_int_equal(n, 1);
	for (int i = 0; i < 100; i++) {
		flux_ts t = flux_endpoint_deadline(ep);

		assert_true(t > p.now && t <= p.now + FLUX_S(3));
		p.now = t;
		flux_endpoint_expire(ep, p.now);
		assert_non_null(pair_session(&p, CLIENT));
	}
	flux_endpoint_retire(ep, tokens, n);
	p.now = flux_endpoint_deadline(ep);
	flux_endpoint_expire(ep, p.now);
	assert_null(pair_session(&p, CLIENT));
	pair_run(&p, FLUX_S(5));
}

/* The same of a half-open one: neither its time nor a newcomer takes it away. */
static void half_open_waits_for_the_kernel(void **state)
{
	uint32_t tokens[FLUX_PEEK_MAX], n;
	flux_sid sid;

	(void)state;
	assert_int_equal(flux_endpoint_connect(p.ep[CLIENT], p.now, &p.addr[SERVER], &sid), 0);
	pair_flush(&p, CLIENT);
	p.now += PAIR_DELAY;
	pair_deliver(&p, SERVER);
	pair_flush(&p, SERVER); /* COOKIE */
	p.now += PAIR_DELAY;
	pair_deliver(&p, CLIENT);
	pair_flush(&p, CLIENT);
	p.now += PAIR_DELAY;
	pair_deliver(&p, SERVER);
	assert_int_equal(pair_stats(&p, SERVER).sessions, 2);
	n = commit_only(SERVER, tokens);
	for (int i = 0; i < 400; i++) {
		flux_ts t = flux_endpoint_deadline(p.ep[SERVER]);

		p.now = flux_ts_max(p.now, t);
		flux_endpoint_expire(p.ep[SERVER], p.now);
		p.n_wire = 0;
		pair_flush(&p, SERVER); /* the other session's own */
	}
	assert_true(pair_stats(&p, SERVER).sessions >= 1);
	flux_endpoint_retire(p.ep[SERVER], tokens, n);
	p.now += FLUX_S(4);
	flux_endpoint_expire(p.ep[SERVER], p.now);
	pair_check(&p);
	assert_int_equal(p.ep[SERVER]->n_half, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(data_needs_none),
		CASE(feedback_waits),
		CASE(answers_are_dropped),
		CASE(close_waits),
		CASE(hello_waits),
		CASE(server_without_images),
		CASE(tomb_waits_for_the_kernel),
		CASE(half_open_waits_for_the_kernel),
	};

	return cmocka_run_group_tests_name("endpoint/control", tests, NULL, NULL);
}
