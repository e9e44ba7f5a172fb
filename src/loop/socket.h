/* SPDX-License-Identifier: MIT */
/* One UDP socket: opening it, what the kernel granted of its options, and its error queue. */
#ifndef FLUX_LOOP_SOCKET_H
#define FLUX_LOOP_SOCKET_H

#include <stdbool.h>

#include <flux/binding.h>

struct flux_socket {
	int fd;                 /* -1: closed */
	int broken;             /* a negative errno value: somebody else closed it; 0 */
	uint8_t family;         /* 4, or 6, which speaks to IPv4 by mapped addresses */
	bool joins;             /* the kernel cuts runs of datagrams (UDP_SEGMENT) */
	bool joined;            /* it joins what comes (UDP_GRO) */
	bool doubted;           /* `joins` was switched off just now, and nothing has left since */
	struct flux_addr local; /* with the real port */
	struct flux_binding_stats stats;
	uint64_t tx_datagrams, tx_bytes; /* that the kernel took */

	/* NULL: nobody asks. The kernel refuses `n` datagrams of one run for good, with an errno value. */
	void (*on_lost)(void *ctx, const struct flux_tx *tx, uint32_t n, int error);
	void *ctx;
};

/* What to open. */
struct flux_socket_want {
	struct flux_addr local; /* family 0: every address, IPv4 and IPv6 if the host has it */
	uint32_t rcvbuf, sndbuf;
	bool no_offload; /* neither GSO nor GRO */
	bool no_stamps;  /* when a datagram came is not asked for */
	bool tell_local; /* ask where each was sent to, if bound to every address */
	bool ecn;        /* mark what is sent ECT(0), and ask for the marks of what comes */
	char *why;       /* [out] the words of an error, or of a buffer that is smaller than wanted */
	size_t why_cap;
};

/*
 * Open, bind and set every option that helps; one that the kernel lacks is done without. Returns 0 or
 * a negative errno value with its words; on failure `sock` is left closed.
 */
int flux_socket_open(struct flux_socket *sock, const struct flux_socket_want *want);

/*
 * Send what has no address of its own to `peer`, and receive from there only. Returns 0 or a negative errno
 * value with its words.
 */
int flux_socket_connect(struct flux_socket *sock, const struct flux_addr *peer, char *why, size_t why_cap);

/* Close; a closed one is left alone. */
void flux_socket_close(struct flux_socket *sock);

/*
 * Empty the error queue: ICMP answers and the kernel's own complaints, which keep the socket "ready"
 * until they are read. They are counted; what they mean for a session, its timers find out. If there is no
 * socket any more, sets `broken`.
 */
void flux_socket_read_errors(struct flux_socket *sock);

/* The words for a broken one. */
#define FLUX_SOCKET_BROKEN "the socket was closed behind its back: its descriptor is the library's until its handle is closed"

#endif
