/* SPDX-License-Identifier: MIT */
/* A relay of fluxrelay's between the two ends of a measurement: it loses and delays. */
#include "perf/net_relay.h"

#include <errno.h>
#include <string.h>

#include <sys/random.h>

#include "relay/relay.h"
#include "relay/report.h"

static void on_listening(void *ctx, const struct cli_addr *local)
{
	struct net_stage *stage = ctx;
	char text[CLI_ADDR_TEXT];

	net_place_tell(&stage->relay, cli_addr_format(local, text));
}

static void on_end(void *ctx, const struct relay_report *report)
{
	struct net_stage *stage = ctx;

	for (int i = 0; i < 2; i++) {
		const struct relay_counters *count = report->count[i];

		stage->relay_lost += count->lost;
		stage->relay_dropped += count->queue_dropped + count->kernel_dropped + count->send_failed;
	}
}

int net_relay_run(struct net_stage *stage)
{
	const struct relay_owner owner = { on_listening, on_end, stage };
	struct relay_options options = { .owner = &owner };
	uint32_t seed;
	int rc;

	options.set.loss = stage->options->loss;
	options.set.delay_ns = (uint64_t)(stage->options->delay_ms * RELAY_NS_PER_MS);
	options.set.header_bytes = RELAY_IPV4_UDP_BYTES;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return cli_fail("no random seed from the system: %s", strerror(errno));
	options.seed = seed;
	rc = cli_addr_parse("relay", "127.0.0.1:0", CLI_ADDR_LISTEN, &options.listen);
	if (rc == CLI_OK)
		rc = cli_addr_parse("relay", stage->receiver.addr, CLI_ADDR_CONNECT, &options.target);
	return rc == CLI_OK ? relay_run(&options) : rc;
}
