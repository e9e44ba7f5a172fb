/* SPDX-License-Identifier: MIT */
/*
 * Between Flux and a host's event loop. Users open a loop with an adapter (flux/event.h for libevent)
 * and then need only flux_loop_close() and flux_loop_detail() of this header; the rest is for those who
 * write an adapter, and every adapter of ours uses nothing else.
 *
 * The contract: fds first, then flux_loop_on_turn(), then flux_loop_deadline(), then sleep. With
 * flux_loop_keep_time() the deadline is one of the fds.
 *
 * A loop belongs to the thread that turns it, and everything on it to the loop: calls marked "owner" are
 * for that thread. A build with --enable-debug checks it: from another thread such a call does nothing,
 * returns FLUX_ETHREAD if it can, and flux_loop_detail() names it to that thread.
 *
 * It also belongs to the process that made it. In a child made by fork() every such call does nothing and
 * returns FLUX_EFORKED if it can; the child may flux_loop_close() its copy, which the parent does not
 * notice, and open a loop of its own. Or it goes on in the parent's place: flux_loop_adopt(). (Kernels
 * before 4.14 do not tell a child.) Descriptors of ours are closed by exec.
 */
#ifndef FLUX_LOOP_H
#define FLUX_LOOP_H

#include <flux/base.h>
#include <flux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_loop;
struct msghdr;

#define FLUX_LOOP_IN  1u /**< readable, or an error waits on the socket */
#define FLUX_LOOP_OUT 2u /**< writable */
/** For adapters that offer it: the adapter receives by itself, and calls flux_loop_on_messages(). */
#define FLUX_LOOP_MESSAGES 4u

/** For adapters that offer it: while the loop is paused, tell nothing of this descriptor, and keep what came for it. */
#define FLUX_LOOP_HOLD 16u

/** For adapters that work on in a forked child that adopts the loop: see flux_loop_adopt(). */
#define FLUX_LOOP_ADOPTION 8u

/*
 * What the kernel granted a socket, in the `features` of its counters; each helps, and none is needed.
 * Offloads are counters of their own.
 */
#define FLUX_SOCKET_DROPS  1u  /**< datagrams that it dropped are counted (SO_RXQ_OVFL) */
#define FLUX_SOCKET_STAMPS 2u  /**< it tells when each came (SO_TIMESTAMPNS); asked for by bindings */
#define FLUX_SOCKET_ERRORS 4u  /**< ICMP answers are told (IP_RECVERR) */
#define FLUX_SOCKET_IPV4   8u  /**< a socket of every IPv6 address speaks to IPv4 too */
#define FLUX_SOCKET_LOCAL  16u /**< where each was sent to (IP_PKTINFO); asked for when bound to every address */
#define FLUX_SOCKET_ECN    32u /**< congestion marks go out and are told (IP_TOS); where asked for */

/** What an adapter does for Flux. Every function is required; all are called on the loop's thread. */
struct flux_loop_ops {
	uint32_t size; /**< sizeof(struct flux_loop_ops) */
	/**
	 * Watch `fd`, level-triggered, for `events` (FLUX_LOOP_IN | FLUX_LOOP_OUT), replacing what was
	 * watched before; 0 forgets it. Call flux_loop_on_fd(loop, tag, events) when it is ready.
	 * `*slot` is the adapter's own for this fd: NULL at first, to be freed and reset by events 0,
	 * which may come inside flux_loop_on_fd() for that very fd and does not fail. In a forked child
	 * (flux_loop_is_forked()) to forget must not touch what it shares with its parent, as an epoll set.
	 * Return 0 or a negative errno value.
	 */
	int (*watch)(void *host, int fd, uint32_t events, void *tag, void **slot);
	/**
	 * Work is pending or the deadline moved earlier: run flux_loop_on_turn() soon, once, but not
	 * from here. Never called inside flux_loop_on_turn(), whose result says the same.
	 */
	void (*rearm)(void *host);
	/** The last call, maybe inside flux_loop_on_fd() or flux_loop_on_turn(): free `host`. */
	void (*close)(void *host);
	/**
	 * 0: readiness is all there is. FLUX_LOOP_MESSAGES: `watch` takes that bit too, instead of
	 * FLUX_LOOP_IN, for UDP sockets. Errors of such a socket are told by flux_loop_on_fd() with
	 * FLUX_LOOP_IN, which then reads them and maybe messages. When `watch` returns from events 0,
	 * the adapter's hold on the socket has ended: to close it frees its port.
	 * FLUX_LOOP_HOLD: `watch` takes that bit alone, for a loop that is paused, and then the events as
	 * before; messages that the adapter has received meanwhile come then.
	 * FLUX_LOOP_ADOPTION: what it watches goes on in a child that took the parent's place.
	 */
	uint32_t offers;
	/**
	 * NULL; or, for adapters that send without a copy, sendmsg() on a watched UDP socket, without waiting and
	 * in its place among what is sent there besides. `run` names the message.
	 * Return 0: it left, and its bytes, but not `msg` itself, are read until flux_loop_on_sent(), which
	 * comes at the latest before `watch` returns from events 0 or FLUX_LOOP_HOLD; 1: it left, and is read no
	 * more; or a negative errno value: it did not, is read no more, and is sent by sendmmsg() instead.
	 */
	int (*send)(void *host, void *slot, const struct msghdr *msg, uint32_t run);
};

/**
 * Make a loop for an adapter.
 *
 * @param loop  [out] set only on success.
 * @param ops   copied.
 * @param host  given to each of them; owned by the loop from success on (ops->close frees it).
 * @param mem   allocator, borrowed; NULL: the C library's.
 *
 * @return 0; FLUX_EINVAL: a member of ops is missing; FLUX_ENOMEM.
 *
 * Thread: setup.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_create(struct flux_loop **loop, const struct flux_loop_ops *ops,
					      void *host, const struct flux_mem *mem);

/**
 * Keep the deadline in the loop itself: it becomes a timerfd, which ops->watch is asked to watch as any
 * other, and flux_loop_deadline() need not be asked. For hosts whose timers are not precise: many count
 * milliseconds.
 *
 * @return 0; -EMFILE, -ENFILE: no descriptor left, raise the limit; or what ops->watch said.
 *
 * Thread: owner; once, when the loop was made.
 * Cost:   a descriptor; then a system call whenever the deadline moves earlier.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_keep_time(struct flux_loop *loop);

/**
 * What flux_loop_create() was given as `host`, for an adapter's own calls.
 *
 * @param ops  the adapter's own.
 *
 * @return the host; NULL if `loop` is NULL or of an adapter with another ops->close.
 *
 * Thread: any.
 */
FLUX_API void *flux_loop_host(const struct flux_loop *loop, const struct flux_loop_ops *ops);

/**
 * Close every binding on the loop without waiting for peers, then the loop. From inside a callback it
 * takes effect when that callback has returned.
 *
 * @param loop  NULL is allowed.
 *
 * Thread: owner; in a forked child any.
 */
FLUX_API void flux_loop_close(struct flux_loop *loop);

/**
 * Whether this is a child, made by fork() after the loop was.
 *
 * @return 1; 0: the process that made it, or one that adopted it.
 *
 * Thread: any.
 * Cost:   a load.
 */
FLUX_API int flux_loop_is_forked(const struct flux_loop *loop);

/**
 * In a forked child: go on with the loop and everything on it in the parent's place, sessions included. For a
 * program that opens first and then becomes a daemon. The parent is to end, by _exit() or daemon(), without
 * another call on the loop, not even flux_loop_close(): only one of the two may use it. Before this the
 * host's loop takes what its library asks of a child, as event_reinit().
 *
 * @return 0, also in the process that has it already; FLUX_ENOTSUP: not in a loop of this kind (io_uring;
 *         nor is a worker's thread in the child): close it and open another; what
 *         flux_loop_resume() says if the child had run it before.
 *
 * Thread: the one that runs the host's loop from then on.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_adopt(struct flux_loop *loop);

/**
 * Take the loop off its host for a while: nothing of it is left there to watch, to time or to run, so that
 * a host that runs until it has nothing to do ends, as event_base_dispatch() does. The next round of the
 * host may still find one event, which does nothing.
 *
 * What comes meanwhile waits in the sockets, what is sent waits in its session, timers wait, and peers hear
 * nothing: one that hears nothing for its idle_timeout gives the session up. Every other call is
 * allowed; on_closed of what is closed comes as always. Inside a callback the rest of its turn still happens.
 *
 * @return 0, also if it is paused already; FLUX_ETHREAD.
 *
 * Thread: owner.
 * Cost:   as if every descriptor were closed for the host.
 */
FLUX_API int flux_loop_pause(struct flux_loop *loop);

/**
 * Go on after flux_loop_pause(): what waited comes first, then the timers that are due.
 *
 * @return 0, also if it was not paused; what ops->watch says of a descriptor: the loop stays
 *         paused, and flux_loop_detail() names it; FLUX_ETHREAD.
 *
 * Thread: owner.
 */
FLUX_API FLUX_MUST_CHECK int flux_loop_resume(struct flux_loop *loop);

/**
 * Words for the last failed call on this loop or its bindings: what, the limit, the remedy.
 *
 * @return text owned by `loop`, valid until its next failing call; "" if none failed.
 *
 * Thread: owner.
 */
FLUX_API const char *flux_loop_detail(const struct flux_loop *loop);

/**
 * A watched fd is ready: receive within the budget (16 datagrams or 32 us) and deliver. The loop, the
 * host and the fd's slot may be gone when this returns: touch none of them.
 *
 * @param tag     as given to ops->watch.
 * @param events  FLUX_LOOP_IN, FLUX_LOOP_OUT or both.
 *
 * Thread: owner.
 */
FLUX_API void flux_loop_on_fd(struct flux_loop *loop, void *tag, uint32_t events);

/**
 * Messages of a socket that is watched for FLUX_LOOP_MESSAGES, in the order they came. What is gone when
 * this returns is as after flux_loop_on_fd().
 *
 * @param tag   as given to ops->watch.
 * @param msgs  as recvmsg() fills them in, with address, control data and flags. Each has one iovec, of
 *              the bytes received; a message that the kernel joined (UDP_GRO) is one. All of it is lent
 *              until this returns.
 * @param n     how many, 1 to 16: more wait for the next turn.
 *
 * Thread: owner.
 */
FLUX_API void flux_loop_on_messages(struct flux_loop *loop, void *tag, const struct msghdr *msgs, uint32_t n);

/**
 * What ops->send answered 0 to is read no more. Calls nobody back, and is not to be called inside ops->send.
 *
 * @param tag  as given to ops->watch.
 * @param run  as given to ops->send; once.
 *
 * Thread: owner.
 */
FLUX_API void flux_loop_on_sent(struct flux_loop *loop, void *tag, uint32_t run);

/**
 * The end of a turn: timers that are due, then sending within the budget (64 datagrams a binding).
 *
 * @return 1: there is more to do, come back after other events had their turn; 0: sleep until an fd is
 *         ready or flux_loop_deadline(); FLUX_ECLOSED: a callback closed the loop, it and the host are
 *         gone.
 *
 * Thread: owner.
 */
FLUX_API int flux_loop_on_turn(struct flux_loop *loop);

/**
 * For a host that will not sleep for a while, but turn the loop again and again: those who would ask to
 * be woken by other threads look for themselves in each turn, and the others need no system call.
 *
 * @param awake  1; 0: it may sleep after the next turn, which has to come before.
 *
 * Thread: owner.
 */
FLUX_API void flux_loop_set_awake(struct flux_loop *loop, int awake);

/**
 * Whether its sockets look for datagrams by themselves in each turn: it is awake, there are few of
 * them, and the adapter does not receive for them. Then an adapter that spins need not ask the kernel which one is ready each time, only now and then.
 *
 * Thread: owner.
 */
FLUX_API int flux_loop_looks(const struct flux_loop *loop);

/**
 * When flux_loop_on_turn() must run at the latest.
 *
 * @return a time of flux_loop_now(), maybe past; FLUX_NEVER: no need.
 *
 * Thread: owner.
 */
FLUX_API flux_ts flux_loop_deadline(const struct flux_loop *loop);

/**
 * The clock of every loop: CLOCK_BOOTTIME in nanoseconds, read now.
 *
 * Thread: any.
 * Cost:   about 20 ns.
 */
FLUX_API flux_ts flux_loop_now(void);

#ifdef __cplusplus
}
#endif

#endif
