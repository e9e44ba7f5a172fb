/* SPDX-License-Identifier: MIT */
/* Network namespaces for tests: interfaces and addresses that nobody else sees. For root, with iproute2. */
#ifndef FLUX_TESTS_LIB_NETNS_H
#define FLUX_TESTS_LIB_NETNS_H

#include <stdbool.h>

/*
 * Live in a new namespace whose loopback is up, from now on. Returns a descriptor of it, to come back with
 * netns_enter(); -1: we may not, or there is no ip(8).
 */
int netns_new(void);

/* Open sockets there from now on. */
bool netns_enter(int fd);

/* Run ip(8) in the present namespace, with arguments as printf() makes them; false if it failed. */
bool netns_ip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
