/* SPDX-License-Identifier: MIT */
/* What the files of this folder share: the endpoint, its sessions and its datagrams under way. */
#ifndef FLUX_CORE_ENDPOINT_ENDPOINT_H
#define FLUX_CORE_ENDPOINT_ENDPOINT_H

#include <stdbool.h>

#include <flux/endpoint.h>
#include <flux/session.h>

#include "core/base/heap.h"
#include "core/base/list.h"
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/base/time.h"
#include "core/rudp/replay.h"
#include "core/rudp/rtt.h"
#include "core/rudp/rxstream.h"
#include "core/rudp/txstream.h"
#include "core/wire/control.h"
#include "core/wire/handshake.h"
#include "core/wire/packet.h"

#define FLUX_OPS         640u /* datagrams shown or lent at a time */
#define FLUX_IMAGES      128u /* control datagrams among them */
#define FLUX_IMAGE_BYTES 1216u
#define FLUX_CLOSE_TRIES 3u

#define FLUX_SID_INDEX_BITS 20u /* of a sid: the place in the table; above, the generation */

/* Protocol 3.1. */
enum flux_session_state {
	FLUX_S_FREE,
	FLUX_S_WAIT, /* ours: HELLO sent, WELCOME awaited */
	FLUX_S_HALF, /* theirs: WELCOME sent, its receipt not yet proven */
	FLUX_S_UP,
	FLUX_S_DRAIN,   /* up, and we have closed: flushing until the peer confirms */
	FLUX_S_CLOSING, /* CLOSE sent, its answer awaited */
	FLUX_S_TOMB     /* over; late packets are answered for a while */
};

/* Events that wait to be pulled; a gap waits in the stream. */
#define FLUX_PENDING_UP       1u
#define FLUX_PENDING_WRITABLE 2u
#define FLUX_PENDING_EOS      4u
#define FLUX_PENDING_CLOSED   8u

/* A handshake of ours under way (state WAIT). */
struct flux_knock {
	flux_ts t_next, t_give_up;
	flux_ts interval;
	uint32_t attempt;
	uint8_t cookies; /* followed at once */
	bool has_cookie;
	uint8_t cookie[FLUX_COOKIE_LEN];
};

/* How and why a session ends. */
struct flux_ending {
	flux_ts t_drop;   /* TOMB: unread messages keep CLOSED back no longer */
	flux_ts t_linger; /* DRAIN: when to give up flushing */
	flux_ts t_next;   /* CLOSING: when to send CLOSE again; TOMB: when to forget */
	int reason;
	uint16_t code;
	uint8_t kind; /* of our CLOSE; 0: none */
	uint8_t tries;
	bool drop_unread;
	bool told; /* CLOSED is pending or was pulled */
	uint64_t undelivered;
	char text[FLUX_CLOSE_TEXT_MAX + 1];
};

struct flux_session {
	struct flux_node ready;     /* may have something to send */
	struct flux_node readable;  /* has messages to read */
	struct flux_node eventful;  /* has events to pull */
	struct flux_node unsettled; /* holds datagrams in the driver's buffers */
	struct flux_node half;      /* state HALF, oldest first */
	struct flux_heap_node timer;
	struct flux_session *peer_next; /* same bucket of the table of peers */
	flux_sid sid;                   /* our cid */
	uint32_t peer_cid;
	struct flux_addr peer;
	const struct flux_local *from; /* `local`, which the peer sends to; NULL: not told */
	struct flux_local local;
	enum flux_session_state state;
	bool incoming;
	bool open;   /* the streams hold memory */
	bool paused; /* the application does not read */
	bool want_ping;
	bool feedback_queued; /* and not sent: what a second one would say, it can say later and better */
	bool known;           /* to the application: it connected, or was told UP */
	bool confirmed;       /* the peer has shown that it holds the session too */
	uint8_t pending;      /* FLUX_PENDING_* */

	uint64_t nonce_c, nonce_s, peer_boot;
	uint64_t first_tx, first_rx;
	uint32_t tag_tx, tag_rx; /* checksum start values */
	uint32_t max_datagram;
	uint32_t peer_max_message, peer_window, window;
	bool has_reset_token;
	uint8_t reset_token[FLUX_RESET_TOKEN_LEN]; /* the peer's */
	uint64_t control_next;                     /* number of our next control packet */
	struct flux_replay replay;

	flux_ts idle_timeout;
	flux_ts t_heard;    /* last authentic packet */
	flux_ts t_ping;     /* our last PING; 0: none */
	flux_ts t_asked;    /* the first PING since t_heard; 0: none */
	uint64_t ping_data; /* of the PING that waits for its PONG; 0: none */
	flux_ts t_hello;    /* HALF: when their HELLO came last */
	uint32_t hello_ts, hello_attempt;

	struct flux_knock knock;
	struct flux_ending end;
	struct flux_rtt rtt;
	struct flux_txstream tx;
	struct flux_rxstream rx;
	struct flux_tx_scan scan; /* how far the running peek has shown `tx` */
	uint64_t scan_peek;       /* which peek that is */
	uint32_t lent;            /* ops of ours that are shown or lent */
};

enum flux_op_kind {
	FLUX_OP_CONTROL,
	FLUX_OP_FEEDBACK,
	FLUX_OP_CLOSE,
	FLUX_OP_DATA,
	FLUX_OP_RTX
};
enum flux_op_state {
	FLUX_OP_FREE,
	FLUX_OP_QUEUED,
	FLUX_OP_SHOWN,
	FLUX_OP_LENT
};

/* One datagram on its way out, from its first showing until it is retired. */
struct flux_op {
	uint8_t kind;                  /* enum flux_op_kind */
	uint8_t state;                 /* enum flux_op_state */
	flux_sid sid;                  /* 0: about no session */
	struct flux_session *session;  /* valid while the op is not free, if sid is not 0 */
	uint64_t seq;                  /* DATA, RTX */
	uint32_t image;                /* CONTROL, CLOSE: slot of the image pool */
	uint32_t len;                  /* of the whole datagram */
	struct flux_addr to;           /* CONTROL, FEEDBACK, CLOSE; else the session's peer */
	const struct flux_local *from; /* likewise; NULL: the driver's choice */
	struct flux_local local;       /* sid 0: where the question was sent to */
	uint8_t head[FLUX_HEADER_LEN]; /* RTX: the header with its bit set */
};

struct flux_endpoint {
	struct flux_endpoint_cfg cfg;
	const struct flux_mem *mem;
	flux_ts now;         /* of the latest call; never goes back */
	flux_ts awake_since; /* when we last came back after a long absence */
	struct flux_rng rng;
	uint8_t cookie_key[2][16]; /* of this minute and of the one before */
	flux_ts t_cookie_key;

	struct flux_session *sessions; /* [max_sessions] */
	uint32_t *free_sessions;       /* a ring: a slot rests as long as it can */
	uint32_t free_head, n_free, n_half;
	struct flux_session **peers; /* buckets by address */
	uint32_t peers_mask;
	struct flux_list ready, readable, eventful, unsettled, half;
	struct flux_heap timers;
	struct flux_pool rx_pool;
	uint32_t rcvbuf_datagrams; /* what the socket buffer holds */

	struct flux_op ops[FLUX_OPS];
	uint16_t free_ops[FLUX_OPS];
	uint32_t n_free_ops;
	struct flux_pool images;
	uint16_t control[FLUX_IMAGES]; /* queued control ops, in order: a ring */
	uint32_t control_head, control_tail;
	struct flux_tx out[FLUX_PEEK_MAX]; /* the last peek */
	uint32_t n_out;
	uint32_t n_lent; /* ops that wait to be retired */
	uint64_t peeks;
	flux_ts t_resets; /* second in which resets_left counts */
	uint32_t resets_left;

	struct flux_endpoint_stats stats;
	char detail[160];
};

/* endpoint.c */
/* Note the time; returns it, held if it went back. */
flux_ts flux_endpoint_clock(struct flux_endpoint *ep, flux_ts now);
/* Set the detail text from pieces, ended by NULL; returns `code`. */
int flux_endpoint_fail(struct flux_endpoint *ep, int code, const char *what, uint64_t limit,
		       const char *remedy);
/* The same for a session that is no more, or never was: FLUX_ECLOSED. */
int flux_endpoint_fail_closed(struct flux_endpoint *ep, flux_sid sid);

/* config.c */
/* Check the members, fill in defaults; as flux_endpoint_create(). */
int flux_endpoint_cfg_resolve(struct flux_endpoint_cfg *out, const struct flux_endpoint_cfg *cfg, char *why);
/* Write the words to `why`, if there is one; returns `code`. */
int flux_endpoint_cfg_fail(char *why, int code, const char *words);

/* table.c */
int flux_table_init(struct flux_endpoint *ep);
void flux_table_fini(struct flux_endpoint *ep);
/* A fresh session for `peer` in `state`, or NULL if all are taken. */
struct flux_session *flux_table_add(struct flux_endpoint *ep, const struct flux_addr *peer,
				    enum flux_session_state state);
/* Send from where its peer sends to, if that is told. */
void flux_table_set_local(struct flux_session *s, const struct flux_rx *rx);
/* Forget a session and all that it holds. Nothing of it may be lent. */
void flux_table_remove(struct flux_endpoint *ep, struct flux_session *s);
/* The session of that name, or NULL. */
static inline struct flux_session *flux_table_find(const struct flux_endpoint *ep, flux_sid sid)
{
	uint32_t index = sid & ((1u << FLUX_SID_INDEX_BITS) - 1);
	struct flux_session *s = ep->sessions + index;

	return index < ep->cfg.max_sessions && s->sid == sid && s->state != FLUX_S_FREE ? s : NULL;
}
/* The same for the application, which does not know of half-open sessions. */
static inline struct flux_session *flux_table_find_known(const struct flux_endpoint *ep, flux_sid sid)
{
	struct flux_session *s = flux_table_find(ep, sid);

	return s && s->known ? s : NULL;
}
/* The next session with `peer` after `from` (NULL: the first), or NULL; the youngest is the first. */
struct flux_session *flux_table_peer(const struct flux_endpoint *ep, const struct flux_addr *peer,
				     struct flux_session *from);

/* hello.c: the client's half of the handshake */
void flux_hello_start(struct flux_endpoint *ep, struct flux_session *s);
bool flux_hello_send(struct flux_endpoint *ep, struct flux_session *s);
void flux_hello_on_answer(struct flux_endpoint *ep, struct flux_session *s, const struct flux_rx *rx,
			  uint8_t type);
/* The parameters that we tell in HELLO and WELCOME. */
void flux_hello_params(const struct flux_endpoint *ep, const struct flux_session *s,
		       struct flux_params *params);
/* Take the peer's; false: it asks for what we do not know or cannot do. */
bool flux_hello_take_params(const struct flux_endpoint *ep, struct flux_session *s,
			    const struct flux_params *params);

/* welcome.c: the server's half */
void flux_welcome_on_hello(struct flux_endpoint *ep, const struct flux_rx *rx);

/* cookie.c */
void flux_cookie_make(struct flux_endpoint *ep, uint8_t out[FLUX_COOKIE_LEN],
		      const struct flux_addr *peer, const struct flux_hello *h);
bool flux_cookie_good(struct flux_endpoint *ep, const struct flux_addr *peer,
		      const struct flux_hello *h);
/* What `peer` is told of `cid` in the handshake, and shown in a RESET. */
void flux_reset_token(const struct flux_endpoint *ep, uint32_t cid, const struct flux_addr *peer,
		      uint8_t token[FLUX_RESET_TOKEN_LEN]);

/* session.c: life of a session */
/* Tags from the nonces: both ends know them now. */
void flux_session_set_tags(struct flux_session *s);
/* Both ends have proven themselves: reserve the streams. On failure the session ends. */
bool flux_session_up(struct flux_endpoint *ep, struct flux_session *s);
/* The peer lives in the life that this session is of: those of its earlier lives will not come back. */
void flux_session_end_earlier(struct flux_endpoint *ep, struct flux_session *now_up);
/* Something changed: it may have to send. */
static inline void flux_session_touch(struct flux_endpoint *ep, struct flux_session *s)
{
	flux_list_append(&ep->ready, &s->ready);
}
/* It ends now, with a CLOSE of `kind` to the peer (0: without a word). */
void flux_session_end(struct flux_endpoint *ep, struct flux_session *s, int reason, uint8_t kind,
		      uint16_t code, const char *text);
/* The same on the word of the peer. */
void flux_session_ended_by_peer(struct flux_endpoint *ep, struct flux_session *s,
				const struct flux_close *c);
/* The flush is confirmed, or the end is answered. */
void flux_session_closed(struct flux_endpoint *ep, struct flux_session *s);
void flux_session_check_drained(struct flux_endpoint *ep, struct flux_session *s);
/* CLOSED may be told now. */
void flux_session_tell_closed(struct flux_endpoint *ep, struct flux_session *s);

/* timers.c */
/* Fire what is due by time; may free the session. */
void flux_session_expire(struct flux_endpoint *ep, struct flux_session *s, flux_ts now);
/* Set the session's deadline; `sending` includes what becomes due to send. */
void flux_session_set_timer(struct flux_endpoint *ep, struct flux_session *s, bool sending);
/* When the next PING is due. */
flux_ts flux_session_ping_time(const struct flux_session *s);

/* dispatch.c */
/* A control packet of the session, authentic and new. */
void flux_control_receive(struct flux_endpoint *ep, struct flux_session *s, const struct flux_header *h,
			  const struct flux_rx *rx);

/* control.c: building control packets; false: no image is free, try again later */
bool flux_control_service(struct flux_endpoint *ep, struct flux_session *s);
bool flux_control_pong(struct flux_endpoint *ep, struct flux_session *s, uint32_t ts,
		       const struct flux_ping *ping);
bool flux_control_close(struct flux_endpoint *ep, struct flux_session *s, uint8_t kind);
bool flux_control_open(struct flux_endpoint *ep, struct flux_session *s, uint16_t stream,
		       const struct flux_open *answer);

/* transmit.c */
/* An op with an image for a control datagram of `s`, or NULL. */
struct flux_op *flux_op_new_control(struct flux_endpoint *ep, struct flux_session *s);
/* The same for an answer to `rx` that is about no session: it leaves from where the question was sent to. */
struct flux_op *flux_op_new_answer(struct flux_endpoint *ep, const struct flux_rx *rx);
static inline uint8_t *flux_op_image(const struct flux_endpoint *ep, const struct flux_op *op)
{
	return flux_pool_at(&ep->images, op->image);
}
/* The image is complete: queue it. len 0 gives the op back. */
void flux_op_queue(struct flux_endpoint *ep, struct flux_op *op, size_t len);
/* events.c */
void flux_session_raise(struct flux_endpoint *ep, struct flux_session *s, uint8_t pending);
/* Put the session on the lists of readable and eventful ones, or take it off, as it stands. */
void flux_session_refresh(struct flux_endpoint *ep, struct flux_session *s);

#endif
