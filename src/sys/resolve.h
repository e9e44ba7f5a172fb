/* SPDX-License-Identifier: MIT */
/* "host:port" to an address, asking the resolver when the host is a name. */
#ifndef FLUX_SYS_RESOLVE_H
#define FLUX_SYS_RESOLVE_H

#include <stddef.h>

#include <flux/base.h>

/*
 * Numeric addresses are read at once; a name is looked up, which may block. Of several addresses the
 * first IPv4 one is taken, else the first: both ends of a name that has both families then meet.
 *
 * An empty host (":7000") gives family 0 with the port, for the caller to give a meaning to.
 * `family` 4 or 6 asks for that family only, 0 takes either.
 *
 * Returns 0, or FLUX_EINVAL with the words in why[why_cap].
 */
int flux_resolve(const char *text, uint8_t family, struct flux_addr *addr, char *why, size_t why_cap);

#endif
