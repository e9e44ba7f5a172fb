/* SPDX-License-Identifier: MIT */
/* fluxrelay: a UDP relay that loses, delays, reorders, duplicates and corrupts as told. */
#include "common/cli.h"
#include "relay/options.h"
#include "relay/relay.h"

int main(int argc, char **argv)
{
	struct relay_options options;
	int rc;

	cli_init("fluxrelay");
	rc = relay_options_parse(argc, argv, &options);
	if (rc != CLI_OK || options.is_answered)
		return rc;
	return relay_run(&options);
}
