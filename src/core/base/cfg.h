/* SPDX-License-Identifier: MIT */
/* The one rule for structs that grow: their first member says how much of them the caller knows. */
#ifndef FLUX_CORE_BASE_CFG_H
#define FLUX_CORE_BASE_CFG_H

#include <stddef.h>

/*
 * Copy a caller's configuration over the defaults in `dst`. Returns 0; FLUX_EINVAL if its size is
 * too small to be true; FLUX_E2BIG if it is longer than ours and the rest is not zero.
 */
int flux_cfg_copy(void *dst, size_t known, const void *src);

/* Copy as much of `known` bytes of counters at `src` as dst->size asks for; dst->size stays. */
void flux_stats_copy(void *dst, const void *src, size_t known);

#endif
