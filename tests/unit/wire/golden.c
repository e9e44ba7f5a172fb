/* SPDX-License-Identifier: MIT */
/*
 * The golden packets: every field as the file says, the same bytes again from our encoders, no
 * prefix accepted, and no flipped bit but RTX.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "core/wire/control.h"
#include "core/wire/handshake.h"
#include "core/wire/packet.h"
#include "core/wire/record.h"
#include "tests/lib/hexfile.h"

/* The session that all files share, and the starts of its checksums as seal.py has them. */
#define CID_C       0x12300001u
#define CID_S       0x45600002u
#define NONCE_C     0x0807060504030201u
#define NONCE_S     0x1817161514131211u
#define START_NONCE 0x46891f81u
#define START_C2S   0xd37dd970u
#define START_S2C   0xc085b983u

#define PACKET_MAX 1200u

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t len;
	struct flux_header head;
	struct flux_reader body; /* between header and trailer */
};

/* Read a file; what has a checksum must have this one. */
static void load(struct packet *p, const char *name)
{
	char path[128] = "tests/golden/";

	strcat(strcat(path, name), ".hex");
	p->len = hexfile_read(path, p->bytes, sizeof(p->bytes));
	assert_true(flux_header_decode(&p->head, p->bytes, p->len));
	assert_int_equal(p->head.version, 1);
}

/* The same for a packet of the session; its header is compared too. */
static void load_session(struct packet *p, const char *name, uint32_t start,
			 struct flux_header want)
{
	uint8_t head[FLUX_HEADER_LEN];

	load(p, name);
	assert_true(flux_trailer_check(p->bytes, p->len, start));
	want.version = 1;
	want.cid = start == START_C2S ? CID_S : CID_C;
	assert_int_equal(p->head.type, want.type);
	assert_int_equal(p->head.flags, want.flags);
	assert_int_equal(p->head.rtx, want.rtx);
	assert_int_equal(p->head.stream, want.stream);
	assert_int_equal(p->head.cid, want.cid);
	assert_int_equal(p->head.num, want.num);
	assert_int_equal(p->head.ts, want.ts);
	flux_header_encode(&want, head);
	assert_memory_equal(head, p->bytes, FLUX_HEADER_LEN);
	flux_reader_init(&p->body, p->bytes + FLUX_HEADER_LEN,
			 p->len - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
}

/* Room for a packet encoded again: the header is that of `p`, the body is the caller's. */
static struct flux_writer again(const struct packet *p, uint8_t out[PACKET_MAX])
{
	struct flux_writer w;

	memset(out, 0x55, PACKET_MAX);
	memcpy(out, p->bytes, FLUX_HEADER_LEN);
	flux_writer_init(&w, out + FLUX_HEADER_LEN,
			 PACKET_MAX - FLUX_HEADER_LEN - FLUX_TRAILER_LEN);
	return w;
}

/* Seal what was written and compare it with the file. */
static void assert_same(const struct packet *p, uint8_t *out, const struct flux_writer *w,
			uint32_t start)
{
	size_t len = (size_t)(w->pos - out);

	assert_false(w->bad);
	assert_int_equal(len + FLUX_TRAILER_LEN, p->len);
	flux_trailer_seal(out, len, start);
	assert_memory_equal(out, p->bytes, p->len);
}

static void session_tags(void **state)
{
	static const uint8_t nonces[16] = {
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18
	};

	(void)state;
	assert_int_equal(flux_crc32c(0, nonces, 8), START_NONCE);
	assert_int_equal(flux_crc32c(1, nonces, 16), START_C2S);
	assert_int_equal(flux_crc32c(2, nonces, 16), START_S2C);
}

static void hello(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_hello h;
	struct packet p;

	(void)state;
	load(&p, "hello");
	assert_int_equal(flux_hello_decode(&h, p.bytes, p.len), FLUX_HELLO_OK);
	assert_int_equal(h.version, 1);
	assert_int_equal(h.mode, FLUX_MODE_PLAIN);
	assert_true(h.has_cookie);
	assert_int_equal(h.cid, CID_C);
	assert_int_equal(h.attempt, 1);
	assert_int_equal(h.ts, 123456);
	assert_int_equal(h.version_min, 1);
	assert_int_equal(h.version_max, 1);
	assert_int_equal(h.suites, 1);
	assert_int_equal(h.key_hint, 0);
	assert_int_equal(h.nonce, NONCE_C);
	assert_int_equal(h.boot, 0x2827262524232221u);
	for (int i = 0; i < 16; i++)
		assert_int_equal(h.cookie[i], 0xa0 + i);
	assert_int_equal(h.params.has, 0x2006e); /* bits 1, 2, 3, 5, 6, 17 */
	assert_int_equal(h.params.max_datagram, 1464);
	assert_int_equal(h.params.idle_timeout_ms, 10000);
	assert_int_equal(h.params.max_message, 1 << 20);
	assert_int_equal(h.params.window, 1024);
	for (int i = 0; i < 16; i++)
		assert_int_equal(h.params.reset_token[i], 0xc0 + i);
	assert_int_equal(h.params.first_seq, 1000);
	assert_int_equal(h.params.unknown_critical, 0);

	assert_int_equal(flux_hello_encode(&h, out, sizeof(out)), p.len);
	assert_memory_equal(out, p.bytes, p.len);
	assert_int_equal(flux_hello_encode(&h, out, sizeof(out) - 1), 0);
}

static void cookie(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_cookie_packet c;
	struct packet p;

	(void)state;
	load(&p, "cookie");
	assert_false(flux_cookie_decode(&c, p.bytes, p.len, NONCE_C + 1));
	assert_true(flux_cookie_decode(&c, p.bytes, p.len, NONCE_C));
	assert_int_equal(c.cid, CID_C);
	assert_int_equal(c.attempt, 0);
	assert_int_equal(c.ts, 123136);
	for (int i = 0; i < 16; i++)
		assert_int_equal(c.cookie[i], 0xa0 + i);

	assert_int_equal(flux_cookie_encode(&c, NONCE_C, out, sizeof(out)), p.len);
	assert_memory_equal(out, p.bytes, p.len);
	assert_int_equal(flux_cookie_encode(&c, NONCE_C, out, p.len - 1), 0);
}

static void welcome(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_welcome w;
	struct packet p;

	(void)state;
	load(&p, "welcome");
	assert_false(flux_welcome_decode(&w, p.bytes, p.len, NONCE_C + 1));
	assert_true(flux_welcome_decode(&w, p.bytes, p.len, NONCE_C));
	assert_int_equal(w.cid, CID_C);
	assert_int_equal(w.attempt, 1);
	assert_int_equal(w.ts, 2000000);
	assert_int_equal(w.version, 1);
	assert_int_equal(w.suite, FLUX_SUITE_CRC);
	assert_int_equal(w.server_cid, CID_S);
	assert_int_equal(w.nonce, NONCE_S);
	assert_int_equal(w.boot, 0x3837363534333231u);
	assert_int_equal(w.echo_ts, 123456);
	assert_int_equal(w.echo_dly, 250);
	assert_int_equal(w.params.has, 0x2006a); /* bits 1, 3, 5, 6, 17 */
	assert_int_equal(w.params.max_datagram, 1392);
	assert_int_equal(w.params.max_message, 2 << 20);
	assert_int_equal(w.params.window, 512);
	for (int i = 0; i < 16; i++)
		assert_int_equal(w.params.reset_token[i], 0xd0 + i);
	assert_int_equal(w.params.first_seq, INT32_MAX);

	assert_int_equal(flux_welcome_encode(&w, NONCE_C, out, sizeof(out)), p.len);
	assert_memory_equal(out, p.bytes, p.len);
	assert_int_equal(flux_welcome_encode(&w, NONCE_C, out, sizeof(out) - 1), 0);
}

static void versions(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_versions v;
	struct packet p;

	(void)state;
	load(&p, "versions");
	assert_false(flux_versions_decode(&v, p.bytes, p.len, NONCE_C + 1));
	assert_true(flux_versions_decode(&v, p.bytes, p.len, NONCE_C));
	assert_int_equal(v.cid, CID_C);
	assert_int_equal(v.attempt, 0);
	assert_int_equal(v.ts, 123136);
	assert_int_equal(v.version_min, 2);
	assert_int_equal(v.version_max, 3);

	assert_int_equal(flux_versions_encode(&v, NONCE_C, out, sizeof(out)), p.len);
	assert_memory_equal(out, p.bytes, p.len);
	assert_int_equal(flux_versions_encode(&v, NONCE_C, out, p.len - 1), 0);
}

static void reset(void **state)
{
	uint8_t out[PACKET_MAX];
	uint8_t token[16];
	struct packet p;
	uint32_t cid;

	(void)state;
	load(&p, "reset");
	assert_true(flux_reset_decode(&cid, token, p.bytes, p.len));
	assert_int_equal(cid, CID_S);
	for (int i = 0; i < 16; i++)
		assert_int_equal(token[i], 0xd0 + i);

	assert_int_equal(flux_reset_encode(cid, token, p.len, out, sizeof(out)), p.len);
	assert_memory_equal(out, p.bytes, p.len);
	assert_int_equal(flux_reset_encode(cid, token, p.len, out, p.len - 1), 0);
	assert_int_equal(flux_reset_encode(cid, token, p.len - 1, out, sizeof(out)), 0);
}

/* The next record of a body is this one. */
static void assert_record(const struct packet *p, uint32_t *off, enum flux_record_kind kind,
			  uint32_t total, const char *text)
{
	uint32_t len = (uint32_t)flux_reader_left(&p->body);
	struct flux_record rec;

	assert_int_equal(flux_record_next(p->body.pos, len, off, &rec), FLUX_RECORD_OK);
	assert_int_equal(rec.kind, kind);
	assert_int_equal(rec.len, strlen(text));
	assert_memory_equal(rec.data, text, strlen(text));
	if (kind == FLUX_REC_FIRST)
		assert_int_equal(rec.total, total);
}

/* As above, for a meta record of `len` bytes. */
static void assert_meta(const struct packet *p, uint32_t *off, uint8_t meta, uint32_t len)
{
	uint32_t body_len = (uint32_t)flux_reader_left(&p->body);
	struct flux_record rec;

	assert_int_equal(flux_record_next(p->body.pos, body_len, off, &rec), FLUX_RECORD_OK);
	assert_int_equal(rec.kind, FLUX_REC_META);
	assert_int_equal(rec.meta, meta);
	assert_int_equal(rec.len, len);
}

static void assert_end(const struct packet *p, uint32_t off)
{
	uint32_t len = (uint32_t)flux_reader_left(&p->body);
	struct flux_record rec;

	assert_int_equal(flux_record_next(p->body.pos, len, &off, &rec), FLUX_RECORD_END);
	assert_true(flux_record_check_body(p->body.pos, len));
}

static void put_record(struct flux_writer *w, enum flux_record_kind kind, uint32_t total,
		       const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	uint32_t want = flux_record_header_len(kind, len);

	assert_int_equal(flux_record_put_header(w->pos, kind, len, total), want);
	w->pos += want;
	flux_write_bytes(w, text, len);
}

static void data_whole(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_writer w;
	struct packet p;
	uint32_t off = 0;

	(void)state;
	load_session(&p, "data_whole", START_C2S,
		     (struct flux_header){
			     .type = FLUX_PKT_DATA, .num = 1000, .ts = 123457 });
	assert_record(&p, &off, FLUX_REC_WHOLE, 0, "hello");
	assert_record(&p, &off, FLUX_REC_WHOLE, 0, "");
	assert_record(&p, &off, FLUX_REC_WHOLE, 0, "abc");
	assert_meta(&p, &off, FLUX_META_PAD, 4);
	assert_end(&p, off);

	w = again(&p, out);
	put_record(&w, FLUX_REC_WHOLE, 0, "hello");
	put_record(&w, FLUX_REC_WHOLE, 0, "");
	put_record(&w, FLUX_REC_WHOLE, 0, "abc");
	w.pos += flux_record_put_meta(w.pos, FLUX_META_PAD, "\xff\xff\xff\xff", 4);
	flux_record_put_padding(w.pos, 15);
	assert_memory_equal(w.pos, "\x00\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
	/* The file has other bytes in the padding, which a reader must not look at. */
	memcpy(w.pos + 2, p.bytes + p.len - 17, 13);
	w.pos += 15;
	assert_same(&p, out, &w, START_C2S);
}

static void data_first(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_writer w;
	struct packet p;
	uint32_t off = 0;

	(void)state;
	load_session(&p, "data_first", START_C2S,
		     (struct flux_header){
			     .type = FLUX_PKT_DATA, .flags = 3, .stream = 5, .num = UINT32_MAX });
	assert_record(&p, &off, FLUX_REC_WHOLE, 0, "hi");
	assert_record(&p, &off, FLUX_REC_FIRST, 20, "01234567");
	assert_end(&p, off);

	w = again(&p, out);
	put_record(&w, FLUX_REC_WHOLE, 0, "hi");
	put_record(&w, FLUX_REC_FIRST, 20, "01234567");
	assert_same(&p, out, &w, START_C2S);
}

static void data_middle(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_writer w;
	struct packet p;
	uint32_t off = 0;

	(void)state;
	load_session(&p, "data_middle", START_C2S,
		     (struct flux_header){
			     .type = FLUX_PKT_DATA, .flags = 3, .rtx = true, .stream = 5, .ts = 1 });
	assert_record(&p, &off, FLUX_REC_MIDDLE, 0, "89:;<=>?");
	assert_end(&p, off);

	w = again(&p, out);
	put_record(&w, FLUX_REC_MIDDLE, 0, "89:;<=>?");
	assert_same(&p, out, &w, START_C2S);

	/* The first transmission of it differs in the one bit, and its checksum in nothing. */
	p.bytes[1] &= (uint8_t)~FLUX_RTX_BIT;
	assert_true(flux_trailer_check(p.bytes, p.len, START_C2S));
}

static void data_last(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_writer w;
	struct packet p;
	uint32_t off = 0;

	(void)state;
	load_session(&p, "data_last", START_C2S,
		     (struct flux_header){
			     .type = FLUX_PKT_DATA, .flags = 3, .stream = 5, .num = 1, .ts = 2 });
	assert_record(&p, &off, FLUX_REC_LAST, 0, "@ABC");
	assert_record(&p, &off, FLUX_REC_WHOLE, 0, "z");
	assert_meta(&p, &off, FLUX_META_EOS, 0);
	assert_end(&p, off);

	w = again(&p, out);
	put_record(&w, FLUX_REC_LAST, 0, "@ABC");
	put_record(&w, FLUX_REC_WHOLE, 0, "z");
	w.pos += flux_record_put_meta(w.pos, FLUX_META_EOS, NULL, 0);
	flux_write_u8(&w, 0xaa);
	assert_same(&p, out, &w, START_C2S);
}

static void assert_range(const struct flux_range *range, uint64_t first, uint64_t last)
{
	assert_int_equal(range->first, first);
	assert_int_equal(range->first + range->count - 1, last);
}

static void feedback(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_feedback fb;
	struct flux_writer w;
	struct packet p;

	(void)state;
	load_session(&p, "feedback", START_S2C,
		     (struct flux_header){
			     .type = FLUX_PKT_FEEDBACK, .num = 7, .ts = 2000128 });
	assert_true(flux_feedback_decode(&fb, &p.body));
	assert_int_equal(fb.ack, 1000);
	assert_int_equal(fb.window, 1024);
	assert_int_equal(fb.high, 2000);
	assert_int_equal(fb.rx_bytes, 0x12345678);
	assert_int_equal(fb.lost, 4);
	assert_int_equal(fb.echo_ts, 123457);
	assert_int_equal(fb.echo_dly, 100);
	assert_int_equal(fb.fixed, 2);
	assert_int_equal(fb.flags, FLUX_FB_PROBE | FLUX_FB_WANT_SYNC);
	assert_int_equal(fb.n, 3);
	assert_true(flux_ranges_decode(fb.ranges, fb.n, &p.body, fb.ack, fb.high, fb.window));
	assert_range(&fb.ranges[0], 1000, 1000);
	assert_range(&fb.ranges[1], 1005, 1007);
	assert_range(&fb.ranges[2], 1208, 1507);
	assert_int_equal(flux_reader_left(&p.body), 0);

	w = again(&p, out);
	flux_feedback_encode(&fb, &w);
	assert_same(&p, out, &w, START_S2C);
}

static void sync(void **state)
{
	const uint64_t base = (uint64_t)1 << 32;
	uint8_t out[PACKET_MAX];
	struct flux_sync s;
	struct flux_writer w;
	struct packet p;

	(void)state;
	load_session(&p, "sync", START_C2S,
		     (struct flux_header){ .type = FLUX_PKT_SYNC, .num = 3, .ts = 123648 });
	assert_true(flux_sync_decode(&s, &p.body));
	assert_int_equal(s.next, base + 2000);
	assert_int_equal(s.floor, base + 1000);
	assert_int_equal(s.srtt, 10000);
	assert_int_equal(s.rttvar, 500);
	assert_int_equal(s.gsize, 1);
	assert_int_equal(s.hb, 2500);
	assert_int_equal(s.cc_rate, 0x1234);
	assert_int_equal(s.flags, FLUX_SYNC_WANT_FEEDBACK | FLUX_SYNC_REPAIRING);
	assert_int_equal(s.n, 1);
	assert_true(flux_ranges_decode(s.ranges, s.n, &p.body, s.floor, s.next, 2));
	assert_range(&s.ranges[0], base + 1003, base + 1004);

	w = again(&p, out);
	flux_sync_encode(&s, &w);
	assert_same(&p, out, &w, START_C2S);
}

static void open_stream(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_open o;
	struct flux_writer w;
	struct packet p;

	(void)state;
	load_session(&p, "open", START_C2S,
		     (struct flux_header){
			     .type = FLUX_PKT_OPEN, .stream = 1, .num = 4, .ts = 123904 });
	assert_true(flux_open_decode(&o, &p.body));
	assert_int_equal(o.op, FLUX_OPEN_OPEN);
	assert_int_equal(o.reason, 0);
	assert_int_equal(o.first_seq, 12345);
	assert_int_equal(o.params.has, 1u << 3 | 1u << 5);
	assert_int_equal(o.params.max_message, 65536);
	assert_int_equal(o.params.window, 256);

	w = again(&p, out);
	flux_open_encode(&o, &w);
	assert_same(&p, out, &w, START_C2S);
}

static void ping(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_ping ping;
	struct flux_writer w;
	struct packet p;

	(void)state;
	load_session(&p, "ping", START_C2S,
		     (struct flux_header){ .type = FLUX_PKT_PING, .num = 5, .ts = 124160 });
	assert_true(flux_ping_decode(&ping, &p.body));
	assert_int_equal(ping.data, 0xf7f6f5f4f3f2f1f0u);
	assert_int_equal(ping.size, 60);
	assert_int_equal(ping.flags, 2);
	assert_int_equal(ping.path, 1);

	w = again(&p, out);
	flux_ping_encode(&ping, &w);
	assert_same(&p, out, &w, START_C2S);
}

static void pong(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_pong pong;
	struct flux_writer w;
	struct packet p;

	(void)state;
	load_session(&p, "pong", START_S2C,
		     (struct flux_header){ .type = FLUX_PKT_PONG, .num = 8, .ts = 2000384 });
	assert_true(flux_pong_decode(&pong, &p.body));
	assert_int_equal(pong.data, 0xf7f6f5f4f3f2f1f0u);
	assert_int_equal(pong.size, 60);
	assert_int_equal(pong.flags, 2);
	assert_int_equal(pong.path, 1);
	assert_int_equal(pong.echo_ts, 124160);
	assert_int_equal(pong.echo_dly, FLUX_NO_ECHO);

	w = again(&p, out);
	flux_pong_encode(&pong, &w);
	assert_same(&p, out, &w, START_S2C);
}

static void close_session(void **state)
{
	uint8_t out[PACKET_MAX];
	struct flux_close c;
	struct flux_writer w;
	struct packet p;

	(void)state;
	load_session(&p, "close", START_S2C,
		     (struct flux_header){ .type = FLUX_PKT_CLOSE, .num = 9, .ts = 2000640 });
	assert_true(flux_close_decode(&c, &p.body));
	assert_int_equal(c.kind, FLUX_CLOSE_ABORT);
	assert_int_equal(c.code, FLUX_CODE_APP + 44);
	assert_int_equal(c.text_len, 9);
	assert_memory_equal(c.text, "disk full", 9);

	w = again(&p, out);
	flux_close_encode(&c, &w);
	assert_same(&p, out, &w, START_S2C);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_tags),
		cmocka_unit_test(hello),
		cmocka_unit_test(cookie),
		cmocka_unit_test(welcome),
		cmocka_unit_test(versions),
		cmocka_unit_test(reset),
		cmocka_unit_test(data_whole),
		cmocka_unit_test(data_first),
		cmocka_unit_test(data_middle),
		cmocka_unit_test(data_last),
		cmocka_unit_test(feedback),
		cmocka_unit_test(sync),
		cmocka_unit_test(open_stream),
		cmocka_unit_test(ping),
		cmocka_unit_test(pong),
		cmocka_unit_test(close_session),
	};

	return cmocka_run_group_tests_name("golden packets", tests, NULL, NULL);
}
