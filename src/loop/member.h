/* SPDX-License-Identifier: MIT */
/*
 * What lives on a loop: a binding, a ring's reader, a descriptor or a timer of the user's. The loop knows
 * its members by these calls alone. A member that was closed ends when no callback is on the stack.
 */
#ifndef FLUX_LOOP_MEMBER_H
#define FLUX_LOOP_MEMBER_H

#include <stdbool.h>

#include <sys/socket.h>

#include <flux/loop.h>

#include "core/base/list.h"

struct flux_member;

struct flux_member_ops {
	/* Its descriptor is ready. */
	void (*on_fd)(struct flux_member *member, uint32_t events);
	/* What its socket received. NULL: it is never watched for that. */
	void (*on_messages)(struct flux_member *member, const struct msghdr *msgs, uint32_t n);
	/* What was lent to its adapter's send is read no more. NULL: it lends nothing. */
	void (*on_sent)(struct flux_member *member, uint32_t run);
	/* First half of a turn: what time does, and what was left to hand out. NULL: has no turns. */
	void (*advance)(struct flux_member *member, flux_ts now);
	/* Second half: send what is due, within the budget. */
	void (*flush)(struct flux_member *member);
	/* When it needs a turn by itself. */
	flux_ts (*deadline)(const struct flux_member *member);
	/* The loop is being closed: as its owner would close it. */
	void (*close)(struct flux_member *member);
	/* No callback is running. If it was closed, end it and say so; else free what was detached. */
	void (*sweep)(struct flux_member *member);
};

struct flux_member {
	struct flux_node on_loop;
	struct flux_loop *loop;
	const struct flux_member_ops *ops;
	void *slot;      /* the adapter's, of the descriptor that is watched */
	int fd;          /* -1: none */
	uint32_t events; /* that it is watched for, or will be when the loop goes on */
	bool active;
	bool closing;
};

/* Put a cleared member on a loop. Returns 0, or an error in the loop's words if the loop is being closed. */
int flux_member_join(struct flux_member *member, struct flux_loop *loop, const struct flux_member_ops *ops);
/* Watch its descriptor for `events`, instead of what it was watched for. 0 or an error. */
int flux_member_watch(struct flux_member *member, int fd, uint32_t events);
/*
 * The same for a UDP socket, for what comes and for `events` besides (FLUX_LOOP_OUT or 0): it comes by
 * on_messages if the loop receives, else on_fd says that it is there.
 */
int flux_member_watch_socket(struct flux_member *member, int fd, uint32_t events);
/* Have the host watch it as it should be, or not at all, and forget nothing. 0 or an error. */
int flux_member_show(struct flux_member *member, bool on);
/* It may have something to do: have a turn. */
void flux_member_touch(struct flux_member *member);
/*
 * Close: its descriptor is watched no longer, its sweep comes before the loop sleeps. False if that was
 * so already.
 */
bool flux_member_close(struct flux_member *member);
/* The end of one, in its sweep: the loop forgets it. */
void flux_member_leave(struct flux_member *member);

#endif
