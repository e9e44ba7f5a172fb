/* SPDX-License-Identifier: MIT */
/* Receiving datagrams in batches. */
#ifndef FLUX_TOOLS_RELAY_RECV_H
#define FLUX_TOOLS_RELAY_RECV_H

#include <stdint.h>
#include <sys/socket.h>

#define RELAY_BATCH    64u /* datagrams of one recvmmsg() */
#define RELAY_DATAGRAM 65536u

struct relay_recv {
	struct mmsghdr msgs[RELAY_BATCH];
	struct iovec iov[RELAY_BATCH];
	struct sockaddr_storage names[RELAY_BATCH];
	uint8_t *bytes; /* RELAY_DATAGRAM for each message */
};

/* Returns 0 or a negative errno value. */
int relay_recv_create(struct relay_recv *recv);
void relay_recv_destroy(struct relay_recv *recv);

/*
 * Receive up to RELAY_BATCH datagrams without waiting; message i of the batch is in iov[i].
 * Returns how many came; 0 too when there was only a pending error, which is cleared by that.
 */
uint32_t relay_recv_batch(struct relay_recv *recv, int fd);

#endif
