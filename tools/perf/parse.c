/* SPDX-License-Identifier: MIT */
/* Values that the command lines of fluxperf have in common. */
#include "perf/parse.h"

#include <getopt.h>
#include <stdlib.h>

int perf_parse_u32(const struct cli_uint *spec, uint32_t *value)
{
	uint64_t n = 0;
	int rc = cli_parse_size(spec, optarg, &n);

	if (rc == CLI_OK)
		*value = (uint32_t)n;
	return rc;
}

int perf_parse_seconds(uint64_t *ns)
{
	static const struct cli_real spec = { "--seconds", "seconds, such as 2.5", 0.01, 3600 };
	double seconds = 0;
	int rc = cli_parse_real(&spec, optarg, &seconds);

	if (rc == CLI_OK)
		*ns = (uint64_t)(seconds * 1e9);
	return rc;
}

/* A CPU of the list at *text, which moves behind it. */
static int parse_cpu(const char **text, uint32_t *cpu)
{
	char *end;
	unsigned long n = strtoul(*text, &end, 10);

	if (**text < '0' || **text > '9' || n > 4095)
		return cli_usage("--cpus: '%s' is no list of CPUs; give numbers from 0 to 4095, such as 0,2-3",
				 optarg);
	*cpu = (uint32_t)n;
	*text = end;
	return CLI_OK;
}

int perf_parse_cpus(struct cpus *cpus)
{
	const char *text = optarg;
	uint32_t first, last;

	cpus->count = 0;
	do {
		if (parse_cpu(&text, &first) != CLI_OK)
			return CLI_USAGE;
		last = first;
		if (*text == '-') {
			text++;
			if (parse_cpu(&text, &last) != CLI_OK)
				return CLI_USAGE;
		}
		if (last < first || last - first >= CPUS_MOST - cpus->count)
			return cli_usage("--cpus: '%s' runs backwards or names more than %d CPUs", optarg,
					 CPUS_MOST);
		while (first <= last)
			cpus->list[cpus->count++] = first++;
	} while (*text == ',' && text++);
	if (*text)
		return cli_usage("--cpus: '%s' is no list of CPUs; write it as 0,2-3", optarg);
	return CLI_OK;
}
