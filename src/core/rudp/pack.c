/* SPDX-License-Identifier: MIT */
/* The writer's upper half: messages become records, packed or cut into fragments (protocol 2.5). */
#include <string.h>

#include <flux/error.h>

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/mutation.h"
#include "core/rudp/txstream.h"
#include "core/wire/record.h"

static int refuse(struct flux_txstream *w)
{
	w->refused = true;
	w->refusals++;
	return FLUX_EAGAIN;
}

uint32_t flux_txstream_max_claim(const struct flux_txstream *w)
{
	uint32_t room = flux_txwin_room_max(&w->win);
	uint32_t len = room - flux_record_header_len(FLUX_REC_WHOLE, room);

	return flux_min_u32(len, w->max_message);
}

int flux_txstream_claim_some(struct flux_txstream *w, uint32_t len, uint32_t *n, void **data)
{
	uint32_t header = flux_record_header_len(FLUX_REC_WHOLE, len);
	uint8_t *at;

	if (w->claimed)
		return FLUX_EBUSY;
	if (len > flux_txstream_max_claim(w))
		return FLUX_EMSGSIZE;
	if (*n == 0)
		return FLUX_EINVAL;
	at = flux_txwin_reserve(&w->win, header + len);
	if (!at)
		return refuse(w);
	*n = flux_min_u32(*n, flux_txwin_room(&w->win) / (header + len));
	w->claimed = *n;
	w->claim_len = len;
	*data = at + header;
	return 0;
}

int flux_txstream_claim(struct flux_txstream *w, uint32_t len, void **data)
{
	uint32_t n = 1;

	return flux_txstream_claim_some(w, len, &n, data);
}

static uint8_t *open_end(const struct flux_txstream *w)
{
	return w->win.bytes + w->win.head + w->win.open_len;
}

int flux_txstream_publish(struct flux_txstream *w, uint32_t len)
{
	uint8_t *at = open_end(w);
	uint32_t claimed_header, header;

	if (w->claimed != 1 || len > w->claim_len)
		return FLUX_EINVAL;
	claimed_header = flux_record_header_len(FLUX_REC_WHOLE, w->claim_len);
	header = flux_record_put_header(at, FLUX_REC_WHOLE, len, 0);
	if (header != claimed_header) /* a long claim that became short: rare */
		memmove(at + header, at + claimed_header, len);
	flux_txwin_extend(&w->win, FLUX_MUTATION(FORGET_MESSAGE) && w->messages == 40 ? 0 : header + len, 1);
	w->claimed = 0;
	w->messages++;
	return 0;
}

/* The header of a whole message, which is short nearly always. */
static void put_whole(uint8_t *at, uint32_t len)
{
	if (len <= FLUX_RECORD_LEN_MAX)
		flux_store_u16(at, (uint16_t)len);
	else
		flux_record_put_header(at, FLUX_REC_WHOLE, len, 0);
}

int flux_txstream_publish_some(struct flux_txstream *w, uint32_t n)
{
	uint32_t stride = flux_record_header_len(FLUX_REC_WHOLE, w->claim_len) + w->claim_len;
	uint8_t *at = open_end(w);

	if (!w->claimed || n > w->claimed)
		return FLUX_EINVAL;
	for (uint32_t i = 0; i < n; i++, at += stride)
		put_whole(at, w->claim_len);
	flux_txwin_extend(&w->win, n * stride, (uint16_t)n);
	w->claimed = 0;
	w->messages += n;
	return 0;
}

void flux_txstream_abort(struct flux_txstream *w)
{
	w->claimed = 0;
}

/* One fragment, alone in what is left of its datagram. The caller knows that it fits. */
static const uint8_t *put_fragment(struct flux_txstream *w, enum flux_record_kind kind,
				   const uint8_t *data, uint32_t len, uint32_t total)
{
	uint32_t header = flux_record_header_len(kind, len);
	uint8_t *at = flux_txwin_reserve(&w->win, header + len);

	flux_record_put_header(at, kind, len, total);
	memcpy(at + header, data, len);
	flux_txwin_extend(&w->win, header + len, kind == FLUX_REC_LAST);
	if (kind != FLUX_REC_LAST)
		flux_txwin_close_open(&w->win);
	return data + len;
}

static int send_fragments(struct flux_txstream *w, const uint8_t *data, uint32_t len)
{
	uint32_t room = flux_txwin_room_max(&w->win);
	uint32_t first = room - flux_record_header_len(FLUX_REC_FIRST, room);
	uint32_t more = room - flux_record_header_len(FLUX_REC_MIDDLE, room);
	uint32_t rest = len - first;

	if (!flux_txwin_fits(&w->win, 1 + (rest + more - 1) / more))
		return refuse(w);
	flux_txwin_close_open(&w->win);
	data = put_fragment(w, FLUX_REC_FIRST, data, first, len);
	for (; rest > more; rest -= more)
		data = put_fragment(w, FLUX_REC_MIDDLE, data, more, 0);
	put_fragment(w, FLUX_REC_LAST, data, rest, 0);
	w->messages++;
	return 0;
}

int flux_txstream_send(struct flux_txstream *w, const void *data, uint32_t len)
{
	void *at;
	int rc;

	if (w->claimed)
		return FLUX_EBUSY;
	if (len > w->max_message)
		return FLUX_EMSGSIZE;
	if (len > flux_txstream_max_claim(w))
		return send_fragments(w, data, len);
	rc = flux_txstream_claim(w, len, &at);
	if (rc)
		return rc;
	if (len)
		memcpy(at, data, len);
	return flux_txstream_publish(w, len);
}

bool flux_txstream_finish(struct flux_txstream *w)
{
	uint8_t *at;

	if (w->finished)
		return true;
	w->claimed = 0;
	at = flux_txwin_reserve(&w->win, 4);
	if (!at)
		return false;
	flux_txwin_extend(&w->win, flux_record_put_meta(at, FLUX_META_EOS, NULL, 0), 0);
	w->finished = true;
	return true;
}

bool flux_txstream_take_writable(struct flux_txstream *w)
{
	if (!w->refused || !flux_txwin_half_free(&w->win))
		return false;
	w->refused = false;
	return true;
}
