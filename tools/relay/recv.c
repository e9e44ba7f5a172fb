/* SPDX-License-Identifier: MIT */
/* Receiving datagrams in batches. */
#include "relay/recv.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define TOTAL ((size_t)RELAY_BATCH * RELAY_DATAGRAM)

int relay_recv_create(struct relay_recv *recv)
{
	memset(recv, 0, sizeof(*recv));
	recv->bytes = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (recv->bytes == MAP_FAILED) {
		recv->bytes = NULL;
		return -errno;
	}
	for (uint32_t i = 0; i < RELAY_BATCH; i++) {
		recv->iov[i].iov_base = recv->bytes + (size_t)i * RELAY_DATAGRAM;
		recv->iov[i].iov_len = RELAY_DATAGRAM;
		recv->msgs[i].msg_hdr.msg_iov = &recv->iov[i];
		recv->msgs[i].msg_hdr.msg_iovlen = 1;
		recv->msgs[i].msg_hdr.msg_name = &recv->names[i];
	}
	return 0;
}

void relay_recv_destroy(struct relay_recv *recv)
{
	if (recv->bytes)
		munmap(recv->bytes, TOTAL);
	recv->bytes = NULL;
}

uint32_t relay_recv_batch(struct relay_recv *recv, int fd)
{
	int n;

	for (uint32_t i = 0; i < RELAY_BATCH; i++)
		recv->msgs[i].msg_hdr.msg_namelen = sizeof(recv->names[i]);
	n = recvmmsg(fd, recv->msgs, RELAY_BATCH, MSG_DONTWAIT, NULL);
	return n > 0 ? (uint32_t)n : 0;
}
