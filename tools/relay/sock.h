/* SPDX-License-Identifier: MIT */
/* The relay's UDP sockets: opening, large buffers, and what the kernel dropped in them. */
#ifndef FLUX_TOOLS_RELAY_SOCK_H
#define FLUX_TOOLS_RELAY_SOCK_H

#include "common/cli.h"

#include <stdint.h>

/* Bytes asked for: room for some 50 ms of 250,000 datagrams a second while we do not run. */
#define RELAY_RCVBUF_BYTES (16 << 20)

/*
 * Open a UDP socket bound to `local`, or connected to `remote` if `local` is NULL. The first
 * one whose receive buffer stays small says so. Returns it, or a negative errno value.
 */
int relay_sock_open(const struct cli_addr *local, const struct cli_addr *remote);

/* Datagrams that the kernel dropped at this socket since it was opened, the latest included. */
uint64_t relay_sock_dropped(int fd);

#endif
