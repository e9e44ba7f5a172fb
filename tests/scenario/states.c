/* SPDX-License-Identifier: MIT */
/*
 * X03: every packet type, authentic and well-formed, in every state of a session. A table says which pairs are
 * acted on and which counter the others end in.
 */
#include <stdlib.h>
#include <string.h>

#include "core/endpoint/endpoint.h"
#include "core/wire/record.h"
#include "tests/scenario/common.h"

static struct pair world;

enum cell_state {
	NONE,
	WAIT,
	HALF,
	UP,
	DRAIN,
	CLOSING,
	TOMB,
	STATES
};

#define TYPES 16u

/*
 * Each pair: what counted it (u unknown, s state, o range, r refused, . nothing: it was taken) and the
 * state afterwards (- no session, W wait, H half, U up, D drain, C closing, T tomb).
 */
static const char *const table[STATES][TYPES] = {
	/*           none  DATA  REPAIR FEEDB SYNC  OPEN  PING  PONG  CLOSE RESET HELLO COOKIE WELC VERS  PIECE EXT */
	[NONE] = { "u-", "u-", "u-", "u-", "u-", "u-", "u-", "u-", "u-", "u-", ".-", "u-", "u-", "u-", "u-", "u-" },
	[WAIT] = { "sW", "sW", "sW", "sW", "sW", "sW", "sW", "sW", "sW", "uW", "rW", ".W", ".U", ".T", "sW", "sW" },
	[HALF] = { ".U", ".U", "sH", ".U", ".U", ".U", ".U", "oU", ".T", "uH", ".H", "sH", "sH", "sH", ".U", ".U" },
	[UP] = { ".U", ".U", "sU", ".U", ".U", ".U", ".U", "oU", ".T", ".T", ".U", "sU", "sU", "sU", ".U", ".U" },
	[DRAIN] = { ".D", ".D", "sD", ".D", ".D", ".D", ".D", "oD", ".T", ".T", "rD", "sD", "sD", "sD", ".D", ".D" },
	[CLOSING] = { "sC", "sC", "sC", "sC", "sC", "sC", "sC", "sC", ".T", ".T", "rC", "sC", "sC", "sC", "sC", "sC" },
	[TOMB] = { "sT", "sT", "sT", "sT", "sT", "sT", "sT", "sT", ".T", "uT", "rT", "sT", "sT", "sT", "sT", "sT" },
};

static const char state_letters[] = "-WHUDCT";

/* Drops one type, or everything. */
struct sieve {
	uint8_t type;
	bool all;
};

static struct sim_fate sift(void *ctx, flux_ts now, struct sim_packet *packet)
{
	const struct sieve *sieve = ctx;

	(void)now;
	return (struct sim_fate){ .drop = sieve->all || (packet->data[1] & 15) == sieve->type };
}

/* The session of a host that is not free, whatever its state; NULL if there is none. */
static struct flux_session *any_session(const struct sim_host *host)
{
	for (uint32_t i = 0; i < host->ep->cfg.max_sessions; i++)
		if (host->ep->sessions[i].state != FLUX_S_FREE)
			return &host->ep->sessions[i];
	return NULL;
}

/* Bring a session into `state`; *target is the host that has it. */
static struct flux_session *reach(enum cell_state state, struct sim_host **target)
{
	static struct sieve out, back;
	const struct sim_link_cfg link = { .delay = FLUX_MS(50) };
	struct sim_session *session;

	out = (struct sieve){ .type = state == CLOSING ? FLUX_PKT_CLOSE : 99 };
	back = (struct sieve){ .type = state == HALF ? FLUX_PKT_WELCOME : 99, .all = state == WAIT };
	pair_open(&world, 0, &link);
	world.a->app.raw = world.b->app.raw = true;
	sim_link(&world.sim, world.a, world.b)->cfg.script = sift;
	sim_link(&world.sim, world.a, world.b)->cfg.script_ctx = &out;
	sim_link(&world.sim, world.b, world.a)->cfg.script = sift;
	sim_link(&world.sim, world.b, world.a)->cfg.script_ctx = &back;
	*target = state <= UP && state != WAIT ? world.b : world.a;
	if (state == NONE)
		return NULL;
	session = sim_connect(world.a, world.b, NULL, NULL);
	pair_run(&world, state < UP ? FLUX_MS(260) : FLUX_MS(600));
	if (state == DRAIN) {
		out.all = true;
		assert_int_equal(flux_session_send(world.a->ep, session->sid, "left over", 9), 0);
	}
	if (state >= DRAIN) {
		sim_session_close(session, FLUX_NEVER);
		/* EOS there and back is one round trip, CLOSE and its answer another. */
		pair_run(&world, state == TOMB ? FLUX_MS(210) : FLUX_MS(150));
	}
	return any_session(*target);
}

static char letter(const struct sim_host *host)
{
	const struct flux_session *s = any_session(host);

	return s ? state_letters[s->state] : '-';
}

static uint32_t data_body(uint8_t *body)
{
	uint32_t n = flux_record_put_header(body, FLUX_REC_WHOLE, 5, 0);

	memcpy(body + n, "hello", 5);
	return n + 5;
}

/* A body that is right for this session at this moment. */
static uint32_t body_of(uint8_t type, const struct flux_session *s, uint8_t *body, uint32_t room)
{
	uint64_t sent = s && s->open ? s->tx.win.una : s ? s->first_tx :
							   1;
	uint64_t seen = s && s->open ? s->rx.win.high : s ? s->first_rx :
							    1;
	const struct flux_feedback fb = { .ack = sent, .window = 64, .high = (uint32_t)sent, .echo_dly = FLUX_NO_ECHO };
	const struct flux_sync sync = { .next = seen, .floor = seen, .gsize = 1 };
	const struct flux_open open = { .op = FLUX_OPEN_OPEN, .first_seq = seen };
	const struct flux_ping ping = { .data = 7, .size = 64 };
	const struct flux_pong pong = { .data = s ? s->ping_data : 0, .size = 64, .echo_ts = 0, .echo_dly = 0 };
	const struct flux_close bye = { .kind = FLUX_CLOSE_GRACEFUL };
	struct flux_writer w;

	flux_writer_init(&w, body, room);
	switch (type) {
	case FLUX_PKT_DATA:
		return data_body(body);
	case FLUX_PKT_FEEDBACK:
		flux_feedback_encode(&fb, &w);
		break;
	case FLUX_PKT_SYNC:
		flux_sync_encode(&sync, &w);
		break;
	case FLUX_PKT_OPEN:
		flux_open_encode(&open, &w);
		break;
	case FLUX_PKT_PING:
		flux_ping_encode(&ping, &w);
		break;
	case FLUX_PKT_PONG:
		flux_pong_encode(&pong, &w);
		break;
	case FLUX_PKT_CLOSE:
		flux_close_encode(&bye, &w);
		break;
	default:
		flux_write_zeros(&w, 24);
		break;
	}
	return (uint32_t)(w.pos - body);
}

/* Handshake packets and RESET, whole; 0: `type` is none of them. */
static size_t handshake_packet(uint8_t type, const struct flux_session *s, uint8_t *out, size_t room)
{
	uint32_t cid = s ? s->sid : 0x12300000;
	uint64_t nonce = s ? s->nonce_c : 1;
	struct flux_hello hello = { .version = 1, .cid = 5, .version_min = 1, .version_max = 1, .suites = 1, .nonce = 77, .boot = 5 };
	struct flux_cookie_packet cookie = { .cid = cid };
	struct flux_welcome welcome = { .cid = cid, .version = 1, .server_cid = 9, .nonce = 3, .boot = 4 };
	struct flux_versions versions = { .cid = cid, .version_min = 7, .version_max = 7 };
	static const uint8_t none[FLUX_RESET_TOKEN_LEN];

	hello.params = (struct flux_params){ .has = 1u << FLUX_PARAM_MAX_DATAGRAM | 1u << FLUX_PARAM_MAX_MESSAGE | 1u << FLUX_PARAM_WINDOW | 1u << FLUX_PARAM_FIRST_SEQ, .max_datagram = 1200, .max_message = 1000, .window = 64, .first_seq = 1 };
	welcome.params = hello.params;
	switch (type) {
	case FLUX_PKT_RESET:
		return flux_reset_encode(s ? s->peer_cid : 1, s ? s->reset_token : none, 40, out, room);
	case FLUX_PKT_HELLO:
		return flux_hello_encode(&hello, out, room);
	case FLUX_PKT_COOKIE:
		return flux_cookie_encode(&cookie, nonce, out, room);
	case FLUX_PKT_WELCOME:
		return flux_welcome_encode(&welcome, nonce, out, room);
	case FLUX_PKT_VERSIONS:
		return flux_versions_encode(&versions, nonce, out, room);
	default:
		return 0;
	}
}

static struct sim_packet *craft(uint8_t type, const struct flux_session *s)
{
	struct flux_header h = { .version = 1, .type = type, .num = 500, .cid = s ? s->sid : 0x12300000 };
	uint8_t bytes[1300];
	uint32_t len = (uint32_t)handshake_packet(type, s, bytes, sizeof(bytes));

	if (!len) {
		if (s && type == FLUX_PKT_DATA)
			h.num = (uint32_t)(s->open ? s->rx.win.high : s->first_rx);
		len = FLUX_HEADER_LEN + body_of(type, s, bytes + FLUX_HEADER_LEN, 1000);
		flux_header_encode(&h, bytes);
		flux_trailer_seal(bytes, len, s ? s->tag_rx : 0);
		len += FLUX_TRAILER_LEN;
	}
	return sim_packet_new(bytes, len);
}

static char counted(const struct flux_endpoint_stats *before, const struct flux_endpoint_stats *after)
{
	if (after->rx_bad_checksum != before->rx_bad_checksum)
		return 'c';
	if (after->rx_malformed != before->rx_malformed)
		return 'm';
	if (after->rx_unknown != before->rx_unknown)
		return 'u';
	if (after->rx_replayed != before->rx_replayed)
		return 'p';
	if (after->rx_out_of_state != before->rx_out_of_state)
		return 's';
	if (after->rx_out_of_range != before->rx_out_of_range)
		return 'o';
	return after->sessions_refused != before->sessions_refused ? 'r' : '.';
}

static void try_cell(enum cell_state state, uint8_t type)
{
	struct sim_host *target;
	const struct flux_session *s = reach(state, &target);
	struct flux_endpoint_stats before, after;
	struct sim_packet *packet;
	char got[3] = { 0 };

	if (letter(target) != state_letters[state])
		fail_msg("state %d was not reached: %c", state, letter(target));
	packet = craft(type, s);
	packet->forged = true;
	packet->from = target == world.a ? world.b->addr : world.a->addr;
	packet->to = target->addr;
	before = host_stats(target);
	sim_inject(&world.sim, target, packet, 0);
	sim_run(&world.sim, FLUX_MS(1));
	after = host_stats(target);
	got[0] = counted(&before, &after);
	got[1] = letter(target);
	if (strcmp(got, table[state][type]) != 0)
		fail_msg("state %c, type %u: \"%s\", not \"%s\"", state_letters[state], type, got,
			 table[state][type]);
	sim_fini(&world.sim);
}

static void test_X03_every_type_in_every_state(void **state)
{
	(void)state;
	for (enum cell_state s = NONE; s < STATES; s++)
		for (uint8_t type = 0; type < TYPES; type++)
			try_cell(s, type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_X03_every_type_in_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
