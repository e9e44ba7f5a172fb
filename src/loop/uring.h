/* SPDX-License-Identifier: MIT */
/*
 * The io_uring adapter from the inside. Split by duty: uring_ring.c sets up a ring with its receive
 * buffers, uring_trial.c finds out whether one works here, uring_watch.c is what is asked of the kernel
 * for each descriptor, uring_send.c sends without a copy, uring.c is the turn.
 *
 * What a completion says is noted at once (reaped), and handed out later: so completions can be waited
 * for anywhere, and callbacks come from the turn only.
 */
#ifndef FLUX_LOOP_URING_H
#define FLUX_LOOP_URING_H

#include <stdbool.h>

#include <sys/socket.h>

#include <liburing.h>

#include <flux/uring.h>

/* ---- uring_ring.c ---- */

/* The one group of buffers of a ring. */
#define FLUX_URING_GROUP 0

/* Buffers: ids have 16 bits, and 1024 are 64 MiB. */
#define FLUX_URING_MOST_BUFFERS 1024

/* A ring, and the buffers that the kernel picks from for each message. */
struct flux_uring {
	struct io_uring ring;
	bool open;
	bool enabled;                   /* by the thread that owns it from then on */
	bool keeps_time;                /* its waits are told by the loop's clock */
	struct io_uring_buf_ring *bufs; /* in memory of ours, which a forked child does not get */
	uint8_t *buffers;
	size_t bytes; /* of that memory */
	uint32_t n_bufs;
	struct msghdr shape; /* the room before each payload, for address and control */
};

/*
 * Set up, with the flags that this kernel takes. Returns 0 or a negative errno value; then `why` (of
 * FLUX_WHY_TEXT bytes) says what would change it, and `uring` is closed.
 */
int flux_uring_open(struct flux_uring *uring, const struct flux_uring_cfg *cfg, char *why);
void flux_uring_close(struct flux_uring *uring);
/* Forget about it in a forked child, where it is the parent's. */
void flux_uring_abandon(struct flux_uring *uring);
/* Make the calling thread its owner. 0 or a negative errno value. */
int flux_uring_enable(struct flux_uring *uring);
/* Room for a request; NULL: the kernel does not take what is queued. */
struct io_uring_sqe *flux_uring_sqe(struct flux_uring *uring);
/* Queue a receive that goes on by itself. False: no room. */
bool flux_uring_receive(struct flux_uring *uring, int fd, void *data);
/* The message in buffer `id`, where a completion of `len` bytes put it. False: it is none. */
bool flux_uring_message(struct flux_uring *uring, uint32_t id, int len, struct msghdr *msg,
			struct iovec *iov);
/* The kernel may fill it again. */
void flux_uring_give_buffer(struct flux_uring *uring, uint32_t id);
/* Words for a refusal. Returns `code`. */
int flux_uring_refused(char *why, int code, const char *what);

/* ---- uring_trial.c ---- */

/* Receive one datagram in earnest. 0, or a negative errno value and its words. */
int flux_uring_trial(const struct flux_uring_cfg *cfg, char *why);

/* ---- uring_watch.c ---- */

struct flux_uring_host;

/* A request that the kernel has; its address comes back in the completion. */
struct flux_uring_op {
	bool in_flight;
	void (*reap)(struct flux_uring_host *host, struct flux_uring_op *op, int res, uint32_t flags);
};

struct flux_uring_watch {
	struct flux_uring_op poll;     /* tells once, and is armed anew when that was handed out */
	struct flux_uring_op messages; /* goes on until its completion says that it does not */
	void *tag;                     /* NULL: gone */
	int fd;
	uint32_t events; /* that are asked for */
	uint32_t ready;  /* told, and not yet handed out */
	bool listed;     /* among those to hand out or to arm */
	struct flux_uring_watch *next_listed;
	struct flux_uring_watch *next_gone;
};

/* A message that lies in its buffer. */
struct flux_uring_arrival {
	struct flux_uring_watch *watch; /* NULL: nobody wants it any more */
	uint32_t buffer;
	int len;
};

/* A message that the kernel reads where it lies: until its second completion, if the first announces one. */
struct flux_uring_send {
	struct flux_uring_op op;        /* in flight: it is read */
	struct flux_uring_watch *watch; /* NULL: nobody waits for its end any more */
	uint32_t run;
	int res;                      /* of the first completion */
	bool told, more, notified;    /* it came; it announced a second one; that came */
	bool lent;                    /* its end is to be told */
	struct flux_uring_send *next; /* free ones, or those whose end is to be told */
};

struct flux_uring_host {
	struct flux_loop *loop;
	struct flux_uring uring;
	const uint8_t *here; /* 1; but 0 in a forked child */
	const void *owner;   /* names the thread that polls; NULL: none yet */
	flux_ts due;         /* the deadline after the last turn; FLUX_NEVER too if a descriptor tells of it */
	bool turn;           /* one was asked for, or there is more to do */
	bool polling;        /* inside flux_loop_poll_uring(), which then frees what is left */
	bool closed;         /* by flux_loop_close() meanwhile */

	struct flux_uring_watch *first, *last; /* listed ones */
	struct flux_uring_watch *gone;
	struct flux_uring_arrival *inbox; /* as long as there are buffers */
	uint32_t head, count;
	uint64_t stalls; /* receives that found no buffer */

	struct flux_uring_send *sends;       /* all of them; NULL: it copies */
	struct flux_uring_send *free, *sent; /* unused; ended and not yet told */
	uint32_t send_refusals;              /* in a row */
};

/* As struct flux_loop_ops says. */
int flux_uring_watch(void *arg, int fd, uint32_t events, void *tag, void **slot);
/* Note all that has completed. Returns whether there was anything. */
bool flux_uring_reap(struct flux_uring_host *host);
/* Whether messages wait to be handed out: not those that a paused loop holds. */
bool flux_uring_has_mail(const struct flux_uring_host *host);
/* Hand out what was noted, within the budget, and arm anew. */
void flux_uring_hand_out(struct flux_uring_host *host);
/* Free the watches that are gone. */
void flux_uring_free_gone(struct flux_uring_host *host);
/* Wait until a request has ended. Not for ever: then it is in flight still. */
void flux_uring_await(struct flux_uring_host *host, const struct flux_uring_op *op);
/* Whether the calling thread may touch the ring. */
bool flux_uring_mine(const struct flux_uring_host *host);

/* ---- uring_send.c ---- */

/* Room for messages. 0 or FLUX_ENOMEM. */
int flux_uring_open_sends(struct flux_uring_host *host);
/* As struct flux_loop_ops says. */
int flux_uring_send(void *arg, void *slot, const struct msghdr *msg, uint32_t run);
/* Tell what is read no more. */
void flux_uring_tell_sent(struct flux_uring_host *host);
/* The watch goes: see what it sent read to the end, and tell. */
void flux_uring_end_sends(struct flux_uring_host *host, const struct flux_uring_watch *watch);

#endif
