/* SPDX-License-Identifier: MIT */
/* What only the libevent adapter has: bases of its own, bases that end when empty, the host's other events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <event2/event.h>

#include <flux/event.h>
#include <flux/feed.h>
#include <flux/pub.h>
#include <flux/sub.h>

#include "tests/lib/child.h"
#include "tests/lib/inject.h"
#include "tests/loop/evlocks.h"
#include "tests/loop/pollhost.h"

#define MESSAGES 20000

/* Two bindings on one base, the second sending to the first. */
struct pair {
	struct flux_loop *loop;
	struct flux_binding *in, *out;
	struct flux_pub *pub;
	struct flux_sub *sub;
	uint32_t sent, received, wanted;
	void (*done)(struct pair *pair); /* when all were received, inside the callback */
	int closed;
};

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct pair *pair = ctx;

	(void)sub;
	(void)sid;
	(void)msg;
	if (++pair->received == pair->wanted)
		pair->done(pair);
	return FLUX_TAKE;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	static const char bytes[1000];
	struct pair *pair = ctx;

	while (pair->sent < pair->wanted && flux_pub_send(pub, bytes, sizeof(bytes)) == 0)
		pair->sent++;
}

static void on_closed(void *ctx)
{
	struct pair *pair = ctx;

	pair->closed++;
}

static void open_pair(struct pair *pair)
{
	struct flux_binding_cfg cfg = { .size = sizeof(cfg), .local = "127.0.0.1:0", .ctx = pair };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = on_message, .ctx = pair };
	struct flux_pub_cfg out = { .size = sizeof(out), .on_writable = on_writable, .ctx = pair };
	char local[FLUX_ADDR_TEXT];
	struct flux_addr addr;
	flux_sid sid;

	cfg.on_closed = on_closed;
	assert_int_equal(flux_binding_open(&pair->in, pair->loop, &cfg), 0);
	assert_int_equal(flux_sub_open(&pair->sub, pair->in, 0, &in), 0);
	flux_binding_local(pair->in, &addr);
	cfg.local = NULL;
	assert_int_equal(flux_binding_open(&pair->out, pair->loop, &cfg), 0);
	assert_int_equal(flux_binding_connect(pair->out, flux_addr_format(&addr, local), &sid), 0);
	assert_int_equal(flux_pub_open(&pair->pub, pair->out, sid, &out), 0);
}

static void close_loop(struct pair *pair)
{
	flux_loop_close(pair->loop);
}

/* The base is made for us, and goes with the loop even if that is closed by one of its callbacks. */
static void own_base_closed_inside(void **state)
{
	struct pair pair = { .wanted = 100, .done = close_loop };

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, NULL), 0);
	assert_non_null(flux_loop_event_base(pair.loop));
	open_pair(&pair);
	assert_int_equal(flux_loop_run_event(pair.loop), FLUX_ECLOSED);
	assert_int_equal(pair.received, 100);
	assert_int_equal(pair.closed, 2);
}

static void stop(struct pair *pair)
{
	event_base_loopbreak(flux_loop_event_base(pair->loop));
}

static void own_base_closed_outside(void **state)
{
	struct pair pair = { .wanted = 100, .done = stop };

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, NULL), 0);
	open_pair(&pair);
	assert_int_equal(flux_loop_run_event(pair.loop), 0);
	assert_int_equal(pair.received, 100);
	flux_loop_close(pair.loop);
	assert_int_equal(pair.closed, 2);
}

static void on_host_event(evutil_socket_t fd, short what, void *arg)
{
	struct pair *pair = arg;

	(void)fd;
	(void)what;
	assert_int_equal(flux_loop_run_event(pair->loop), FLUX_EINVAL); /* it runs already */
	flux_loop_close(pair->loop);
}

/* Closed by an event of the host on that base, as a signal handler would. */
static void own_base_closed_by_host(void **state)
{
	struct pair pair = { .wanted = UINT32_MAX, .done = stop };
	struct timeval soon = { 0, 20000 };

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, NULL), 0);
	open_pair(&pair);
	assert_int_equal(event_base_once(flux_loop_event_base(pair.loop), -1, EV_TIMEOUT, on_host_event, &pair, &soon), 0);
	assert_int_equal(flux_loop_run_event(pair.loop), FLUX_ECLOSED);
	assert_int_equal(pair.closed, 2);
}

/* A host that runs until its base is empty ends when Flux has left. */
static void base_ends_when_empty(void **state)
{
	struct pair pair = { .wanted = 100, .done = close_loop };
	struct event_base *base = event_base_new();

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, base), 0);
	assert_ptr_equal(flux_loop_event_base(pair.loop), base);
	open_pair(&pair);
	assert_int_equal(event_base_dispatch(base), 1); /* no events left */
	assert_int_equal(pair.closed, 2);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE), 0);
	event_base_free(base);
}

static void close_and_break(struct pair *pair)
{
	struct event_base *base = flux_loop_event_base(pair->loop);

	flux_loop_close(pair->loop);
	event_base_loopbreak(base);
}

static void pause_loop(struct pair *pair)
{
	assert_int_equal(flux_loop_pause(pair->loop), 0);
}

/* A host that runs until its base is empty ends when Flux rests, and finds all that waited when it goes on. */
static void base_ends_when_paused(void **state)
{
	struct pair pair = { .wanted = 1, .done = pause_loop };
	struct event_base *base = event_base_new();

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, base), 0);
	open_pair(&pair);
	for (uint32_t n = 1; n <= 3000; n = 3 * n + 1) {
		pair.wanted = n;
		on_writable(&pair, pair.pub);
		assert_int_equal(event_base_dispatch(base), 1);
		assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE), 0);
		assert_int_equal(event_base_dispatch(base), 1);
		assert_int_equal(pair.received, n);
		assert_int_equal(flux_loop_resume(pair.loop), 0);
	}
	pair.wanted += 1000;
	pair.done = close_loop;
	on_writable(&pair, pair.pub);
	assert_int_equal(event_base_dispatch(base), 1);
	assert_int_equal(pair.received, pair.wanted);
	assert_int_equal(pair.closed, 2);
	event_base_free(base);
}

/* Nothing of ours is needed to run after the callback that closed the loop. */
static void base_freed_at_once(void **state)
{
	struct pair pair = { .wanted = 1, .done = close_and_break };
	struct event_base *base = event_base_new();

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, base), 0);
	open_pair(&pair);
	event_base_dispatch(base);
	assert_int_equal(pair.closed, 2);
	event_base_free(base);
}

/* Closed before the base ever ran. */
static void never_run(void **state)
{
	struct pair pair = { .wanted = 1, .done = stop };
	struct event_base *base = event_base_new();

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, base), 0);
	open_pair(&pair);
	flux_loop_close(pair.loop);
	assert_int_equal(pair.closed, 2);
	assert_int_equal(event_base_dispatch(base), 1);
	event_base_free(base);
}

static void two_loops_one_base(void **state)
{
	struct pair a = { .wanted = 1000, .done = close_loop }, b = { .wanted = 500, .done = close_loop };
	struct event_base *base = event_base_new();

	(void)state;
	assert_int_equal(event_base_priority_init(base, 3), 0);
	assert_int_equal(flux_loop_open_event(&a.loop, base), 0);
	assert_int_equal(flux_loop_open_event(&b.loop, base), 0);
	open_pair(&a);
	open_pair(&b);
	assert_int_equal(event_base_dispatch(base), 1);
	assert_int_equal(a.received, 1000);
	assert_int_equal(b.received, 500);
	event_base_free(base);
}

static uint64_t host_rounds;

static void on_host_round(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval at_once = { 0, 0 };
	struct event *event = *(struct event **)arg;

	(void)fd;
	(void)what;
	host_rounds++;
	event_add(event, &at_once);
}

/* While Flux sends and receives all it can, the host's own events have their turn in every round. */
static void host_is_not_starved(void **state)
{
	struct pair pair = { .wanted = MESSAGES, .done = stop };
	struct event_base *base = event_base_new();
	struct event *event;

	(void)state;
	assert_int_equal(flux_loop_open_event(&pair.loop, base), 0);
	open_pair(&pair);
	event = event_new(base, -1, 0, on_host_round, &event);
	host_rounds = 0;
	event_active(event, EV_TIMEOUT, 0);
	event_base_dispatch(base);
	assert_int_equal(pair.received, MESSAGES);
	assert_true(host_rounds > MESSAGES / 256); /* fewer datagrams than that are sent in a round */
	event_free(event);
	flux_loop_close(pair.loop);
	event_base_free(base);
}

/* ---- E03 ---- */

struct speech {
	struct flux_loop *loop;
	struct flux_ring *ring;
	uint32_t heard;
};

#define WORDS 5000u

static int on_word(void *ctx, struct flux_feed *feed, void *item, uint32_t len)
{
	struct speech *speech = ctx;

	(void)feed;
	(void)item;
	(void)len;
	if (++speech->heard == WORDS)
		event_base_loopbreak(flux_loop_event_base(speech->loop));
	return FLUX_FEED_ON;
}

static void *speak(void *arg)
{
	struct flux_ring_writer_cfg cfg = FLUX_RING_WRITER_CFG_INIT;
	struct speech *speech = arg;
	struct flux_ring_writer writer;
	struct flux_ring_span span;

	cfg.wait = FLUX_WAIT_BLOCK;
	if (flux_ring_writer_open(&writer, speech->ring, &cfg) < 0)
		return arg;
	for (uint32_t i = 0; i < WORDS; i++)
		if (flux_ring_claim_wait(&writer, 1, &span, FLUX_NEVER) < 0 || flux_ring_publish(&writer, 1) < 0)
			return arg;
	flux_ring_writer_close(&writer);
	return NULL;
}

/*
 * The base was made before libevent had locks, so nobody but its thread may touch it: another thread wakes it by
 * a descriptor, and takes no lock. A reader that would have to be woken otherwise is refused.
 */
static void e03_base_without_locks(void **state)
{
	struct flux_ring_cfg ring = FLUX_RING_CFG_INIT;
	struct flux_ring_reader_cfg cfg = FLUX_RING_READER_CFG_INIT;
	struct flux_feed_cfg feed_cfg = FLUX_FEED_CFG_INIT;
	struct event_base *base = event_base_new();
	struct speech speech = { 0 };
	struct flux_ring_reader reader;
	struct flux_feed *feed;
	pthread_t thread;
	void *failed;

	(void)state;
	evlocks_use();
	assert_int_equal(flux_loop_open_event(&speech.loop, base), 0);
	ring.flags = FLUX_RING_READERS_SLEEP | FLUX_RING_WRITERS_SLEEP;
	ring.capacity = 8;
	ring.slot = 8;
	assert_int_equal(flux_ring_create(&speech.ring, &ring, &flux_mem_libc), 0);
	feed_cfg.on_item = on_word;
	feed_cfg.ctx = &speech;
	cfg.wait = FLUX_WAIT_BLOCK;
	assert_int_equal(flux_ring_reader_join(&reader, speech.ring, &cfg), 0);
	assert_int_equal(flux_feed_open(&feed, speech.loop, &reader, &feed_cfg), FLUX_ENOTSUP);
	assert_non_null(strstr(flux_loop_detail(speech.loop), "FLUX_WAIT_FD"));
	flux_ring_reader_leave(&reader);
	cfg.wait = FLUX_WAIT_FD;
	assert_int_equal(flux_ring_reader_join(&reader, speech.ring, &cfg), 0);
	assert_int_equal(flux_feed_open(&feed, speech.loop, &reader, &feed_cfg), 0);
	assert_int_equal(pthread_create(&thread, NULL, speak, &speech), 0);
	assert_int_equal(event_base_dispatch(base), 0);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(speech.heard, WORDS);
	assert_int_equal(evlocks_taken_elsewhere(), 0);
	flux_loop_close(speech.loop);
	flux_ring_reader_leave(&reader);
	flux_ring_destroy(speech.ring);
	event_base_free(base);
}

/* ---- E05, where the child does not call event_reinit(), or too late ---- */

static int run_base(void *arg)
{
	struct pair *pair = arg;
	struct event_base *base = flux_loop_event_base(pair->loop);
	uint32_t received = pair->received;

	CHECK(flux_loop_run_event(pair->loop) == FLUX_EFORKED);
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	CHECK(pair->received == received);
	CHECK(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE) == 0);
	return 0;
}

static int close_copy(void *arg)
{
	struct pair *pair = arg;

	flux_loop_close(pair->loop);
	CHECK(pair->closed == 2);
	return 0;
}

static int run_and_close(void *arg)
{
	return run_base(arg) || close_copy(arg);
}

static int reinit_and_run(void *arg)
{
	struct pair *pair = arg;

	event_reinit(flux_loop_event_base(pair->loop));
	return run_and_close(arg);
}

/* They may be there already: the round before the fork stops for nothing else. */
static void run_until_received(struct pair *pair)
{
	while (pair->received < pair->wanted)
		assert_int_equal(flux_loop_run_event(pair->loop), 0);
	assert_int_equal(pair->received, pair->wanted);
}

static void e05_careless_children(void **state)
{
	static int (*const bodies[])(void *) = { run_base, close_copy, run_and_close, reinit_and_run };

	(void)state;
	for (int own = 0; own < 2; own++) {
		struct event_base *base = own ? NULL : event_base_new();
		struct pair pair = { .wanted = 100, .done = stop };

		assert_int_equal(flux_loop_open_event(&pair.loop, base), 0);
		open_pair(&pair);
		for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
			run_until_received(&pair);
			pair.wanted += 500;
			on_writable(&pair, pair.pub);
			assert_int_equal(event_base_loop(flux_loop_event_base(pair.loop), EVLOOP_ONCE), 0); /* under way */
			assert_int_equal(child_run(bodies[i], &pair), 0);
		}
		run_until_received(&pair);
		flux_loop_close(pair.loop);
		if (base)
			event_base_free(base);
	}
}

static void no_timer(void **state)
{
	struct flux_loop *loop = NULL;
	struct event_base *base = event_base_new();

	(void)state;
	inject_clear();
	inject_error(INJECT_TIMERFD, EMFILE, 0, 2);
	assert_int_equal(flux_loop_open_event(&loop, base), -EMFILE);
	assert_int_equal(flux_loop_open_event(&loop, NULL), -EMFILE);
	assert_null(loop);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(base);
}

static void not_its_loop(void **state)
{
	struct flux_loop *loop;
	void *host;

	(void)state;
	assert_int_equal(pollhost_open(&loop, &host, NULL), 0);
	assert_null(flux_loop_event_base(loop));
	assert_int_equal(flux_loop_run_event(loop), FLUX_EINVAL);
	flux_loop_close(loop);
	pollhost_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_base_closed_inside),
		cmocka_unit_test(own_base_closed_outside),
		cmocka_unit_test(own_base_closed_by_host),
		cmocka_unit_test(base_ends_when_empty),
		cmocka_unit_test(base_ends_when_paused),
		cmocka_unit_test(base_freed_at_once),
		cmocka_unit_test(never_run),
		cmocka_unit_test(two_loops_one_base),
		cmocka_unit_test(host_is_not_starved),
		cmocka_unit_test(e05_careless_children),
		cmocka_unit_test(no_timer),
		cmocka_unit_test(not_its_loop),
		cmocka_unit_test(e03_base_without_locks), /* the last one: locks stay */
	};

	return cmocka_run_group_tests_name("loop/event", tests, NULL, NULL);
}
