/* SPDX-License-Identifier: MIT */
/* The option --options of the tools. What there is to set, the library knows. */
#include "common/tuning.h"

#include <stdio.h>
#include <string.h>

#include "common/cli.h"

bool tuning_wants_help(const char *text)
{
	return strcmp(text, "help") == 0;
}

int tuning_print_help(void)
{
	struct flux_option option = FLUX_OPTION_INIT;

	printf("--options KEY=VALUE,KEY=VALUE...\n");
	for (uint32_t i = 0; flux_endpoint_option(i, &option); i++)
		printf("\n  %s: %s\n      %s (default %s)\n", option.key, option.meaning, option.range,
		       option.initial);
	printf("\nA tool may have other defaults: those here are the library's. Sizes and rates take K, M and G\n"
	       "(powers of 1024), times need us, ms or s.\n");
	return cli_close_stdout();
}

int tuning_apply(struct flux_endpoint_cfg *cfg, const char *text)
{
	char why[FLUX_WHY_TEXT];

	if (text && flux_endpoint_cfg_parse(cfg, text, why) < 0)
		return cli_usage("--options: %s", why);
	return CLI_OK;
}
