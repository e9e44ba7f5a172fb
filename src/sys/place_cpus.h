/* SPDX-License-Identifier: MIT */
/* Sets of CPUs as text, for /sys and for explanations. */
#ifndef FLUX_SYS_PLACE_CPUS_H
#define FLUX_SYS_PLACE_CPUS_H

#include <flux/place.h>

/* "0-3,8\n" to a set; FLUX_EINVAL if it is no such list or has CPUs beyond FLUX_CPUS_MAX. */
int flux_cpus_parse(const char *text, struct flux_cpus *cpus);
/* A set to "0-3,8", cut where the room ends; "none" if it is empty. Returns `out`. */
const char *flux_cpus_format(const struct flux_cpus *cpus, char *out, size_t cap);

#endif
