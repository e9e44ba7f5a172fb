/* SPDX-License-Identifier: MIT */
/* What a turn answers its host: one that has done all there was lets it sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <flux/binding.h>
#include <flux/timer.h>

/* A host that is told all and does nothing by itself. */
struct host {
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flux_timer *timer;
	uint32_t rearms, calls;
	uint64_t sent; /* by the socket when the callback returned */
	void (*in_turn)(struct host *host);
};

static int watch(void *host, int fd, uint32_t events, void *tag, void **slot)
{
	(void)host;
	(void)fd;
	(void)events;
	(void)tag;
	(void)slot;
	return 0;
}

static void rearm(void *host)
{
	((struct host *)host)->rearms++;
}

static void close_host(void *host)
{
	(void)host;
}

static uint64_t sent(const struct host *host)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };

	flux_binding_get_stats(host->binding, &stats);
	return stats.tx_syscalls;
}

static void on_due(void *ctx, struct flux_timer *timer)
{
	struct host *host = ctx;

	(void)timer;
	host->calls++;
	host->in_turn(host);
	host->sent = sent(host);
}

/* A turn in which the timer is due. Returns its answer. */
static int turn(struct host *host, void (*in_turn)(struct host *host))
{
	host->in_turn = in_turn;
	host->calls = 0;
	flux_timer_set(host->timer, flux_loop_now());
	host->rearms = 0;
	return flux_loop_on_turn(host->loop);
}

static int setup(void **state)
{
	static struct host host;
	const struct flux_loop_ops ops = { .size = sizeof(ops), .watch = watch, .rearm = rearm, .close = close_host };

	host = (struct host){ 0 };
	assert_int_equal(flux_loop_create(&host.loop, &ops, &host, NULL), 0);
	assert_int_equal(flux_binding_open(&host.binding, host.loop, NULL), 0);
	assert_int_equal(flux_timer_open(&host.timer, host.loop, on_due, &host), 0);
	while (flux_loop_on_turn(host.loop) > 0)
		;
	*state = &host;
	return 0;
}

static int teardown(void **state)
{
	const struct host *host = *state;

	flux_loop_close(host->loop);
	return 0;
}

static void connect_somewhere(struct host *host)
{
	flux_sid sid;

	assert_int_equal(flux_binding_connect(host->binding, "127.0.0.1:9", &sid), 0);
}

/* What a timer's callback sends leaves in the second half of that very turn. */
static void sent_in_the_same_turn(void **state)
{
	struct host *host = *state;

	assert_int_equal(turn(host, connect_somewhere), 0);
	assert_int_equal(host->calls, 1);
	assert_int_equal(host->rearms, 0);
	assert_true(sent(host) > host->sent);
	assert_true(flux_loop_deadline(host->loop) != FLUX_NEVER); /* it is sent again, if nobody answers */
}

static void set_for_later(struct host *host)
{
	flux_timer_set(host->timer, flux_loop_now() + FLUX_S(3600));
}

static void set_for_now(struct host *host)
{
	flux_timer_set(host->timer, flux_loop_now());
}

/* A timer set in a turn is in the deadline that the host asks for afterwards; one that is due already, in its answer. */
static void timers_set_in_a_turn(void **state)
{
	struct host *host = *state;

	assert_int_equal(turn(host, set_for_later), 0);
	assert_int_equal(host->calls, 1);
	assert_int_equal(host->rearms, 0);
	assert_true(flux_loop_deadline(host->loop) > flux_loop_now() + FLUX_S(3000));
	assert_int_equal(turn(host, set_for_now), 1);
	assert_int_equal(host->calls, 1);
	host->in_turn = set_for_later;
	assert_int_equal(flux_loop_on_turn(host->loop), 0);
	assert_int_equal(host->calls, 2);
}

/* Outside of a turn it has to be asked for. */
static void asked_for_outside(void **state)
{
	struct host *host = *state;

	host->rearms = 0;
	connect_somewhere(host);
	assert_int_equal(host->rearms, 1);
	assert_int_equal(flux_loop_on_turn(host->loop), 0);
	set_for_later(host);
	assert_int_equal(host->rearms, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sent_in_the_same_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(timers_set_in_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(asked_for_outside, setup, teardown),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
