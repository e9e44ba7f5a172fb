/* SPDX-License-Identifier: MIT */
/* A host that has nothing but poll(): the smallest adapter, as flux/loop.h describes one. */
#ifndef FLUX_TESTS_LOOP_POLLHOST_H
#define FLUX_TESTS_LOOP_POLLHOST_H

#include <flux/loop.h>

/* Open a loop with memory from `mem` (NULL: the C library's). */
int pollhost_open(struct flux_loop **loop, void **host, const struct flux_mem *mem);
/* The same, with the test's own ops.send: its slot is the descriptor's number. */
int pollhost_open_lent(struct flux_loop **loop, void **host,
		       int (*send)(void *host, void *slot, const struct msghdr *msg, uint32_t run));
/* As the loop gave it for this descriptor; NULL: it is not watched. */
void *pollhost_tag(const void *host, int fd);
/* One round: poll for some milliseconds at most, the fds that are ready, a turn. */
void pollhost_round(void *host);
/* After flux_loop_close(). */
void pollhost_close(void *host);

#endif
