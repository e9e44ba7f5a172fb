/* SPDX-License-Identifier: MIT */
/* What the kernel does with runs of datagrams, tried on the loopback. A network device may yet refuse to cut. */
#include "doctor/doctor.h"

#include <errno.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SEGMENT  500
#define SEGMENTS 3
#define RUN      (SEGMENT * SEGMENTS)

/* Enough for the smallest receive buffer to overflow. */
#define FLOOD 200

struct pair {
	int in, out; /* `out` is connected to `in` */
};

static void close_pair(struct pair *pair)
{
	if (pair->in >= 0)
		close(pair->in);
	if (pair->out >= 0)
		close(pair->out);
}

static bool open_pair(struct pair *pair)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_usec = 500000 };
	socklen_t len = sizeof(at);

	pair->in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pair->out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (pair->in >= 0 && pair->out >= 0 && bind(pair->in, (struct sockaddr *)&at, len) == 0 &&
	    getsockname(pair->in, (struct sockaddr *)&at, &len) == 0 &&
	    setsockopt(pair->in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(pair->out, (struct sockaddr *)&at, len) == 0)
		return true;
	close_pair(pair);
	return false;
}

static bool set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* The number in a control message of this kind, or -1. */
static int64_t control_of(struct msghdr *msg, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		uint32_t value;

		if (c->cmsg_level != level || c->cmsg_type != type || c->cmsg_len < CMSG_LEN(sizeof(value)))
			continue;
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		return value;
	}
	return -1;
}

/* Receive one message; its bytes, and the number of such a control message. */
static ssize_t take(int fd, int flags, int level, int type, int64_t *number)
{
	union {
		struct cmsghdr align;
		char bytes[128];
	} control;
	char data[RUN];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, flags);

	*number = n < 0 ? -1 : control_of(&msg, level, type);
	return n;
}

/* ---- The tries ---- */

static bool sends_run(int fd)
{
	static const char run[RUN];

	return set(fd, SOL_UDP, UDP_SEGMENT, SEGMENT) && send(fd, run, sizeof(run), MSG_NOSIGNAL) == RUN;
}

/* A run goes out as one, and comes in as three. */
static bool cuts(void)
{
	struct pair pair;
	int64_t number;
	bool ok;

	if (!open_pair(&pair))
		return false;
	ok = sends_run(pair.out);
	for (int i = 0; ok && i < SEGMENTS; i++)
		ok = take(pair.in, 0, SOL_UDP, UDP_GRO, &number) == SEGMENT;
	close_pair(&pair);
	return ok;
}

/* It goes out as one, and comes in as one. */
static bool joins(void)
{
	struct pair pair;
	int64_t segment;
	bool ok;

	if (!open_pair(&pair))
		return false;
	ok = set(pair.in, SOL_UDP, UDP_GRO, 1) && sends_run(pair.out) &&
	     take(pair.in, 0, SOL_UDP, UDP_GRO, &segment) == RUN && segment == SEGMENT;
	close_pair(&pair);
	return ok;
}

static bool batches(void)
{
	struct iovec out[2] = { { "first", 5 }, { "second", 6 } };
	char data[2][8];
	struct iovec in[2] = { { data[0], 8 }, { data[1], 8 } };
	struct mmsghdr msgs[2] = { { .msg_hdr = { .msg_iov = &out[0], .msg_iovlen = 1 } },
				   { .msg_hdr = { .msg_iov = &out[1], .msg_iovlen = 1 } } };
	struct pair pair;
	bool ok;

	if (!open_pair(&pair))
		return false;
	ok = sendmmsg(pair.out, msgs, 2, MSG_NOSIGNAL) == 2;
	msgs[0].msg_hdr.msg_iov = &in[0];
	msgs[1].msg_hdr.msg_iov = &in[1];
	ok = ok && recvmmsg(pair.in, msgs, 2, 0, NULL) == 2 && msgs[0].msg_len == 5 && msgs[1].msg_len == 6;
	close_pair(&pair);
	return ok;
}

/* Flood a small buffer; the next datagram tells how many before it were dropped. */
static bool counts_drops(void)
{
	static const char data[SEGMENT];
	struct pair pair;
	int64_t dropped = -1;

	if (!open_pair(&pair))
		return false;
	if (set(pair.in, SOL_SOCKET, SO_RXQ_OVFL, 1) && set(pair.in, SOL_SOCKET, SO_RCVBUF, 1)) {
		for (int i = 0; i < FLOOD; i++)
			(void)!send(pair.out, data, sizeof(data), MSG_NOSIGNAL);
		while (take(pair.in, MSG_DONTWAIT, SOL_SOCKET, SO_RXQ_OVFL, &dropped) >= 0)
			;
		if (send(pair.out, data, sizeof(data), MSG_NOSIGNAL) == SEGMENT)
			(void)take(pair.in, 0, SOL_SOCKET, SO_RXQ_OVFL, &dropped);
	}
	close_pair(&pair);
	return dropped > 0;
}

/* ---- Rows ---- */

static const struct {
	const char *key;
	bool (*works)(void);
	const char *yes, *no;
	enum doctor_status status;
	const char *effect;
} tries[] = {
	{ "gso", cuts, "a run of datagrams sent as one was cut by the kernel",
	  "UDP_SEGMENT does not work: Linux 4.18 has it, some sandboxes have not", DOCTOR_POOR,
	  "Each datagram goes down the kernel by itself, which costs several times as much." },
	{ "gro", joins, "a run of datagrams was received as one",
	  "UDP_GRO does not work: Linux 5.0 has it, some sandboxes have not", DOCTOR_POOR,
	  "Each datagram comes up the kernel by itself, which costs several times as much." },
	{ "mmsg", batches, "sendmmsg and recvmmsg work",
	  "sendmmsg or recvmmsg is refused, as by a seccomp filter", DOCTOR_MISSING,
	  "Flux can neither send nor receive: allow both calls." },
	{ "rxq_ovfl", counts_drops, "the kernel tells how many datagrams a full socket dropped",
	  "SO_RXQ_OVFL tells nothing", DOCTOR_NOTE, "rx_kernel_drops stays 0, whatever is dropped." },
};

void doctor_check_offload(struct doctor *doctor)
{
	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		struct doctor_row *row = doctor_add(doctor, tries[i].key);
		bool works = tries[i].works();

		doctor_fact(row, "%s", works ? tries[i].yes : tries[i].no);
		if (works)
			continue;
		doctor_effect(row, tries[i].status, "%s", tries[i].effect);
		if (tries[i].status == DOCTOR_MISSING)
			doctor_command(row, "docker run --security-opt seccomp=unconfined IMAGE");
	}
}
