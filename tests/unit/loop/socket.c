/* SPDX-License-Identifier: MIT */
/* Opening sockets: families, words of failures, buffers that come out smaller, options that fail (S02, S17), shared ports (S15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/socket.h"
#include "sys/resolve.h"
#include "sys/sockaddr.h"
#include "tests/lib/inject.h"

static char why[256];

static int open_at(struct flux_socket *sock, const char *local, uint32_t buffer)
{
	struct flux_socket_want want = {
		.rcvbuf = buffer,
		.sndbuf = buffer,
		.why = why,
		.why_cap = sizeof(why),
	};

	why[0] = '\0';
	assert_int_equal(flux_resolve(local, 0, &want.local, why, sizeof(why)), 0);
	return flux_socket_open(sock, &want);
}

static void send_to(const struct flux_socket *from, const struct flux_addr *to, const char *text)
{
	union flux_sockaddr sa;
	socklen_t len = flux_sockaddr_from(&sa, to, from->family);

	assert_int_equal(sendto(from->fd, text, strlen(text), 0, &sa.any, len), (int)strlen(text));
}

static void families(void **state)
{
	static const struct {
		const char *local;
		uint8_t family;
	} cases[] = { { "127.0.0.1:0", 4 }, { "0.0.0.0:0", 4 }, { "[::1]:0", 6 }, { "[::]:0", 6 }, { ":0", 6 } };

	(void)state;
	inject_clear();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flux_socket sock;

		assert_int_equal(open_at(&sock, cases[i].local, 65536), 0);
		assert_int_equal(sock.family, cases[i].family);
		assert_int_not_equal(sock.local.port, 0);
		assert_true(fcntl(sock.fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(sock.fd, F_GETFL) & O_NONBLOCK);
		flux_socket_close(&sock);
		assert_int_equal(sock.fd, -1);
		flux_socket_close(&sock);
	}
}

/* A socket of every address hears IPv4 and sees plain IPv4 addresses. */
static void both_families(void **state)
{
	struct flux_socket any, four;
	struct flux_addr to = { .ip = { 127, 0, 0, 1 }, .family = 4 }, from;
	union flux_sockaddr sa;
	socklen_t len = sizeof(sa);
	char buf[8];

	(void)state;
	inject_clear();
	assert_int_equal(open_at(&any, ":0", 65536), 0);
	assert_int_equal(open_at(&four, "127.0.0.1:0", 65536), 0);
	to.port = any.local.port;
	send_to(&four, &to, "one");
	assert_int_equal(recvfrom(any.fd, buf, sizeof(buf), 0, &sa.any, &len), 3);
	flux_sockaddr_to(&from, &sa, len);
	assert_true(flux_addr_equal(&from, &four.local));
	send_to(&any, &from, "back");
	assert_int_equal(recv(four.fd, buf, sizeof(buf), 0), 4);
	flux_socket_close(&any);
	flux_socket_close(&four);
}

static void no_ipv6(void **state)
{
	struct flux_socket sock;

	(void)state;
	inject_clear();
	inject_error(INJECT_SOCKET, EAFNOSUPPORT, 0, 1);
	assert_int_equal(open_at(&sock, ":0", 65536), 0);
	assert_int_equal(sock.family, 4);
	flux_socket_close(&sock);
	inject_error(INJECT_SOCKET, EAFNOSUPPORT, 0, 1);
	assert_int_equal(open_at(&sock, "[::1]:0", 65536), -EAFNOSUPPORT); /* asked for, not chosen */
}

static void words(void **state)
{
	struct flux_socket taken, sock;
	char text[FLUX_ADDR_TEXT];

	(void)state;
	inject_clear();
	assert_int_equal(open_at(&taken, "127.0.0.1:0", 65536), 0);
	flux_addr_format(&taken.local, text);
	assert_int_equal(open_at(&sock, text, 65536), -EADDRINUSE);
	assert_int_equal(sock.fd, -1);
	assert_non_null(strstr(why, text));
	assert_non_null(strstr(why, strerror(EADDRINUSE)));
	flux_socket_close(&taken);

	assert_int_equal(open_at(&sock, "192.0.2.1:7000", 65536), -EADDRNOTAVAIL);
	assert_non_null(strstr(why, "192.0.2.1:7000"));

	inject_error(INJECT_SOCKET, EMFILE, 0, 1);
	assert_int_equal(open_at(&sock, "127.0.0.1:0", 65536), -EMFILE);
	assert_non_null(strstr(why, strerror(EMFILE)));
}

/* S02: rmem_max is 212992, 8 MiB are asked. */
static void s02_receive_buffer_clamped(void **state)
{
	struct flux_socket sock;

	(void)state;
	inject_clear();
	inject_option(SOL_SOCKET, SO_RCVBUFFORCE, EPERM);
	inject_rcvbuf(425984);
	assert_int_equal(open_at(&sock, "127.0.0.1:0", 8u << 20), 0);
	assert_int_equal(sock.stats.rcvbuf, 425984);
	assert_int_equal(sock.stats.rcvbuf_short, 1);
	assert_non_null(strstr(why, "got 212992 bytes, wanted 8388608"));
	assert_non_null(strstr(why, "net.core.rmem_max (now "));
	flux_socket_close(&sock);
}

static void enough_buffer(void **state)
{
	struct flux_socket sock;
	int value = 0;
	socklen_t len = sizeof(value);

	(void)state;
	inject_clear();
	assert_int_equal(open_at(&sock, "127.0.0.1:0", 65536), 0);
	assert_int_equal(sock.stats.rcvbuf_short, 0);
	assert_string_equal(why, "");
	assert_int_equal(getsockopt(sock.fd, SOL_SOCKET, SO_RCVBUF, &value, &len), 0);
	assert_int_equal(sock.stats.rcvbuf, value);
	assert_int_equal(sock.stats.rcvbuf, 2 * 65536); /* as the kernel counts */
	flux_socket_close(&sock);
}

/* Over net.core.rmem_max for who may, and no complaint then. */
static void force_is_tried(void **state)
{
	unsigned long max = 0;
	struct flux_socket sock;
	FILE *file = fopen("/proc/sys/net/core/rmem_max", "r");

	(void)state;
	inject_clear();
	if (!file || fscanf(file, "%lu", &max) != 1 || max > 1ul << 29) {
		if (file)
			fclose(file);
		skip();
	}
	fclose(file);
	assert_int_equal(open_at(&sock, "127.0.0.1:0", (uint32_t)max * 2), 0);
	assert_int_equal(sock.stats.rcvbuf_short, sock.stats.rcvbuf / 2 < max * 2);
	if (sock.stats.rcvbuf_short == 0)
		assert_int_equal(sock.stats.rcvbuf, max * 4);
	flux_socket_close(&sock);
}

static void options_may_fail(void **state)
{
	struct flux_socket sock;

	(void)state;
	inject_clear();
	inject_error(INJECT_SETSOCKOPT, ENOPROTOOPT, 0, INJECT_FOREVER);
	inject_error(INJECT_GETSOCKOPT, ENOPROTOOPT, 0, INJECT_FOREVER);
	assert_int_equal(open_at(&sock, ":0", 65536), 0);
	assert_true(inject_count(INJECT_SETSOCKOPT) > 5);
	assert_int_equal(sock.stats.rcvbuf, 0);
	assert_int_equal(sock.stats.rcvbuf_short, 1);
	flux_socket_close(&sock);
}

/* Every option that a socket may do without, and what shows that it does. */
static const struct {
	int level, name;
	uint32_t feature; /* 0: its effect is elsewhere */
	bool six;         /* sockets of IPv6 only */
} optional[] = {
	{ SOL_UDP, UDP_SEGMENT, 0, false },
	{ SOL_UDP, UDP_GRO, 0, false },
	{ SOL_SOCKET, SO_RCVBUF, 0, false },
	{ SOL_SOCKET, SO_SNDBUF, 0, false },
	{ SOL_SOCKET, SO_RXQ_OVFL, FLUX_SOCKET_DROPS, false },
	{ SOL_SOCKET, SO_TIMESTAMPNS, FLUX_SOCKET_STAMPS, false },
	{ IPPROTO_IP, IP_RECVERR, FLUX_SOCKET_ERRORS, false },
	{ IPPROTO_IPV6, IPV6_RECVERR, FLUX_SOCKET_ERRORS, true },
	{ IPPROTO_IPV6, IPV6_V6ONLY, FLUX_SOCKET_IPV4, true },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, FLUX_SOCKET_LOCAL, true },
	{ IPPROTO_IP, IP_TOS, FLUX_SOCKET_ECN, false },
	{ IPPROTO_IP, IP_RECVTOS, FLUX_SOCKET_ECN, false },
	{ IPPROTO_IPV6, IPV6_TCLASS, FLUX_SOCKET_ECN, true },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, FLUX_SOCKET_ECN, true },
};

static void open_everything(struct flux_socket *sock, const char *local)
{
	struct flux_socket_want want = {
		.rcvbuf = 65536,
		.sndbuf = 65536,
		.tell_local = true,
		.ecn = true,
		.why = why,
		.why_cap = sizeof(why),
	};

	assert_int_equal(flux_resolve(local, 0, &want.local, why, sizeof(why)), 0);
	assert_int_equal(flux_socket_open(sock, &want), 0);
}

/* S17: an older kernel lacks one of them: the socket opens, that feature is off and is seen to be. */
static void s17_without(const char *local, bool is_six)
{
	struct flux_socket sock;
	uint32_t all;
	bool joins, joined;

	inject_clear();
	open_everything(&sock, local);
	all = sock.stats.features;
	joins = sock.joins;
	joined = sock.joined;
	flux_socket_close(&sock);
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		bool segment = optional[i].name == UDP_SEGMENT && optional[i].level == SOL_UDP;
		bool gro = optional[i].name == UDP_GRO && optional[i].level == SOL_UDP;

		if (optional[i].six && !is_six)
			continue;
		inject_option(optional[i].level, optional[i].name, ENOPROTOOPT);
		open_everything(&sock, local);
		assert_true((all & optional[i].feature) == optional[i].feature);
		assert_int_equal(sock.stats.features, all & ~optional[i].feature);
		assert_int_equal(sock.joins, joins && !segment);
		assert_int_equal(sock.joined, joined && !gro);
		flux_socket_close(&sock);
	}
	inject_clear();
}

static void s17_options_in_turn(void **state)
{
	struct flux_socket sock;

	(void)state;
	s17_without(":0", true);
	s17_without("0.0.0.0:0", false);
	/* Of IPv4 alone it is another option. */
	inject_option(IPPROTO_IP, IP_PKTINFO, ENOPROTOOPT);
	open_everything(&sock, "0.0.0.0:0");
	assert_int_equal(sock.stats.features & FLUX_SOCKET_LOCAL, 0);
	assert_int_equal(sock.stats.features & FLUX_SOCKET_ECN, FLUX_SOCKET_ECN);
	flux_socket_close(&sock);
	inject_clear();
}

/* The list above is all there is: any call of setsockopt() may fail. */
static void s17_calls_in_turn(void **state)
{
	struct flux_socket sock;
	uint64_t calls;

	(void)state;
	inject_clear();
	open_everything(&sock, ":0");
	flux_socket_close(&sock);
	calls = inject_count(INJECT_SETSOCKOPT);
	assert_true(calls >= sizeof(optional) / sizeof(optional[0]));
	for (uint32_t i = 0; i < calls; i++) {
		inject_error(INJECT_SETSOCKOPT, ENOPROTOOPT, i, 1);
		open_everything(&sock, ":0");
		flux_socket_close(&sock);
	}
	inject_clear();
}

/* Asked of a socket of one address, it would cost each datagram and tell nothing new. */
static void s07_not_asked(void **state)
{
	struct flux_socket sock;

	(void)state;
	inject_clear();
	open_everything(&sock, "127.0.0.1:0");
	assert_int_equal(sock.stats.features & FLUX_SOCKET_LOCAL, 0);
	flux_socket_close(&sock);
	open_everything(&sock, "[::1]:0");
	assert_int_equal(sock.stats.features & FLUX_SOCKET_LOCAL, 0);
	flux_socket_close(&sock);
}

/* S15: who has the port lets others join; we do not, and nobody joins us. */
static void s15_never_shared(void **state)
{
	struct flux_socket ours, sock;
	union flux_sockaddr sa;
	struct flux_addr at = { .ip = { 127, 0, 0, 1 }, .family = 4 };
	socklen_t len = flux_sockaddr_from(&sa, &at, 4);
	char text[FLUX_ADDR_TEXT];
	int old = socket(AF_INET, SOCK_DGRAM, 0), late = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	(void)state;
	inject_clear();
	assert_true(old >= 0 && late >= 0);
	assert_int_equal(setsockopt(old, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(late, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(old, &sa.any, len), 0);
	assert_int_equal(getsockname(old, &sa.any, &len), 0);
	flux_sockaddr_to(&at, &sa, len);
	flux_addr_format(&at, text);
	assert_int_equal(open_at(&ours, text, 65536), -EADDRINUSE);
	assert_non_null(strstr(why, text));
	assert_non_null(strstr(why, "choose another port, or stop who has it"));
	/* A socket of every address is in its way too. */
	snprintf(text, sizeof(text), ":%u", at.port);
	assert_int_equal(open_at(&ours, text, 65536), -EADDRINUSE);
	close(old);
	assert_int_equal(open_at(&ours, text, 65536), 0);
	assert_int_equal(bind(late, &sa.any, len), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(open_at(&sock, text, 65536), -EADDRINUSE);
	close(late);
	flux_socket_close(&ours);
}

/* Each ICMP answer is read and counted, and the socket is not "ready" any more. */
static void error_queue(void **state)
{
	struct flux_socket sock, closed;
	char byte;

	(void)state;
	inject_clear();
	assert_int_equal(open_at(&closed, "127.0.0.1:0", 65536), 0);
	assert_int_equal(open_at(&sock, "127.0.0.1:0", 65536), 0);
	flux_socket_close(&closed);
	send_to(&sock, &closed.local, "nobody");
	assert_int_equal(recv(sock.fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	flux_socket_read_errors(&sock);
	assert_int_equal(sock.stats.icmp_errors, 1);
	flux_socket_read_errors(&sock);
	assert_int_equal(sock.stats.icmp_errors, 1);
	assert_int_equal(recv(sock.fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	flux_socket_close(&sock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families),
		cmocka_unit_test(both_families),
		cmocka_unit_test(no_ipv6),
		cmocka_unit_test(words),
		cmocka_unit_test(s02_receive_buffer_clamped),
		cmocka_unit_test(enough_buffer),
		cmocka_unit_test(force_is_tried),
		cmocka_unit_test(options_may_fail),
		cmocka_unit_test(s17_options_in_turn),
		cmocka_unit_test(s17_calls_in_turn),
		cmocka_unit_test(s07_not_asked),
		cmocka_unit_test(s15_never_shared),
		cmocka_unit_test(error_queue),
	};

	return cmocka_run_group_tests_name("loop/socket", tests, NULL, NULL);
}
