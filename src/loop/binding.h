/* SPDX-License-Identifier: MIT */
/*
 * A binding from the inside: an endpoint, its socket, and what modules attached to its sessions.
 * Split by duty: binding.c opens and closes, turn.c moves datagrams and time, lent.c keeps what the kernel
 * still reads, path.c notes whose cannot leave, deliver.c hands out events and messages, attach.c keeps who
 * wants them.
 */
#ifndef FLUX_LOOP_BINDING_H
#define FLUX_LOOP_BINDING_H

#include <stdbool.h>

#include <flux/binding.h>
#include <flux/sub.h>

#include "loop/batch.h"
#include "loop/loop.h"
#include "loop/member.h"
#include "loop/socket.h"

/*
 * What a module hangs on a session (publication, subscription): the head of its handle. It may go at
 * any time, inside callbacks too; its memory stays until no callback is on the stack.
 */
struct flux_attachment {
	struct flux_binding *binding;
	flux_sid sid;                 /* 0: every session without a reader of its own */
	bool gone;                    /* detached: no more calls, skip it */
	struct flux_attachment *next; /* in its bucket; stays valid after it is gone */
	struct flux_attachment *next_gone;
	size_t bytes; /* of the whole handle, for the allocator */
	/* Each message, or several at a time: how many it took. Both NULL: does not read. */
	enum flux_take (*on_message)(struct flux_attachment *att, flux_sid sid, const struct flux_msg *msg);
	uint32_t (*on_batch)(struct flux_attachment *att, flux_sid sid, const struct flux_msg *msgs, uint32_t n);
	/* NULL: does not want events. Called after the binding's own. */
	void (*on_event)(struct flux_attachment *att, const struct flux_event *event);
	/* NULL: nothing to do. The binding ends, and the handle with it. */
	void (*on_end)(struct flux_attachment *att);
};

static inline bool flux_attachment_reads(const struct flux_attachment *att)
{
	return att->on_message || att->on_batch;
}

/* A session whose datagrams were refused, until one leaves and that is told. */
struct flux_path {
	struct flux_node news; /* something is to be told */
	flux_sid sid;          /* 0: nobody's */
	flux_sid over;         /* the last one that was CLOSED: its last words are no news any more */
	int error;
	flux_ts since;       /* refused in a row; 0: they leave */
	uint64_t refused_in; /* the last time: binding->sends */
	bool down, told;     /* as it is, and as the application knows it */
	struct flux_addr peer;
};

struct flux_binding {
	struct flux_member member;
	struct flux_binding_cfg cfg;
	const struct flux_mem *mem;
	struct flux_endpoint *ep;
	struct flux_socket sock;
	struct flux_rx_batch *rx;
	struct flux_lent *lent; /* NULL: the loop's adapter sends nothing without a copy */

	/* turn.c */
	flux_ts now;          /* the last time the endpoint was told */
	flux_ts looked;       /* the turn in which the socket was read last */
	bool heard;           /* something then, or was given some messages */
	flux_ts catching_up;  /* when the host came back from an absence; 0: all that waited then is read */
	flux_ts wall_offset;  /* the wall's clock less ours, when last compared */
	uint32_t tx_failures; /* ENOBUFS in a row */
	flux_ts tx_resume;    /* nothing is sent before, after ENOBUFS */
	bool tx_blocked;      /* nothing is sent before the socket is writable */
	uint64_t sends;       /* how often */

	/* path.c */
	struct flux_path *paths; /* by session, as the buckets below */
	uint32_t n_refused;      /* those in use */
	struct flux_list path_news;

	/* deliver.c */
	flux_sid reading; /* whose messages are being handed out; 0: nobody's */
	bool stop;        /* who reads, or whether, has changed: ask again before the next message */
	bool spent;       /* the time of this turn was used up */

	/* attach.c */
	struct flux_attachment **buckets; /* by session; about as many as sessions */
	uint32_t n_buckets;               /* a power of two */
	struct flux_attachment *gone;
	flux_sid *paused; /* sessions that nobody reads now */
	uint32_t n_paused, max_paused;
};

static inline struct flux_binding *flux_binding_of(const struct flux_member *member)
{
	return FLUX_CONTAINER(member, struct flux_binding, member);
}

/* ---- binding.c ---- */

/* The endpoint may have something to do: have a turn. */
static inline void flux_binding_touch(struct flux_binding *binding)
{
	const struct flux_loop *loop = binding->member.loop;

	/* Else the turn was asked for, and its flush is still to come. */
	if (binding->member.active)
		return;
	/* As it is in the first half of a turn: a second turn would cost a host that sleeps a call. */
	if (loop->turning && !loop->flushing && !loop->awake)
		binding->member.active = true;
	else
		flux_member_touch(&binding->member);
}
/* Read the clock, never before what the endpoint was told last. */
flux_ts flux_binding_now(struct flux_binding *binding);

/* ---- turn.c ---- */

/* As struct flux_member_ops says. */
void flux_binding_on_messages(struct flux_member *member, const struct msghdr *msgs, uint32_t n);
/* As struct flux_member_ops says. */
void flux_binding_on_fd(struct flux_member *member, uint32_t events);
void flux_binding_advance(struct flux_member *member, flux_ts now);
void flux_binding_flush(struct flux_member *member);
flux_ts flux_binding_deadline(const struct flux_member *member);

/* ---- lent.c ---- */

/* Make room, if the loop's adapter wants to be lent images. 0 or FLUX_ENOMEM. */
int flux_lent_init(struct flux_binding *binding);
void flux_lent_fini(struct flux_binding *binding);
/*
 * Who lends images of a batch with these tokens: each that is lent is taken out of them, and retired later.
 * NULL: nobody.
 */
struct flux_tx_lender *flux_lent_begin(struct flux_binding *binding, uint32_t *tokens);
/* As struct flux_member_ops says. */
void flux_binding_on_sent(struct flux_member *member, uint32_t run);

/* ---- path.c ---- */

/* Make room, as for the attachments. Returns 0 or FLUX_ENOMEM. */
int flux_paths_init(struct flux_binding *binding);
void flux_paths_fini(struct flux_binding *binding);
/* As flux_socket.on_lost. */
void flux_path_refused(void *ctx, const struct flux_tx *tx, uint32_t n, int error);
/* Done with `n` datagrams in this send, the refused ones among them. */
void flux_path_sent(struct flux_binding *binding, const struct flux_tx *tx, uint32_t n);
/* The next PATH_DOWN or PATH_UP; false: there is none. */
bool flux_path_event(struct flux_binding *binding, struct flux_event *event);
/* The session is gone. */
void flux_path_forget(struct flux_binding *binding, flux_sid sid);

/* ---- deliver.c ---- */

/* Hand out events and messages, for a turn's time. What is left comes in the next turn. */
void flux_binding_deliver(struct flux_binding *binding);

/* ---- attach.c ---- */

/* Make room for `max_sessions`. Returns 0 or FLUX_ENOMEM. */
int flux_attachments_init(struct flux_binding *binding, uint32_t max_sessions);
/* Free every attachment and the room; an uninitialised one is left alone. */
void flux_attachments_fini(struct flux_binding *binding);
/* Free those that are gone. */
void flux_attachments_sweep(struct flux_binding *binding);
/*
 * A handle of `bytes` whose first member is a struct flux_attachment, cleared. Returns 0; FLUX_ENOMEM;
 * FLUX_ECLOSED if there is no such session; FLUX_EBUSY if it should read and another does.
 */
int flux_attachment_create(struct flux_attachment **att, struct flux_binding *binding, flux_sid sid,
			   size_t bytes, bool reads);
/* Detach; the memory goes when no callback is on the stack. */
void flux_attachment_destroy(struct flux_attachment *att);
/* The bucket of a session (or of 0): others and gone ones are among them. */
struct flux_attachment *flux_attachment_first(const struct flux_binding *binding, flux_sid sid);
/* Who reads a session: its own reader, else the one for all; NULL: nobody. */
struct flux_attachment *flux_attachment_reader(const struct flux_binding *binding, flux_sid sid);

/* Stop reading a session until somebody resumes it, or a reader is attached. */
void flux_binding_pause(struct flux_binding *binding, flux_sid sid);
void flux_binding_resume(struct flux_binding *binding, flux_sid sid);
/* Resume it; 0: every session that has no reader of its own. */
void flux_binding_resume_for(struct flux_binding *binding, flux_sid sid);
/* The session is gone. */
void flux_binding_forget(struct flux_binding *binding, flux_sid sid);

#endif
