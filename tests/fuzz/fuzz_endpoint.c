/* SPDX-License-Identifier: MIT */
/*
 * The bytes are calls on two live endpoints and what the wire between them does: losses, copies, damage with
 * a wrong and with a right checksum, forgeries, partial commits, late retires, steps of the clock. After each
 * call both endpoints walk through all they hold. Without forgeries every message arrives as it was sent.
 */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/crc32c.h"
#include "core/base/time.h"
#include "tests/fuzz/world.h"

#define CALLS_MAX 2000u

static struct input {
	const uint8_t *pos, *end;
} in;

/* ---- Input ---- */

static uint8_t u8(void)
{
	return in.pos < in.end ? *in.pos++ : 0;
}

static uint16_t u16(void)
{
	uint8_t low = u8();

	return (uint16_t)(low | u8() << 8);
}

/* A number near `base`, or any. */
static uint64_t near(uint64_t base)
{
	uint8_t b = u8();
	uint64_t v = 0;

	if (b < 240)
		return base + (uint64_t)(int64_t)(b - 120) / 4;
	for (int i = 0; i < 8; i++)
		v = v << 8 | u8();
	return b & 1 ? v : base + (uint32_t)v;
}

/* A sid of this side, or one that never was. */
static flux_sid pick_sid(const struct side *s)
{
	uint8_t b = u8();

	return s->n_sids && b < 250 ? s->sids[b % s->n_sids] : b * 0x01010101u;
}

/* ---- Forgeries ---- */

/* The checksum that the receiver expects of it, whatever is in it now. */
static void reseal(struct datagram *d)
{
	const struct flux_session *s;
	struct flux_header h;
	uint8_t nonce[8];
	uint32_t start = 0;

	if (d->len < FLUX_HEADER_LEN + FLUX_TRAILER_LEN || !flux_header_decode(&h, d->data, d->len))
		return;
	s = flux_table_find(world.side[d->to].ep, h.cid);
	if (s && s->state == FLUX_S_WAIT) {
		flux_store_u64(nonce, s->nonce_c);
		start = flux_crc32c(0, nonce, 8);
	} else if (s && h.type != FLUX_PKT_HELLO) {
		start = s->tag_rx;
	}
	flux_trailer_seal(d->data, d->len - FLUX_TRAILER_LEN, start);
}

static uint32_t feedback_body(const struct flux_session *s, uint8_t *out)
{
	const struct flux_txwin *win = &s->tx.win;
	uint64_t ack = near(win->una);

	flux_store_u64(out, ack);
	flux_store_u32(out + 8, (uint32_t)near(64));
	flux_store_u32(out + 12, (uint32_t)near(win->next));
	flux_store_u64(out + 16, 0);
	flux_store_u32(out + 24, (uint32_t)near(flux_ts_us(world.now)));
	flux_store_u32(out + 28, (uint32_t)near(0));
	flux_store_u16(out + 32, 0);
	out[34] = u8() & 15;
	out[35] = u8() % 70;
	return 36;
}

static uint32_t sync_body(const struct flux_session *s, uint8_t *out)
{
	flux_store_u64(out, near(s->rx.win.high));
	flux_store_u64(out + 8, near(s->rx.win.ack));
	flux_store_u32(out + 16, (uint32_t)near(1000));
	flux_store_u64(out + 20, 500);
	flux_store_u32(out + 28, 0);
	flux_store_u16(out + 32, 0);
	out[34] = u8() & 15;
	out[35] = u8() % 70;
	return 36;
}

/* A datagram of a session with the right checksum; its body is plausible at first, then as the input says. */
static void forge(int to)
{
	struct side *side = &world.side[to];
	const struct flux_session *s = flux_table_find(side->ep, pick_sid(side));
	uint8_t type = u8();
	struct datagram d = { .to = to };
	struct flux_header h = { .version = 1, .type = type & 15, .rtx = type >> 7, .flags = 0 };
	uint32_t at = FLUX_HEADER_LEN, more;

	if (!s)
		return;
	h.cid = s->sid;
	h.stream = u8() < 240 ? 0 : u8();
	h.ts = (uint32_t)near(flux_ts_us(world.now));
	if (s->open && h.type == FLUX_PKT_DATA)
		h.num = (uint32_t)near(s->rx.win.high);
	else
		h.num = (uint32_t)near(s->replay.next + 30);
	flux_header_encode(&h, d.data);
	if (s->open && h.type == FLUX_PKT_FEEDBACK)
		at += feedback_body(s, d.data + at);
	else if (s->open && h.type == FLUX_PKT_SYNC)
		at += sync_body(s, d.data + at);
	for (more = u8(); more > 0 && at + FLUX_TRAILER_LEN < DATAGRAM_MAX; more--)
		d.data[at++] = u8();
	d.len = at + FLUX_TRAILER_LEN;
	reseal(&d);
	world_receive(side, &world.side[!to].addr, d.data, d.len);
}

/* One of the wire, damaged; with the checksum mended or not, whole, cut or lengthened. */
static void damage(uint32_t i, bool mend)
{
	struct datagram d = wire[i];
	uint8_t n = u8() % 4 + 1;

	if (u8() < 40)
		d.len = u16() % (DATAGRAM_MAX + 1);
	while (n-- > 0 && d.len) {
		uint32_t at = u8() < 128 ? u8() : u16();

		d.data[at % d.len] ^= u8();
	}
	if (mend)
		reseal(&d);
	world_receive(&world.side[d.to], &world.side[!d.to].addr, d.data, d.len);
}

/* ---- Calls ---- */

static void pass_time(void)
{
	uint8_t b = u8();
	flux_ts d = (flux_ts)u8() << (b & 31);

	if (b >= 250)
		world.now -= flux_min_u64(d, FLUX_S(1));
	else
		world.now += flux_min_u64(d, FLUX_S(700));
	for (int i = 0; i < 2; i++)
		if (b & 32 && world.now >= flux_endpoint_deadline(world.side[i].ep))
			flux_endpoint_expire(world.side[i].ep, world.now);
}

static void call_wire(uint8_t op)
{
	uint32_t i = world.n_wire ? u8() % world.n_wire : 0;

	if (!world.n_wire)
		return;
	switch (op) {
	case 0:
		world_deliver(i);
		world_lose(i);
		break;
	case 1:
		world_lose(i);
		break;
	case 2:
		world_deliver(i);
		break;
	case 3:
		damage(i, false);
		break;
	case 4:
		if (!world.honest)
			damage(i, true);
		break;
	default:
		world_deliver_all(u8() & 1);
		break;
	}
}

/* The lengths of short messages, mostly. */
static uint32_t message_len(uint32_t most)
{
	uint8_t b = u8();

	return b < 200 ? b : u16() % (most + 1);
}

static void end_session(struct side *s, flux_sid sid, bool abort)
{
	uint32_t i = world_index(s, sid);
	uint16_t v = u16();
	int rc;

	if (abort)
		rc = flux_session_abort(s->ep, world.now, sid, v | FLUX_CODE_APP, "the input says so");
	else
		rc = flux_session_close(s->ep, world.now, sid, (flux_ts)(v & 255) << (v >> 8) % 40);
	if (rc == 0 && i < SIDS)
		s->of[i].ending = true;
}

static void call_session(struct side *s, uint8_t op)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };
	flux_sid sid = pick_sid(s);
	uint32_t n;

	switch (op) {
	case 0:
		world_message(s, sid, message_len(MESSAGE_MAX));
		break;
	case 1:
		n = message_len(600);
		world_claim(s, sid, n, u8() & 1);
		break;
	case 2:
		n = u8();
		world_read(s, sid, n, u8() % 20);
		break;
	case 3:
		flux_session_pause(s->ep, sid, u8() & 1);
		break;
	case 4:
	case 5:
		end_session(s, sid, op == 5);
		break;
	case 6:
		flux_session_get_stats(s->ep, sid, &stats);
		break;
	default:
		sid = flux_endpoint_readable(s->ep);
		if (sid)
			world_read(s, sid, 15, 16);
		break;
	}
}

static void call_endpoint(int i, uint8_t op)
{
	static const struct flux_addr other = { .ip = { 10, 9, 9, 9 }, .port = 9, .family = 4 };
	struct side *s = &world.side[i];
	uint32_t n;

	switch (op) {
	case 0:
		world_send(i, FLUX_PEEK_MAX, true);
		break;
	case 1:
		n = u8();
		world_send(i, n % 8, n & 8);
		break;
	case 2:
		n = u8();
		world_retire(s, n, u8() % 16);
		break;
	case 3:
		world_settle(s);
		break;
	case 4:
		world_pull_events(s, 1 + u8() % 4);
		break;
	case 5:
		flux_endpoint_expire(s->ep, world.now);
		break;
	case 6:
		world_connect(s, u8() < 230 ? &world.side[!i].addr : &other);
		break;
	case 7:
		if (world.n_wire)
			world_receive(s, &other, wire[0].data, wire[0].len);
		break;
	case 8:
		world_quiesce(i);
		break;
	case 9:
		s->may_allocate = u8() < 128 ? INT32_MAX : u8() % 8;
		break;
	default:
		if (!world.honest)
			forge(i);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags, sides[2];

	in = (struct input){ data, data + size };
	flags = u8();
	sides[0] = u8();
	sides[1] = u8();
	world_open(flags & 1, sides);
	if (!(flags & 2))
		world_shake_hands();
	for (uint32_t calls = 0; in.pos < in.end && calls < CALLS_MAX; calls++) {
		uint8_t op = u8(), arg = op & 31;

		if (arg < 6)
			call_wire(arg);
		else if (arg < 14)
			call_session(&world.side[op >> 7], arg - 6);
		else if (arg < 27)
			call_endpoint(op >> 7, arg - 14);
		else
			pass_time();
		world_check();
	}
	if (world.honest)
		world_heal();
	world_close();
	return 0;
}
