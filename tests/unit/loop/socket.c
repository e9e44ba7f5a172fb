/* SPDX-License-Identifier: MIT */
/* Opening sockets: families, words of failures, buffers that come out smaller, options that fail (S02). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
		cmocka_unit_test(error_queue),
	};

	return cmocka_run_group_tests_name("loop/socket", tests, NULL, NULL);
}
