/* SPDX-License-Identifier: MIT */
/* recvmmsg() and sendmmsg(), and what each of their errors means to the sender of datagrams. */
#include "loop/batch.h"

#include <errno.h>
#include <string.h>

#include <time.h>

#include "core/base/mem.h"

/* ---- Receiving ---- */

static size_t batch_bytes(uint32_t stride)
{
	return sizeof(struct flux_rx_batch) + (size_t)FLUX_RX_BATCH * stride;
}

struct flux_rx_batch *flux_rx_batch_create(const struct flux_mem *mem, uint32_t max_datagram)
{
	/* One byte more than we take: a longer datagram is seen to be longer. */
	uint32_t stride = (max_datagram + 1 + 63) & ~63u;
	struct flux_rx_batch *batch = flux_mem_take_zeroed(mem, 1, batch_bytes(stride));

	if (!batch)
		return NULL;
	batch->max_datagram = max_datagram;
	batch->stride = stride;
	for (uint32_t i = 0; i < FLUX_RX_BATCH; i++) {
		struct msghdr *msg = &batch->msgs[i].msg_hdr;

		batch->iov[i].iov_base = batch->buffers + (size_t)i * stride;
		batch->iov[i].iov_len = max_datagram + 1;
		msg->msg_iov = &batch->iov[i];
		msg->msg_iovlen = 1;
		msg->msg_name = &batch->from[i];
		msg->msg_control = batch->control[i];
	}
	return batch;
}

void flux_rx_batch_destroy(struct flux_rx_batch *batch, const struct flux_mem *mem)
{
	if (batch)
		flux_mem_give(mem, batch, 1, batch_bytes(batch->stride));
}

/* The kernel's notes beside a datagram. Returns when it arrived, on the wall's clock; 0 if not told. */
static flux_ts read_control(struct msghdr *msg, struct flux_binding_stats *stats)
{
	flux_ts arrival = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SO_RXQ_OVFL) {
			uint32_t drops; /* since the socket was opened, mod 2^32 */

			memcpy(&drops, CMSG_DATA(c), sizeof(drops));
			stats->rx_kernel_drops += (uint32_t)(drops - (uint32_t)stats->rx_kernel_drops);
		} else if (c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec t;

			memcpy(&t, CMSG_DATA(c), sizeof(t));
			arrival = FLUX_S(t.tv_sec) + (flux_ts)t.tv_nsec;
		}
	}
	return arrival;
}

/* Append what message `i` brought to the `n` datagrams there are. Returns how many there are then. */
static uint32_t take(struct flux_rx_batch *batch, uint32_t i, uint32_t n, struct flux_binding_stats *stats)
{
	struct msghdr *msg = &batch->msgs[i].msg_hdr;
	uint32_t len = batch->msgs[i].msg_len;
	flux_ts arrival = read_control(msg, stats);

	if ((msg->msg_flags & MSG_TRUNC) || len > batch->max_datagram) {
		stats->rx_truncated++;
		return n;
	}
	batch->rx[n].data = batch->iov[i].iov_base;
	batch->rx[n].len = len;
	flux_sockaddr_to(&batch->rx[n].from, &batch->from[i], msg->msg_namelen);
	batch->arrival[n] = arrival;
	return n + 1;
}

uint32_t flux_rx_batch_receive(struct flux_rx_batch *batch, struct flux_socket *sock)
{
	uint32_t n = 0;
	int rc;

	for (uint32_t i = 0; i < FLUX_RX_BATCH; i++) {
		batch->msgs[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
		batch->msgs[i].msg_hdr.msg_controllen = sizeof(batch->control[i]);
	}
	do {
		sock->stats.rx_syscalls++;
		rc = recvmmsg(sock->fd, batch->msgs, FLUX_RX_BATCH, MSG_DONTWAIT, NULL);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		/* Either an error waits here, or the socket was "ready" because one waits in its queue. */
		flux_socket_read_errors(sock);
		return 0;
	}
	for (uint32_t i = 0; i < (uint32_t)rc; i++)
		n = take(batch, i, n, &sock->stats);
	return n;
}

/* ---- Sending ---- */

/* The arguments of one sendmmsg(). */
struct outgoing {
	struct mmsghdr msgs[FLUX_PEEK_MAX];
	struct iovec iov[FLUX_PEEK_MAX][2];
	union flux_sockaddr to[FLUX_PEEK_MAX];
};

static void fill_name(struct outgoing *out, const struct flux_tx *tx, uint32_t i, uint8_t family)
{
	struct msghdr *msg = &out->msgs[i].msg_hdr;

	if (i > 0 && flux_addr_equal(&tx[i].to, &tx[i - 1].to)) {
		msg->msg_name = out->msgs[i - 1].msg_hdr.msg_name;
		msg->msg_namelen = out->msgs[i - 1].msg_hdr.msg_namelen;
		return;
	}
	/* Length 0, for what this socket cannot reach, makes the kernel refuse that datagram alone. */
	msg->msg_name = &out->to[i];
	msg->msg_namelen = flux_sockaddr_from(&out->to[i], &tx[i].to, family);
}

static void fill(struct outgoing *out, const struct flux_tx *tx, uint32_t n, uint8_t family)
{
	for (uint32_t i = 0; i < n; i++) {
		struct msghdr *msg = &out->msgs[i].msg_hdr;
		struct iovec *iov = out->iov[i];

		if (tx[i].head_len > 0)
			*iov++ = (struct iovec){ (void *)(uintptr_t)tx[i].head, tx[i].head_len };
		*iov++ = (struct iovec){ (void *)(uintptr_t)tx[i].body, tx[i].body_len };
		memset(msg, 0, sizeof(*msg));
		msg->msg_iov = out->iov[i];
		msg->msg_iovlen = (size_t)(iov - out->iov[i]);
		fill_name(out, tx, i, family);
	}
}

enum flux_tx_end flux_tx_batch_send(struct flux_socket *sock, const struct flux_tx *tx, uint32_t n,
				    uint32_t *done)
{
	struct flux_binding_stats *stats = &sock->stats;
	struct outgoing out;
	bool again = false; /* the datagram at *done was refused once */

	*done = 0;
	fill(&out, tx, n, sock->family);
	while (*done < n) {
		int rc = sendmmsg(sock->fd, out.msgs + *done, n - *done, MSG_DONTWAIT | MSG_NOSIGNAL);

		stats->tx_syscalls++;
		if (rc > 0) {
			*done += (uint32_t)rc;
			if (*done < n)
				flux_socket_read_errors(sock); /* what stopped it is not told */
			again = false;
			continue;
		}
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc == 0 || errno == EAGAIN) {
			stats->tx_refused++;
			return FLUX_TX_BLOCKED;
		}
		if (errno == ENOBUFS || errno == ENOMEM) {
			stats->tx_no_buffers++;
			++*done;
			return FLUX_TX_NO_BUFFERS;
		}
		/*
		 * Most likely the ICMP answer to some earlier datagram, maybe to another peer: reading
		 * it cleared it, so try once more. Twice in a row, it is this datagram that cannot leave.
		 */
		flux_socket_read_errors(sock);
		if (again) {
			stats->tx_errors++;
			++*done;
		}
		again = !again;
	}
	return FLUX_TX_ALL;
}
