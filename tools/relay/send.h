/* SPDX-License-Identifier: MIT */
/* Sending what is due of a link in batches; runs of equal datagrams to one place by GSO. */
#ifndef FLUX_TOOLS_RELAY_SEND_H
#define FLUX_TOOLS_RELAY_SEND_H

#include "relay/link.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RELAY_RUNS         64u  /* of one sendmmsg() */
#define RELAY_SEND_SLOTS   256u /* datagrams of one sendmmsg() */
#define RELAY_RUN_SEGMENTS 64u  /* what every kernel with UDP_SEGMENT takes */

/* Datagrams that the kernel gets as one and cuts: all of one size, the last may be shorter. */
struct relay_run {
	uint32_t first; /* in relay_send.slots */
	uint32_t count;
	uint32_t client;
	uint32_t segment;
	uint32_t bytes;
};

struct relay_send {
	struct relay_link *link;
	int listen_fd; /* for backward datagrams; forward ones have the client's own socket */
	bool has_gso;  /* until the kernel refuses it */
	int fd;        /* of the runs collected */
	uint32_t run_count;
	uint32_t slot_count;
	struct relay_run runs[RELAY_RUNS];
	uint32_t slots[RELAY_SEND_SLOTS];
	struct iovec iov[RELAY_SEND_SLOTS];
	struct mmsghdr msgs[RELAY_RUNS];
	_Alignas(struct cmsghdr) uint8_t control[RELAY_RUNS][CMSG_SPACE(sizeof(uint16_t))];
};

void relay_send_init(struct relay_send *send, struct relay_link *link, int listen_fd);

/* Send all that is due at `now`. The sockets block, so that a full one drops nothing. */
void relay_send_due(struct relay_send *send, uint64_t now);

#endif
