/* SPDX-License-Identifier: MIT */
/*
 * Sending and reading through a session: every refusal with the words that tell what to do (A13), claims,
 * reading in place, pausing, and names of sessions that are not.
 */
#include "tests/unit/endpoint/pair.h"

static struct pair p;
static struct flux_endpoint *ep;
static uint8_t bytes[70000];

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

static int send_len(uint32_t len)
{
	return flux_session_send(ep, p.sid[CLIENT], bytes, len);
}

/* The last call failed with `rc`, and its words hold both facts. */
static void told(int rc, int expected, const char *fact, const char *remedy)
{
	const char *detail = flux_endpoint_detail(ep);

	assert_int_equal(rc, expected);
	if (!strstr(detail, fact) || !strstr(detail, remedy))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", detail, fact, remedy);
	assert_true(strlen(flux_strerror(rc)) > 0);
}

static void every_refusal_has_words(void **state)
{
	struct flux_claim c = { 0 };
	struct flux_addr nowhere = { .family = 4 };
	flux_sid sid;
	char name[16];
	int rc;

	(void)state;
	assert_string_equal(flux_endpoint_detail(ep), "");
	told(send_len(65537), FLUX_EMSGSIZE, "65536", "max_message at its end");
	rc = flux_session_claim(ep, p.sid[CLIENT], 1179, &c);
	told(rc, FLUX_EMSGSIZE, "1178", "use send");
	assert_null(c.data);
	assert_int_equal(flux_session_claim(ep, p.sid[CLIENT], 55, &c), 0);
	told(send_len(1), FLUX_EBUSY, "55", "publish or abort");
	told(flux_session_claim(ep, p.sid[CLIENT], 1, &c), FLUX_EBUSY, "55", "publish or abort");
	told(flux_session_publish(ep, p.sid[CLIENT], 56), FLUX_EINVAL, "55", "at most");
	flux_session_abort_claim(ep, p.sid[CLIENT]);
	told(flux_session_publish(ep, p.sid[CLIENT], 0), FLUX_EINVAL, "0 bytes", "open claim");
	while ((rc = send_len(60000)) == 0)
		;
	told(rc, FLUX_EAGAIN, "2097152", "FLUX_EVENT_WRITABLE");
	rc = flux_endpoint_connect(ep, p.now, &nowhere, &sid);
	told(rc, FLUX_EINVAL, "port", "65535");
	nowhere.family = 9;
	nowhere.port = 1;
	told(flux_endpoint_connect(ep, p.now, &nowhere, &sid), FLUX_EINVAL, "address", "65535");
	nowhere = p.addr[SERVER];
	nowhere.port = 9999;
	while ((rc = flux_endpoint_connect(ep, p.now, &nowhere, &sid)) == 0)
		told(flux_session_send(ep, sid, "x", 1), FLUX_EAGAIN, "not up", "FLUX_EVENT_UP");
	told(rc, FLUX_EBUSY, "8", "max_sessions");
	snprintf(name, sizeof(name), "%u", p.sid[CLIENT] ^ 1);
	told(flux_session_send(ep, p.sid[CLIENT] ^ 1, "x", 1), FLUX_ECLOSED, name, "unknown");
	told(flux_session_claim(ep, 0, 1, &c), FLUX_ECLOSED, "session 0", "unknown");
	told(flux_session_publish(ep, UINT32_MAX, 1), FLUX_ECLOSED, "4294967295", "unknown");
	told(flux_session_close(ep, p.now, 12345, 0), FLUX_ECLOSED, "12345", "unknown");
	told(flux_session_abort(ep, p.now, 54321, 300, ""), FLUX_ECLOSED, "54321", "unknown");
}

/* The side whose limit it is, is named. */
static void queue_limits_messages(void **state)
{
	uint32_t max;

	(void)state;
	teardown(state);
	pair_init(&p);
	p.cfg[CLIENT].tx_queue = 30 * 1200;
	pair_open(&p);
	ep = p.ep[CLIENT];
	assert_int_equal(flux_endpoint_connect(ep, p.now, &p.addr[SERVER], &p.sid[CLIENT]), 0);
	assert_int_equal(flux_session_max_message(ep, p.sid[CLIENT]), 0);
	assert_int_equal(flux_session_max_claim(ep, p.sid[CLIENT]), 0);
	pair_run(&p, FLUX_MS(50));
	max = flux_session_max_message(ep, p.sid[CLIENT]);
	assert_in_range(max, 25 * 1100, 30 * 1200);
	told(send_len(max + 1), FLUX_EMSGSIZE, "queue", "tx_queue");
	for (int i = 0; i < 50; i++) { /* the longest one always finds its room in the end */
		assert_int_equal(send_len(max), 0);
		assert_int_equal(send_len(max), FLUX_EAGAIN);
		pair_run(&p, FLUX_MS(500));
		assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_WRITABLE));
		pair_forget(&p);
	}
	assert_int_equal(p.n_messages[SERVER], 50);
}

static void lengths(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (uint32_t len = 0; len < 65536; len += 1 + len / 8) {
		memset(bytes, (int)len, sizeof(bytes));
		assert_int_equal(send_len(len), 0);
		sum += len;
		pair_run(&p, FLUX_MS(100));
		assert_int_equal(p.last_len, len);
		for (uint32_t i = 0; i < len && i < sizeof(p.last); i++)
			assert_int_equal(p.last[i], (uint8_t)len);
	}
	assert_int_equal(send_len(65536), 0);
	pair_run(&p, FLUX_MS(100));
	assert_int_equal(p.n_bytes[SERVER], sum + 65536);
	assert_int_equal(flux_session_send(ep, p.sid[CLIENT], NULL, 0), 0);
	pair_run(&p, FLUX_MS(100));
	assert_int_equal(p.last_len, 0);
}

/* Read in place from the driver's buffer, and again after it was settled. */
static void in_place(void **state)
{
	struct flux_endpoint *rx = p.ep[SERVER];
	struct flux_msg msgs[4];
	struct flux_rx d;

	(void)state;
	assert_int_equal(flux_session_send(ep, p.sid[CLIENT], "hello", 5), 0);
	assert_int_equal(flux_session_send(ep, p.sid[CLIENT], "world", 5), 0);
	p.n_wire = 0;
	pair_flush(&p, CLIENT);
	d = (struct flux_rx){ .data = p.wire[p.n_wire - 1].data, .len = p.wire[p.n_wire - 1].len, .from = p.addr[CLIENT] };
	flux_endpoint_receive(rx, p.now, &d, 1);
	assert_int_equal(flux_endpoint_readable(rx), p.sid[SERVER]);
	assert_int_equal(flux_session_read(rx, p.sid[SERVER], msgs, 4), 2);
	assert_ptr_equal(msgs[0].data, (const uint8_t *)d.data + 18);
	flux_session_release(rx, p.sid[SERVER], 1);
	flux_endpoint_settle(rx);
	memset(p.wire, 0xAA, sizeof(p.wire[0]) * 4);
	assert_int_equal(flux_endpoint_readable(rx), p.sid[SERVER]);
	assert_int_equal(flux_session_read(rx, p.sid[SERVER], msgs, 4), 1);
	assert_memory_equal(msgs[0].data, "world", 5);
	flux_session_release(rx, p.sid[SERVER], 0);
	assert_int_equal(flux_endpoint_readable(rx), p.sid[SERVER]);
	flux_session_release(rx, p.sid[SERVER], 7);
	assert_int_equal(flux_endpoint_readable(rx), 0);
	p.n_wire = 0;
}

/* A paused session is not offered, holds its sender back in the end, and loses nothing. */
static void paused(void **state)
{
	struct flux_msg msg;
	uint32_t n = 0, refused = 0;

	(void)state;
	flux_session_pause(p.ep[SERVER], p.sid[SERVER], 1);
	for (int i = 0; i < 400; i++) {
		int rc = send_len(10000);

		n += rc == 0;
		refused += rc == FLUX_EAGAIN;
		pair_run(&p, FLUX_MS(10));
	}
	assert_true(refused > 0);
	assert_int_equal(p.n_messages[SERVER], 0);
	assert_int_equal(flux_endpoint_readable(p.ep[SERVER]), 0);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], &msg, 1), 0);
	flux_session_pause(p.ep[SERVER], p.sid[SERVER], 0);
	assert_int_equal(flux_endpoint_readable(p.ep[SERVER]), p.sid[SERVER]);
	pair_run(&p, FLUX_S(5));
	assert_int_equal(p.n_messages[SERVER], n);
	assert_non_null(pair_event(&p, CLIENT, FLUX_EVENT_WRITABLE));
	assert_int_equal(pair_session(&p, CLIENT)->tx.retransmitted, 0);
}

/* A read that gives nothing leaves nothing to release, also where an earlier one gave something. */
static void read_while_paused(void **state)
{
	struct flux_msg msg;

	(void)state;
	p.unread[SERVER] = true;
	assert_int_equal(send_len(10), 0);
	pair_run(&p, FLUX_MS(50));
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], &msg, 1), 1);
	flux_session_pause(p.ep[SERVER], p.sid[SERVER], 1);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], &msg, 1), 0);
	flux_session_release(p.ep[SERVER], p.sid[SERVER], 1);
	flux_session_pause(p.ep[SERVER], p.sid[SERVER], 0);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], &msg, 1), 1);
	flux_session_release(p.ep[SERVER], p.sid[SERVER], 1);
	assert_int_equal(flux_session_read(p.ep[SERVER], p.sid[SERVER], &msg, 1), 0);
}

/* A message in the making keeps what is behind it, and nothing before it. */
static void claims(void **state)
{
	struct flux_claim c;

	(void)state;
	assert_int_equal(flux_session_claim(ep, p.sid[CLIENT], 1000, &c), 0);
	assert_int_equal(c.len, 1000);
	memset(c.data, 'q', 1000);
	pair_run(&p, FLUX_S(1));
	assert_int_equal(p.n_messages[SERVER], 0);
	assert_int_equal(flux_session_publish(ep, p.sid[CLIENT], 500), 0);
	pair_run(&p, FLUX_MS(100));
	assert_int_equal(p.last_len, 500);
	assert_int_equal(p.last[0], 'q');
	assert_int_equal(flux_session_claim(ep, p.sid[CLIENT], 0, &c), 0);
	assert_int_equal(flux_session_publish(ep, p.sid[CLIENT], 0), 0);
	pair_run(&p, FLUX_MS(100));
	assert_int_equal(p.n_messages[SERVER], 2);
}

/* Several at a time: as many as one datagram takes, each of the length that was claimed. */
static void claims_of_some(void **state)
{
	struct flux_claims c;
	struct flux_claim one;
	uint32_t most = 0;

	(void)state;
	assert_int_equal(flux_session_claim_some(ep, p.sid[CLIENT], 64, 1000, &c), 0);
	assert_int_equal(c.n, 1180 / 66);
	assert_int_equal(c.stride, 66);
	told(flux_session_claim_some(ep, p.sid[CLIENT], 64, 1, &c), FLUX_EBUSY, "64", "publish or abort");
	told(flux_session_claim(ep, p.sid[CLIENT], 64, &one), FLUX_EBUSY, "64", "publish or abort");
	told(flux_session_publish(ep, p.sid[CLIENT], 64), FLUX_EINVAL, "64", "open claim");
	told(flux_session_publish_some(ep, p.sid[CLIENT], c.n + 1), FLUX_EINVAL, "17", "at most");
	for (uint32_t i = 0; i < c.n; i++)
		memset((uint8_t *)c.data + i * c.stride, (int)('a' + i), c.len);
	assert_int_equal(flux_session_publish_some(ep, p.sid[CLIENT], 3), 0);
	told(flux_session_publish_some(ep, p.sid[CLIENT], 0), FLUX_EINVAL, "0 messages", "open claim");
	pair_run(&p, FLUX_MS(100));
	assert_int_equal(p.n_messages[SERVER], 3);
	assert_int_equal(p.last_len, 64);
	assert_int_equal(p.last[63], 'c');

	told(flux_session_claim_some(ep, p.sid[CLIENT], 64, 0, &c), FLUX_EINVAL, "at least", "1");
	told(flux_session_claim_some(ep, p.sid[CLIENT], 1179, 2, &c), FLUX_EMSGSIZE, "1178", "use send");
	assert_int_equal(flux_session_claim_some(ep, p.sid[CLIENT], 1178, 2, &c), 0);
	assert_int_equal(c.n, 1);
	flux_session_abort_claim(ep, p.sid[CLIENT]);
	assert_int_equal(flux_session_claim_some(ep, p.sid[CLIENT], 0, 5, &c), 0);
	assert_int_equal(c.n, 5);
	assert_int_equal(flux_session_publish_some(ep, p.sid[CLIENT], 5), 0);
	/* One claimed singly may be published so too, and the other way round. */
	assert_int_equal(flux_session_claim_some(ep, p.sid[CLIENT], 9, 1, &c), 0);
	memset(c.data, 's', 4);
	assert_int_equal(flux_session_publish(ep, p.sid[CLIENT], 4), 0);
	assert_int_equal(flux_session_claim(ep, p.sid[CLIENT], 9, &one), 0);
	memset(one.data, 's', 9);
	assert_int_equal(flux_session_publish_some(ep, p.sid[CLIENT], 1), 0);
	pair_run(&p, FLUX_MS(100));
	assert_int_equal(p.n_messages[SERVER], 10);

	while (flux_session_claim_some(ep, p.sid[CLIENT], 100, 7, &c) == 0) {
		most += c.n;
		for (uint32_t i = 0; i < c.n; i++)
			memset((uint8_t *)c.data + i * c.stride, 'm', c.len);
		assert_int_equal(flux_session_publish_some(ep, p.sid[CLIENT], c.n), 0);
	}
	told(flux_session_claim_some(ep, p.sid[CLIENT], 100, 7, &c), FLUX_EAGAIN, "full", "WRITABLE");
	pair_run(&p, FLUX_S(2));
	assert_int_equal(p.n_messages[SERVER], 10 + most);
	told(flux_session_claim_some(ep, 7, 1, 1, &c), FLUX_ECLOSED, "session 7", "unknown");
	told(flux_session_publish_some(ep, 7, 1), FLUX_ECLOSED, "session 7", "unknown");
}

/* Names that are no sessions: no call crashes. */
static void no_such_session(void **state)
{
	static const flux_sid odd[] = { 0, 1, 7, 8, 0xFFFFF, 0x80000000, UINT32_MAX };
	struct flux_session_stats stats = { .size = sizeof(stats) };
	struct flux_msg msg;

	(void)state;
	for (uint32_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		assert_int_equal(flux_session_read(ep, odd[i], &msg, 1), 0);
		flux_session_release(ep, odd[i], 1);
		flux_session_pause(ep, odd[i], 1);
		flux_session_abort_claim(ep, odd[i]);
		assert_int_equal(flux_session_max_message(ep, odd[i]), 0);
		assert_int_equal(flux_session_max_claim(ep, odd[i]), 0);
		assert_int_equal(flux_session_get_stats(ep, odd[i], &stats), FLUX_ECLOSED);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_refusal_has_words),
		CASE(queue_limits_messages),
		CASE(lengths),
		CASE(in_place),
		CASE(paused),
		CASE(read_while_paused),
		CASE(claims),
		CASE(claims_of_some),
		CASE(no_such_session),
	};

	return cmocka_run_group_tests_name("endpoint/messages", tests, NULL, NULL);
}
