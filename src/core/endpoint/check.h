/* SPDX-License-Identifier: MIT */
/* A walk through everything an endpoint holds, for tests. */
#ifndef FLUX_CORE_ENDPOINT_CHECK_H
#define FLUX_CORE_ENDPOINT_CHECK_H

#include <flux/endpoint.h>

/* NULL, or what is inconsistent. */
const char *flux_endpoint_check(const struct flux_endpoint *ep);

#endif
