/* SPDX-License-Identifier: MIT */
/* The loop of a measurement, of the kind that --loop and --idle name. */
#include "lib/host.h"

#include <stdlib.h>

#include "common/cli.h"

struct pinned {
	const struct bench_options *options;
	const struct loop_user *user;
	unsigned nth;
};

/* On the loop's own thread, once it is there: who opens a thread that spins must see both CPUs. */
static int start(void *ctx, struct loop *loop)
{
	const struct pinned *pinned = ctx;

	if (pinned->options->spread)
		bench_pin(pinned->nth);
	return pinned->user->start(pinned->user->ctx, loop);
}

static void stop(void *ctx)
{
	const struct pinned *pinned = ctx;

	if (pinned->user->stop)
		pinned->user->stop(pinned->user->ctx);
}

void bench_host_run(const struct bench_options *options, unsigned nth, struct loop *loop,
		    const struct loop_user *user)
{
	struct pinned pinned = { options, user, nth };
	const struct loop_user mine = { .start = start, .stop = stop, .ctx = &pinned };
	struct loop_options how = { 0 };
	int rc = CLI_OK;

	bench_cpus();
	if (options->loop)
		rc = loop_parse_kind(&how, options->loop);
	if (rc == CLI_OK && options->idle)
		rc = loop_parse_idle(&how, options->idle);
	if (rc == CLI_OK)
		rc = loop_settle(&how);
	if (rc == CLI_OK)
		rc = loop_run(loop, &how, &mine);
	if (rc != CLI_OK)
		exit(1);
}

const char *bench_host_name(const struct loop *loop)
{
	return loop_kind_name(loop->ran);
}
