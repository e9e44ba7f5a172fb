/* SPDX-License-Identifier: MIT */
/*
 * S07: a server of every address, reached by each of them. Its peers are connected sockets, as clients behind
 * the same filters that a NAT is: what comes from another address does not exist for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire/handshake.h"
#include "core/wire/packet.h"
#include "sys/sockaddr.h"
#include "tests/lib/netns.h"
#include "tests/loop/world.h"

/* Whether a namespace of our own has these. */
static bool own_addresses;

static const char *const fours[] = { "127.0.0.1", "127.0.0.2", "127.9.8.7" };
static const char *const sixes[] = { "::1", "fd00:7::1", "fd00:7::2" };

static void open_server(struct world *w, const char *local, uint16_t *port)
{
	struct flux_addr addr;

	end_open(&w->a, local);
	flux_binding_local(w->a.binding, &addr);
	*port = addr.port;
}

static void close_end(struct end *end)
{
	uint32_t ended = end->ended;

	flux_binding_close(end->binding);
	world_until(end->world, end->ended == ended + 1);
}

/* ---- A raw socket ---- */

static struct flux_addr address(const char *host, uint16_t port)
{
	struct flux_addr addr;
	char text[FLUX_ADDR_TEXT];

	snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	assert_int_equal(flux_addr_parse(text, &addr), 0);
	return addr;
}

static int connect_raw(const struct flux_addr *to)
{
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, to, to->family);
	int fd = socket(sa.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &sa.any, len), 0);
	return fd;
}

/* Send it and return the type of the answer, which is connected sockets' way to say where it came from. */
static uint8_t ask(struct world *w, int fd, uint8_t *data, size_t len)
{
	ssize_t n = -1;

	assert_int_equal(send(fd, data, len, 0), len);
	world_until(w, (n = recv(fd, data, 2048, 0)) > 0);
	assert_true(n > 1);
	return data[1] & 15;
}

/* Everything that is said before there is a session, and to those who have none. */
static void stateless(struct world *w, const char *host, uint16_t port)
{
	struct flux_hello h = { .cid = 7, .version_min = 1, .version_max = 1, .suites = 1, .nonce = 9, .boot = 3 };
	const struct flux_header unknown = { .version = 1, .type = FLUX_PKT_PING, .cid = 0x100001 };
	struct flux_addr to = address(host, port);
	int fd = connect_raw(&to);
	uint8_t data[2048];
	size_t len;

	len = flux_hello_encode(&h, data, sizeof(data));
	assert_int_equal(ask(w, fd, data, len), FLUX_PKT_COOKIE);
	len = flux_hello_encode(&h, data, sizeof(data));
	data[0] = 0x08 | 5; /* of a version to come */
	assert_int_equal(ask(w, fd, data, len), FLUX_PKT_VERSIONS);
	memset(data, 0, sizeof(data));
	flux_header_encode(&unknown, data);
	assert_int_equal(ask(w, fd, data, 100), FLUX_PKT_RESET);
	close(fd);
}

/* ---- A client ---- */

/* A session's whole life at that address, with enough both ways for repairs, runs and feedback. */
static void session(struct world *w, const char *host, uint16_t port)
{
	struct flux_addr to = address(host, port);
	struct end *a = &w->a, *b = &w->b;
	char peer[FLUX_ADDR_TEXT];

	a->sid = 0;
	a->pub = NULL;
	a->received = b->received = 0;
	a->sent = b->sent = 0;
	a->ups = b->ups = a->closes = b->closes = 0;
	a->echo = true;
	end_open(b, NULL);
	end_connect(b, flux_addr_format(&to, peer));
	world_until(w, a->ups == 1 && b->ups == 1);
	while (b->sent < 300)
		if (end_send(b, 1 + (uint32_t)b->sent * 37 % 3000) == FLUX_EAGAIN)
			world_round(w);
	world_until(w, b->received == 300);
	assert_int_equal(flux_binding_close_session(b->binding, b->sid, FLUX_S(5)), 0);
	world_until(w, a->closes == 1 && b->closes == 1);
	assert_int_equal(b->last.reason, 0);
	close_end(b);
}

static void reach(struct world *w, const char *local, const char *const *hosts, uint32_t n)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };
	uint16_t port;

	open_server(w, local, &port);
	flux_binding_get_stats(w->a.binding, &stats);
	assert_int_equal(stats.features & FLUX_SOCKET_LOCAL, FLUX_SOCKET_LOCAL);
	for (uint32_t i = 0; i < n; i++) {
		stateless(w, hosts[i], port);
		session(w, hosts[i], port);
	}
	flux_binding_get_stats(w->a.binding, &stats);
	assert_int_equal(stats.tx_errors, 0);
	close_end(&w->a);
}

/* ---- The tests ---- */

static void s07_ipv4(void **state)
{
	reach(*state, "0.0.0.0:0", fours, 3);
}

/* The same by mapped addresses. */
static void s07_ipv4_of_both(void **state)
{
	reach(*state, ":0", fours, 3);
}

static void s07_ipv6(void **state)
{
	if (!own_addresses) {
		print_message("# needs root and ip(8), for addresses of its own\n");
		skip();
	}
	reach(*state, ":0", sixes, 3);
	reach(*state, "[::]:0", sixes, 3);
}

/* Two clients of one server at once, by two of its addresses: each session keeps its own. */
static void s07_side_by_side(void **state)
{
	struct world *w = *state;
	struct end c = { .world = w };
	struct flux_addr to;
	char peer[FLUX_ADDR_TEXT];
	uint16_t port;

	open_server(w, ":0", &port);
	to = address(fours[1], port);
	end_open(&w->b, NULL);
	end_connect(&w->b, flux_addr_format(&to, peer));
	world_until(w, w->a.ups == 1 && w->b.ups);
	to = address(fours[2], port);
	end_open(&c, NULL);
	end_connect(&c, flux_addr_format(&to, peer));
	world_until(w, w->a.ups == 2 && c.ups);
	w->a.echo = true;
	while (w->b.sent < 200)
		if (end_send(&w->b, 1000) == FLUX_EAGAIN)
			world_round(w);
	world_until(w, w->b.received == 200);
	assert_int_equal(w->a.closes + w->b.closes + c.closes, 0);
	close_end(&c);
}

int main(void)
{
	static const struct world_test tests[] = {
		{ "s07_ipv4", s07_ipv4 },
		{ "s07_ipv4_of_both", s07_ipv4_of_both },
		{ "s07_ipv6", s07_ipv6 },
		{ "s07_side_by_side", s07_side_by_side },
	};

	own_addresses = netns_new() >= 0;
	for (uint32_t i = 1; own_addresses && i < 3; i++)
		own_addresses = netns_ip("addr add %s/128 dev lo", sixes[i]);
	return world_run("loop/addresses", tests, sizeof(tests) / sizeof(tests[0]));
}
