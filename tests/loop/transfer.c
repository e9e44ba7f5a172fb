/* SPDX-License-Identifier: MIT */
/* What every adapter must do with messages: all of them, whole, in order, in any start order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "tests/loop/world.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Send `n` messages, running the loop whenever the session is full. */
static void send_all(struct end *end, uint64_t n, uint32_t len)
{
	while (n > 0) {
		int rc = end_send(end, len);

		if (rc == FLUX_EAGAIN) {
			world_round(end->world);
			continue;
		}
		assert_int_equal(rc, 0);
		n--;
	}
}

static void both_ways(void **state)
{
	struct world *w = *state;

	world_connect(w);
	assert_int_equal(w->a.writables, 1); /* though its publication was opened inside UP's callback */
	assert_int_equal(w->b.writables, 1);
	for (uint32_t i = 0; i < 1000; i++) {
		send_all(&w->a, 1, i % 400);
		send_all(&w->b, 1, (i * 7) % 1100);
	}
	world_until(w, w->a.received == 1000 && w->b.received == 1000);
}

/* U24 up to the default limit: sizes around every cut, and the largest. */
static void fragments(void **state)
{
	static const uint32_t sizes[] = { 1, 1100, 1159, 1160, 1161, 1170, 1200, 2400, 10000, 65535, 65536, 300000, 1u << 20 };
	struct world *w = *state;
	uint64_t bytes = 0;

	world_connect(w);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		send_all(&w->b, 1, sizes[i]);
		send_all(&w->a, 1, sizes[COUNT(sizes) - 1 - i]);
		bytes += sizes[i];
	}
	world_until(w, w->a.received == COUNT(sizes) && w->b.received == COUNT(sizes));
	assert_int_equal(w->a.bytes, bytes);
	assert_int_equal(w->b.bytes, bytes);
}

static void in_place(void **state)
{
	struct world *w = *state;
	struct flux_claim claim;
	uint32_t most;

	world_connect(w);
	most = flux_pub_max_claim(w->b.pub);
	assert_true(most > 1000 && most < 1200);
	assert_int_equal(end_claim(&w->b, most), 0);
	assert_int_equal(flux_pub_claim(w->b.pub, 100, &claim), 0);
	assert_int_equal(flux_pub_send(w->b.pub, "x", 1), FLUX_EBUSY);
	assert_int_equal(flux_pub_publish(w->b.pub, 101), FLUX_EINVAL);
	flux_pub_abort(w->b.pub);
	assert_int_equal(end_claim(&w->b, 0), 0);
	assert_int_equal(end_claim(&w->b, 10), 0);
	world_until(w, w->a.received == 3);
	assert_int_equal(flux_pub_claim(w->b.pub, most + 1, &claim), FLUX_EMSGSIZE);
}

static void fill(struct end *end, enum where where, const struct flux_event *event)
{
	(void)event;
	while (where == IN_WRITABLE && end->sent < 20000 && end_send(end, 1024) == 0)
		;
}

/* As the documentation says: send until EAGAIN, and again when told. */
static void back_pressure(void **state)
{
	struct world *w = *state;

	w->b.hook = fill;
	world_connect(w);
	world_until(w, w->a.received == 20000);
	assert_true(w->b.writables > 1);
}

static void no_reader_yet(void **state)
{
	struct world *w = *state;
	int full = 0;

	w->a.no_sub = true;
	world_connect(w);
	while (full < 10) {
		full = end_send(&w->b, 1000) == FLUX_EAGAIN ? full + 1 : 0;
		if (full)
			world_round(w);
	}
	assert_true(w->b.sent > 1000); /* the peer's window and our queue */
	assert_int_equal(w->a.received, 0);
	end_subscribe(&w->a);
	world_until(w, w->a.received == w->b.sent);
}

static enum flux_take take_for_all(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	uint32_t *count = ctx;

	(void)sub;
	(void)msg;
	assert_int_not_equal(sid, 0);
	++*count;
	return FLUX_TAKE;
}

/* One subscription for all sessions takes what nobody else reads, from the past too. */
static void reader_for_all(void **state)
{
	struct flux_sub_cfg cfg = FLUX_SUB_CFG_INIT;
	struct world *w = *state;
	struct flux_sub *all;
	uint32_t count = 0;

	w->a.no_sub = true;
	world_connect(w);
	send_all(&w->b, 100, 50);
	world_idle(w);
	cfg.on_message = take_for_all;
	cfg.ctx = &count;
	assert_int_equal(flux_sub_open(&all, w->a.binding, 0, &cfg), 0);
	world_until(w, count == 100);

	/* The session's own reader goes before it, and leaves it the session again. */
	assert_int_equal(flux_sub_open(&w->a.sub, w->a.binding, w->a.sid, &cfg), 0);
	flux_sub_close(all);
	send_all(&w->b, 10, 50);
	world_until(w, count == 110);
	assert_int_equal(flux_sub_open(&all, w->a.binding, 0, &cfg), 0);
	flux_sub_close(w->a.sub);
	send_all(&w->b, 10, 50);
	world_until(w, count == 120);
}

static uint32_t kept;

/* Each third message is refused the first time. */
static enum flux_take third_later(struct end *end, const struct flux_msg *msg)
{
	(void)msg;
	if (end->received % 3 != 2 || kept > end->received / 3)
		return FLUX_TAKE;
	kept++;
	return FLUX_KEEP;
}

/* What is kept stays first in line, whatever comes meanwhile. */
static void keep_and_resume(void **state)
{
	struct world *w = *state;

	kept = 0;
	w->a.take = third_later;
	world_connect(w);
	send_all(&w->b, 300, 10);
	for (uint32_t i = 1; i <= 100; i++) {
		world_until(w, kept == i);
		assert_int_equal(w->a.received, 3 * i - 1);
		if (i % 10 == 0)
			world_idle(w);
		assert_int_equal(w->a.received, 3 * i - 1);
		flux_sub_resume(w->a.sub, w->a.sid);
	}
	world_until(w, w->a.received == 300);
}

static enum flux_take never_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	(void)ctx;
	(void)sub;
	(void)sid;
	(void)msg;
	return FLUX_TAKE;
}

static uint32_t never_batch(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msgs, uint32_t n)
{
	(void)ctx;
	(void)sub;
	(void)sid;
	(void)msgs;
	return n;
}

/* Small messages written and read several at a time, each third of which is kept for a while. */
static void some_at_a_time(void **state)
{
	struct world *w = *state;
	uint32_t resumed = 0;

	kept = 0;
	w->a.batch = w->b.batch = true;
	w->a.take = third_later;
	w->b.echo = true;
	world_connect(w);
	while (w->b.sent < 300 || w->a.sent < 5000)
		if (end_claim_some(w->b.sent < 300 ? &w->b : &w->a, 20, 50) == FLUX_EAGAIN)
			world_round(w);
	while (w->a.received < w->b.sent) {
		if (kept > resumed) {
			resumed = kept;
			flux_sub_resume(w->a.sub, w->a.sid);
		}
		world_round(w);
	}
	world_until(w, w->b.received == w->a.sent);
	assert_true(w->a.received >= 5300 && kept >= 1000);
}

/* A subscription reads in one way. */
static void batches_or_messages(void **state)
{
	struct world *w = *state;
	struct flux_sub_cfg cfg = FLUX_SUB_CFG_INIT;
	struct flux_sub *sub = NULL;

	end_open(&w->a, "127.0.0.1:0");
	assert_int_equal(flux_sub_open(&sub, w->a.binding, 0, &cfg), FLUX_EINVAL);
	assert_non_null(strstr(flux_loop_detail(w->loop), "none of"));
	cfg.on_message = never_message;
	cfg.on_batch = never_batch;
	assert_int_equal(flux_sub_open(&sub, w->a.binding, 0, &cfg), FLUX_EINVAL);
	assert_non_null(strstr(flux_loop_detail(w->loop), "not one"));
	assert_null(sub);
}

static enum flux_take one_a_turn(struct end *end, const struct flux_msg *msg)
{
	(void)msg;
	flux_sub_pause(end->sub, end->sid);
	return FLUX_TAKE;
}

/* E01: ten wait, one is read at a time; what is left makes itself known without another send. */
static void e01_one_at_a_time(void **state)
{
	struct world *w = *state;

	w->a.take = one_a_turn;
	world_connect(w);
	send_all(&w->b, 10, 100);
	for (uint64_t i = 1; i <= 10; i++) {
		world_until(w, w->a.received == i);
		world_idle(w);
		assert_int_equal(w->a.received, i);
		flux_sub_resume(w->a.sub, w->a.sid);
	}
}

/* A09: the peer is not there yet, and its port says so. */
static void a09_connect_first(void **state)
{
	struct world *w = *state;
	char local[FLUX_ADDR_TEXT];

	end_open(&w->a, "127.0.0.1:0");
	memcpy(local, w->a.local, sizeof(local));
	flux_binding_close(w->a.binding);
	end_open(&w->b, NULL);
	end_connect(&w->b, local);
	assert_int_equal(end_send(&w->b, 10), FLUX_EAGAIN);
	world_until(w, w->a.ended == 1);
	world_idle(w);
	assert_int_equal(w->b.closes, 0);
	end_open(&w->a, local);
	world_until(w, w->a.ups && w->b.ups);
	send_all(&w->b, 100, 100);
	world_until(w, w->a.received == 100);
}

static void many_sessions(void **state)
{
	enum {
		CLIENTS = 60
	};
	static struct end clients[CLIENTS];
	struct flux_endpoint_cfg roomy = FLUX_ENDPOINT_CFG_INIT;
	struct flux_sub_cfg cfg = FLUX_SUB_CFG_INIT;
	struct world *w = *state;
	struct flux_sub *all;
	uint32_t count = 0, up = 0;

	memset(clients, 0, sizeof(clients));
	w->a.no_sub = true;
	roomy.max_sessions = 2 * CLIENTS; /* all knock in one turn, and half-open ones get half the room */
	w->a.cfg.endpoint = &roomy;
	end_open(&w->a, "127.0.0.1:0");
	cfg.on_message = take_for_all;
	cfg.ctx = &count;
	assert_int_equal(flux_sub_open(&all, w->a.binding, 0, &cfg), 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].world = w;
		end_open(&clients[i], NULL);
		end_connect(&clients[i], w->a.local);
	}
	while (up < CLIENTS) {
		world_round(w);
		for (int i = 0; i < CLIENTS; i++)
			if (clients[i].ups == 1 && clients[i].sent == 0) {
				up++;
				send_all(&clients[i], 20, 100);
			}
	}
	world_until(w, count == 20 * CLIENTS);
	assert_int_equal(w->a.ups, CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		flux_binding_close(clients[i].binding);
	world_round(w);
}

/* Both ends say goodbye: what was sent is delivered first, and the reason is 0. */
static void graceful_close(void **state)
{
	struct world *w = *state;

	world_connect(w);
	send_all(&w->b, 500, 1000);
	assert_int_equal(flux_binding_close_session(w->b.binding, w->b.sid, FLUX_NEVER), 0);
	assert_int_equal(end_send(&w->b, 1), FLUX_ECLOSED);
	world_until(w, w->a.eos);
	assert_int_equal(w->a.received, 500);
	assert_int_equal(flux_binding_close_session(w->a.binding, w->a.sid, FLUX_NEVER), 0);
	world_until(w, w->a.closes && w->b.closes);
	assert_int_equal(w->a.last.reason, 0);
	assert_int_equal(w->b.last.reason, 0);
	assert_int_equal(w->b.last.undelivered, 0);
}

static unsigned int count_threads(void)
{
	struct dirent *entry;
	unsigned int n = 0;
	DIR *dir = opendir("/proc/self/task");

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* E14: no thread of ours, with sessions open and data under way. */
static void e14_no_threads(void **state)
{
	struct world *w = *state;
	unsigned int before = count_threads();

	world_connect(w);
	send_all(&w->b, 100, 1000);
	world_until(w, w->a.received == 100);
	assert_int_equal(count_threads(), before);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

/* E12: system calls are interrupted all the time; nothing fails and nothing is lost. */
static void e12_signals(void **state)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm }, before;
	struct world *w = *state;

	alarms = 0;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0); /* without SA_RESTART */
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	w->a.echo = true;
	world_connect(w);
	while (alarms < 200 || w->b.received < 1000) {
		if (w->b.sent < w->b.received + 50)
			send_all(&w->b, 1, 500);
		world_round(w);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	world_until(w, w->b.received == w->b.sent);
	assert_int_equal(w->a.gaps + w->b.gaps + w->a.closes + w->b.closes, 0);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "both_ways", both_ways },
		{ "fragments", fragments },
		{ "in_place", in_place },
		{ "back_pressure", back_pressure },
		{ "no_reader_yet", no_reader_yet },
		{ "reader_for_all", reader_for_all },
		{ "keep_and_resume", keep_and_resume },
		{ "some_at_a_time", some_at_a_time },
		{ "batches_or_messages", batches_or_messages },
		{ "e01_one_at_a_time", e01_one_at_a_time },
		{ "a09_connect_first", a09_connect_first },
		{ "many_sessions", many_sessions },
		{ "graceful_close", graceful_close },
		{ "e14_no_threads", e14_no_threads },
		{ "e12_signals", e12_signals },
	};

	return world_run("loop/transfer", tests, COUNT(tests));
}
