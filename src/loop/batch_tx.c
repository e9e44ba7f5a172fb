/* SPDX-License-Identifier: MIT */
/* sendmmsg(), joining equal datagrams for the kernel to cut (UDP_SEGMENT), and what its errors mean. */
#include <errno.h>
#include <string.h>

#include <netinet/udp.h>

#include "core/base/addr.h"
#include "loop/batch.h"
#include "sys/pktinfo.h"

/* A run is at most this: what one IPv4 datagram could carry, and what every kernel takes. */
#define RUN_BYTES    65507u
#define RUN_SEGMENTS 64u

/*
 * Messages of one sendmmsg(), and pieces of all of them: one for each that lies back to back, and behind
 * those still two for each datagram of a longest run.
 */
#define MESSAGES 64u
#define PIECES   (MESSAGES + 2 * RUN_SEGMENTS)

/* What the kernel is told beside a message: how to cut it, and which of our addresses it is from. */
#define NOTES (CMSG_SPACE(sizeof(uint16_t)) + FLUX_PKTINFO_SPACE)

/* Lent are messages of so many bytes; less is sooner copied than kept account of. */
#define LEND_FROM 16384u

/* The arguments of one sendmmsg(): each message is a run of `count` datagrams. */
struct outgoing {
	struct mmsghdr msgs[MESSAGES];
	struct iovec iov[PIECES];
	union flux_sockaddr to[MESSAGES];
	_Alignas(struct cmsghdr) uint8_t control[MESSAGES][NOTES];
	uint16_t count[MESSAGES];
	uint32_t n;
	struct flux_tx_lender *lender;
};

static uint32_t length(const struct flux_tx *tx)
{
	return tx->head_len + tx->body_len;
}

/* From one place to one other; what only looks different costs a message. */
static bool same_way(const struct flux_tx *a, const struct flux_tx *b)
{
	return a->local == b->local && flux_addr_same(&a->to, &b->to);
}

/* How many of `tx` make one run: one way, equal lengths, only the last one may be shorter; none empty. */
static uint32_t run_length(const struct flux_tx *tx, uint32_t n, bool joins)
{
	uint32_t segment = length(&tx[0]), most, k = 1;

	if (!joins || segment == 0)
		return 1;
	most = RUN_BYTES / segment < RUN_SEGMENTS ? RUN_BYTES / segment : RUN_SEGMENTS;
	most = most < n ? most : n;
	while (k < most && length(&tx[k]) == segment && same_way(&tx[k], &tx[0]))
		k++;
	if (k < most && length(&tx[k]) - 1 < segment && same_way(&tx[k], &tx[0]))
		k++;
	return k;
}

/* Append bytes; what lies behind the last ones becomes one piece with them. */
static void put(struct msghdr *msg, const void *data, uint32_t len)
{
	struct iovec *last = msg->msg_iov + msg->msg_iovlen - 1;

	if (len == 0)
		return;
	if (msg->msg_iovlen > 0 && (const uint8_t *)last->iov_base + last->iov_len == data) {
		last->iov_len += len;
		return;
	}
	last[1] = (struct iovec){ (void *)(uintptr_t)data, len };
	msg->msg_iovlen++;
}

static size_t put_segment(void *control, uint16_t segment)
{
	struct cmsghdr *c = control;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	return CMSG_SPACE(sizeof(segment));
}

/* The notes beside a run of `k`. */
static void annotate(struct msghdr *msg, uint8_t *control, const struct flux_tx *tx, uint32_t k,
		     uint8_t family)
{
	size_t used = k > 1 ? put_segment(control, (uint16_t)length(tx)) : 0;

	if (tx->local)
		used += flux_pktinfo_write(control + used, tx->local, family);
	msg->msg_control = control;
	msg->msg_controllen = used;
}

/* Make messages of the first of `n` datagrams: as many as there is room for. */
static void fill(struct outgoing *out, const struct flux_socket *sock, const struct flux_tx *tx, uint32_t n)
{
	struct iovec *iov = out->iov;
	uint32_t i = 0;

	for (out->n = 0; i < n && out->n < MESSAGES; out->n++) {
		struct msghdr *msg = &out->msgs[out->n].msg_hdr;
		uint32_t k = run_length(tx + i, n - i, sock->joins);

		/* It may take all of its pieces, or only one. */
		if (iov + 2 * k > out->iov + PIECES)
			return;
		*msg = (struct msghdr){ .msg_name = &out->to[out->n], .msg_iov = iov };
		msg->msg_namelen = flux_sockaddr_from(&out->to[out->n], &tx[i].to, sock->family);
		/* Out of this socket's reach: the kernel refuses that one alone. Length 0 would be its peer. */
		if (msg->msg_namelen == 0)
			msg->msg_namelen = flux_sockaddr_from(&out->to[out->n], &tx[i].to, tx[i].to.family);
		if (k > 1 || tx[i].local)
			annotate(msg, out->control[out->n], &tx[i], k, sock->family);
		out->count[out->n] = (uint16_t)k;
		for (; k > 0; k--, i++) {
			if (tx[i].head_len > 0)
				put(msg, tx[i].head, tx[i].head_len);
			put(msg, tx[i].body, tx[i].body_len);
		}
		iov += msg->msg_iovlen;
	}
}

/* `n` messages from the `m`-th on have left. Returns how many datagrams they were. */
static uint32_t count_sent(struct flux_socket *sock, const struct outgoing *out, uint32_t m, uint32_t n)
{
	uint32_t datagrams = 0, bytes = 0;

	for (uint32_t end = m + n; m < end; m++) {
		datagrams += out->count[m];
		bytes += out->msgs[m].msg_len;
	}
	sock->doubted = false;
	sock->tx_datagrams += datagrams;
	sock->tx_bytes += bytes;
	return datagrams;
}

enum step {
	STEP_GO,
	STEP_REFILL,
	STEP_SKIP,
	STEP_BLOCKED,
	STEP_NO_BUFFERS
};

/* What to do about an error at message `m`; `again` tells that it was refused once already. */
static enum step judge(struct flux_socket *sock, const struct outgoing *out, uint32_t m, int error, bool *again)
{
	if (error == EINTR)
		return STEP_GO;
	if (error == EAGAIN) {
		sock->stats.tx_refused++;
		return STEP_BLOCKED;
	}
	if (error == ENOBUFS || error == ENOMEM) {
		sock->stats.tx_no_buffers++;
		return STEP_NO_BUFFERS;
	}
	/* A device or a path that cannot cut: from here on each datagram goes by itself. Nothing is lost. */
	if (out->count[m] > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
		sock->joins = false;
		sock->doubted = true;
		sock->stats.tx_offload_off = 1;
		return STEP_REFILL;
	}
	/*
	 * Most likely the ICMP answer to some earlier datagram, maybe to another peer: reading
	 * it cleared it, so try once more. Twice in a row, it is this message that cannot leave.
	 */
	flux_socket_read_errors(sock);
	*again = !*again;
	if (*again)
		return STEP_GO;
	sock->stats.tx_errors += out->count[m];
	return STEP_SKIP;
}

/* Datagrams cannot leave, whatever is done: if cutting was suspected of it, that was unjust. */
static void give_up(struct flux_socket *sock, const struct flux_tx *tx, uint32_t n, int error)
{
	if (sock->doubted) {
		sock->doubted = false;
		sock->joins = true;
		sock->stats.tx_offload_off = 0;
	}
	if (sock->on_lost)
		sock->on_lost(sock->ctx, tx, n, error);
}

static bool to_lend(const struct outgoing *out, uint32_t m)
{
	const struct msghdr *msg = &out->msgs[m].msg_hdr;

	return out->lender && msg->msg_iovlen == 1 && msg->msg_iov->iov_len >= LEND_FROM;
}

/* A call for one message costs less than the call for several. */
static int send_alone(const struct flux_socket *sock, struct mmsghdr *msg)
{
	ssize_t rc = sendmsg(sock->fd, &msg->msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (rc < 0)
		return -1;
	msg->msg_len = (uint32_t)rc;
	return 1;
}

/*
 * One call to the kernel, for messages from `m` on, which begins with datagram `first`. Answers as sendmmsg()
 * for `asked` of them: one that is lent, or those up to the next such one; what cannot be lent is copied.
 */
static int hand_over(struct flux_socket *sock, struct outgoing *out, uint32_t m, uint32_t first, uint32_t *asked)
{
	struct mmsghdr *msg = &out->msgs[m];
	uint32_t n = 1;

	*asked = 1;
	sock->stats.tx_syscalls++;
	if (to_lend(out, m) && out->lender->lend(out->lender, &msg->msg_hdr, first, out->count[m])) {
		msg->msg_len = (uint32_t)msg->msg_hdr.msg_iov->iov_len;
		return 1;
	}
	if (!out->lender)
		n = out->n - m;
	while (m + n < out->n && !to_lend(out, m + n))
		n++;
	*asked = n;
	if (n == 1)
		return send_alone(sock, msg);
	return sendmmsg(sock->fd, msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum flux_tx_end flux_tx_batch_send(struct flux_socket *sock, const struct flux_tx *tx, uint32_t n,
				    uint32_t *done, struct flux_tx_lender *lender)
{
	struct outgoing out;
	bool again = false;
	uint32_t m = 0;

	*done = 0;
	out.lender = lender;
	for (out.n = 0;;) {
		uint32_t asked;
		int rc, error;

		if (m == out.n) {
			if (*done == n)
				return FLUX_TX_ALL;
			fill(&out, sock, tx + *done, n - *done);
			m = 0;
		}
		rc = hand_over(sock, &out, m, *done, &asked);
		error = errno;
		if (rc > 0) {
			*done += count_sent(sock, &out, m, (uint32_t)rc);
			m += (uint32_t)rc;
			if ((uint32_t)rc < asked)
				flux_socket_read_errors(sock); /* what stopped it is not told */
			again = false;
			continue;
		}
		switch (rc == 0 ? STEP_BLOCKED : judge(sock, &out, m, error, &again)) {
		case STEP_GO:
			break;
		case STEP_REFILL:
			m = out.n = 0;
			break;
		case STEP_BLOCKED:
			return FLUX_TX_BLOCKED;
		case STEP_NO_BUFFERS:
			*done += out.count[m];
			return FLUX_TX_NO_BUFFERS;
		case STEP_SKIP:
			give_up(sock, tx + *done, out.count[m], error);
			*done += out.count[m++];
			break;
		}
	}
}
