/* SPDX-License-Identifier: MIT */
/* A binding's share of a turn: datagrams in, time, datagrams out, each within its budget. */
#include "core/base/time.h"
#include "loop/binding.h"
#include "sys/clock.h"

/* A jump of the wall's clock: arrival stamps of that turn mean nothing. */
#define WALL_JUMP FLUX_MS(1)

/* So long without a look at the socket while sessions have deadlines: the host was away, or nothing came. */
#define ABSENCE FLUX_MS(10)

/* Datagrams sent in one turn at most: one by one, or in runs that the kernel cuts. */
#define TX_BUDGET        64u
#define TX_BUDGET_JOINED 256u

/* The first pause after ENOBUFS; it doubles up to 32 times as long. */
#define TX_PAUSE           FLUX_MS(2)
#define TX_PAUSE_DOUBLINGS 5

/* ---- In ---- */

/*
 * How far the wall's clock is ahead of ours; `steady` tells whether that is what it was, so that the
 * kernel's stamps can be told on our clock. Read again where it is not: who lost the processor between the
 * two clocks sees a jump that there was not.
 */
static flux_ts read_wall_offset(struct flux_binding *binding, bool *steady)
{
	flux_ts offset = 0, moved;

	for (int reads = 0; reads < 2; reads++) {
		offset = flux_clock_wall() - flux_clock_now(); /* wraps like the subtraction below */
		moved = offset - binding->wall_offset;
		*steady = moved < WALL_JUMP || -moved < WALL_JUMP;
		if (*steady)
			break;
	}
	binding->wall_offset = offset;
	return offset;
}

/*
 * Give messages to the endpoint with the time they arrived, which a busy host may be long past: else
 * its pauses would look like round trips. Time never runs back.
 */
static void hand_over(struct flux_binding *binding, uint32_t n, flux_ts now)
{
	struct flux_rx_batch *rx = binding->rx;
	bool steady;
	flux_ts offset = read_wall_offset(binding, &steady);

	for (uint32_t i = 0; i < n; i++) {
		flux_ts at = steady && rx->arrival[i] ? rx->arrival[i] - offset : now;

		binding->now = flux_ts_clamp(at, binding->now, now);
		flux_endpoint_receive(binding->ep, binding->now, rx->rx,
				      flux_rx_batch_split(rx, i, &binding->sock.stats));
	}
}

/* The first `n` messages of the batch: to the endpoint, and what they bring to its readers. */
static uint32_t take_in(struct flux_binding *binding, uint32_t n)
{
	binding->looked = binding->member.loop->turn_now;
	binding->heard = n > 0;
	if (n > 0)
		hand_over(binding, n, flux_ts_max(flux_clock_now(), binding->now));
	flux_binding_deliver(binding);
	flux_endpoint_settle(binding->ep);
	return n;
}

static uint32_t receive(struct flux_binding *binding, bool ready)
{
	return take_in(binding, flux_rx_batch_receive(binding->rx, &binding->sock, ready));
}

/* ---- Out ---- */

/* Nothing is sent for a moment: to wait for "writable" would not wait at all. */
static void back_off(struct flux_binding *binding, flux_ts now)
{
	binding->tx_resume = now + (TX_PAUSE << binding->tx_failures);
	if (binding->tx_failures < TX_PAUSE_DOUBLINGS)
		binding->tx_failures++;
}

static void wait_writable(struct flux_binding *binding, flux_ts now)
{
	if (flux_member_watch_socket(&binding->member, binding->sock.fd, FLUX_LOOP_OUT) < 0)
		back_off(binding, now);
	else
		binding->tx_blocked = true;
}

/* One peek and what the kernel takes of it. Returns how many are done with. */
static uint32_t send_some(struct flux_binding *binding, uint32_t budget)
{
	flux_ts now = flux_binding_now(binding);
	uint32_t tokens[FLUX_PEEK_MAX];
	const struct flux_tx *tx;
	uint32_t n = flux_endpoint_peek(binding->ep, now, &tx);
	uint32_t done;
	enum flux_tx_end end;

	if (n == 0)
		return 0;
	n = n < budget ? n : budget;
	binding->sends++;
	for (uint32_t i = 0; i < n; i++)
		tokens[i] = tx[i].token;
	end = flux_tx_batch_send(&binding->sock, tx, n, &done, flux_lent_begin(binding, tokens));
	if (binding->n_refused > 0)
		flux_path_sent(binding, tx, done);
	flux_endpoint_commit(binding->ep, now, done);
	flux_endpoint_retire(binding->ep, tokens, done); /* the kernel has its own copy; but see lent.c */
	if (end == FLUX_TX_ALL)
		binding->tx_failures = 0;
	else if (end == FLUX_TX_BLOCKED)
		wait_writable(binding, now);
	else
		back_off(binding, now);
	return done;
}

static void send_due(struct flux_binding *binding)
{
	uint32_t budget = binding->sock.joins ? TX_BUDGET_JOINED : TX_BUDGET;

	while (budget > 0 && !binding->tx_blocked && binding->tx_resume == 0) {
		uint32_t done = send_some(binding, budget);

		if (done == 0)
			return;
		budget -= done;
	}
	if (budget == 0)
		flux_binding_touch(binding); /* there is more, most likely */
}

/*
 * Somebody closed the socket: its sessions end. The number is not closed again, as it may be another's by now, and no
 * adapter looks at it any more.
 */
static void part_from_socket(struct flux_binding *binding)
{
	(void)flux_member_watch(&binding->member, binding->sock.fd, 0);
	binding->sock.fd = -1;
	binding->tx_blocked = false;
	flux_loop_fail(binding->member.loop, binding->sock.broken, FLUX_SOCKET_BROKEN);
	flux_endpoint_abandon(binding->ep, flux_binding_now(binding), binding->sock.broken, FLUX_SOCKET_BROKEN);
}

/* ---- The turn ---- */

void flux_binding_on_fd(struct flux_member *member, uint32_t events)
{
	struct flux_binding *binding = flux_binding_of(member);

	if (binding->member.closing)
		return;
	if ((events & FLUX_LOOP_OUT) && binding->tx_blocked) {
		binding->tx_blocked = false;
		(void)flux_member_watch_socket(member, binding->sock.fd, 0); /* less than before: nothing to refuse */
	}
	if (events & FLUX_LOOP_IN)
		(void)receive(binding, true);
	if (!binding->member.closing)
		flux_binding_touch(binding);
}

void flux_binding_on_messages(struct flux_member *member, const struct msghdr *msgs, uint32_t n)
{
	struct flux_binding *binding = flux_binding_of(member);

	if (binding->member.closing)
		return;
	(void)take_in(binding, flux_rx_batch_take(binding->rx, msgs, n, &binding->sock.stats));
	if (!binding->member.closing)
		flux_binding_touch(binding);
}

/*
 * Whether time may be told. After an absence what waited in the socket is read first, a batch a turn, each
 * datagram at its own time: else deadlines would be judged without it, and round trips would seem as long as the
 * absence was. What comes after our return cannot hold this up.
 */
static bool caught_up(struct flux_binding *binding, flux_ts now)
{
	bool some;

	if (binding->catching_up == 0) {
		if (now - binding->looked < ABSENCE || flux_endpoint_deadline(binding->ep) == FLUX_NEVER)
			return true;
		binding->catching_up = now;
	}
	if (binding->member.loop->ops.offers & FLUX_LOOP_MESSAGES)
		some = binding->heard; /* since the last turn; another one may bring more */
	else
		some = receive(binding, false) > 0;
	binding->heard = false;
	if (some && binding->now < binding->catching_up) {
		flux_member_touch(&binding->member); /* the flush of this turn does nothing, so ask for another one */
		return false;
	}
	binding->looked = now;
	binding->catching_up = 0;
	return true;
}

void flux_binding_advance(struct flux_member *member, flux_ts now)
{
	struct flux_binding *binding = flux_binding_of(member);

	if (binding->member.closing)
		return;
	if (flux_loop_looks(binding->member.loop) && receive(binding, false) > 0)
		flux_binding_touch(binding);
	if (binding->member.closing || !caught_up(binding, now) || binding->member.closing)
		return;
	if (binding->tx_resume != 0 && now >= binding->tx_resume) {
		binding->tx_resume = 0;
		binding->member.active = true;
	}
	if (now >= flux_endpoint_deadline(binding->ep)) {
		binding->now = flux_ts_max(now, binding->now);
		flux_endpoint_expire(binding->ep, binding->now);
		binding->member.active = true;
	}
	if (binding->member.active)
		flux_binding_deliver(binding);
}

void flux_binding_flush(struct flux_member *member)
{
	struct flux_binding *binding = flux_binding_of(member);

	if (binding->member.closing || !binding->member.active || binding->catching_up)
		return;
	binding->member.active = false;
	send_due(binding);
	if (binding->sock.broken && binding->sock.fd >= 0)
		part_from_socket(binding);
	flux_binding_deliver(binding); /* what came of sending */
	binding->spent = false;
}

flux_ts flux_binding_deadline(const struct flux_member *member)
{
	const struct flux_binding *binding = flux_binding_of(member);
	flux_ts due;

	if (binding->member.closing)
		return FLUX_NEVER;
	due = flux_endpoint_deadline(binding->ep);
	return binding->tx_resume ? flux_ts_min(due, binding->tx_resume) : due;
}
