/* SPDX-License-Identifier: MIT */
/* What of memcached's text protocol is served: one request a message, one reply to each. */
#ifndef EXAMPLES_EMBED_REQUEST_H
#define EXAMPLES_EMBED_REQUEST_H

#include <stddef.h>

/*
 * Whether `text` is one request, whole and nothing else, to which memcached gives one reply, whatever is
 * in its cache. Returns NULL, or why not.
 */
const char *request_check(const char *text, size_t len);

#endif
