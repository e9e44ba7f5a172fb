/* SPDX-License-Identifier: MIT */
/* HELLO, COOKIE, WELCOME, VERSIONS and RESET: whole datagrams, each with its checksum rule. */
#include "core/wire/handshake.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32c.h"
#include "core/wire/control.h"
#include "core/wire/cursor.h"

#define HELLO_HAS_COOKIE     1u
#define HELLO_NONCE_AT       24u
#define COOKIE_RESERVED_LEN  8u
#define WELCOME_RESERVED_LEN 14u
#define RESET_LEN_MIN        40u
/* Where the parameters begin, in HELLO and in WELCOME. */
#define PARAMS_AT 64u

/* Answers to a HELLO are summed from here, so that only who saw the nonce can write one. */
static uint32_t nonce_start(uint64_t nonce_c)
{
	uint8_t bytes[8];

	flux_store_u64(bytes, nonce_c);
	return flux_crc32c(0, bytes, sizeof(bytes));
}

/* Read the header; `r` is left behind it. */
static bool open_packet(struct flux_header *h, struct flux_reader *r, const uint8_t *data,
			size_t len)
{
	if (!flux_header_decode(h, data, len))
		return false;
	flux_reader_init(r, data, len);
	flux_read_bytes(r, FLUX_HEADER_LEN);
	return true;
}

/* The same, and the checksum starts with the client's nonce and holds; `r` ends before it. */
static bool open_answer(struct flux_header *h, struct flux_reader *r, const uint8_t *data,
			size_t len, uint64_t nonce_c)
{
	if (!open_packet(h, r, data, len) ||
	    !flux_trailer_check(data, len, nonce_start(nonce_c)))
		return false;
	r->end -= FLUX_TRAILER_LEN;
	return true;
}

static bool is_ours(const struct flux_header *h, uint8_t type)
{
	return h->version == FLUX_WIRE_VERSION && h->type == type;
}

static void put_header(struct flux_writer *w, const struct flux_header *h)
{
	uint8_t bytes[FLUX_HEADER_LEN];

	flux_header_encode(h, bytes);
	flux_write_bytes(w, bytes, sizeof(bytes));
}

/* Seal what was written; the length with its trailer, or 0 if something did not fit. */
static size_t close_packet(struct flux_writer *w, uint8_t *out, uint32_t start)
{
	size_t len = (size_t)(w->pos - out);

	flux_write_zeros(w, FLUX_TRAILER_LEN);
	if (w->bad)
		return 0;
	flux_trailer_seal(out, len, start);
	return len + FLUX_TRAILER_LEN;
}

/* Write the parameters at PARAMS_AT, their length at `len_at`, pad to FLUX_HELLO_LEN, seal. */
static size_t close_with_params(struct flux_writer *w, uint8_t *out, const struct flux_params *p,
				uint32_t len_at, uint32_t start)
{
	const size_t body_max = FLUX_HELLO_LEN - FLUX_TRAILER_LEN;
	size_t end;

	flux_params_encode(p, w);
	end = (size_t)(w->pos - out);
	if (w->bad)
		return 0;
	flux_store_u16(out + len_at, (uint16_t)(end - PARAMS_AT));
	if (end < body_max)
		flux_write_zeros(w, body_max - end);
	return close_packet(w, out, start);
}

/* `r` stands at PARAMS_AT: the list takes par_len bytes, the rest is padding. */
static bool read_params(struct flux_params *params, struct flux_reader *r, uint16_t par_len)
{
	const uint8_t *list = flux_read_bytes(r, par_len);
	struct flux_reader in;

	if (!list)
		return false;
	flux_reader_init(&in, list, par_len);
	return flux_params_decode(params, &in);
}

enum flux_hello_result flux_hello_decode(struct flux_hello *h, const uint8_t *data, size_t len)
{
	struct flux_header head;
	struct flux_reader r;
	const uint8_t *cookie;
	uint16_t hs_len;
	uint16_t par_len;

	memset(h, 0, sizeof(*h));
	if (len < FLUX_HELLO_LEN || !open_packet(&head, &r, data, len) ||
	    head.type != FLUX_PKT_HELLO)
		return FLUX_HELLO_BAD;
	h->version = head.version;
	h->mode = (uint8_t)head.stream;
	h->has_cookie = head.stream >> 8 & HELLO_HAS_COOKIE;
	h->cid = head.cid;
	h->attempt = head.num;
	h->ts = head.ts;
	h->nonce = flux_load_u64(data + HELLO_NONCE_AT);
	if (head.version != FLUX_WIRE_VERSION)
		return FLUX_HELLO_OTHER_VERSION;
	if (h->mode != FLUX_MODE_PLAIN || !flux_trailer_check(data, len, 0))
		return FLUX_HELLO_BAD;

	r.end -= FLUX_TRAILER_LEN;
	h->version_min = flux_read_u8(&r);
	h->version_max = flux_read_u8(&r);
	h->suites = flux_read_u16(&r);
	h->key_hint = flux_read_u32(&r);
	h->nonce = flux_read_u64(&r);
	h->boot = flux_read_u64(&r);
	cookie = flux_read_bytes(&r, FLUX_COOKIE_LEN);
	hs_len = flux_read_u16(&r);
	par_len = flux_read_u16(&r);
	flux_read_u32(&r);
	if (r.bad || hs_len != 0 || h->version_min > h->version_max ||
	    !read_params(&h->params, &r, par_len))
		return FLUX_HELLO_BAD;
	if (h->has_cookie)
		memcpy(h->cookie, cookie, FLUX_COOKIE_LEN);
	return FLUX_HELLO_OK;
}

size_t flux_hello_encode(const struct flux_hello *h, uint8_t *out, size_t cap)
{
	const struct flux_header head = {
		.version = FLUX_WIRE_VERSION,
		.type = FLUX_PKT_HELLO,
		.stream = (uint16_t)(h->mode | (h->has_cookie ? HELLO_HAS_COOKIE << 8 : 0)),
		.cid = h->cid,
		.num = h->attempt,
		.ts = h->ts,
	};
	struct flux_writer w;

	flux_writer_init(&w, out, cap);
	put_header(&w, &head);
	flux_write_u8(&w, h->version_min);
	flux_write_u8(&w, h->version_max);
	flux_write_u16(&w, h->suites);
	flux_write_u32(&w, h->key_hint);
	flux_write_u64(&w, h->nonce);
	flux_write_u64(&w, h->boot);
	if (h->has_cookie)
		flux_write_bytes(&w, h->cookie, FLUX_COOKIE_LEN);
	else
		flux_write_zeros(&w, FLUX_COOKIE_LEN);
	flux_write_u16(&w, 0); /* no Noise message in this mode */
	flux_write_u16(&w, 0); /* par_len, known below */
	flux_write_u32(&w, 0);
	return close_with_params(&w, out, &h->params, 58, 0);
}

bool flux_cookie_decode(struct flux_cookie_packet *c, const uint8_t *data, size_t len,
			uint64_t nonce_c)
{
	struct flux_header head;
	struct flux_reader r;
	const uint8_t *cookie;

	if (!open_answer(&head, &r, data, len, nonce_c) || !is_ours(&head, FLUX_PKT_COOKIE))
		return false;
	cookie = flux_read_bytes(&r, FLUX_COOKIE_LEN);
	if (flux_read_u64(&r) != nonce_c || !flux_read_bytes(&r, COOKIE_RESERVED_LEN))
		return false;
	c->cid = head.cid;
	c->attempt = head.num;
	c->ts = head.ts;
	memcpy(c->cookie, cookie, FLUX_COOKIE_LEN);
	return true;
}

size_t flux_cookie_encode(const struct flux_cookie_packet *c, uint64_t nonce_c, uint8_t *out,
			  size_t cap)
{
	const struct flux_header head = {
		.version = FLUX_WIRE_VERSION,
		.type = FLUX_PKT_COOKIE,
		.cid = c->cid,
		.num = c->attempt,
		.ts = c->ts,
	};
	struct flux_writer w;

	flux_writer_init(&w, out, cap);
	put_header(&w, &head);
	flux_write_bytes(&w, c->cookie, FLUX_COOKIE_LEN);
	flux_write_u64(&w, nonce_c);
	flux_write_zeros(&w, COOKIE_RESERVED_LEN);
	return close_packet(&w, out, nonce_start(nonce_c));
}

bool flux_welcome_decode(struct flux_welcome *w, const uint8_t *data, size_t len,
			 uint64_t nonce_c)
{
	struct flux_header head;
	struct flux_reader r;
	uint16_t hs_len;
	uint16_t par_len;

	if (len < FLUX_HELLO_LEN || !open_answer(&head, &r, data, len, nonce_c) ||
	    !is_ours(&head, FLUX_PKT_WELCOME))
		return false;
	w->cid = head.cid;
	w->attempt = head.num;
	w->ts = head.ts;
	w->version = flux_read_u8(&r);
	w->suite = flux_read_u8(&r);
	hs_len = flux_read_u16(&r);
	w->server_cid = flux_read_u32(&r);
	w->nonce = flux_read_u64(&r);
	w->boot = flux_read_u64(&r);
	w->echo_ts = flux_read_u32(&r);
	w->echo_dly = flux_read_u32(&r);
	par_len = flux_read_u16(&r);
	flux_read_bytes(&r, WELCOME_RESERVED_LEN);
	return !r.bad && hs_len == 0 && read_params(&w->params, &r, par_len);
}

size_t flux_welcome_encode(const struct flux_welcome *w, uint64_t nonce_c, uint8_t *out,
			   size_t cap)
{
	const struct flux_header head = {
		.version = FLUX_WIRE_VERSION,
		.type = FLUX_PKT_WELCOME,
		.cid = w->cid,
		.num = w->attempt,
		.ts = w->ts,
	};
	struct flux_writer wr;

	flux_writer_init(&wr, out, cap);
	put_header(&wr, &head);
	flux_write_u8(&wr, w->version);
	flux_write_u8(&wr, w->suite);
	flux_write_u16(&wr, 0); /* no Noise message in this mode */
	flux_write_u32(&wr, w->server_cid);
	flux_write_u64(&wr, w->nonce);
	flux_write_u64(&wr, w->boot);
	flux_write_u32(&wr, w->echo_ts);
	flux_write_u32(&wr, w->echo_dly);
	flux_write_u16(&wr, 0); /* par_len, known below */
	flux_write_zeros(&wr, WELCOME_RESERVED_LEN);
	return close_with_params(&wr, out, &w->params, 48, nonce_start(nonce_c));
}

/* A server that lacks our version answers in the header of its own, so any is taken. */
bool flux_versions_decode(struct flux_versions *v, const uint8_t *data, size_t len,
			  uint64_t nonce_c)
{
	struct flux_header head;
	struct flux_reader r;

	if (!open_answer(&head, &r, data, len, nonce_c) || head.type != FLUX_PKT_VERSIONS)
		return false;
	v->cid = head.cid;
	v->attempt = head.num;
	v->ts = head.ts;
	v->version_min = flux_read_u8(&r);
	v->version_max = flux_read_u8(&r);
	flux_read_u16(&r);
	return flux_read_u64(&r) == nonce_c && !r.bad && v->version_min <= v->version_max;
}

size_t flux_versions_encode(const struct flux_versions *v, uint64_t nonce_c, uint8_t *out,
			    size_t cap)
{
	const struct flux_header head = {
		.version = FLUX_WIRE_VERSION,
		.type = FLUX_PKT_VERSIONS,
		.cid = v->cid,
		.num = v->attempt,
		.ts = v->ts,
	};
	struct flux_writer w;

	flux_writer_init(&w, out, cap);
	put_header(&w, &head);
	flux_write_u8(&w, v->version_min);
	flux_write_u8(&w, v->version_max);
	flux_write_u16(&w, 0);
	flux_write_u64(&w, nonce_c);
	return close_packet(&w, out, nonce_start(nonce_c));
}

bool flux_reset_decode(uint32_t *cid, uint8_t token[16], const uint8_t *data, size_t len)
{
	struct flux_header head;
	struct flux_reader r;

	if (len < RESET_LEN_MIN || !open_packet(&head, &r, data, len) ||
	    !is_ours(&head, FLUX_PKT_RESET))
		return false;
	*cid = head.cid;
	memcpy(token, flux_read_bytes(&r, FLUX_RESET_TOKEN_LEN), FLUX_RESET_TOKEN_LEN);
	return true;
}

size_t flux_reset_encode(uint32_t cid, const uint8_t token[16], size_t len, uint8_t *out,
			 size_t cap)
{
	const struct flux_header head = {
		.version = FLUX_WIRE_VERSION, .type = FLUX_PKT_RESET, .cid = cid
	};
	struct flux_writer w;

	if (len < RESET_LEN_MIN || len > cap)
		return 0;
	flux_writer_init(&w, out, len);
	put_header(&w, &head);
	flux_write_bytes(&w, token, FLUX_RESET_TOKEN_LEN);
	flux_write_zeros(&w, flux_writer_left(&w));
	return len;
}
