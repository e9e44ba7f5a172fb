/* SPDX-License-Identifier: MIT */
/*
 * What every loop must hold, all at once: datagrams lost, the kernel refusing, timers late, the program away
 * for a second. Its clock is moved instead of waiting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>

#include <sys/timerfd.h>
#include <time.h>

#include "tests/lib/inject.h"
#include "tests/loop/world.h"

/* ---- The clock ---- */

static int64_t ahead_ns; /* of the kernel's: so long the program believes to have been away, in all */
static int64_t late_ns;  /* timers come so much too late */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old);
int __wrap_sd_event_source_set_time(void *source, uint64_t usec);

static struct timespec moved(struct timespec t, int64_t by)
{
	int64_t ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + by;

	ns = ns > 0 ? ns : 1; /* 0 would disarm a timer */
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);

	*t = moved(*t, ahead_ns);
	return rc;
}

/* The loop's timer as it was set last, so that it is found expired by who was away. */
static struct {
	int fd; /* -1: never */
	struct itimerspec when;
	void *source; /* sd-event's; NULL: never */
	uint64_t usec;
} alarm_clock;

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	struct itimerspec then = *when;

	alarm_clock.fd = fd;
	alarm_clock.when = *when;
	then.it_value = moved(when->it_value, late_ns - ahead_ns);
	return __real_timerfd_settime(fd, flags, &then, old);
}

#ifdef HAVE_SYSTEMD
int __real_sd_event_source_set_time(void *source, uint64_t usec);

int __wrap_sd_event_source_set_time(void *source, uint64_t usec)
{
	int64_t then = (int64_t)usec + (late_ns - ahead_ns) / 1000;

	alarm_clock.source = source;
	alarm_clock.usec = usec;
	return __real_sd_event_source_set_time(source, then > 0 && usec < INT64_MAX ? (uint64_t)then : usec);
}
#endif

/* The program was away so long: packets that wait are that old, deadlines that far behind. */
static void be_away(int64_t ns)
{
	ahead_ns += ns;
	if (alarm_clock.fd >= 0)
		__wrap_timerfd_settime(alarm_clock.fd, TFD_TIMER_ABSTIME, &alarm_clock.when, NULL);
#ifdef HAVE_SYSTEMD
	if (alarm_clock.source)
		__wrap_sd_event_source_set_time(alarm_clock.source, alarm_clock.usec);
#endif
}

static void begin_anew(void)
{
	inject_clear();
	ahead_ns = late_ns = 0;
	alarm_clock.fd = -1;
	alarm_clock.source = NULL;
}

static struct world *begin(void **state)
{
	begin_anew();
	return *state;
}

static struct flux_session_stats session_stats(const struct end *end)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };

	assert_int_equal(flux_binding_get_session_stats(end->binding, end->sid, &stats), 0);
	return stats;
}

/* ---- Everything at once ---- */

#define MESSAGES 4000u
#define AHEAD    60u /* sent and not yet answered, at most */

static void everything_at_once(void **state)
{
	struct world *w = begin(state);
	uint32_t next = 0;

	w->a.cfg.no_offload = w->b.cfg.no_offload = 1;
	w->a.echo = true;
	world_connect(w);
	inject_loss(25);
	while (w->b.sent < MESSAGES) {
		while (w->b.sent < MESSAGES && w->b.sent < w->b.received + AHEAD &&
		       end_send(&w->b, (uint32_t)(w->b.sent * 7 % 3000)) == 0)
			;
		world_round(w);
		if (w->b.sent < next)
			continue;
		next += 100;
		if (next % 1000 == 0)
			be_away(FLUX_S(1));
		else
			inject_error(INJECT_SEND, next % 200 ? EAGAIN : ENOBUFS, next % 7, 1 + next % 5);
		late_ns = next > MESSAGES / 2 ? (int64_t)FLUX_MS(10) : 0;
	}
	world_until(w, w->b.received == MESSAGES);
	assert_int_equal(w->a.received, MESSAGES);
	assert_int_equal(w->a.gaps + w->b.gaps + w->a.closes + w->b.closes, 0);
	assert_true(session_stats(&w->b).retransmitted > 50);
	assert_true(session_stats(&w->a).retransmitted > 50);
}

/* ---- Away ---- */

/* E11: three times the limit at which a peer is given up; what it said meanwhile waits in the socket. */
static void e11_away_for_long(void **state)
{
	struct flux_endpoint_cfg brisk = FLUX_ENDPOINT_CFG_INIT;
	struct world *w = begin(state);

	brisk.idle_timeout = FLUX_MS(500);
	w->a.cfg.endpoint = w->b.cfg.endpoint = &brisk;
	w->a.echo = true;
	world_connect(w);
	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 40; k++)
			assert_int_equal(end_send(&w->b, 1100), 0);
		world_round(w);
		be_away(3 * (int64_t)brisk.idle_timeout);
		if (i % 2) /* a turn that finds deadlines before it finds packets */
			assert_int_equal(end_send(&w->b, 10), 0);
		world_until(w, w->b.received == w->b.sent);
		assert_int_equal(w->a.closes + w->b.closes, 0);
	}
	/* Round trips do not seem to take as long as we were away; one that began right before it may. */
	assert_true(session_stats(&w->a).srtt < FLUX_MS(750) && session_stats(&w->b).srtt < FLUX_MS(750));
	/* The limit itself holds: nobody is there, and that is found out. */
	inject_error(INJECT_SEND, ENOBUFS, 0, INJECT_FOREVER);
	world_until(w, w->a.closes && w->b.closes);
	assert_int_equal(w->a.last.reason, FLUX_ETIMEDOUT);
}

/* ---- Sent and closed ---- */

#define LAST_WORDS 50u

static uint32_t order[4], n_order; /* what b was told, in its order */

static void note(struct end *end, enum where where, const struct flux_event *event)
{
	(void)end;
	if ((where == IN_CLOSED || (where == IN_EVENT && event->type == FLUX_EVENT_CLOSED)) && n_order < 4)
		order[n_order++] = where;
}

static void send_and(struct world *w)
{
	n_order = 0;
	w->b.hook = note;
	w->a.received = w->b.sent = 0;
	w->a.ups = w->b.ups = w->a.closes = w->b.closes = w->a.ended = w->b.ended = w->a.eos = 0;
	world_connect(w);
	for (uint32_t i = 0; i < LAST_WORDS; i++)
		assert_int_equal(end_send(&w->b, 900), 0);
}

static void close_ends(struct world *w)
{
	flux_binding_close(w->b.binding);
	assert_int_equal(w->b.ended, 0);
	world_until(w, w->b.ended);
	flux_binding_close(w->a.binding);
	world_until(w, w->a.ended);
	world_idle(w);
	assert_int_equal(w->b.ended, 1);
	assert_int_equal(order[n_order - 1], IN_CLOSED); /* the last word of all */
}

/* E16: closed in the turn that sent. Every message is delivered, or counted as not. */
static void e16_sent_then_closed(void **state)
{
	struct world *w = begin(state);

	/* With time to flush. */
	send_and(w);
	assert_int_equal(flux_binding_close_session(w->b.binding, w->b.sid, FLUX_NEVER), 0);
	world_until(w, w->b.closes);
	assert_int_equal(w->b.last.reason, 0);
	assert_int_equal(w->b.last.undelivered, 0);
	assert_int_equal(w->a.received, LAST_WORDS);
	close_ends(w);
	assert_int_equal(n_order, 2);

	/* At once. */
	send_and(w);
	assert_int_equal(flux_binding_close_session(w->b.binding, w->b.sid, 0), 0);
	world_until(w, w->b.closes);
	assert_int_equal(w->b.last.reason, FLUX_EUNDELIVERED);
	assert_true(w->b.last.undelivered >= LAST_WORDS - w->a.received);
	assert_true(w->b.last.undelivered <= LAST_WORDS);
	close_ends(w);
	assert_int_equal(n_order, 2);

	/* Given up. */
	send_and(w);
	assert_int_equal(flux_binding_abort_session(w->b.binding, w->b.sid, 300, "no more"), 0);
	world_until(w, w->b.closes && w->a.closes);
	assert_int_equal(w->b.last.undelivered, LAST_WORDS);
	assert_int_equal(w->a.received, 0);
	close_ends(w);
	assert_int_equal(n_order, 2);

	/* The binding itself, which waits for nobody: one callback, and it is the last. */
	send_and(w);
	close_ends(w);
	assert_int_equal(n_order, 1);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "everything_at_once", everything_at_once },
		{ "e11_away_for_long", e11_away_for_long },
		{ "e16_sent_then_closed", e16_sent_then_closed },
	};

	return world_run("loop/conform", tests, sizeof(tests) / sizeof(tests[0]));
}
