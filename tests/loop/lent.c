/* SPDX-License-Identifier: MIT */
/*
 * Images that an adapter reads later than it was given them: much later, in any order, some of them never
 * accepted. They do not change meanwhile, though they are repaired, acknowledged and closed in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/sockaddr.h"
#include "tests/loop/pollhost.h"
#include "tests/loop/world.h"

#define RUNS  64u
#define BYTES 65536u

/* A message that was lent. */
struct lent {
	bool held;
	int fd;
	uint32_t run, age;
	uint8_t bytes[BYTES]; /* as they were */
	struct msghdr msg;
	struct iovec iov;
	union flux_sockaddr to;
	_Alignas(struct cmsghdr) uint8_t control[128];
};

static struct {
	struct lent lent[RUNS];
	uint32_t held, most, changed, delay;
	bool copies; /* answers 1: read at once */
	uint64_t asked, accepted, seed;
} t;

static uint32_t draw(uint32_t below)
{
	t.seed = t.seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(t.seed >> 33) % below;
}

static int hold(void *host, void *slot, const struct msghdr *msg, uint32_t run)
{
	struct lent *l = t.lent;

	(void)host;
	if (++t.asked % 5 == 0)
		return -EINVAL;
	t.accepted++;
	if (t.copies)
		return sendmsg((int)(intptr_t)slot, msg, MSG_DONTWAIT) > 0 ? 1 : -errno;
	while (l->held)
		l++;
	assert_true(l < t.lent + RUNS);
	for (uint32_t i = 0; i < RUNS; i++) /* one name is one run */
		assert_false(t.lent[i].held && t.lent[i].run == run && t.lent[i].fd == (int)(intptr_t)slot);
	*l = (struct lent){ .held = true, .fd = (int)(intptr_t)slot, .run = run, .iov = *msg->msg_iov, .msg = *msg };
	memcpy(l->bytes, l->iov.iov_base, l->iov.iov_len);
	memcpy(&l->to, msg->msg_name, msg->msg_namelen);
	memcpy(l->control, msg->msg_control, msg->msg_controllen);
	l->msg.msg_name = &l->to;
	l->msg.msg_control = l->control;
	l->msg.msg_iov = &l->iov;
	t.held++;
	t.most = t.held > t.most ? t.held : t.most;
	return 0;
}

/* Read it now. */
static void finish(struct world *w, struct lent *l)
{
	t.changed += memcmp(l->bytes, l->iov.iov_base, l->iov.iov_len) != 0;
	(void)!sendmsg(l->fd, &l->msg, MSG_DONTWAIT); /* or it is lost */
	l->held = false;
	t.held--;
	flux_loop_on_sent(w->loop, pollhost_tag(w->host, l->fd), l->run);
}

/* A round, and the end of some messages of age: in no order. */
static void pass(struct world *w)
{
	world_round(w);
	for (uint32_t i = 0; i < RUNS; i++)
		if (t.lent[i].held && ++t.lent[i].age > draw(t.delay + 1))
			finish(w, &t.lent[i]);
}

static void forget(void)
{
	for (uint32_t i = 0; i < RUNS; i++)
		t.lent[i].held = false;
	t.held = 0;
}

static int open_lending(struct flux_loop **loop, void **host)
{
	return pollhost_open_lent(loop, host, hold);
}

static const struct adapter lending = { "poll, lending", open_lending, pollhost_round, pollhost_close, NULL, false };

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	t.seed = 1;
	*state = (void *)(uintptr_t)&lending;
	return world_setup(state);
}

static void stream(struct world *w, uint64_t n)
{
	uint64_t wanted = w->b.sent + n;
	uint32_t rounds = 0;

	while (w->a.received < wanted) {
		while (w->b.sent < wanted && end_send(&w->b, 1000) == 0)
			;
		pass(w);
		assert_true(++rounds < WORLD_PATIENCE);
	}
}

static void need_runs(void)
{
	if (t.asked == 0) {
		print_message("# this kernel has no UDP_SEGMENT\n");
		skip();
	}
}

static struct flux_endpoint_stats receiver_stats(const struct world *w)
{
	struct flux_endpoint_stats stats = { .size = sizeof(stats) };

	flux_binding_get_endpoint_stats(w->a.binding, &stats);
	return stats;
}

/* So late that the other end asks again, is answered by repairs, and acknowledges them first. */
static void late_and_shuffled(void **state)
{
	static const uint32_t delays[] = { 0, 1, 5, 50, 300 };
	struct world *w = *state;

	world_connect(w);
	stream(w, 500);
	need_runs();
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		t.delay = delays[i];
		stream(w, 3000);
	}
	assert_true(t.most > 1);
	assert_int_equal(t.changed, 0);
	assert_int_equal(receiver_stats(w).rx_bad_checksum, 0);
	assert_int_equal(receiver_stats(w).rx_malformed, 0);
}

/* Answered as done with at once: nothing is owed. */
static void read_at_once(void **state)
{
	struct world *w = *state;

	t.copies = true;
	world_connect(w);
	stream(w, 5000);
	need_runs();
	assert_true(t.accepted > 0);
	assert_int_equal(t.held, 0);
}

/* A session ends while its images are read: they stay as they are, until the binding goes. */
static void closed_meanwhile(void **state)
{
	struct world *w = *state;

	t.delay = 1000000;
	world_connect(w);
	for (int i = 0; i < 200; i++)
		(void)end_send(&w->b, 1000);
	while (t.asked == 0 && w->a.received < 200)
		world_round(w);
	need_runs();
	assert_true(t.held > 0);
	assert_int_equal(flux_binding_abort_session(w->b.binding, w->b.sid, 300, "enough"), 0);
	world_until(w, w->b.closes);
	w->b.sid = 0;
	w->b.pub = NULL;
	end_connect(&w->b, w->a.local); /* another session, whose images have other places */
	world_until(w, w->b.ups == 2);
	for (int i = 0; i < 200; i++)
		(void)end_send(&w->b, 1000);
	for (int i = 0; i < 20; i++)
		world_round(w);
	for (uint32_t i = 0; i < RUNS; i++)
		if (t.lent[i].held)
			finish(w, &t.lent[i]);
	assert_int_equal(t.changed, 0);
	flux_binding_close(w->b.binding);
	forget();
	world_until(w, w->b.ended);
	w->a.wrong = 0; /* the second stream began anew */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(late_and_shuffled, setup, world_teardown),
		cmocka_unit_test_setup_teardown(read_at_once, setup, world_teardown),
		cmocka_unit_test_setup_teardown(closed_meanwhile, setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
