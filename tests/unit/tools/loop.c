/* SPDX-License-Identifier: MIT */
/* The loop of the tools: what --loop and --idle take, and that each kind runs, hears signals and ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cmocka.h>

#include <flux/timer.h>
#include <flux/worker.h>

#include "common/cli.h"
#include "common/loop.h"

static const char *const kinds[] = { "event", "uring", "thread", "auto" };
static const char *const idles[] = { "adaptive", "spin", "epoll" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_built(const char *kind)
{
	(void)kind;
#ifndef HAVE_LIBEVENT
	if (strcmp(kind, "event") == 0)
		return false;
#endif
#ifndef HAVE_LIBURING
	if (strcmp(kind, "uring") == 0)
		return false;
#endif
	return true;
}

static void test_words(void **state)
{
	struct loop_options options;

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		memset(&options, 0, sizeof(options));
		assert_int_equal(loop_parse_kind(&options, kinds[i]), is_built(kinds[i]) ? CLI_OK : CLI_USAGE);
		assert_string_equal(loop_kind_name(options.kind), kinds[i]);
		assert_false(options.idle_chosen);
	}
	for (size_t i = 0; i < COUNT(idles); i++) {
		memset(&options, 0, sizeof(options));
		assert_int_equal(loop_parse_idle(&options, idles[i]), CLI_OK);
		assert_string_equal(loop_idle_name(options.idle), idles[i]);
		assert_true(options.idle_chosen);
	}
	assert_int_equal(loop_parse_kind(&options, "epoll"), CLI_USAGE);
	assert_int_equal(loop_parse_kind(&options, ""), CLI_USAGE);
	assert_int_equal(loop_parse_idle(&options, "sleep"), CLI_USAGE);
}

static void test_what_is_filled_in(void **state)
{
	struct loop_options options = { LOOP_ANY, 0, false };

	(void)state;
	assert_int_equal(loop_settle(&options), CLI_OK);
#ifdef HAVE_LIBEVENT
	assert_int_equal(options.kind, LOOP_EVENT);
	assert_int_equal(options.idle, FLUX_IDLE_SLEEP);
#else
	assert_int_equal(options.kind, LOOP_AUTO);
	assert_int_equal(options.idle, FLUX_IDLE_ADAPTIVE);
#endif
	for (uint32_t kind = LOOP_URING; kind <= LOOP_AUTO; kind++) {
		options = (struct loop_options){ kind, 0, false };
		assert_int_equal(loop_settle(&options), CLI_OK);
		assert_int_equal(options.idle, FLUX_IDLE_ADAPTIVE);
		for (uint32_t idle = FLUX_IDLE_ADAPTIVE; idle <= FLUX_IDLE_SLEEP; idle++) {
			options = (struct loop_options){ kind, idle, true };
			assert_int_equal(loop_settle(&options), CLI_OK);
			assert_int_equal(options.idle, idle);
		}
	}
}

static void test_a_base_sleeps_by_itself(void **state)
{
	struct loop_options options = { LOOP_EVENT, FLUX_IDLE_SPIN, true };

	(void)state;
	assert_int_equal(loop_settle(&options), CLI_USAGE);
	options.idle = FLUX_IDLE_ADAPTIVE;
	assert_int_equal(loop_settle(&options), CLI_USAGE);
	options.idle = FLUX_IDLE_SLEEP;
	assert_int_equal(loop_settle(&options), CLI_OK);
}

/* ---- Running ---- */

struct tool {
	struct loop loop;
	struct flux_timer *timer;
	pthread_t main_thread, thread;
	int answer; /* of start */
	bool at_once;
	int due, started, stopped, strange;
	int signal;
};

static void look(struct tool *tool)
{
	tool->strange += !pthread_equal(tool->thread, pthread_self());
}

static void on_due(void *ctx, struct flux_timer *timer)
{
	struct tool *tool = ctx;

	look(tool);
	if (++tool->due < 3)
		flux_timer_set(timer, flux_loop_now() + 1);
	else if (tool->signal)
		kill(getpid(), tool->signal);
	else
		loop_stop(&tool->loop);
}

static int start(void *ctx, struct loop *loop)
{
	struct tool *tool = ctx;

	tool->thread = pthread_self();
	tool->started++;
	if (tool->at_once)
		loop_stop(loop);
	if (tool->answer == CLI_OK && flux_timer_open(&tool->timer, loop->flux, on_due, tool) < 0)
		return CLI_FAILED;
	if (tool->timer)
		flux_timer_set(tool->timer, 0);
	return tool->answer;
}

static void stop(void *ctx)
{
	struct tool *tool = ctx;

	look(tool);
	tool->stopped++;
}

static void on_signal(void *ctx, int number)
{
	struct tool *tool = ctx;

	look(tool);
	tool->strange += number != tool->signal;
	loop_stop(&tool->loop);
}

/* Whether io_uring may be used here is another test's matter. */
static bool runs(const char *kind)
{
	struct loop_user user = { .start = start, .stop = stop };
	struct loop_options options = { LOOP_AUTO, 0, false };
	struct tool tool = { .at_once = true };

	if (!is_built(kind))
		return false;
	user.ctx = &tool;
	assert_int_equal(loop_run(&tool.loop, &options, &user), CLI_OK);
	assert_true(tool.loop.why[0] != '\0');
	return strcmp(kind, "uring") != 0 || tool.loop.ran == LOOP_URING;
}

static bool may_spin(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 2;
}

/* Each kind with each way to idle that it has: run `tool` anew, and look what became of it. */
static void each(const struct tool *as, int status, bool listens)
{
	struct loop_user user = { .start = start, .stop = stop };
	struct loop_options options;

	if (listens)
		user.on_signal = on_signal;
	for (size_t k = 0; k < COUNT(kinds); k++) {
		if (!runs(kinds[k]))
			continue;
		for (size_t i = 0; i < COUNT(idles); i++) {
			struct tool tool = *as;

			memset(&options, 0, sizeof(options));
			assert_int_equal(loop_parse_kind(&options, kinds[k]), CLI_OK);
			assert_int_equal(loop_parse_idle(&options, idles[i]), CLI_OK);
			if (options.kind == LOOP_EVENT && options.idle != FLUX_IDLE_SLEEP)
				continue;
			if (options.idle == FLUX_IDLE_SPIN && !may_spin())
				continue;
			user.ctx = &tool;
			tool.main_thread = pthread_self();
			assert_int_equal(loop_run(&tool.loop, &options, &user), status);
			assert_int_equal(tool.started, 1);
			assert_int_equal(tool.stopped, 1);
			assert_int_equal(tool.strange, 0);
			assert_true(status != CLI_OK || tool.at_once || tool.due >= 3);
			assert_int_equal(pthread_equal(tool.thread, tool.main_thread) != 0,
					 options.kind == LOOP_EVENT);
			if (options.kind != LOOP_AUTO)
				assert_int_equal(tool.loop.ran, options.kind);
			assert_true(tool.loop.ran != LOOP_AUTO);
		}
	}
}

static void test_each_runs_until_told(void **state)
{
	const struct tool tool = { .answer = CLI_OK };

	(void)state;
	each(&tool, CLI_OK, false);
	each(&tool, CLI_OK, true);
}

static void test_each_may_end_before_it_began(void **state)
{
	const struct tool tool = { .at_once = true };

	(void)state;
	each(&tool, CLI_OK, false);
}

static void test_a_start_that_fails_is_the_status(void **state)
{
	const struct tool tool = { .answer = CLI_USAGE };

	(void)state;
	each(&tool, CLI_USAGE, false);
}

static void test_signals_come_to_the_loop(void **state)
{
	struct tool tool = { .signal = SIGINT };
	sigset_t before, after;

	(void)state;
	sigprocmask(SIG_BLOCK, NULL, &before);
	each(&tool, CLI_OK, true);
	tool.signal = SIGTERM;
	each(&tool, CLI_OK, true);
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_what_is_filled_in),
		cmocka_unit_test(test_a_base_sleeps_by_itself),
		cmocka_unit_test(test_each_runs_until_told),
		cmocka_unit_test(test_each_may_end_before_it_began),
		cmocka_unit_test(test_a_start_that_fails_is_the_status),
		cmocka_unit_test(test_signals_come_to_the_loop),
	};

	return cmocka_run_group_tests_name("the loop of the tools", tests, NULL, NULL);
}
