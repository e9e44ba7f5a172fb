/* SPDX-License-Identifier: MIT */
/*
 * Sending without a copy over io_uring: against a kernel of the test's own, which answers in every order, and
 * over the loopback, where each byte is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <liburing.h>

#include <flux/pub.h>
#include <flux/sub.h>

#include "loop/member.h"
#include "loop/uring.h"

#define RUNS     32u
#define ROUNDS   20000u
#define PATIENCE 1000000

/* ---- A kernel of our own ---- */

/* What becomes of a request, and of the bytes that it reads. */
enum outcome {
	SENT,          /* a notification will follow */
	SENT_AT_ONCE,  /* none will */
	SENT_BACKWARD, /* it has come before */
	REFUSED,       /* EINVAL */
	CANCELLED,
	FAILED, /* after all, and a notification will follow */
	OUTCOMES
};

static struct {
	bool on;
	bool always; /* the same outcome: */
	enum outcome outcome;
	uint64_t pending[RUNS * 2]; /* notifications still to come */
	uint32_t n_pending;
	uint32_t requests;
	uint32_t waits; /* for completions */
	bool busy;      /* takes no request */
	uint32_t spoil; /* each so-many-th is one that the real kernel refuses */
	uint64_t seed;
} kernel;

static uint32_t draw(uint32_t below)
{
	kernel.seed = kernel.seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(kernel.seed >> 33) % below;
}

static void complete(struct io_uring *ring, uint64_t data, int res, uint32_t flags)
{
	unsigned int tail = *ring->cq.ktail;

	ring->cq.cqes[tail & *ring->cq.kring_mask] = (struct io_uring_cqe){
		.user_data = data, .res = res, .flags = flags
	};
	io_uring_smp_store_release(ring->cq.ktail, tail + 1);
}

/* One notification, whichever. */
static void notify(struct io_uring *ring)
{
	uint32_t i = draw(kernel.n_pending);

	complete(ring, kernel.pending[i], 0, IORING_CQE_F_NOTIF);
	kernel.pending[i] = kernel.pending[--kernel.n_pending];
}

static void answer(struct io_uring *ring, const struct io_uring_sqe *sqe)
{
	enum outcome outcome = kernel.always ? kernel.outcome : draw(OUTCOMES);
	uint64_t data = sqe->user_data;

	assert_int_equal(sqe->opcode, IORING_OP_SENDMSG_ZC);
	kernel.requests++;
	if (outcome == SENT_BACKWARD)
		complete(ring, data, 0, IORING_CQE_F_NOTIF);
	if (outcome == REFUSED || outcome == CANCELLED)
		complete(ring, data, outcome == REFUSED ? -EINVAL : -ECANCELED, 0);
	else
		complete(ring, data, outcome == FAILED ? -EIO : 100, outcome == SENT_AT_ONCE ? 0 : IORING_CQE_F_MORE);
	if (outcome == SENT || outcome == FAILED)
		kernel.pending[kernel.n_pending++] = data;
}

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int n,
					    struct __kernel_timespec *ts, sigset_t *mask);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int n,
					    struct __kernel_timespec *ts, sigset_t *mask);

/* The requests that are queued; the newest is last. */
static struct io_uring_sqe *queued(struct io_uring *ring, unsigned int i)
{
	return &ring->sq.sqes[(*ring->sq.khead + i) & *ring->sq.kring_mask];
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	unsigned int n = ring->sq.sqe_tail - *ring->sq.khead;

	if (!kernel.on) {
		struct io_uring_sqe *sqe = queued(ring, n - 1);

		if (n > 0 && sqe->opcode == IORING_OP_SENDMSG_ZC && kernel.spoil &&
		    ++kernel.requests % kernel.spoil == 0)
			sqe->ioprio = UINT16_MAX;
		return __real_io_uring_submit(ring);
	}
	if (kernel.busy)
		return -EBUSY;
	for (unsigned int i = 0; i < n; i++)
		answer(ring, queued(ring, i));
	ring->sq.sqe_head = *ring->sq.khead = ring->sq.sqe_tail;
	return (int)n;
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned int n,
					    struct __kernel_timespec *ts, sigset_t *mask)
{
	if (!kernel.on)
		return __real_io_uring_submit_and_wait_timeout(ring, cqe, n, ts, mask);
	kernel.waits++;
	if (kernel.n_pending > 0)
		notify(ring);
	return 0;
}

/* ---- A host with one watch, whose owner counts ---- */

struct fixture {
	struct flux_uring_host host;
	struct flux_uring_watch watch;
	struct flux_member member;
	bool lent[RUNS]; /* its bytes may be read */
	uint32_t told;
};

static void on_sent(struct flux_member *member, uint32_t run)
{
	struct fixture *f = FLUX_CONTAINER(member, struct fixture, member);

	assert_true(f->lent[run]);
	f->lent[run] = false;
	f->told++;
}

static const struct flux_member_ops member_ops = { .on_sent = on_sent };

static void open_fixture(struct fixture *f)
{
	static const uint8_t here = 1;
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char why[FLUX_WHY_TEXT];

	memset(f, 0, sizeof(*f));
	memset(&kernel, 0, sizeof(kernel));
	if (flux_uring_open(&f->host.uring, &cfg, why) < 0) {
		print_message("# %s\n", why);
		skip();
	}
	f->host.here = &here;
	assert_int_equal(flux_uring_open_sends(&f->host), 0);
	f->member.ops = &member_ops;
	f->watch.tag = &f->member;
	kernel.on = true;
}

static void close_fixture(struct fixture *f)
{
	kernel.on = false;
	flux_uring_close(&f->host.uring);
	free(f->host.sends);
}

static uint32_t count_lent(const struct fixture *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < RUNS; i++)
		n += f->lent[i];
	return n;
}

static int send_run(struct fixture *f, uint32_t run)
{
	static const struct msghdr msg;
	int rc = flux_uring_send(&f->host, &f->watch, &msg, run);

	f->lent[run] = rc == 0;
	return rc;
}

/* Everything that was lent is notified and told. */
static void finish(struct fixture *f)
{
	while (kernel.n_pending > 0)
		notify(&f->host.uring.ring);
	flux_uring_reap(&f->host);
	flux_uring_tell_sent(&f->host);
}

/* I07: each is released exactly once, when the kernel is done with it and not before. */
static void i07_each_once(void **state)
{
	uint32_t lent = 0, refused = 0, at_once = 0;
	struct fixture f;

	(void)state;
	open_fixture(&f);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t run = draw(RUNS);

		f.host.send_refusals = 0;
		if (!f.lent[run]) {
			int rc = send_run(&f, run);

			lent += rc == 0;
			at_once += rc > 0;
			refused += rc < 0;
		} else if (kernel.n_pending > 0) {
			notify(&f.host.uring.ring);
			flux_uring_reap(&f.host);
		}
		assert_true(count_lent(&f) >= kernel.n_pending);
		if (draw(3) > 0)
			continue;
		flux_uring_tell_sent(&f.host);
		assert_int_equal(count_lent(&f), kernel.n_pending);
	}
	finish(&f);
	assert_int_equal(count_lent(&f), 0);
	assert_int_equal(f.told, lent);
	assert_int_equal(kernel.requests, lent + refused + at_once);
	assert_true(lent > ROUNDS / 10 && refused > ROUNDS / 10 && at_once > ROUNDS / 10);
	close_fixture(&f);
}

/* Its owner goes: what is read is seen to its end, and told before. */
static void i07_owner_gone(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	kernel.always = true;
	for (uint32_t i = 0; i < RUNS; i++)
		assert_int_equal(send_run(&f, i), 0);
	notify(&f.host.uring.ring);
	flux_uring_reap(&f.host); /* ended, and not told yet */
	flux_uring_end_sends(&f.host, &f.watch);
	assert_int_equal(kernel.n_pending, 0);
	assert_int_equal(f.told, RUNS);
	for (uint32_t i = 0; i < RUNS; i++) /* there is room again for all */
		assert_int_equal(send_run(&f, i), 0);
	finish(&f);
	assert_int_equal(f.told, 2 * RUNS);
	close_fixture(&f);
}

/* A kernel that cannot is not asked for ever; what it refuses is the caller's to copy. */
static void not_asked_for_ever(void **state)
{
	struct fixture f;
	uint32_t asked;

	(void)state;
	open_fixture(&f);
	kernel.always = true;
	kernel.outcome = REFUSED;
	for (uint32_t i = 0; i < 15; i++)
		assert_int_equal(send_run(&f, 0), -EINVAL);
	kernel.outcome = SENT; /* one that goes well makes good for those */
	assert_int_equal(send_run(&f, 0), 0);
	kernel.outcome = REFUSED;
	for (uint32_t i = 0; i < 100; i++)
		assert_true(send_run(&f, 1) < 0);
	asked = kernel.requests;
	assert_int_equal(asked, 15 + 1 + 16);
	finish(&f);
	assert_int_equal(f.told, 1);
	close_fixture(&f);
}

/* What the kernel never took is not waited for when its owner goes. */
static void not_taken(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	kernel.busy = true;
	for (uint32_t i = 0; i < RUNS; i++)
		assert_int_equal(send_run(&f, i), -EAGAIN);
	flux_uring_end_sends(&f.host, &f.watch);
	assert_int_equal(kernel.waits, 0);
	assert_int_equal(f.told, 0);
	close_fixture(&f);
}

/* ---- The real one ---- */

struct pair {
	struct flux_loop *loop;
	struct flux_binding *in, *out;
	struct flux_pub *pub;
	flux_sid sid;
	uint64_t sent, received, wanted, wrong;
	uint32_t spread; /* lengths of messages: 1000 to this more */
};

/* Bytes that follow from the number of the message. */
static uint32_t write_message(const struct pair *pair, uint8_t *bytes, uint64_t number)
{
	uint32_t len = 1000 + (uint32_t)(number / 100 * 7919 % (pair->spread + 1));

	memset(bytes, (int)(number * 131), len);
	memcpy(bytes, &number, sizeof(number));
	return len;
}

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	static uint8_t expected[65536];
	struct pair *pair = ctx;
	uint32_t len = write_message(pair, expected, pair->received);

	(void)sub;
	(void)sid;
	pair->received++;
	pair->wrong += msg->len != len || memcmp(msg->data, expected, len) != 0;
	return FLUX_TAKE;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	static uint8_t bytes[65536];
	struct pair *pair = ctx;

	while (pair->sent < pair->wanted &&
	       flux_pub_send(pub, bytes, write_message(pair, bytes, pair->sent)) == 0)
		pair->sent++;
}

static void open_pair(struct pair *pair, bool no_offload)
{
	struct flux_uring_cfg uring = FLUX_URING_CFG_INIT;
	struct flux_binding_cfg in = FLUX_BINDING_CFG_INIT, out = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub = { .size = sizeof(sub), .on_message = on_message, .ctx = pair };
	struct flux_pub_cfg pub = { .size = sizeof(pub), .on_writable = on_writable, .ctx = pair };
	char local[FLUX_ADDR_TEXT], why[FLUX_WHY_TEXT];
	struct flux_addr addr;
	struct flux_sub *all;

	memset(&kernel, 0, sizeof(kernel));
	uring.require = 1;
	uring.zero_copy = 1;
	if (flux_loop_open_uring(&pair->loop, &uring, why) < 0) {
		print_message("# %s\n", why);
		skip();
	}
	in.local = "127.0.0.1:0";
	in.no_offload = out.no_offload = no_offload;
	assert_int_equal(flux_binding_open(&pair->in, pair->loop, &in), 0);
	assert_int_equal(flux_sub_open(&all, pair->in, 0, &sub), 0);
	flux_binding_local(pair->in, &addr);
	assert_int_equal(flux_binding_open(&pair->out, pair->loop, &out), 0);
	assert_int_equal(flux_binding_connect(pair->out, flux_addr_format(&addr, local), &pair->sid), 0);
	assert_int_equal(flux_pub_open(&pair->pub, pair->out, pair->sid, &pub), 0);
}

static struct flux_binding_stats socket_stats(const struct pair *pair)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };

	flux_binding_get_stats(pair->out, &stats);
	return stats;
}

static void run_until(struct pair *pair, uint64_t received)
{
	for (int i = 0; pair->received < received; i++) {
		assert_true(i < PATIENCE);
		assert_true(flux_loop_poll_uring(pair->loop, FLUX_MS(5)) >= 0);
	}
	assert_int_equal(pair->wrong, 0);
}

static void send_messages(struct pair *pair, uint64_t n)
{
	pair->wanted += n;
	on_writable(pair, pair->pub);
	run_until(pair, pair->wanted);
}

static void need_zero_copy(struct pair *pair)
{
	send_messages(pair, 1000);
	if (socket_stats(pair).tx_lent == 0) {
		print_message("# this kernel cuts no runs of datagrams, or sends none without a copy\n");
		flux_loop_close(pair->loop);
		skip();
	}
}

/* I07: every byte is right, with refusals among them that the kernel makes. */
static void i07_bytes(void **state)
{
	struct pair pair = { .spread = 0 };
	uint64_t lent;

	(void)state;
	open_pair(&pair, false);
	need_zero_copy(&pair);
	send_messages(&pair, 20000);
	lent = socket_stats(&pair).tx_lent;
	assert_true(lent > 10000);
	kernel.spoil = 3;
	send_messages(&pair, 20000);
	assert_true(socket_stats(&pair).tx_lent - lent > 5000);
	assert_int_equal(socket_stats(&pair).tx_offload_off, 0); /* they are no word about cutting runs */
	assert_int_equal(socket_stats(&pair).tx_errors, 0);
	flux_loop_close(pair.loop);
}

/* Closed, aborted or left with runs in flight. */
static void i07_closed_in_flight(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		struct pair pair = { .wanted = 100000 };

		open_pair(&pair, false);
		on_writable(&pair, pair.pub);
		run_until(&pair, 100 + 100 * i);
		on_writable(&pair, pair.pub);
		if (i % 3 == 0)
			flux_binding_close(pair.out);
		if (i % 3 == 1)
			assert_int_equal(flux_binding_abort_session(pair.out, pair.sid, 1, "enough"), 0);
		for (uint32_t k = 0; k < i % 4; k++)
			assert_true(flux_loop_poll_uring(pair.loop, 0) >= 0);
		flux_loop_close(pair.loop);
	}
}

/* I08: datagrams by themselves are copied, however many; long runs are not. */
static void i08_short_ones_are_copied(void **state)
{
	struct pair pair = { .spread = 0 };

	(void)state;
	open_pair(&pair, true);
	send_messages(&pair, 5000);
	assert_int_equal(socket_stats(&pair).tx_lent, 0);
	flux_loop_close(pair.loop);
	pair = (struct pair){ .spread = 0 };
	open_pair(&pair, false);
	need_zero_copy(&pair);
	for (int i = 0; i < 20; i++) {
		uint64_t lent = socket_stats(&pair).tx_lent;

		send_messages(&pair, 10); /* a run of 10 KB */
		assert_int_equal(socket_stats(&pair).tx_lent, lent);
	}
	flux_loop_close(pair.loop);
}

/* I17: what is copied and what is not take turns, and nothing overtakes: no repair is asked for. */
static void i17_order(void **state)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };
	struct pair pair = { .spread = 1500 };

	(void)state;
	open_pair(&pair, false);
	need_zero_copy(&pair);
	kernel.spoil = 4;
	for (int i = 0; i < 10; i++)
		send_messages(&pair, 1000);
	assert_int_equal(flux_binding_get_session_stats(pair.out, pair.sid, &stats), 0);
	assert_true(stats.tx_datagrams >= 10000);
	assert_true(socket_stats(&pair).tx_lent > 0 && socket_stats(&pair).tx_lent < stats.tx_datagrams);
	assert_int_equal(stats.naks_received, 0);
	assert_int_equal(stats.retransmitted, 0);
	flux_loop_close(pair.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i07_each_once),
		cmocka_unit_test(i07_owner_gone),
		cmocka_unit_test(not_asked_for_ever),
		cmocka_unit_test(not_taken),
		cmocka_unit_test(i07_bytes),
		cmocka_unit_test(i07_closed_in_flight),
		cmocka_unit_test(i08_short_ones_are_copied),
		cmocka_unit_test(i17_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
