/* SPDX-License-Identifier: MIT */
/* Sending what is due of a link in batches; runs of equal datagrams to one place by GSO. */
#include "relay/send.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#define RUN_BYTES 65000u /* below the largest UDP payload of IPv4 and IPv6 */

/* A refused datagram takes the error that waited at the socket with it; the next try goes. */
#define REFUSED_TRIES 3

void relay_send_init(struct relay_send *send, struct relay_link *link, int listen_fd)
{
	memset(send, 0, sizeof(*send));
	send->link = link;
	send->listen_fd = listen_fd;
	send->has_gso = true;
}

static void count_sent(struct relay_send *send, const struct relay_run *run)
{
	send->link->count.forwarded += run->count;
	send->link->count.bytes += run->bytes;
}

/* Set up message `i` for its run; the segment size is told only where there are several. */
static void fill_message(struct relay_send *send, uint32_t i)
{
	const struct relay_run *run = &send->runs[i];
	struct cli_addr *addr = &send->link->clients->table[run->client].addr;
	struct msghdr *msg = &send->msgs[i].msg_hdr;
	uint16_t segment = (uint16_t)run->segment;
	struct cmsghdr *cmsg;

	*msg = (struct msghdr){ .msg_iov = &send->iov[run->first], .msg_iovlen = run->count };
	if (send->link->direction == RELAY_BACKWARD) {
		msg->msg_name = &addr->ss;
		msg->msg_namelen = addr->len;
	}
	if (run->count == 1)
		return;
	msg->msg_control = send->control[i];
	msg->msg_controllen = sizeof(send->control[i]);
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(cmsg), &segment, sizeof(segment));
}

/* Send a refused run one by one. If that works, GSO was the reason and is given up. */
static void send_singly(struct relay_send *send, uint32_t i, int reason)
{
	const struct relay_run *run = &send->runs[i];
	struct msghdr msg = send->msgs[i].msg_hdr;
	bool gso_reason = reason == EINVAL || reason == EIO || reason == EMSGSIZE;
	ssize_t n;

	msg.msg_control = NULL;
	msg.msg_controllen = 0;
	msg.msg_iovlen = 1;
	for (uint32_t j = 0; j < run->count; j++) {
		int tries = 0;

		msg.msg_iov = &send->iov[run->first + j];
		do
			n = sendmsg(send->fd, &msg, 0);
		while (n < 0 &&
		       (errno == EINTR || (errno == ECONNREFUSED && ++tries < REFUSED_TRIES)));
		if (n < 0) {
			send->link->count.send_failed++;
			continue;
		}
		send->link->count.forwarded++;
		send->link->count.bytes += (uint64_t)n;
		if (run->count > 1 && gso_reason)
			send->has_gso = false;
	}
}

/* Send all runs that were collected and free their slots. */
static void send_runs(struct relay_send *send)
{
	uint32_t done = 0;
	int tries = 0;

	for (uint32_t i = 0; i < send->run_count; i++)
		fill_message(send, i);
	while (done < send->run_count) {
		int n = sendmmsg(send->fd, &send->msgs[done], send->run_count - done, 0);

		if (n > 0) {
			for (tries = 0; n > 0; n--)
				count_sent(send, &send->runs[done++]);
		} else if (errno == ECONNREFUSED && ++tries < REFUSED_TRIES) {
			continue;
		} else if (errno != EINTR) {
			send_singly(send, done++, errno);
		}
	}
	for (uint32_t i = 0; i < send->slot_count; i++)
		relay_line_free(&send->link->line, send->slots[i]);
	send->run_count = 0;
	send->slot_count = 0;
}

/* Whether a datagram of `len` bytes can prolong the last run. */
static bool joins_run(const struct relay_send *send, const struct relay_slot *datagram)
{
	const struct relay_run *run;

	if (!send->has_gso || send->run_count == 0)
		return false;
	run = &send->runs[send->run_count - 1];
	return run->client == datagram->client && run->count < RELAY_RUN_SEGMENTS &&
	       run->bytes == run->count * run->segment && /* no short one has ended it */
	       datagram->len > 0 && datagram->len <= run->segment &&
	       run->bytes + datagram->len <= RUN_BYTES;
}

static void collect(struct relay_send *send, uint32_t slot)
{
	struct relay_line *line = &send->link->line;
	const struct relay_slot *datagram = &line->slots[slot];
	struct relay_run *run;

	if (!joins_run(send, datagram))
		send->runs[send->run_count++] = (struct relay_run){
			.first = send->slot_count,
			.client = datagram->client,
			.segment = datagram->len,
		};
	run = &send->runs[send->run_count - 1];
	run->count++;
	run->bytes += datagram->len;
	send->iov[send->slot_count] = (struct iovec){
		.iov_base = relay_line_bytes(line, slot),
		.iov_len = datagram->len,
	};
	send->slots[send->slot_count++] = slot;
}

void relay_send_due(struct relay_send *send, uint64_t now)
{
	struct relay_link *link = send->link;
	uint32_t slot;
	int fd;

	while (relay_link_pop(link, now, &slot)) {
		fd = send->listen_fd;
		if (link->direction == RELAY_FORWARD)
			fd = link->clients->table[link->line.slots[slot].client].fd;
		if (fd != send->fd || send->run_count == RELAY_RUNS ||
		    send->slot_count == RELAY_SEND_SLOTS)
			send_runs(send);
		send->fd = fd;
		collect(send, slot);
	}
	send_runs(send);
}
