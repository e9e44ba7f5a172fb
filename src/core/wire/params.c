/* SPDX-License-Identifier: MIT */
/* The parameter list: varint type, varint length, value. What is odd must be understood. */
#include "core/wire/params.h"

#include <string.h>

/* Read the value of a known type from `v`, which holds just that. False: not a type of ours. */
static bool decode_value(struct flux_params *p, uint64_t type, struct flux_reader *v)
{
	const uint8_t *token;

	switch (type) {
	case FLUX_PARAM_MAX_DATAGRAM:
		p->max_datagram = flux_read_u16(v);
		return true;
	case FLUX_PARAM_IDLE_TIMEOUT:
		p->idle_timeout_ms = flux_read_u32(v);
		return true;
	case FLUX_PARAM_MAX_MESSAGE:
		p->max_message = flux_read_u32(v);
		return true;
	case FLUX_PARAM_WINDOW:
		p->window = flux_read_u32(v);
		return true;
	case FLUX_PARAM_RESET_TOKEN:
		token = flux_read_bytes(v, sizeof(p->reset_token));
		if (token)
			memcpy(p->reset_token, token, sizeof(p->reset_token));
		return true;
	case FLUX_PARAM_FIRST_SEQ:
		p->first_seq = flux_read_u64(v);
		return true;
	default:
		return false;
	}
}

bool flux_params_decode(struct flux_params *p, struct flux_reader *r)
{
	uint64_t seen = 0; /* bit i: type i; from 64 up none is known */

	memset(p, 0, sizeof(*p));
	while (flux_reader_left(r) > 0) {
		uint64_t type = flux_read_varint(r);
		uint64_t len = flux_read_varint(r);
		struct flux_reader v;
		const uint8_t *value;

		if (len > flux_reader_left(r))
			return false;
		value = flux_read_bytes(r, (size_t)len);
		if (r->bad)
			return false;
		if (type < 64) {
			if (seen >> type & 1)
				return false;
			seen |= (uint64_t)1 << type;
		}
		flux_reader_init(&v, value, (size_t)len);
		if (decode_value(p, type, &v)) {
			if (v.bad || flux_reader_left(&v) > 0)
				return false;
			p->has |= 1u << type;
		} else if ((type & 1) && !p->unknown_critical) {
			p->unknown_critical = type < UINT32_MAX ? (uint32_t)type : UINT32_MAX;
		}
	}
	return !r->bad;
}

/* Type and length, if the member is there at all. */
static bool put_head(const struct flux_params *p, uint32_t type, size_t len,
		     struct flux_writer *w)
{
	if (!(p->has >> type & 1))
		return false;
	flux_write_varint(w, type);
	flux_write_varint(w, len);
	return true;
}

void flux_params_encode(const struct flux_params *p, struct flux_writer *w)
{
	if (put_head(p, FLUX_PARAM_MAX_DATAGRAM, 2, w))
		flux_write_u16(w, p->max_datagram);
	if (put_head(p, FLUX_PARAM_IDLE_TIMEOUT, 4, w))
		flux_write_u32(w, p->idle_timeout_ms);
	if (put_head(p, FLUX_PARAM_MAX_MESSAGE, 4, w))
		flux_write_u32(w, p->max_message);
	if (put_head(p, FLUX_PARAM_WINDOW, 4, w))
		flux_write_u32(w, p->window);
	if (put_head(p, FLUX_PARAM_RESET_TOKEN, sizeof(p->reset_token), w))
		flux_write_bytes(w, p->reset_token, sizeof(p->reset_token));
	if (put_head(p, FLUX_PARAM_FIRST_SEQ, 8, w))
		flux_write_u64(w, p->first_seq);
}
