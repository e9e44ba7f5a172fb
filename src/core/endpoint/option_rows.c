/* SPDX-License-Identifier: MIT */
/* Every limit and default of an endpoint's configuration, once; all else that speaks of them reads it here. */
#include <string.h>

#include "core/base/bits.h"
#include "core/endpoint/options.h"

#define FIRST_SEQ_MAX ((UINT64_C(1) << 62) - 1) /* protocol 2.11 */

#define PLACE(member) ((uint16_t)offsetof(struct flux_endpoint_cfg, member))
#define MEMBER(member) \
	.key = #member, .at = PLACE(member), .bytes = sizeof(((struct flux_endpoint_cfg *)NULL)->member)
#define COUNT .unit = FLUX_UNIT_COUNT
#define BYTES .unit = FLUX_UNIT_SIZE
#define TIME  .unit = FLUX_UNIT_TIME

/* A member stands behind those that its limit follows from. */
const struct flux_option_row flux_option_rows[FLUX_OPTION_ROWS] = {
	{ MEMBER(accept), COUNT, .lo = 0, .hi = 1 },
	{ MEMBER(max_sessions), COUNT, .lo = 1, .hi = 65536, .initial = 64,
	  .meaning = "sessions open at a time" },
	{ MEMBER(max_datagram), BYTES, .lo = 576, .hi = 65472, .initial = 1200,
	  .meaning = "bytes of UDP payload; the smaller of both ends' holds" },
	{ MEMBER(max_message), BYTES, .lo = 1, .hi = 1u << 30, .initial = 1u << 20,
	  .meaning = "bytes of the largest message that this end accepts" },
	{ MEMBER(window), COUNT, .lo = 16, .hi = 65536, .pow2 = true, .initial = 1024,
	  .meaning = "datagrams that a session's receiver keeps unread or out of order" },
	{ MEMBER(rx_pool), COUNT, .lo = 1, .hi = 1u << 24, .initially = "max_sessions + 4 windows",
	  .lo_words = "at least max_sessions", .lo_at = PLACE(max_sessions), .lo_times = 1,
	  .meaning = "datagrams kept unread or out of order over all sessions" },
	{ MEMBER(rcvbuf), BYTES, .lo = 0, .hi = UINT32_MAX },
	{ MEMBER(tx_queue), BYTES, .lo = 16 * 576, .hi = 1u << 30, .initial = 2u << 20,
	  .lo_words = "at least 16 times max_datagram", .lo_at = PLACE(max_datagram), .lo_times = 16,
	  .meaning = "bytes of unacknowledged data that a session may hold" },
	{ MEMBER(cwnd), BYTES, .lo = 1, .hi = UINT32_MAX, .initial = UINT32_MAX, .word = "none",
	  .word_value = UINT32_MAX, .meaning = "bytes in flight that a session allows itself" },
	{ MEMBER(rate_bps), BYTES, .lo = 1, .hi = UINT64_MAX, .word = "none", .word_value = 0,
	  .meaning = "bytes a second that a session sends at most" },
	{ MEMBER(granularity), TIME, .lo = 1, .hi = FLUX_S(1), .initial = FLUX_MS(1),
	  .meaning = "how late timers usually fire" },
	{ MEMBER(idle_timeout), TIME, .lo = FLUX_MS(500), .hi = FLUX_S(600), .initial = FLUX_S(15),
	  .meaning = "silence that ends a session; the smaller of both ends' holds" },
	{ MEMBER(connect_timeout), TIME, .lo = 1, .hi = UINT64_MAX, .initial = FLUX_S(10), .word = "never",
	  .word_value = FLUX_NEVER, .meaning = "when to give up a peer that does not answer" },
	{ MEMBER(first_seq), COUNT, .lo = 1, .hi = FIRST_SEQ_MAX, .word = "random", .word_value = 0,
	  .meaning = "the first datagram number, for tests" },
	{ MEMBER(boot_id), COUNT, .lo = 1, .hi = UINT64_MAX, .word = "random", .word_value = 0,
	  .meaning = "names this run to peers" },
};

uint64_t flux_option_get(const struct flux_option_row *row, const struct flux_endpoint_cfg *cfg)
{
	const char *at = (const char *)cfg + row->at;
	uint32_t narrow;
	uint64_t wide;

	if (row->bytes == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

void flux_option_set(const struct flux_option_row *row, struct flux_endpoint_cfg *cfg, uint64_t value)
{
	char *at = (char *)cfg + row->at;
	uint32_t narrow = (uint32_t)value;

	if (row->bytes == sizeof(narrow))
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &value, sizeof(value));
}

uint64_t flux_option_lo(const struct flux_option_row *row, const struct flux_endpoint_cfg *cfg)
{
	uint32_t other;

	if (!row->lo_words)
		return row->lo;
	memcpy(&other, (const char *)cfg + row->lo_at, sizeof(other));
	return flux_max_u64(row->lo, (uint64_t)row->lo_times * other);
}

bool flux_option_is_word(const struct flux_option_row *row, uint64_t value)
{
	return row->word && value == row->word_value;
}

void flux_option_write_value(struct flux_text *t, const struct flux_option_row *row, uint64_t value)
{
	if (flux_option_is_word(row, value))
		flux_text_str(t, row->word);
	else
		flux_number_write(t, row->unit, value);
}

void flux_option_write_range(struct flux_text *t, const struct flux_option_row *row, uint64_t lo)
{
	flux_number_write(t, row->unit, lo);
	if (row->hi == UINT64_MAX) {
		flux_text_str(t, " and up");
	} else {
		flux_text_str(t, " to ");
		flux_number_write(t, row->unit, row->hi);
	}
	if (row->pow2)
		flux_text_str(t, ", a power of two");
	if (row->lo_words) {
		flux_text_str(t, ", ");
		flux_text_str(t, row->lo_words);
	}
	if (row->word) {
		flux_text_str(t, ", or ");
		flux_text_str(t, row->word);
	}
}

int flux_option_check(const struct flux_option_row *row, uint64_t value, uint64_t lo, struct flux_text *why)
{
	bool inside = value >= lo && value <= row->hi;

	if (inside && !(row->pow2 && !flux_is_pow2((uint32_t)value)))
		return 0;
	flux_text_str(why, row->key);
	flux_text_str(why, ": ");
	flux_number_write(why, row->unit, value);
	flux_text_str(why, inside ? " is no power of two; give " : " is out of range; give ");
	flux_option_write_range(why, row, lo);
	return FLUX_EINVAL;
}
