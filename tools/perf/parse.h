/* SPDX-License-Identifier: MIT */
/* Values that the command lines of fluxperf have in common; each reads `optarg`. */
#ifndef FLUX_TOOLS_PERF_PARSE_H
#define FLUX_TOOLS_PERF_PARSE_H

#include <stdint.h>

#include "common/cli.h"
#include "common/cpus.h"

/* Each returns CLI_OK, or CLI_USAGE after a message. The maximum of `spec` fits 32 bits. */
int perf_parse_u32(const struct cli_uint *spec, uint32_t *value);
int perf_parse_seconds(uint64_t *ns);
int perf_parse_cpus(struct cpus *cpus);

#endif
