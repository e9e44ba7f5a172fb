/* SPDX-License-Identifier: MIT */
/* recvmmsg(), and taking apart what the kernel joined (UDP_GRO). */
#include <errno.h>
#include <string.h>

#include <netinet/udp.h>
#include <time.h>

#include "core/base/mem.h"
#include "loop/batch.h"
#include "sys/pktinfo.h"

/* The most that UDP carries: joined datagrams fill it. */
#define JOINED_MAX 65535u

/* Joined messages asked for at a time: each is worth a budget of its own. */
#define JOINED_ASK 2

static size_t batch_bytes(uint32_t stride)
{
	return sizeof(struct flux_rx_batch) + (size_t)FLUX_RX_BATCH * stride;
}

struct flux_rx_batch *flux_rx_batch_create(const struct flux_mem *mem, uint32_t max_datagram, bool joined)
{
	/* One byte more than we take: a longer datagram is seen to be longer. */
	uint32_t room = joined ? JOINED_MAX : max_datagram + 1;
	uint32_t stride = (room + 63) & ~63u;
	struct flux_rx_batch *batch = flux_mem_take(mem, 1, batch_bytes(stride));

	if (!batch)
		return NULL;
	memset(batch, 0, sizeof(*batch)); /* not the buffers: they are touched on use */
	batch->max_datagram = max_datagram;
	batch->stride = stride;
	for (uint32_t i = 0; i < FLUX_RX_BATCH; i++) {
		batch->iov[i].iov_base = batch->buffers + (size_t)i * stride;
		batch->iov[i].iov_len = room;
	}
	return batch;
}

void flux_rx_batch_destroy(struct flux_rx_batch *batch, const struct flux_mem *mem)
{
	if (batch)
		flux_mem_give(mem, batch, 1, batch_bytes(batch->stride));
}

static void note_drops(struct flux_binding_stats *stats, const struct cmsghdr *c)
{
	uint32_t drops; /* since the socket was opened, mod 2^32 */

	memcpy(&drops, CMSG_DATA(c), sizeof(drops));
	stats->rx_kernel_drops += (uint32_t)(drops - (uint32_t)stats->rx_kernel_drops);
}

static flux_ts read_stamp(const struct cmsghdr *c)
{
	struct timespec t;

	memcpy(&t, CMSG_DATA(c), sizeof(t));
	return FLUX_S(t.tv_sec) + (flux_ts)t.tv_nsec;
}

static uint32_t read_segment(const struct cmsghdr *c)
{
	int size;

	memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (uint32_t)size : 0;
}

static bool is_mark(const struct cmsghdr *c)
{
	return (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
	       (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS);
}

/* The two last bits of a byte (IPv4) or of an int in the host's order (IPv6). */
static uint8_t read_mark(const struct cmsghdr *c)
{
	int tclass = 0;

	if (c->cmsg_level == IPPROTO_IP)
		return *CMSG_DATA(c) & 3;
	memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
	return tclass & 3;
}

/* The kernel's notes beside a message. */
static void read_control(struct flux_rx_batch *batch, uint32_t i, struct flux_binding_stats *stats)
{
	struct msghdr *msg = &batch->msgs[i].msg_hdr;
	struct flux_rx_note *note = &batch->note[i];

	batch->arrival[i] = 0;
	*note = (struct flux_rx_note){ 0 };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			note_drops(stats, c);
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			batch->arrival[i] = read_stamp(c);
		else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			note->segment = read_segment(c);
		else if (is_mark(c))
			note->ecn = read_mark(c);
		else if (flux_pktinfo_read(&batch->local[i], c))
			note->has_local = true;
	}
}

/* The kernel writes to these two of a header only, and to its flags. */
static void prepare(struct flux_rx_batch *batch, uint32_t ask)
{
	for (uint32_t i = 0; i < ask; i++) {
		struct msghdr *msg = &batch->msgs[i].msg_hdr;

		msg->msg_namelen = sizeof(batch->from[i]);
		msg->msg_controllen = sizeof(batch->control[i]);
		if (msg->msg_iov == &batch->iov[i])
			continue;
		msg->msg_name = &batch->from[i]; /* it is new, or was another's: see take() */
		msg->msg_iov = &batch->iov[i];
		msg->msg_iovlen = 1;
		msg->msg_control = batch->control[i];
	}
}

/*
 * How many messages to ask for. A loop that looks by itself looks again at once, so it asks for one where it
 * found no more the last time, which costs less. Any other reads what is there: what it left would look late.
 */
static uint32_t to_ask(const struct flux_rx_batch *batch, bool looks)
{
	if (batch->joined)
		return JOINED_ASK;
	return looks && !batch->busy ? 1 : FLUX_RX_BATCH;
}

/* As recvmmsg(). */
static int receive(struct flux_rx_batch *batch, const struct flux_socket *sock, uint32_t ask)
{
	ssize_t len;

	if (ask > 1)
		return recvmmsg(sock->fd, batch->msgs, ask, MSG_DONTWAIT, NULL);
	len = recvmsg(sock->fd, &batch->msgs[0].msg_hdr, MSG_DONTWAIT);
	if (len < 0)
		return -1;
	batch->msgs[0].msg_len = (uint32_t)len;
	return 1;
}

uint32_t flux_rx_batch_receive(struct flux_rx_batch *batch, struct flux_socket *sock, bool ready)
{
	uint32_t ask = to_ask(batch, !ready);
	int rc;

	prepare(batch, ask);
	do {
		sock->stats.rx_syscalls++;
		rc = receive(batch, sock, ask);
	} while (rc < 0 && errno == EINTR);
	batch->busy = ask > 1 ? rc > 1 : rc > 0;
	if (rc < 0) {
		/* Either an error waits here, or the socket was "ready" because one waits in its queue. */
		if (ready || errno != EAGAIN)
			flux_socket_read_errors(sock);
		return 0;
	}
	batch->joined = false;
	for (uint32_t i = 0; i < (uint32_t)rc; i++) {
		read_control(batch, i, &sock->stats);
		batch->joined = batch->joined || batch->note[i].segment > 0;
	}
	return (uint32_t)rc;
}

uint32_t flux_rx_batch_take(struct flux_rx_batch *batch, const struct msghdr *msgs, uint32_t n,
			    struct flux_binding_stats *stats)
{
	if (n > FLUX_RX_BATCH)
		n = FLUX_RX_BATCH;
	stats->rx_syscalls++; /* or a share of one */
	for (uint32_t i = 0; i < n; i++) {
		batch->msgs[i].msg_hdr = msgs[i];
		batch->msgs[i].msg_len = (uint32_t)msgs[i].msg_iov->iov_len;
		read_control(batch, i, stats);
	}
	return n;
}

uint32_t flux_rx_batch_split(struct flux_rx_batch *batch, uint32_t i, struct flux_binding_stats *stats)
{
	const struct msghdr *msg = &batch->msgs[i].msg_hdr;
	const struct flux_rx_note note = batch->note[i];
	const struct flux_local *local = note.has_local ? &batch->local[i] : NULL;
	uint32_t left = batch->msgs[i].msg_len, segment = note.segment ? note.segment : left;
	const uint8_t *data = msg->msg_iov->iov_base;
	uint32_t n = 0;

	if ((msg->msg_flags & MSG_TRUNC) || segment > batch->max_datagram) {
		stats->rx_truncated++;
		return 0;
	}
	flux_sockaddr_to(&batch->rx[0].from, msg->msg_name, msg->msg_namelen);
	do {
		uint32_t len = left < segment ? left : segment;

		batch->rx[n] = (struct flux_rx){ data, len, note.ecn, batch->rx[0].from, local };
		data += len;
		left -= len;
		n++;
	} while (left > 0 && n < FLUX_RX_SEGMENTS);
	return n;
}
