/* SPDX-License-Identifier: MIT */
/*
 * Peek, commit and retire: what is shown is due and stays the same, what is not committed comes again, what
 * is lent does not change, and a kernel that lets go late stops nothing for ever.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;

static int setup(void **state)
{
	(void)state;
	pair_up(&p);
	ep = p.ep[CLIENT];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&p);
	return 0;
}

static void send_n(uint32_t n, uint32_t len)
{
	static const uint8_t zeros[65536];

	while (n-- > 0)
		assert_int_equal(flux_session_send(ep, p.sid[CLIENT], zeros, len), 0);
}

/* What was shown: bytes and tokens, to be compared later. */
struct shown {
	uint32_t n;
	uint32_t tokens[FLUX_PEEK_MAX];
	uint32_t len[FLUX_PEEK_MAX];
	const uint8_t *head[FLUX_PEEK_MAX], *body[FLUX_PEEK_MAX];
	uint32_t head_len[FLUX_PEEK_MAX];
	uint8_t bytes[FLUX_PEEK_MAX][PAIR_DATAGRAM];
};

static void copy_image(const struct shown *s, uint32_t i, uint8_t *out)
{
	if (s->head_len[i])
		memcpy(out, s->head[i], s->head_len[i]);
	memcpy(out + s->head_len[i], s->body[i], s->len[i] - s->head_len[i]);
}

static void peek(struct shown *s)
{
	const struct flux_tx *tx;

	s->n = flux_endpoint_peek(ep, p.now, &tx);
	for (uint32_t i = 0; i < s->n; i++) {
		s->tokens[i] = tx[i].token;
		s->len[i] = tx[i].head_len + tx[i].body_len;
		s->head[i] = tx[i].head;
		s->body[i] = tx[i].body;
		s->head_len[i] = tx[i].head_len;
		copy_image(s, i, s->bytes[i]);
		assert_true(flux_addr_equal(&tx[i].to, &p.addr[SERVER]));
		assert_null(tx[i].local); /* nobody told where we are */
	}
	pair_check(&p);
}

/* Whether the lent bytes still are what was shown. */
static void unchanged(const struct shown *s)
{
	uint8_t now[PAIR_DATAGRAM];

	for (uint32_t i = 0; i < s->n; i++) {
		copy_image(s, i, now);
		assert_memory_equal(now, s->bytes[i], s->len[i]);
	}
}

static void commit_shown(const struct shown *s)
{
	flux_endpoint_commit(ep, p.now, s->n);
	for (uint32_t i = 0; i < s->n; i++)
		pair_inject(&p, SERVER, s->bytes[i], s->len[i]);
	pair_check(&p);
}

/* Shown again, it is the same again; the time of the first showing stays in it. */
static void peek_is_no_promise(void **state)
{
	static struct shown a, b;

	(void)state;
	send_n(10, 1000);
	peek(&a);
	assert_int_equal(a.n, 10);
	p.now += FLUX_US(50);
	peek(&b);
	assert_int_equal(b.n, a.n);
	for (uint32_t i = 0; i < a.n; i++) {
		assert_int_equal(a.len[i], b.len[i]);
		assert_memory_equal(a.bytes[i], b.bytes[i], a.len[i]);
	}
	flux_endpoint_commit(ep, p.now, 0);
	peek(&b);
	assert_int_equal(b.n, a.n);
}

static void partial_commits(void **state)
{
	static struct shown a, b;

	(void)state;
	send_n(10, 1000);
	peek(&a);
	flux_endpoint_commit(ep, p.now, 3);
	flux_endpoint_commit(ep, p.now, 2);
	pair_check(&p);
	peek(&b);
	assert_int_equal(b.n, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_memory_equal(a.bytes[5 + i], b.bytes[i], b.len[i]);
	flux_endpoint_commit(ep, p.now, 1000); /* cut to what was shown */
	flux_endpoint_commit(ep, p.now, 1000);
	pair_check(&p);
	peek(&b);
	assert_int_equal(b.n, 0);
	assert_int_equal(pair_session(&p, CLIENT)->tx.datagrams, 10);
	flux_endpoint_retire(ep, a.tokens, a.n);
	pair_check(&p);
	assert_int_equal(pair_session(&p, CLIENT)->lent, 0);
}

/* At most FLUX_PEEK_MAX are lent at the beginning of a peek, each datagram once. */
static void lent_without_retire(void **state)
{
	static struct shown a, b;

	(void)state;
	for (int i = 0; i < 200; i++)
		send_n(1, 900);
	peek(&a);
	assert_int_equal(a.n, 64); /* what the window of the peer allows */
	for (uint32_t i = 0; i < a.n; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(a.tokens[i], a.tokens[j]);
	flux_endpoint_commit(ep, p.now, a.n - 1);
	peek(&b);
	assert_int_equal(b.n, 1);
	flux_endpoint_commit(ep, p.now, 1);
	peek(&b);
	assert_int_equal(b.n, 0);
	unchanged(&a);
	flux_endpoint_retire(ep, a.tokens, 1);
	flux_endpoint_retire(ep, a.tokens, 1); /* each once: a second time is ignored */
	assert_int_equal(ep->n_lent, 63);
	pair_check(&p);
}

static void unknown_tokens(void **state)
{
	static struct shown a;
	const uint32_t odd[] = { FLUX_OPS, UINT32_MAX, 7, 0, 255 };

	(void)state;
	flux_endpoint_retire(ep, odd, 5);
	send_n(3, 100);
	peek(&a);
	flux_endpoint_retire(ep, a.tokens, a.n); /* shown, not committed */
	pair_check(&p);
	flux_endpoint_commit(ep, p.now, a.n);
	pair_check(&p);
	flux_endpoint_retire(ep, a.tokens, a.n);
	pair_check(&p);
}

/* A driver that breaks the rule, and lets FEEDBACK in between peek and commit, breaks nothing of ours. */
static void acknowledged_between(void **state)
{
	static struct shown a;

	(void)state;
	send_n(3, 1000);
	peek(&a);
	commit_shown(&a);
	flux_endpoint_retire(ep, a.tokens, a.n);
	p.now += FLUX_S(1);
	{
		struct flux_session *s = pair_session(&p, CLIENT);

		flux_bitring_set(&s->tx.rtx, s->tx.win.una);
		flux_session_touch(ep, s);
	}
	peek(&a);
	pair_flush(&p, SERVER);
	p.now += PAIR_DELAY;
	pair_deliver(&p, CLIENT);
	assert_int_equal(pair_session(&p, CLIENT)->tx.win.una, pair_session(&p, CLIENT)->tx.win.next);
	flux_endpoint_commit(ep, p.now, a.n);
	pair_check(&p);
	flux_endpoint_retire(ep, a.tokens, a.n);
	pair_check(&p);
	send_n(1, 10);
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(p.n_messages[SERVER], 4);
}

/* Held back by nothing but the kernel: what it lets go makes room, and the application is told. */
static void writable_by_retire(void **state)
{
	struct flux_session *s = pair_session(&p, CLIENT);
	static struct shown a[40];
	uint32_t n = 0;

	(void)state;
	s->tx.win.cap = 16 * s->tx.win.max_datagram;
	while (flux_session_send(ep, p.sid[CLIENT], a, 1100) == 0) {
		peek(&a[n]);
		commit_shown(&a[n]);
		assert_true(++n < 40);
	}
	pair_flush(&p, SERVER);
	p.now += PAIR_DELAY;
	pair_deliver(&p, CLIENT);
	assert_int_equal(p.n_events[CLIENT], 0);
	for (uint32_t i = 0; i < n; i++)
		flux_endpoint_retire(ep, a[i].tokens, a[i].n);
	pair_drain(&p, CLIENT);
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_WRITABLE));
	send_n(1, 1100);
}

/* A control datagram that the kernel refused comes again unchanged, its number is spent once. */
static void control_stays_queued(void **state)
{
	struct flux_session *s = pair_session(&p, CLIENT);
	static struct shown a, b;
	uint64_t next;

	(void)state;
	s->want_ping = true;
	flux_session_touch(ep, s);
	peek(&a);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.bytes[0][1] & 0x0f, FLUX_PKT_PING);
	next = s->control_next;
	for (int i = 0; i < 5; i++) {
		p.now += FLUX_MS(1);
		peek(&b);
		assert_int_equal(b.n, 1);
		assert_memory_equal(a.bytes[0], b.bytes[0], a.len[0]);
	}
	assert_int_equal(s->control_next, next);
	commit_shown(&b);
	assert_int_equal(pair_stats(&p, SERVER).rx_malformed, 0);
	flux_endpoint_retire(ep, b.tokens, b.n);
}

/* The first repair carries RTX in a header of its own; the image in the window stays as it was. */
static void repairs_have_their_own_header(void **state)
{
	struct flux_session *s = pair_session(&p, CLIENT);
	static struct shown a, b;
	uint64_t seq = s->tx.win.next;
	struct flux_feedback fb = { .ack = seq, .window = 64, .high = (uint32_t)(seq + 1), .n = 1, .echo_dly = FLUX_NO_ECHO };
	uint8_t body[64];
	struct flux_writer w;

	(void)state;
	send_n(1, 100);
	peek(&a);
	flux_endpoint_commit(ep, p.now, 1); /* lost, and lent all the time */
	p.now += FLUX_S(1);
	fb.ranges[0] = (struct flux_range){ .first = seq, .count = 1 };
	flux_writer_init(&w, body, sizeof(body));
	flux_feedback_encode(&fb, &w);
	pair_forge(&p, CLIENT, FLUX_PKT_FEEDBACK, 0, pair_fresh(&p, CLIENT), body, (uint32_t)(w.pos - body));
	do {
		peek(&b);
		assert_true(b.n > 0);
	} while ((b.bytes[b.n - 1][1] & 0x0f) != FLUX_PKT_DATA);
	b.bytes[0][0] = b.bytes[b.n - 1][1];
	assert_int_equal(b.bytes[0][0], FLUX_PKT_DATA | FLUX_RTX_BIT);
	assert_int_equal(b.head_len[b.n - 1], FLUX_HEADER_LEN);
	assert_memory_equal(b.bytes[b.n - 1] + 2, a.bytes[0] + 2, a.len[0] - 2);
	unchanged(&a);
	flux_endpoint_commit(ep, p.now, b.n);
	flux_endpoint_retire(ep, a.tokens, a.n);
	flux_endpoint_retire(ep, b.tokens, b.n);
}

/*
 * All of a full window is acknowledged while the kernel still reads it: EOS finds its room when the images
 * come back, without a word from the peer.
 */
static void late_retire_lets_eos_in(void **state)
{
	struct flux_session *s = pair_session(&p, CLIENT);
	static const uint8_t zeros[PAIR_DATAGRAM];
	static struct shown a[16];
	uint32_t n = 0;

	(void)state;
	s->tx.win.cap = 8 * s->tx.win.max_datagram; /* a small ring, so that few datagrams fill it */
	while (flux_session_send(ep, p.sid[CLIENT], zeros, flux_session_max_claim(ep, p.sid[CLIENT])) == 0) {
		peek(&a[n]);
		commit_shown(&a[n]);
		assert_true(++n < 16);
	}
	assert_int_equal(flux_session_close(ep, p.now, p.sid[CLIENT], FLUX_S(60)), 0);
	assert_false(s->tx.finished);
	for (int i = 0; i < 50; i++) { /* everything is acknowledged, nothing is retired */
		pair_flush(&p, SERVER);
		p.now += PAIR_DELAY;
		pair_deliver(&p, CLIENT);
	}
	assert_int_equal(s->tx.win.una, s->tx.win.next);
	for (uint32_t i = 0; i < n; i++)
		flux_endpoint_retire(ep, a[i].tokens, a[i].n);
	assert_true(s->tx.finished);
	pair_run(&p, FLUX_S(1));
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
	assert_int_equal(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED)->reason, 0);
}

/* CLOSED is the last word about a session, also if the kernel lets go of its datagrams after it. */
static void nothing_after_closed(void **state)
{
	struct flux_session *s = pair_session(&p, CLIENT);
	static struct shown a[80];
	uint32_t n = 0;
	int rc;

	(void)state;
	s->tx.win.cap = 16 * s->tx.win.max_datagram;
	do {
		rc = flux_session_send(ep, p.sid[CLIENT], a, 1100);
		peek(&a[n]);
		commit_shown(&a[n]);
		assert_true(++n < 80);
	} while (rc == 0);
	assert_int_equal(rc, FLUX_EAGAIN);
	assert_true(s->tx.refused);
	pair_flush(&p, SERVER);
	p.now += PAIR_DELAY;
	pair_deliver(&p, CLIENT);
	assert_true(s->tx.win.una == s->tx.win.next);
	assert_null(pair_event(&p, CLIENT, FLUX_EVENT_WRITABLE));
	assert_int_equal(flux_session_abort(p.ep[SERVER], p.now, p.sid[SERVER], 300, "enough"), 0);
	pair_flush(&p, SERVER);
	p.now += PAIR_DELAY;
	pair_deliver(&p, CLIENT);
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_CLOSED));
	pair_forget(&p);
	for (uint32_t i = 0; i < n; i++)
		flux_endpoint_retire(ep, a[i].tokens, a[i].n);
	pair_drain(&p, CLIENT);
	assert_int_equal(p.n_events[CLIENT], 0);
	pair_run(&p, FLUX_S(5));
	assert_int_equal(p.n_events[CLIENT], 0);
	assert_int_equal(pair_stats(&p, CLIENT).sessions, 0);
}

/* Sessions take turns: none waits until another one's queue is empty. */
static void sessions_take_turns(void **state)
{
	static struct shown a;
	flux_sid one = p.sid[CLIENT], other;
	const uint32_t turns = 64; /* two for each */
	uint32_t first = 0;

	(void)state;
	assert_int_equal(flux_endpoint_connect(ep, p.now, &p.addr[SERVER], &other), 0);
	pair_run(&p, FLUX_MS(50));
	for (int i = 0; i < 50; i++) {
		static const uint8_t zeros[1000];

		assert_int_equal(flux_session_send(ep, one, zeros, 1000), 0);
		assert_int_equal(flux_session_send(ep, other, zeros, 1000), 0);
	}
	peek(&a);
	assert_int_equal(a.n, 100);
	for (uint32_t i = 0; i < turns; i++)
		first += memcmp(a.bytes[i] + 4, a.bytes[0] + 4, 4) == 0;
	assert_int_equal(first, turns / 2);
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(p.n_messages[SERVER], 100);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(peek_is_no_promise),
		CASE(partial_commits),
		CASE(lent_without_retire),
		CASE(unknown_tokens),
		CASE(acknowledged_between),
		CASE(writable_by_retire),
		CASE(control_stays_queued),
		CASE(repairs_have_their_own_header),
		CASE(late_retire_lets_eos_in),
		CASE(nothing_after_closed),
		CASE(sessions_take_turns),
	};

	return cmocka_run_group_tests_name("endpoint/transmit", tests, NULL, NULL);
}
